"""Guards of a backfill: the canary goes first and alone, the breaker stops what goes wrong.

A canary is a few partitions spread over the selection. Their runs are made before all others, and
admission takes no other run until enough of them succeeded. Whether they did is read from their
runs, under the backfill's row lock, never from counts that follow later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row

from backfill.lifecycle import moves
from backfill.lifecycle.telling import note_event
from backfill.states import BackfillMove, RunState
from backfill.storage.database import Database

CANARY_SORT = -(1 << 60)
"""Added to the sort of a canary's run: it comes before every other run of its backfill."""

GATE = -(1 << 59)
"""Runs that sort below this are a canary's."""

MOST_CANARIES = 1_000


class CanaryState(StrEnum):
    """How the canary of a backfill stands."""

    WAITING = "waiting"  # its runs are not made yet
    RUNNING = "running"
    PASSED = "passed"
    FAILED = "failed"  # the backfill was paused for it
    WAIVED = "waived"  # an operator let the rest go on all the same


GATED = frozenset({CanaryState.WAITING, CanaryState.RUNNING, CanaryState.FAILED})


@dataclass(frozen=True)
class Stand:
    """How many runs of a canary are where.

    Attributes:
        open: Neither succeeded nor given up yet.
        bad: Failed or canceled.
        left_out: Skipped: their partitions left the set, are blocked or held by others.
    """

    succeeded: int
    bad: int
    open: int
    left_out: int

    @property
    def of(self) -> int:
        """How many partitions prove something."""
        return self.succeeded + self.bad + self.open

    def verdict(self, percent: int) -> CanaryState:
        """Say whether enough succeeded, or enough cannot succeed any more."""
        if self.of == 0:
            return CanaryState.FAILED
        if self.succeeded * 100 >= percent * self.of:
            return CanaryState.PASSED
        if (self.succeeded + self.open) * 100 < percent * self.of:
            return CanaryState.FAILED
        return CanaryState.RUNNING


def rearm(
    db: Database,
    conn: Connection,
    backfill_id: int,
    *,
    failed_canary: CanaryState = CanaryState.WAIVED,
) -> None:
    """Count failures from now on.

    Args:
        failed_canary: What a failed canary is now: waived by whoever resumes, running again where
            its runs are retried.
    """
    conn.execute(
        db.sql(
            "UPDATE backfills SET armed_at = {now}, breaker_state = NULL, canary_state = "
            "CASE WHEN canary_state = 'failed' THEN :canary ELSE canary_state END WHERE id = :id"
        ),
        {"id": backfill_id, "canary": failed_canary.value},
    )


def undecided(db: Database, conn: Connection) -> list[int]:
    """Return the backfills whose canary runs; not while the runs of a retry are being made."""
    rows = conn.execute(
        db.sql(
            "SELECT id FROM backfills WHERE state = 'running' AND canary_state = 'running' "
            "AND retrying IS NULL ORDER BY id"
        )
    )
    return [row.id for row in rows]


def decide_canary(db: Database, backfill_id: int) -> CanaryState | None:
    """Let the rest of a backfill start, or pause it; None while its canary is undecided.

    While an operator has it paused nothing is decided: whoever resumes it does not thereby waive
    a canary whose failure nobody was told of.
    """

    def work(conn: Connection) -> CanaryState | None:
        row = _lock(db, conn, backfill_id)
        if row is None or (row.state, row.canary_state) != ("running", CanaryState.RUNNING):
            return None
        if row.retrying is not None:
            return None
        stand = canary_stand(db, conn, row)
        verdict = stand.verdict(row.canary_percent)
        if verdict is CanaryState.RUNNING:
            return None
        if verdict is CanaryState.FAILED:
            return _fail(db, conn, row, stand)
        _set(db, conn, row.id, CanaryState.PASSED)
        _tell(db, conn, row.id, "passed", f"{stand.succeeded} of {stand.of} succeeded", {})
        return CanaryState.PASSED

    decided = db.transact(work)
    if decided is not None:
        db.notify()
    return decided


