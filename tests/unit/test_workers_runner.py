"""A worker process and the messages it gets: claimed, executed, recorded, handed back."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from backfill.lifecycle import moves, runs
from tests.support.databases import SQLiteFiles
from tests.support.house import House
from tests.support.office import open_office
from tests.support.waiting import wait_until
from workers.runner import Runner
from workers.slots import Board, Slot

DEFINITIONS = """
import os
from pathlib import Path

from backfill import Partition, PartitionSetDefinition, pipeline, step

HERE = Path(__file__).parent

@step
def note(context):
    context.log.info(f"at work for {context.partition_key}")
    if context.partition_key == "day-01":
        raise ValueError("not today")

@step
def wait_for_the_end(context, noted):
    if (HERE / "wait").exists():
        (HERE / "waiting").touch()
        while True:
            context.run_id

@pipeline
def work():
    wait_for_the_end(note())

def partitions():
    if (HERE / "broken").exists():
        raise RuntimeError("no partitions today")
    return [Partition(f"day-{n:02}") for n in range(60)]

days = PartitionSetDefinition(name="days", pipeline_name="work", partition_fn=partitions)
"""


@dataclass
class Office:
    """A house, and one worker process's runner in it."""

    house: House
    folder: Path
    board: Board
    runner: Runner

    @property
    def slot(self) -> Slot:
        return self.board.slot(0)

    def queued(self, count: int) -> list[int]:
        self.house.ready(count)
        return [run for message in self.house.admit() for run in message.run_ids]

    def handle(self, run_ids: list[int]) -> None:
        self.runner.handle(run_ids)
        assert self.runner.flush()

    def ends(self, run_ids: list[int]) -> list[str]:
        return [self.house.run(run).state for run in run_ids]


@pytest.fixture
def office(sqlite_databases: SQLiteFiles, tmp_path: Path) -> Iterator[Office]:
    with open_office(sqlite_databases, tmp_path, DEFINITIONS) as (house, board, runner):
        yield Office(house, tmp_path, board, runner)


def test_a_process_tells_which_code_it_has(office: Office) -> None:
    (worker,) = office.house.rows("SELECT * FROM workers")
    assert (worker.code_version, worker.load_error) == (
        office.house.definitions.catalog().version,
        None,
    )


def test_the_runs_of_a_message_are_executed_and_recorded(office: Office) -> None:
    ids = office.queued(3)
    office.handle(ids)

    assert office.ends(ids) == ["succeeded", "failed", "succeeded"]
    run = office.house.run(ids[1])
    assert (run.error_type, run.error_message) == ("ValueError", "not today")
    (line,) = office.house.rows("SELECT * FROM log_lines WHERE run_id = :id", id=ids[0])
    assert (line.level, line.step, line.message) == ("info", "note", "at work for day-00")
    assert office.slot.tokens() == [], "every lease ended with its outcome"
    assert office.slot.run == 0
    office.house.fold()
    assert office.house.sick() == []


def test_only_queued_runs_are_claimed_and_once(office: Office) -> None:
    ids = office.queued(2)
    office.handle([*ids, *ids, 4_000_000])
    office.handle(ids)
    assert [office.house.run(run).attempt for run in ids] == [1, 1]
    assert office.slot.tokens() == []


def test_a_worker_that_goes_away_takes_nothing_more(office: Office) -> None:
    ids = office.queued(1)
    office.slot.release = True
    office.handle(ids)
    assert office.ends(ids) == ["queued"]


def test_what_a_dead_predecessor_held_is_lost_at_once(office: Office) -> None:
    ids = office.queued(3)
    (first,) = office.house.claim(ids[:1])
    (second,) = office.house.claim(ids[1:2])
    dead = office.board.slot(1)
    dead.take(71)
    dead.hold(first.token)
    dead.hold(second.token)
    dead.run = second.run_id

    successor = Runner(office.house.settings, office.board.slot(1), office.board.worker_id)
    successor.close()
    lost = [office.house.run(run) for run in ids]
    assert [run.state for run in lost] == ["pending", "pending", "queued"]
    assert [run.crashes for run in lost] == [0, 1, 0], "only the one it executed is charged"


def meanwhile(office: Office, act: Callable[[], object], run_ids: list[int]) -> None:
    """Handle a message whose first run waits; do something as soon as it does."""
    (office.folder / "wait").touch()

    def once_it_waits() -> None:
        wait_until((office.folder / "waiting").exists, "the step to wait")
        act()

    helper = threading.Thread(target=once_it_waits)
    helper.start()
    office.handle(run_ids)
    helper.join()


