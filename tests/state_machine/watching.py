"""What may change from one moment to the next: the rules that no single moment can show."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row

from backfill.lifecycle.admission.ledger import read_ledger
from backfill.lifecycle.guards import GATE, GATED
from backfill.states import (
    BACKFILL_FINAL,
    RUN_ACTIVE,
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
# A queued run that is taken out of its backfill is recalled and skipped in one transaction.
RUN_ARROWS.add((RunState.QUEUED, RunState.SKIPPED))
BACKFILL_ARROWS = {(source, move.target) for move in BackfillMove for source in move.sources}
DEFAULT_SLOTS = 1
TOLD = {"breaker_tripped": "paused"}
TOLD_OF = {BackfillState.PAUSED: ["paused"]} | {state: ["finished"] for state in BACKFILL_FINAL}
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
    slots: dict[str, int]
    used: Counter[str]
    blocked: set[tuple[int, str]]
    told: Counter[tuple[int, str]]

    @classmethod
    def of(cls, db: Database) -> Moment:
        """Look at the database once."""
        with db.snapshot() as conn:
            ledger = read_ledger(db, conn, default_slots=DEFAULT_SLOTS)
            deliveries = conn.execute(db.sql("SELECT backfill_id, event FROM deliveries"))
            return cls(
                runs={row.id: row for row in _rows(db, conn, "runs")},
                backfills={row.id: row for row in _rows(db, conn, "backfills")},
                attempts={(r.run_id, r.attempt): r for r in _rows(db, conn, "attempts")},
                steps={(r.run_id, r.attempt, r.step): r for r in _rows(db, conn, "step_outcomes")},
                holders={row.run_id for row in _rows(db, conn, "partition_holds")},
                logs=conn.execute(db.sql("SELECT count(*) FROM log_lines")).scalar_one(),
                slots={name: ledger.slots(name) for name in ledger.used},
                used=Counter(ledger.used),
                blocked={
                    (row.set_id, row.partition) for row in _rows(db, conn, "blocked_partitions")
                },
                told=Counter(
                    (row.backfill_id, TOLD.get(row.event, row.event)) for row in deliveries
                ),
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
        _watch_backfill(old, after.backfills[backfill_id], before, after)
    for name, used in after.used.items():
        taken = used > before.used[name] and used > after.slots[name]
        assert not taken, f"{used} of {after.slots[name]} slots of {name} are taken"
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
    if arrow == (RunState.PENDING, RunState.QUEUED):
        _watch_admitted(old, before, after)
    assert new.failures >= old.failures
    assert new.crashes >= old.crashes
    assert new.alone >= old.alone


def _watch_admitted(old: Row[Any], before: Moment, after: Moment) -> None:
    """A run was admitted: whatever guards it must have allowed that."""
    backfill = before.backfills.get(old.backfill_id)
    place = (old.set_id, old.partition)
    assert place not in before.blocked, f"run {old.id} was admitted though {place} is blocked"
    if backfill is None:
        return
    behind_canary = backfill.canary_state in GATED and old.sort >= GATE
    assert not behind_canary, f"run {old.id} did not wait for its canary"
    active = [
        run.id
        for run in after.runs.values()
        if run.backfill_id == backfill.id and RunState(run.state) in RUN_ACTIVE
    ]
    executions = {_execution(after.runs[run_id]) for run_id in active}
    most = backfill.max_active_runs
    assert most is None or len(executions) <= most, f"{executions} are more than {most}"
    assert not backfill.sequential or active == [old.id], f"{active} are active in a line"
    if backfill.depends_on_previous and old.previous is not None:
        waited = [
            RunState(run.state)
            for run in before.runs.values()
            if run.backfill_id == backfill.id and run.partition == old.previous
        ]
        pending = RunState.PENDING in waited or RUN_ACTIVE.intersection(waited)
        assert not pending, f"run {old.id} did not wait for {old.previous}"


def _execution(run: Row[Any]) -> object:
    """Return what is the same for runs that are executed together."""
    return run.id if run.span is None else run.message_id


def _watch_backfill(old: Row[Any], new: Row[Any], before: Moment, after: Moment) -> None:
    arrow = (BackfillState(old.state), BackfillState(new.state))
    assert arrow[0] is arrow[1] or arrow in BACKFILL_ARROWS, f"backfill {old.id}: {arrow}"
    for event in TOLD_OF.get(arrow[1], ()) if arrow[0] is not arrow[1] else ():
        told = after.told[old.id, event] - before.told[old.id, event]
        assert told == 1, f"hooks were told {told} times that backfill {old.id} went {arrow}"
    if arrow[0] in BACKFILL_FINAL and arrow[0] is arrow[1]:
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
