"""The database itself refuses rows that no coordinator would ever reach."""

from __future__ import annotations

import pytest
from sqlalchemy import CheckConstraint
from sqlalchemy.exc import IntegrityError

from backfill.execution.outcomes import StepOutcome
from backfill.lifecycle.moves import Report
from backfill.states import StepState
from backfill.storage.models import metadata
from tests.support.house import House

TABLES = ("runs", "backfills", "step_outcomes", "attempts")

# What breaks each CHECK. The house holds: backfill 1 with run 1 running (step a running),
# run 2 queued and run 3 pending, and backfill 2, paused.
BREAKS = {
    "ck_runs_state": ["UPDATE runs SET state = 'cancelled', ready = false WHERE id = 3"],
    "ck_runs_lease": [
        "UPDATE runs SET lease_expires_at = NULL WHERE id = 1",
        "UPDATE runs SET state = 'running', ready = false WHERE id = 3",
        "UPDATE runs SET lease_expires_at = 1 WHERE id = 3",
    ],
    "ck_runs_publish": [
        "UPDATE runs SET next_publish_at = NULL WHERE id = 2",
        "UPDATE runs SET state = 'queued', ready = false WHERE id = 3",
        "UPDATE runs SET next_publish_at = 1 WHERE id = 3",
    ],
    "ck_runs_finished": [
        "UPDATE runs SET state = 'succeeded', lease_expires_at = NULL WHERE id = 1",
        "UPDATE runs SET finished_at = 1 WHERE id = 3",
    ],
    "ck_runs_ready": ["UPDATE runs SET ready = true WHERE id = 2"],
    "ck_runs_partition": ["UPDATE runs SET partition = NULL WHERE id = 3"],
    "ck_backfills_state": ["UPDATE backfills SET state = 'done' WHERE id = 1"],
    "ck_backfills_finished": [
        "UPDATE backfills SET state = 'succeeded' WHERE id = 1",
        "UPDATE backfills SET finished_at = 1 WHERE id = 1",
    ],
    "ck_backfills_paused": [
        "UPDATE backfills SET state = 'paused' WHERE id = 1",
        "UPDATE backfills SET state = 'running' WHERE id = 2",
        "UPDATE backfills SET pause_reason = 'why' WHERE id = 1",
    ],
    "ck_backfills_reprocess": ["UPDATE backfills SET reprocess = 'some' WHERE id = 1"],
    "ck_backfills_ordering": ["UPDATE backfills SET ordering = 'random' WHERE id = 1"],
    "ck_backfills_on_timeout": ["UPDATE backfills SET on_timeout = 'wait' WHERE id = 1"],
    "ck_backfills_on_conflict": ["UPDATE backfills SET on_conflict = 'fail' WHERE id = 1"],
    "ck_backfills_canary": ["UPDATE backfills SET canary_state = 'done' WHERE id = 1"],
    "ck_runs_mode": ["UPDATE runs SET mode = 'some', parent_id = 1 WHERE id = 3"],
    "ck_runs_reexecution": ["UPDATE runs SET mode = 'all' WHERE id = 3"],
    "ck_step_outcomes_state": ["UPDATE step_outcomes SET state = 'queued', finished_at = 1"],
    "ck_step_outcomes_finished": [
        "UPDATE step_outcomes SET state = 'succeeded'",
        "UPDATE step_outcomes SET finished_at = 1",
    ],
    "ck_attempts_ending": [
        "INSERT INTO attempts (run_id, attempt, ending, started_at, ended_at) "
        "VALUES (1, 9, 'pending', 1, 2)"
    ],
}


@pytest.fixture
def furnished(house: House) -> House:
    house.ready(3, max_active_runs=2)
    (first, *_) = house.claim(house.admitted()[:1])
    house.record(Report(first, steps=[StepOutcome("a", StepState.RUNNING, 1, started_at=1)]))
    paused = house.submit("day-20")
    house.pause(paused)
    found = house.rows("SELECT id, state FROM runs ORDER BY id")
    assert [tuple(r) for r in found] == [(1, "running"), (2, "queued"), (3, "pending")]
    assert house.backfill(2).state == "paused"
    return house


def refused(house: House, statement: str) -> str:
    with pytest.raises(IntegrityError) as caught, house.db.write() as conn:
        conn.execute(house.db.sql(statement))
    return str(caught.value.orig)


def test_every_check_is_tried_here() -> None:
    checks = {
        str(constraint.name)
        for table in TABLES
        for constraint in metadata.tables[table].constraints
        if isinstance(constraint, CheckConstraint)
    }
    assert checks == set(BREAKS)


def test_every_check_refuses_what_breaks_it(furnished: House) -> None:
    for name, statements in BREAKS.items():
        for statement in statements:
            assert name in refused(furnished, statement), statement


def test_a_backfill_has_one_run_of_a_partition_and_a_key_one_backfill(furnished: House) -> None:
    again = (
        "INSERT INTO runs (backfill_id, set_id, partition, pipeline_id, state, ready, sort, "
        "available_at, created_at) SELECT backfill_id, set_id, partition, pipeline_id, "
        "'pending', true, 0, 0, 0 FROM runs WHERE id = 3"
    )
    assert "unique" in refused(furnished, again).lower()
    furnished.submit("day-01", idempotency_key="k")
    twice = "UPDATE backfills SET idempotency_key = 'k' WHERE id = 1"
    assert "idempotency_key" in refused(furnished, twice)
    hold = "INSERT INTO partition_holds (set_id, partition, run_id) VALUES (1, 'day-00', 3)"
    assert "unique" in refused(furnished, hold).lower()
