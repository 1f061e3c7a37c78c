"""Retries with a real runner: of steps in place or later, of runs by policy and by budget."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import Row

from backfill.lifecycle import moves
from tests.support.databases import SQLiteFiles
from tests.support.house import House
from tests.support.office import open_office
from workers.runner import Runner

DEFINITIONS = """
from pathlib import Path

from backfill import (
    Backoff, Failure, Jitter, Partition, PartitionSetDefinition, RetryPolicy, RetryRequested,
    pipeline, step,
)

HERE = Path(__file__).parent

def entered(context):
    with (HERE / "entered").open("a") as file:
        file.write(f"{context.step_name} {context.attempt} {context.retry_number}\\n")

@step
def before(context):
    entered(context)

@step
def fail(context, _before):
    entered(context)
    raise OSError("no")

@step
def give_up(context, _before):
    entered(context)
    raise Failure("it never will", retryable=False)

@step
def ask_again(context, _before):
    entered(context)
    if context.retry_number < 2:
        raise RetryRequested(max_retries=2)

@step
def ask_for_later(context, _before):
    entered(context)
    if context.retry_number < 1:
        raise RetryRequested(max_retries=1, seconds_to_wait=3600)

@step(retry_policy=RetryPolicy(
    max_retries=2, delay=3600, backoff=Backoff.EXPONENTIAL, jitter=Jitter.PLUS_MINUS
))
def wait_long(context, _before):
    entered(context)
    raise OSError("not yet")

@pipeline(retry_policy=RetryPolicy(max_retries=1))
def once_more():
    fail(before())

@pipeline
def hopeless():
    give_up(before())

@pipeline
def asking():
    ask_again(before())

@pipeline
def later():
    ask_for_later(before())

@pipeline
def patient():
    wait_long(before())

def of(name):
    return PartitionSetDefinition(name, name, partition_fn=lambda: [Partition("p")])

sets = [of(name) for name in ("once_more", "hopeless", "asking", "later", "patient")]
once_more_set, hopeless_set, asking_set, later_set, patient_set = sets
"""


@dataclass
class Office:
    """A house, and one worker process's runner in it."""

    house: House
    folder: Path
    runner: Runner

    def submit(self, pipeline: str, **wanted: int) -> int:
        backfill_id = self.house.submit("all", pipeline, **wanted)
        self.house.expand(backfill_id)
        return backfill_id

    def attempt(self) -> Row[object]:
        """Let the time to wait pass and execute what is due; return the run."""
        with self.house.db.write() as conn:
            conn.execute(self.house.db.sql("UPDATE runs SET available_at = 0"))
        self.house.wake()
        ids = self.house.admitted()
        if ids:
            self.runner.handle(ids)
            assert self.runner.flush()
        return self.house.row("SELECT * FROM runs ORDER BY id DESC")

    def to_the_end(self) -> Row[object]:
        while (run := self.attempt()).state == "pending":
            pass
        return run

    def entered(self, step: str) -> list[tuple[int, int]]:
        """Return (attempt, retry number) of each time a step's body was entered."""
        lines = [line.split() for line in (self.folder / "entered").read_text().splitlines()]
        return [(int(attempt), int(retry)) for name, attempt, retry in lines if name == step]


@pytest.fixture
def office(sqlite_databases: SQLiteFiles, tmp_path: Path) -> Iterator[Office]:
    with open_office(sqlite_databases, tmp_path, DEFINITIONS) as (house, _, runner):
        yield Office(house, tmp_path, runner)
        runner.close()
        house.fold()
        assert house.sick() == []


@pytest.mark.parametrize(("max_failures", "attempts"), [(0, 2), (1, 2), (3, 4)])
def test_a_run_is_retried_as_often_as_its_policy_or_its_budget_allows_whichever_is_more(
    office: Office, max_failures: int, attempts: int
) -> None:
    office.submit("once_more", max_failures=max_failures)
    run = office.to_the_end()
    assert (run.state, run.attempt, run.failures, run.crashes) == ("failed", attempts, attempts, 0)
    assert [attempt for attempt, _ in office.entered("fail")] == list(range(1, attempts + 1))
    assert office.entered("before") == [(1, 0)], "what succeeded is not executed again"


def test_a_failure_that_says_so_is_not_retried_whatever_the_budget(office: Office) -> None:
    office.submit("hopeless", max_failures=5)
    run = office.to_the_end()
    assert (run.state, run.attempt, run.error_message) == ("failed", 1, "it never will")


def test_a_step_that_asks_is_tried_again_at_once_in_the_same_attempt(office: Office) -> None:
    office.submit("asking")
    run = office.to_the_end()
    assert (run.state, run.attempt, run.failures) == ("succeeded", 1, 0)
    assert office.entered("ask_again") == [(1, 0), (1, 1), (1, 2)]


def test_a_step_that_asks_for_later_hands_the_run_back_and_goes_on_there(office: Office) -> None:
    office.submit("later")
    run = office.attempt()
    assert (run.state, run.failures) == ("pending", 0), "its slot is free meanwhile"
    now = office.house.row("SELECT {now} AS at").at
    assert 3000 < (run.available_at - now) / 1e6 <= 3600
    run = office.to_the_end()
    assert (run.state, run.attempt, run.failures) == ("succeeded", 2, 0)
    assert office.entered("ask_for_later") == [(1, 0), (2, 1)]
    assert office.entered("before") == [(1, 0)]


def test_a_long_delay_of_a_policy_grows_from_attempt_to_attempt(office: Office) -> None:
    office.submit("patient")
    run = office.attempt()
    now = office.house.row("SELECT {now} AS at").at
    assert 0 <= (run.available_at - now) / 1e6 + 1 <= 7201, "an hour, more or less"
    run = office.attempt()
    now = office.house.row("SELECT {now} AS at").at
    assert (run.available_at - now) / 1e6 <= 6 * 3600, "three hours, more or less"
    run = office.to_the_end()
    assert (run.state, run.attempt, run.failures) == ("failed", 3, 1)
    assert office.entered("wait_long") == [(1, 0), (2, 1), (3, 2)]


def test_a_crash_is_counted_apart_from_failures(office: Office) -> None:
    office.submit("once_more")
    (run_id,) = office.house.admitted()
    (claim,) = office.house.claim([run_id])
    db = office.house.db
    db.transact(lambda conn: moves.lose(db, conn, [claim.token], max_crashes=3))
    run = office.to_the_end()
    assert (run.state, run.attempt, run.failures, run.crashes) == ("failed", 3, 2, 1)