def canary_stand(db: Database, conn: Connection, backfill: Row[Any]) -> Stand:
    """Count where the newest runs of a canary's partitions are."""
    rows = conn.execute(
        db.sql(
            "SELECT r.state FROM backfill_canaries c JOIN runs r ON r.set_id = :set "
            "AND r.partition = c.partition AND r.backfill_id = c.backfill_id "
            "WHERE c.backfill_id = :id AND NOT EXISTS (SELECT 1 FROM runs n "
            "WHERE n.set_id = r.set_id AND n.partition = r.partition "
            "AND n.backfill_id = r.backfill_id AND n.generation > r.generation)"
        ),
        {"id": backfill.id, "set": backfill.set_id},
    ).all()
    states = [RunState(row.state) for row in rows]
    bad = sum(s in {RunState.FAILED, RunState.CANCELED} for s in states)
    succeeded, left_out = states.count(RunState.SUCCEEDED), states.count(RunState.SKIPPED)
    return Stand(succeeded, bad, len(states) - succeeded - bad - left_out, left_out)


def keep_canary(
    db: Database, conn: Connection, backfill_id: int, canary: Sequence[tuple[str, int]]
) -> None:
    """Keep which partitions, at which places, go first; the caller makes their runs."""
    if canary:
        conn.execute(
            db.sql(
                "INSERT INTO backfill_canaries (backfill_id, partition, place) "
                "VALUES (:id, :partition, :place)"
            ),
            [{"id": backfill_id, "partition": key, "place": place} for key, place in canary],
        )
    # Without any there is nothing to wait for: they all left the set before.
    _set(db, conn, backfill_id, CanaryState.RUNNING if canary else CanaryState.PASSED)


def canary_keys(db: Database, conn: Connection, backfill_id: int) -> dict[str, int]:
    """Return the partitions of a canary whose runs were made, and their places."""
    rows = conn.execute(
        db.sql("SELECT partition, place FROM backfill_canaries WHERE backfill_id = :id"),
        {"id": backfill_id},
    )
    return {row.partition: row.place for row in rows}


def _fail(db: Database, conn: Connection, row: Row[Any], stand: Stand) -> CanaryState:
    _set(db, conn, row.id, CanaryState.FAILED)
    if stand.of:
        told = f"{stand.bad} of {stand.of} canary runs did not succeed"
    else:
        told = "none of its canary partitions ran: all were skipped"
    needed = "all" if row.canary_percent == 100 else f"{row.canary_percent} percent"
    reason = f"canary: {told}, and {needed} must"
    facts = {"by": "canary", "succeeded": stand.succeeded, "bad": stand.bad, "of": stand.of}
    if row.total > stand.of + stand.left_out:  # else there is no rest, and it settles
        moves.move_backfill(
            db, conn, row.id, BackfillMove.PAUSE, pause_reason=reason, pause_facts=facts
        )
        moves.recall(db, conn, row.id)
    _tell(db, conn, row.id, "failed", reason, facts)
    return CanaryState.FAILED


def _tell(
    db: Database, conn: Connection, backfill_id: int, how: str, told: str, facts: dict[str, Any]
) -> None:
    note_event(
        db,
        conn,
        kind=f"backfill.canary_{how}",
        message=told,
        backfill_id=backfill_id,
        facts=facts,
    )


def _set(db: Database, conn: Connection, backfill_id: int, state: CanaryState) -> None:
    conn.execute(
        db.sql("UPDATE backfills SET canary_state = :state WHERE id = :id"),
        {"state": state.value, "id": backfill_id},
    )


def _lock(db: Database, conn: Connection, backfill_id: int) -> Row[Any] | None:
    return conn.execute(
        db.sql(
            "SELECT id, state, set_id, total, canary_state, canary_percent, retrying "
            f"FROM backfills WHERE id = :id{db.for_update}"
        ),
        {"id": backfill_id},
    ).first()
