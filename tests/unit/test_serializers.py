"""How outputs become files: pickle, JSON, Parquet, and what a project brings itself."""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from typing import Any

import pytest

from backfill import Out, register_serializer, step
from backfill.definitions import serializers
from backfill.errors import DefinitionError
from backfill.execution.faults import OutputMissing, OutputNotSerializable
from backfill.execution.outputs import FileOutputStore


@pytest.fixture(params=["file://{tmp}/outputs", "memory://serializers"])
def store(request: pytest.FixtureRequest, tmp_path: Any) -> FileOutputStore:
    return FileOutputStore(request.param.format(tmp=tmp_path))


@pytest.fixture(autouse=True)
def _as_it_was(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(serializers, "_registered", dict(serializers._registered))
    return


def keep(store: FileOutputStore, value: Any, serializer: str, *, attempt: int = 1) -> str:
    return store.save(
        run_id=4, attempt=attempt, step="a", output="rows", value=value, serializer=serializer
    )


def without(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    """Have importing a package fail, as where it is not installed."""
    real = builtins.__import__

    def importing(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.split(".")[0] == package:
            raise ImportError(f"No module named {package!r}")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", importing)


def test_a_data_frame_is_kept_as_parquet_and_read_back_as_one(store: FileOutputStore) -> None:
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    frame = pandas.DataFrame({"day": ["a", "b"], "rows": [1, 2]}).set_index("day")
    url = keep(store, frame, "parquet")
    assert url.endswith("/4/1/a.rows.parquet")
    pandas.testing.assert_frame_equal(store.load(url), frame)


def test_a_table_of_pyarrow_is_read_back_as_one(store: FileOutputStore) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    table = pyarrow.table({"rows": [1, 2]})
    assert store.load(keep(store, table, "parquet")).equals(table)


def test_parquet_takes_no_other_value(store: FileOutputStore) -> None:
    pytest.importorskip("pyarrow")
    with pytest.raises(OutputNotSerializable, match='Output "rows" of step "a" is a dict'):
        keep(store, {"rows": 1}, "parquet")


def test_without_pyarrow_parquet_says_what_to_install(
    store: FileOutputStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    url = keep(store, pyarrow.table({"rows": [1]}), "parquet")
    without(monkeypatch, "pyarrow")
    told = r'needs pyarrow, which is not installed here: pip install "backfill\[parquet\]"'
    with pytest.raises(OutputNotSerializable, match=told):
        keep(store, object(), "parquet")
    with pytest.raises(OutputMissing, match=told):
        store.load(url)


class Lines:
    """A list of texts, a line each."""

    suffix = ".lines"

    def dump(self, value: Any) -> bytes:
        return "\n".join(value).encode()

    def load(self, data: bytes) -> Any:
        return data.decode().split("\n")


def test_a_project_brings_its_own(store: FileOutputStore) -> None:
    register_serializer("lines", Lines())
    register_serializer("lines", Lines())  # as when its code is loaded again

    @step(outs={"result": Out(serializer="lines")})
    def read() -> list[str]:
        return ["a", "b"]

    url = keep(store, ["a", "b"], "lines")
    assert url.endswith("a.rows.lines")
    assert store.load(url) == ["a", "b"]


@pytest.mark.parametrize(
    ("name", "suffix", "told"),
    [
        ("a name", ".x", "is no name for a serializer"),
        ("x", "x", "expected one such as"),
        ("x", ".json", 'has the suffix ".json" of "json"'),
    ],
)
def test_one_that_cannot_be_told_apart_is_refused(name: str, suffix: str, told: str) -> None:
    other = Lines()
    other.suffix = suffix
    with pytest.raises(DefinitionError, match=told):
        register_serializer(name, other)


def test_what_is_no_serializer_is_refused() -> None:
    with pytest.raises(DefinitionError, match="needs a suffix and the methods"):
        register_serializer("x", object())  # type: ignore[arg-type]
    with pytest.raises(DefinitionError, match="has no serializer 'xml'; there are: json, parquet"):

        @step(outs={"result": Out(serializer="xml")})
        def read() -> int:
            return 1


def test_an_attempt_that_was_given_up_overwrites_nothing(store: FileOutputStore) -> None:
    """A worker that lost its lease may still write: its file is another one."""
    newer = keep(store, "by attempt 2", "json", attempt=2)
    older = keep(store, "by the one given up", "json", attempt=1)
    assert older != newer
    assert store.load(newer) == "by attempt 2"
