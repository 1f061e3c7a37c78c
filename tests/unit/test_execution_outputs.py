"""Kept outputs: where, how, and what later attempts make of them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from backfill import Out, Output, pipeline, step
from backfill.execution.faults import OutputMissing, OutputNotSerializable
from backfill.execution.outcomes import RunEnd
from backfill.execution.outputs import FileOutputStore
from tests.support.runs import run

RAN: list[str] = []


@pytest.fixture(autouse=True)
def _nothing_ran() -> None:
    RAN.clear()


@pytest.fixture
def store(tmp_path: Path) -> FileOutputStore:
    return FileOutputStore(str(tmp_path / "outputs"))


@step
def extract() -> dict[str, int]:
    RAN.append("extract")
    return {"rows": 3}


@step
def nothing() -> None:
    RAN.append("nothing")


@step
def load(rows: Any, extra: Any = None) -> Any:
    RAN.append("load")
    return rows


@step(outs={"a": Out(), "b": Out()})
def choose() -> Any:
    RAN.append("choose")
    yield Output(1, "a")


@pipeline
def daily() -> None:
    load(extract(), nothing())


def files(store: FileOutputStore) -> list[str]:
    base = Path(store._base)
    return sorted(str(p.relative_to(base)) for p in base.rglob("*") if p.is_file())


def test_only_values_that_another_step_takes_are_kept(store: FileOutputStore) -> None:
    ran = run(daily, outputs=store, attempt=2)
    assert files(store) == ["012/12/2/extract.result.pickle"]
    url = f"{store._base}/012/12/2/extract.result.pickle"
    assert ran.steps["extract"].outputs == {"result": url}
    assert ran.steps["nothing"].outputs is None
    assert ran.steps["load"].outputs is None
    assert store.load(url) == {"rows": 3}


def test_a_run_that_yields_nothing_writes_nothing(store: FileOutputStore) -> None:
    @pipeline
    def quiet() -> None:
        load(nothing())

    run(quiet, outputs=store)
    assert not os.path.exists(store._base)


def test_an_output_is_kept_as_its_step_wants(store: FileOutputStore) -> None:
    @step(out=Out(serializer="json"))
    def extract() -> dict[str, int]:
        return {"rows": 3}

    @pipeline
    def daily() -> None:
        load(extract())

    url = (run(daily, outputs=store).steps["extract"].outputs or {})["result"]
    assert Path(url).read_text() == '{"rows": 3}'
    assert store.load(url) == {"rows": 3}


def test_a_later_attempt_loads_instead_of_running_again(store: FileOutputStore) -> None:
    first = run(daily, outputs=store)
    done = {name: first.steps[name].outputs or {} for name in ("extract", "nothing")}
    RAN.clear()
    second = run(daily, outputs=store, done=done, attempt=2)
    assert RAN == ["load"]
    assert second.states == {"load": "succeeded"}
    assert second.execution.values[-1] == {"rows": 3}


def test_everything_done_leaves_nothing_to_run(store: FileOutputStore) -> None:
    done: dict[str, Any] = {"extract": {"result": "gone"}, "nothing": {}, "load": {}}
    ran = run(daily, outputs=store, done=done)
    assert ran.outcome.end is RunEnd.SUCCEEDED
    assert ran.outcome.steps == ()


def test_a_selected_step_loads_what_it_takes(store: FileOutputStore) -> None:
    first = run(daily, outputs=store)
    done = {name: first.steps[name].outputs or {} for name in ("extract", "nothing")}
    RAN.clear()
    run(daily, outputs=store, steps=["load"], done=done)
    assert RAN == ["load"]


@pytest.mark.parametrize("damage", ["deleted", "cut short", "unkept", "no store", "elsewhere"])
def test_a_step_whose_output_is_gone_runs_again_and_says_so(
    store: FileOutputStore, damage: str, tmp_path: Path
) -> None:
    first = run(daily, outputs=store)
    url = (first.steps["extract"].outputs or {})["result"]
    match damage:
        case "deleted":
            os.unlink(url)
        case "cut short":
            Path(url).write_bytes(Path(url).read_bytes()[:5])
        case "unkept":
            url = "unkept:"
        case "elsewhere":
            url = str(tmp_path / "secret.pickle")
    RAN.clear()
    done = {"extract": {"result": url}, "nothing": {}}
    kept = None if damage == "no store" else store
    ran = run(daily, outputs=kept, done=done, attempt=2)
    assert RAN == ["extract", "load"]
    assert ran.outcome.end is RunEnd.SUCCEEDED
    ((level, message),) = ran.lines("extract")
    assert level == "warning"
    assert message.startswith("The step runs again although it succeeded before: ")


def test_what_a_step_that_runs_again_takes_is_loaded_or_run_too(store: FileOutputStore) -> None:
    @step
    def middle(rows: Any) -> Any:
        RAN.append("middle")
        return rows

    @pipeline
    def chain() -> None:
        load(middle(extract()))

    first = run(chain, outputs=store)
    done = {name: dict(first.steps[name].outputs or {}) for name in ("extract", "middle")}
    os.unlink(done["middle"]["result"])
    RAN.clear()
    run(chain, outputs=store, done=done, attempt=2)
    assert RAN == ["middle", "load"]
    os.unlink(done["extract"]["result"])
    RAN.clear()
    run(chain, outputs=store, done=done, attempt=3)
    assert RAN == ["extract", "middle", "load"]


def test_an_output_not_yielded_before_is_not_yielded_now(store: FileOutputStore) -> None:
    @pipeline
    def branches() -> None:
        parts = choose()
        load.alias("of_a")(parts.a)
        load.alias("of_b")(parts.b)
        nothing(after=parts.b)

    first = run(branches, outputs=store)
    done = {"choose": first.steps["choose"].outputs or {}}
    RAN.clear()
    second = run(branches, outputs=store, done=done, attempt=2)
    assert second.states == {"of_a": "succeeded", "of_b": "skipped", "nothing": "skipped"}
    assert RAN == ["load"]


def test_a_value_that_cannot_be_kept_fails_its_step_for_good(store: FileOutputStore) -> None:
    @step
    def extract() -> Any:
        return lambda: None

    @pipeline
    def daily() -> None:
        load(extract())

    ran = run(daily, outputs=store)
    assert ran.states == {"extract": "failed", "load": "skipped"}
    error = ran.outcome.error
    assert error is not None
    assert error.type == "OutputNotSerializable"
    assert 'Output "result" of step "extract" is a function' in error.message
    assert not ran.outcome.retryable
    assert files(store) == []


def test_a_store_that_cannot_be_written_is_worth_another_try(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ran = run(daily, outputs=FileOutputStore(str(tmp_path / "file")))
    assert ran.states["extract"] == "failed"
    assert ran.outcome.retryable


def test_a_file_appears_whole_or_not_at_all(
    store: FileOutputStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="no space"):
        store.save(run_id=1, attempt=1, step="a", output="b", value=1, serializer="pickle")
    assert files(store) == []


def test_the_same_output_again_takes_the_place_of_the_first(store: FileOutputStore) -> None:
    urls = {
        store.save(run_id=1, attempt=1, step="a", output="b", value=value, serializer="pickle")
        for value in (1, 2)
    }
    assert [store.load(url) for url in urls] == [2]
    assert len(files(store)) == 1


@pytest.mark.parametrize("base", ["memory://outputs", "file:///{tmp}/outputs", "{tmp}/plain"])
def test_outputs_are_kept_at_any_url(base: str, tmp_path: Path) -> None:
    store = FileOutputStore(base.format(tmp=tmp_path))
    url = store.save(run_id=7, attempt=1, step="a", output="b", value=[1], serializer="pickle")
    assert store.load(url) == [1]
    with pytest.raises(OutputMissing, match="cannot be read"):
        store.load(url.replace("/7/", "/8/"))


def test_other_file_systems_get_a_rename(tmp_path: Path) -> None:
    store = FileOutputStore(f"local://{tmp_path}/outputs")
    url = store.save(run_id=7, attempt=1, step="a", output="b", value=[1], serializer="json")
    assert store.load(url) == [1]
    assert [p.name for p in (tmp_path / "outputs").rglob("*") if p.is_file()] == ["a.b.json"]


@pytest.mark.parametrize(
    "url", ["/etc/passwd.pickle", "{base}/../x.pickle", "{base}x/a.pickle", "http://x/a.pickle"]
)
def test_nothing_outside_the_store_is_ever_read(store: FileOutputStore, url: str) -> None:
    with pytest.raises(OutputMissing, match="not in the store"):
        store.load(url.format(base=store._base))


def test_an_unknown_kind_of_file_is_not_read(store: FileOutputStore) -> None:
    with pytest.raises(OutputMissing, match="no serializer"):
        store.load(f"{store._base}/a.xml")


def test_json_does_not_take_everything(store: FileOutputStore) -> None:
    for value in (object(), float("nan"), "\ud800"):
        with pytest.raises(OutputNotSerializable):
            store.save(run_id=1, attempt=1, step="a", output="b", value=value, serializer="json")
