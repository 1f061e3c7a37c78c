"""Serializers: how outputs of steps become bytes that later attempts read.

Their names are what `Out(serializer=...)` says, their suffixes what files are known by. A project
registers its own where its pipelines are defined, so that every worker has them.
"""

from __future__ import annotations

import io
import json
import pickle
import re
from collections.abc import Iterable
from typing import Any, Protocol, runtime_checkable

from backfill.errors import DefinitionError

_SUFFIX = re.compile(r"\.[a-z0-9_]{1,20}")
_NAME = re.compile(r"[A-Za-z0-9_.]{1,100}")


@runtime_checkable
class Serializer(Protocol):
    """Turns a value into bytes and back; `suffix` marks its files, such as `.npy`."""

    suffix: str

    def dump(self, value: Any) -> bytes: ...

    def load(self, data: bytes) -> Any: ...


class SerializerUnavailable(Exception):
    """A serializer cannot work here: a package it needs is not installed."""


class PickleSerializer:
    """Any Python value that pickle takes."""

    suffix = ".pickle"

    def dump(self, value: Any) -> bytes:
        return pickle.dumps(value, protocol=5)

    def load(self, data: bytes) -> Any:
        return pickle.loads(data)


class JsonSerializer:
    """JSON values, readable by anything."""

    suffix = ".json"

    def dump(self, value: Any) -> bytes:
        return json.dumps(value, ensure_ascii=False, allow_nan=False).encode()

    def load(self, data: bytes) -> Any:
        return json.loads(data)


class ParquetSerializer:
    """Data frames of pandas and tables of pyarrow, each read back as what it was."""

    suffix = ".parquet"

    def dump(self, value: Any) -> bytes:
        arrow, parquet = _pyarrow()
        if isinstance(value, arrow.Table):
            table = value
        elif type(value).__name__ == "DataFrame" and type(value).__module__.startswith("pandas"):
            table = arrow.Table.from_pandas(value)
        else:
            raise TypeError("Parquet takes data frames of pandas and tables of pyarrow")
        file = io.BytesIO()
        parquet.write_table(table, file)
        return file.getvalue()

    def load(self, data: bytes) -> Any:
        _, parquet = _pyarrow()
        table = parquet.read_table(io.BytesIO(data))
        if b"pandas" not in (table.schema.metadata or {}):
            return table
        try:
            return table.to_pandas()
        except ImportError as error:
            raise _missing("pandas") from error


_registered: dict[str, Serializer] = {
    "pickle": PickleSerializer(),
    "json": JsonSerializer(),
    "parquet": ParquetSerializer(),
}


def register_serializer(name: str, serializer: Serializer) -> None:
    """Make a serializer known under a name; the same name again takes the place of the first.

    Raises:
        DefinitionError: It has no suffix, `dump` and `load`, or another one has its suffix.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise DefinitionError(f"{name!r} is no name for a serializer.")
    if not isinstance(serializer, Serializer):
        raise DefinitionError(
            f'Serializer "{name}" needs a suffix and the methods dump(value) and load(data).'
        )
    if not isinstance(serializer.suffix, str) or not _SUFFIX.fullmatch(serializer.suffix):
        raise DefinitionError(
            f'Serializer "{name}" has the suffix {serializer.suffix!r}; expected one such as '
            '".npy".'
        )
    for other, known in _registered.items():
        if other != name and known.suffix == serializer.suffix:
            raise DefinitionError(
                f'Serializer "{name}" has the suffix "{serializer.suffix}" of "{other}": files '
                "are known by it. Choose another."
            )
    _registered[name] = serializer


def serializer_named(name: str) -> Serializer:
    """Return the serializer of a name; the plan has checked that there is one."""
    return _registered[name]


def serializer_of(suffix: str) -> Serializer | None:
    """Return the serializer that reads files of a suffix, if there is one."""
    return next((one for one in _registered.values() if one.suffix == suffix), None)


def serializer_names() -> Iterable[str]:
    """Return the names there are, in order."""
    return sorted(_registered)


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise _missing("pyarrow") from error
    return pyarrow, parquet


def _missing(package: str) -> SerializerUnavailable:
    return SerializerUnavailable(
        f'the serializer "parquet" needs {package}, which is not installed here: '
        'pip install "backfill[parquet]"'
    )
