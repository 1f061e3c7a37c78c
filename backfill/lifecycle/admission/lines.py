"""Lines: backfills whose runs go one at a time, and those in which each needs the one before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row

from backfill.lifecycle.admission.lanes import Lane, is_first, lane_order
from backfill.lifecycle.telling import note_event
from backfill.states import RUN_FINAL, BoxStatus, RunState
from backfill.storage.database import Database
from backfill.storage.queries.marks import standing_marks

STOPPED = "backfill.line_stopped"
_OUTCOMES = RUN_FINAL - {RunState.SKIPPED}


@dataclass(frozen=True)
class Previous:
    """How the partition before a run stands.

    Attributes:
        ok: It succeeded, or is passed over: the run may start.
        run_id: The run of it that is on its way, else the newest; None when it never ran.
        stopped: Nothing is on its way that could make it succeed.
    """

    partition: str
    ok: bool
    run_id: int | None = None
    state: str | None = None
    stopped: bool = False


def may_start(db: Database, conn: Connection, lane: Lane, head: Row[Any]) -> bool:
    """Say whether the first ready run of a line is next; note where the line is stopped."""
    parked = _first_parked(db, conn, lane)
    if parked is not None and is_first(parked, head, newest_first=lane.newest_first):
        return False
    if not lane.depends:
        return True
    previous = previous_of(db, conn, lane.id, head)
    stopper = previous.partition if previous is not None and previous.stopped else None
    if stopper != lane.stopped_by:
        _note(db, conn, lane, head, previous if stopper else None)
    return previous is None or previous.ok


def _first_parked(db: Database, conn: Connection, lane: Lane) -> Row[Any] | None:
    """Return the first of the runs of a line that wait for a retry or behind another run."""
    return conn.execute(
        db.sql(
            "SELECT id, sort FROM runs WHERE backfill_id = :id AND state = 'pending' "
            f"AND NOT ready {lane_order(newest_first=lane.newest_first)} LIMIT 1"
        ),
        {"id": lane.id},
    ).first()


def previous_of(
    db: Database, conn: Connection, backfill_id: int | None, run: Row[Any]
) -> Previous | None:
    """Say how the partition that a run depends on stands; None when it depends on none."""
    if run.previous is None:
        return None
    key: str = run.previous
    rows = conn.execute(
        db.sql(
            "SELECT id, state, attempt FROM runs WHERE set_id = :set AND partition = :key "
            "ORDER BY created_at DESC, id DESC"
        ),
        {"set": run.set_id, "key": key},
    ).all()
    marked = standing_marks(db, conn, run.set_id, only=[key]).get(key)
    succeeded = _succeeded(rows) if marked is None else marked.status is BoxStatus.SUCCEEDED
    if succeeded or is_passed(db, conn, backfill_id, key):
        return Previous(key, ok=True)
    on_its_way = [row for row in rows if RunState(row.state) not in RUN_FINAL]
    told = next(iter(on_its_way or rows), None)
    return Previous(
        key,
        ok=False,
        run_id=told.id if told is not None else None,
        state=told.state if told is not None else None,
        stopped=not on_its_way,
    )


def _succeeded(rows: Sequence[Row[Any]]) -> bool:
    """Say whether the newest run of a partition that had started and ended did its work."""
    ended = (row for row in rows if RunState(row.state) in _OUTCOMES)
    newest = next((r for r in ended if r.attempt or r.state != RunState.CANCELED), None)
    return newest is not None and newest.state == RunState.SUCCEEDED


def is_passed(db: Database, conn: Connection, backfill_id: int | None, key: str) -> bool:
    """Say whether somebody let the line go on without this partition."""
    return (
        conn.execute(
            db.sql("SELECT 1 FROM line_skips WHERE backfill_id = :id AND partition = :key"),
            {"id": backfill_id, "key": key},
        ).first()
        is not None
    )


def _note(
    db: Database, conn: Connection, lane: Lane, head: Row[Any], stopper: Previous | None
) -> None:
    """Keep by which partition the line is stopped, and tell it once; or that it goes on."""
    conn.execute(
        db.sql("UPDATE backfills SET stopped_by = :key WHERE id = :id"),
        {"key": stopper.partition if stopper else None, "id": lane.id},
    )
    if stopper is None:
        return
    how = f"its run {stopper.run_id} {stopper.state}" if stopper.run_id else "it never ran"
    note_event(
        db,
        conn,
        kind=STOPPED,
        message=f'the line is stopped: partition "{head.partition}" and those behind it wait for '
        f'"{stopper.partition}", which did not succeed ({how})',
        backfill_id=lane.id,
        facts={
            "partition": stopper.partition,
            "run": stopper.run_id,
            "state": stopper.state,
            "next": head.partition,
        },
    )
