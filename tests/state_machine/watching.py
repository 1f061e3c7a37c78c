"""What may change from one moment to the next: the rules that no single moment can show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row

from backfill.states import (
    BACKFILL_FINAL,
    RUN_FINAL,
    STEP_FINAL,
    BackfillMove,
    BackfillState,
    RunMove,
    RunState,
    StepState,
)
from backfill.storage.database import Database

RUN_ARROWS = {(source, move.target) for move in RunMove for source in move.sources}
BACKFILL_ARROWS = {(source, move.target) for move in BackfillMove for source in move.sources}
GIVEN_UP = {BackfillState.CANCELING, BackfillState.CANCELED}


@dataclass(frozen=True)
class Moment:
    """Everything of one moment that later ones are held against."""

    runs: dict[int, Row[Any]]
    backfills: dict[int, Row[Any]]
    attempts: dict[tuple[int, int], Row[Any]]
    steps: dict[tuple[int, int, str], Row[Any]]
    holders: set[int]
    logs: int

    @classmethod
    def of(cls, db: Database) -> Moment:
        """Look at the database once."""
        with db.snapshot() as conn:
            return cls(
                runs={row.id: row for row in _rows(db, conn, "runs")},
                backfills={row.id: row for row in _rows(db, conn, "backfills")},
                attempts={(r.run_id, r.attempt): r for r in _rows(db, conn, "attempts")},
                steps={(r.run_id, r.attempt, r.step): r for r in _rows(db, conn, "step_outcomes")},
                holders={row.run_id for row in _rows(db, conn, "partition_holds")},
                logs=conn.execute(db.sql("SELECT count(*) FROM log_lines")).scalar_one(),
            )


def _rows(db: Database, conn: Connection, table: str) -> list[Row[Any]]:
    return list(conn.execute(db.sql(f"SELECT * FROM {table}")))


def watch(before: Moment, after: Moment) -> None:
    """Raise AssertionError where something changed that must not.

    What happened in between is at most one transaction, perhaps repeated.
    """
    for run_id, old in before.runs.items():
        _watch_run(old, after.runs[run_id], before, after)
    for backfill_id, old in before.backfills.items():
        _watch_backfill(old, after.backfills[backfill_id])
    for key, old in before.attempts.items():
        assert after.attempts[key] == old, f"the history of attempt {key} was rewritten"
    for place, old in before.steps.items():
        _watch_step(old, after.steps[place], before, after)
    for place in after.steps.keys() - before.steps.keys():
        run = before.runs[place[0]]
        live = run.state == RunState.RUNNING and run.attempt == place[1]
        assert live, f"step {place} was written for an attempt that did not run"


def _watch_run(old: Row[Any], new: Row[Any], before: Moment, after: Moment) -> None:
    arrow = (RunState(old.state), RunState(new.state))
    if arrow[0] in RUN_FINAL:
        assert new == old, f"run {old.id} changed after its end: {old} -> {new}"
        return
    assert arrow[0] is arrow[1] or arrow in RUN_ARROWS, f"run {old.id}: {arrow}"
    claimed = arrow == (RunState.QUEUED, RunState.RUNNING)
    assert new.attempt == old.attempt + claimed, f"run {old.id}: attempts {old} -> {new}"
    if arrow == (RunState.RUNNING, RunState.RUNNING):
        assert new.token == old.token, f"run {old.id} has another lease in the same attempt"
    if arrow == (RunState.RUNNING, RunState.PENDING) and old.partition is not None:
        assert old.id in after.holders, f"run {old.id} gave its partition up between attempts"
    if arrow[0] is not arrow[1] and arrow[1] in (RunState.QUEUED, RunState.RUNNING):
        backfill = before.backfills.get(old.backfill_id)
        given_up = backfill is not None and backfill.state in GIVEN_UP
        assert not given_up, f"run {old.id} started after its backfill was given up"
    assert new.failures >= old.failures
    assert new.crashes >= old.crashes
    assert new.alone >= old.alone


def _watch_backfill(old: Row[Any], new: Row[Any]) -> None:
    arrow = (BackfillState(old.state), BackfillState(new.state))
    assert arrow[0] is arrow[1] or arrow in BACKFILL_ARROWS, f"backfill {old.id}: {arrow}"
    if arrow[0] in BACKFILL_FINAL:
        assert (new.total, new.expanded, new.finished_at) == (
            old.total,
            old.expanded,
            old.finished_at,
        )
    assert new.expanded >= old.expanded
    assert new.total >= old.total


def _watch_step(old: Row[Any], new: Row[Any], before: Moment, after: Moment) -> None:
    if StepState(old.state) in STEP_FINAL:
        assert new == old, f"a final outcome was overwritten: {old} -> {new}"
        return
    if new == old:
        return
    run = before.runs[old.run_id]
    if run.state == RunState.RUNNING and run.attempt == old.attempt:
        return
    # A step that waited for its retry ends with its run, which was not in this attempt any more.
    ended = RunState(after.runs[old.run_id].state) in RUN_FINAL
    waited = StepState(old.state) is StepState.RETRYING
    assert (ended, waited) == (True, True), (
        f"a step of an attempt that is over changed: {old} -> {new}"
    )