def test_a_cancel_is_heard_by_the_run_at_work_and_by_those_behind_it(office: Office) -> None:
    ids = office.queued(2)

    def cancel() -> None:
        for run in ids:
            runs.cancel_run(office.house.db, run)
        office.slot.ask_cancel()

    meanwhile(office, cancel, ids)
    assert office.ends(ids) == ["canceled", "canceled"]
    rows = office.house.rows("SELECT run_id, step, state FROM step_outcomes ORDER BY run_id, step")
    assert [tuple(row) for row in rows] == [
        (ids[0], "note", "succeeded"),
        (ids[0], "wait_for_the_end", "canceled"),
    ]


@pytest.mark.parametrize("told", ["by a hint", "by the clock"])
def test_a_run_that_was_given_to_another_worker_stops_and_records_nothing(
    office: Office, told: str
) -> None:
    ids = office.queued(1)

    def lose() -> None:
        tokens = office.slot.tokens()
        db = office.house.db
        db.transact(lambda conn: moves.lose(db, conn, tokens, max_crashes=3))
        if told == "by a hint":
            office.slot.ask_cancel()
        else:
            office.board.renewed(asked_at=time.monotonic() - 61, lease_seconds=60)

    meanwhile(office, lose, ids)
    assert office.ends(ids) == ["pending"]
    states = office.house.rows("SELECT state FROM step_outcomes WHERE step = 'wait_for_the_end'")
    assert "succeeded" not in [row.state for row in states]
    assert office.slot.tokens() == []


def test_a_pipeline_nobody_knows_here_is_handed_back_for_longer_and_longer(
    office: Office,
) -> None:
    ids = office.queued(1)
    office.house.db.transact(
        lambda conn: conn.execute(
            office.house.db.sql("UPDATE partition_sets SET name = 'gone' WHERE name = 'days'")
        )
    )
    delays = []
    for _ in range(3):
        office.handle(ids)
        run = office.house.run(ids[0])
        assert (run.state, run.failures, run.crashes) == ("pending", 0, 0)
        assert 'No partition set named "gone"' in run.reason
        (last,) = office.house.rows("SELECT max(ended_at) AS at FROM attempts")
        delays.append(round((run.available_at - last.at) / 1e6))
        queue_again(office, ids[0])
    assert delays == [5, 10, 20]


def queue_again(office: Office, run: int) -> None:
    """Bring a parked run back into the queue, whatever its time."""
    db = office.house.db
    db.transact(
        lambda conn: conn.execute(
            db.sql("UPDATE runs SET available_at = 0 WHERE id = :id"), {"id": run}
        )
    )
    office.house.wake()
    assert office.house.admitted() == [run]


def test_a_function_of_the_definitions_that_raises_fails_the_run(office: Office) -> None:
    ids = office.queued(1)
    (office.folder / "broken").touch()
    office.handle(ids)
    run = office.house.run(ids[0])
    assert (run.state, run.failures) == ("failed", 1)
    assert "no partitions today" in run.error_message


def test_facts_that_cannot_be_read_hand_the_run_back(office: Office) -> None:
    ids = office.queued(1)
    office.house.db.transact(
        lambda conn: conn.execute(office.house.db.sql("UPDATE runs SET backfill_id = 77"))
    )
    office.handle(ids)
    run = office.house.run(ids[0])
    assert (run.state, run.failures, run.crashes) == ("pending", 0, 0)
    assert office.slot.tokens() == []


def test_definitions_that_do_not_load_are_tried_again(tmp_path: Path, office: Office) -> None:
    file = tmp_path / "later.py"
    file.write_text("import a_module_that_is_not_there\n")
    settings = office.house.settings.model_copy(update={"definitions": str(file)})
    late = Runner(settings, office.board.slot(2), office.board.worker_id)
    ids = office.queued(1)

    late.handle(ids)
    assert late.flush()
    run = office.house.run(ids[0])
    assert run.state == "pending"
    assert "No module named 'a_module_that_is_not_there'" in run.reason
    late.close()


def test_closing_hands_back_what_was_claimed_and_not_ended(office: Office) -> None:
    ids = office.queued(1)
    (claim,) = office.house.claim(ids)
    office.slot.hold(claim.token)

    office.runner.close()
    run = office.house.run(ids[0])
    assert (run.state, run.crashes, run.failures) == ("pending", 0, 0)
    assert "told to end" in run.reason


def test_the_slot_names_its_process(office: Office) -> None:
    assert office.slot.pid == os.getpid()
