"""Outputs of steps, kept at URLs so that later attempts need not compute them again."""

from __future__ import annotations

import os
from typing import Any, Protocol

from backfill.definitions.serializers import (
    Serializer,
    SerializerUnavailable,
    serializer_named,
    serializer_of,
)
from backfill.execution.faults import OutputMissing, OutputNotSerializable

UNSET = "unset:"  # in place of a URL: the output was not yielded
UNKEPT = "unkept:"  # in place of a URL: there was no store to keep it in

# where an object appears only when it is complete
_OBJECT_STORES = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "memory"})


class OutputStore(Protocol):
    """Where outputs are kept."""

    def save(
        self, *, run_id: int, attempt: int, step: str, output: str, value: Any, serializer: str
    ) -> str:
        """Keep a value and return its URL; the same arguments give the same URL.

        Raises:
            OutputNotSerializable: The serializer cannot take the value.
            OSError: The store cannot be written.
        """
        ...

    def load(self, url: str) -> Any:
        """Return a value that was kept; raises OutputMissing when it is gone or unreadable."""
        ...


class FileOutputStore:
    """Keeps outputs as files in a local folder or at any URL that fsspec knows.

    A file's path is made of ids and names of the definition alone,
    `<run % 1000>/<run>/<attempt>/<step>.<output>`, so two attempts never write the same file. It
    appears whole or not at all.
    """

    def __init__(self, base: str) -> None:
        self._local = "://" not in base or base.startswith("file://")
        if self._local:
            base = os.path.abspath(base.removeprefix("file://"))
        self._base = base.rstrip("/")

    def save(
        self, *, run_id: int, attempt: int, step: str, output: str, value: Any, serializer: str
    ) -> str:
        chosen = serializer_named(serializer)
        data = _dump(chosen, value, step, output)
        folder = f"{self._base}/{run_id % 1000:03d}/{run_id}/{attempt}"
        name = f"{step}.{output}{chosen.suffix}"
        if self._local:
            _write_local(folder, name, data)
        else:
            _write_remote(folder, name, data)
        return f"{folder}/{name}"

    def load(self, url: str) -> Any:
        self._refuse_foreign(url)
        serializer = serializer_of(os.path.splitext(url)[1])
        if serializer is None:
            raise OutputMissing(f"The output at {url} is of a kind that no serializer reads.")
        try:
            return serializer.load(_read(url, local=self._local))
        except SerializerUnavailable as error:
            raise OutputMissing(f"The output kept at {url} cannot be read: {error}.") from error
        except Exception as error:
            raise OutputMissing(
                f"The output kept at {url} cannot be read ({type(error).__name__})."
            ) from error

    def _refuse_foreign(self, url: str) -> None:
        """Reading a pickle runs code: only what lies in this store is read."""
        if not url.startswith(self._base + "/") or ".." in url.split("/"):
            raise OutputMissing(f"The output at {url} is not in the store {self._base}.")


def _dump(serializer: Serializer, value: Any, step: str, output: str) -> bytes:
    try:
        return serializer.dump(value)
    except SerializerUnavailable as error:
        raise OutputNotSerializable(
            f'Output "{output}" of step "{step}" cannot be kept: {error}.'
        ) from error
    except Exception as error:
        raise OutputNotSerializable(
            f'Output "{output}" of step "{step}" is a {type(value).__name__} that cannot be kept '
            f"({type(error).__name__}). Return plain data, or store it and return where it is."
        ) from error


def _write_local(folder: str, name: str, data: bytes) -> None:
    temporary = f"{folder}/.{name}.{os.getpid()}.{os.urandom(4).hex()}.part"
    try:
        file = open(temporary, "xb")  # noqa: SIM115 (closed below; the folder may be missing)
    except FileNotFoundError:
        os.makedirs(folder, exist_ok=True)
        file = open(temporary, "xb")  # noqa: SIM115
    try:
        with file:
            file.write(data)
        os.replace(temporary, f"{folder}/{name}")
    except BaseException:
        os.unlink(temporary)
        raise


def _write_remote(folder: str, name: str, data: bytes) -> None:
    """Write through fsspec: at once to object stores, by renaming to everything else."""
    import fsspec

    fs, path = fsspec.core.url_to_fs(folder)
    fs.makedirs(path, exist_ok=True)
    protocols = {fs.protocol} if isinstance(fs.protocol, str) else set(fs.protocol)
    if protocols & _OBJECT_STORES:
        fs.pipe_file(f"{path}/{name}", data)
        return
    temporary = f"{path}/.{name}.{os.urandom(8).hex()}.part"
    fs.pipe_file(temporary, data)
    fs.mv(temporary, f"{path}/{name}")


def _read(url: str, *, local: bool) -> bytes:
    if local:
        with open(url, "rb") as file:
            return file.read()
    import fsspec

    fs, path = fsspec.core.url_to_fs(url)
    data: bytes = fs.cat_file(path)
    return data
