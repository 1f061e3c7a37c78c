"""A worker executes a run again: what succeeded is loaded, what is gone is computed anew."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from backfill.lifecycle import retrying
from backfill.lifecycle.reexecuting import Again, reexecute
from backfill.lifecycle.retrying import RetryRequest
from backfill.lifecycle.runs import cancel_run
from backfill.states import ReexecutionMode
from backfill.storage.database import decoded
from tests.support.databases import SQLiteFiles
from tests.support.house import NOON, House
from tests.support.office import open_office
from workers.runner import Runner

DEFINITIONS = """
from pathlib import Path

from backfill import Partition, PartitionSetDefinition, pipeline, step

HERE = Path(__file__).parent

def entered(context, what):
    with (HERE / "entered").open("a") as file:
        file.write(f"{context.run_id} {what}\\n")

@step
def extract(context):
    entered(context, "extract")
    return {"key": context.partition_keys, "by": context.run_id}

@step
def clean(context, raw):
    entered(context, "clean")
    return raw

@step
def load(context, cleaned):
    entered(context, "load")
    if not (HERE / "mended").exists():
        raise ValueError("the disk is full")
    context.add_metadata(by=cleaned["by"])

@pipeline
def work():
    load(clean(extract()))

days = PartitionSetDefinition(
    name="days",
    pipeline_name="work",
    partition_fn=lambda: [Partition(f"day-{n}") for n in range(5)],
)
"""


@dataclass
class Office:
    """A house, and one worker process's runner in it."""

    house: House
    folder: Path
    runner: Runner

    def work(self) -> list[int]:
        """Execute everything that is ready; return the runs."""
        done: list[int] = []
        while ids := self.house.admitted():
            self.runner.handle(ids)
            assert self.runner.flush()
            done += ids
        return done

    def entered(self, run_id: int) -> list[str]:
        lines = (self.folder / "entered").read_text().splitlines()
        return [what for run, what in (line.split() for line in lines) if int(run) == run_id]

    def mend(self) -> None:
        (self.folder / "mended").touch()

    def again(self, run_id: int, **how: Any) -> int:
        made = reexecute(self.house.db, self.house.definitions, run_id, Again(**how), at=NOON)
        assert made in self.work()
        return made

    def outcome(self, run_id: int, step: str) -> Any:
        return self.house.row(
            "SELECT * FROM step_outcomes WHERE run_id = :run AND step = :step",
            run=run_id,
            step=step,
        )


@pytest.fixture
def office(sqlite_databases: SQLiteFiles, tmp_path: Path) -> Iterator[Office]:
    with open_office(sqlite_databases, tmp_path, DEFINITIONS) as (house, _, runner):
        yield Office(house, tmp_path, runner)
        runner.close()
        house.fold()
        assert house.sick() == []


def failed(office: Office) -> int:
    office.house.submit("day-0", steps=None)
    office.house.expand(1)
    (run_id,) = office.work()
    assert office.house.run(run_id).state == "failed"
    assert office.entered(run_id) == ["extract", "clean", "load"]
    return run_id


def test_from_failure_only_what_did_not_succeed_is_executed(office: Office) -> None:
    first = failed(office)
    second = office.again(first)
    assert office.house.run(second).state == "failed"
    assert office.entered(second) == ["load"]
    office.mend()
    third = office.again(second)
    assert office.house.run(third).state == "succeeded"
    assert office.entered(third) == ["load"]
    assert decoded(office.outcome(third, "load").metadata) == {"by": first}


def test_an_output_that_is_gone_is_computed_again_and_the_step_says_so(office: Office) -> None:
    first = failed(office)
    office.mend()
    for kept in office.folder.rglob("clean.result.pickle"):
        kept.unlink()
    second = office.again(first)
    assert office.house.run(second).state == "succeeded"
    assert office.entered(second) == ["clean", "load"]
    told = decoded(office.outcome(second, "clean").metadata)["ran_again"]
    assert told.startswith("The output kept at ")
    lines = office.house.rows("SELECT * FROM log_lines WHERE run_id = :run", run=second)
    assert [line.step for line in lines if "runs again although it succeeded" in line.message] == [
        "clean"
    ]


def test_an_output_that_is_unreadable_is_computed_again_with_all_it_needs(office: Office) -> None:
    first = failed(office)
    office.mend()
    for kept in office.folder.rglob("*.result.pickle"):
        kept.write_bytes(b"torn")
    second = office.again(first)
    assert office.house.run(second).state == "succeeded"
    assert office.entered(second) == ["extract", "clean", "load"]


def test_chosen_steps_take_the_newest_outputs_of_their_partition(office: Office) -> None:
    first = failed(office)
    newer = office.again(first, steps=["extract"])
    assert office.entered(newer) == ["extract"]
    assert office.house.run(newer).state == "succeeded"
    office.mend()
    last = office.again(newer, from_step="clean")
    assert office.entered(last) == ["clean", "load"]
    assert decoded(office.outcome(last, "load").metadata) == {"by": newer}


def test_all_steps_are_executed_again_when_all_are_asked_for(office: Office) -> None:
    first = failed(office)
    office.mend()
    second = office.again(first, mode=ReexecutionMode.ALL)
    assert office.entered(second) == ["extract", "clean", "load"]


def test_a_canceled_re_execution_takes_older_successes_of_its_steps_away(office: Office) -> None:
    first = failed(office)
    house = office.house
    canceled = reexecute(
        house.db, house.definitions, first, Again(mode=ReexecutionMode.ALL), at=NOON
    )
    cancel_run(house.db, canceled)
    office.mend()
    third = office.again(canceled)
    assert office.entered(third) == ["extract", "clean", "load"]


def test_a_retried_backfill_executes_what_failed_alone(office: Office) -> None:
    house = office.house
    house.submit("[day-0...day-2]")
    house.expand(1)
    first = office.work()
    house.settle(1)
    assert house.backfill(1).state == "failed"
    office.mend()
    retrying.retry(house.db, house.definitions, 1, RetryRequest())
    assert retrying.retry_chunk(house.db, 1, limit=10) == 3
    second = office.work()
    assert [office.entered(run) for run in second] == [["load"]] * 3
    assert {house.run(run).parent_id for run in second} == set(first)
    assert house.settle(1) == "succeeded"


def test_a_chosen_step_without_anything_to_take_says_what_to_select(office: Office) -> None:
    office.house.submit("day-4", steps=["load"])
    office.house.expand(1)
    (run_id,) = office.work()
    run = office.house.run(run_id)
    assert run.state == "failed"
    assert 'Select "clean" too, or execute from a run in which it succeeded.' in run.error_message


def test_a_backfill_of_chosen_steps_takes_what_was_kept_before(office: Office) -> None:
    first = failed(office)
    office.mend()
    office.house.submit("day-0", steps=["load"])
    office.house.expand(2)
    (second,) = office.work()
    assert office.house.run(second).state == "succeeded"
    assert office.entered(second) == ["load"]
    assert decoded(office.outcome(second, "load").metadata) == {"by": first}
