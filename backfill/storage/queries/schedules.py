"""Schedules and ticks, as they stand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row

from backfill.states import BackfillState, TickState
from backfill.storage.database import Database, decoded, to_json
from backfill.storage.queries.paging import Page, Where, read_page

# SQLite takes the partial index only for its condition word for word.
OPEN = f"state = '{TickState.STARTED.value}'"
_EXPANDING = ", ".join(f"'{s}'" for s in (BackfillState.REQUESTED, BackfillState.RUNNING))


@dataclass(frozen=True)
class ScheduleRow:
    """What the database knows of a schedule that was started once.

    Attributes:
        handled_until: Every tick up to here since it was started is in `ticks`.
        cron: As last seen in the code, like `timezone`; None when never seen.
    """

    name: str
    running: bool
    handled_until: int
    cron: str | None
    timezone: str | None
    changed_at: int
    changed_by: str | None


@dataclass(frozen=True)
class TickView:
    """One tick.

    Attributes:
        error: The traceback of a failure.
        asked_by: Who ticked by hand.
    """

    id: int
    schedule: str
    tick_at: int
    state: TickState
    reason: str | None
    error: str | None
    run_ids: Sequence[int]
    by_hand: bool
    asked_by: str | None
    started_at: int
    finished_at: int | None


def schedule_rows(db: Database, conn: Connection) -> dict[str, ScheduleRow]:
    """Return every schedule that was started once, by name."""
    rows = conn.execute(db.sql("SELECT * FROM schedules"))
    return {row.name: _schedule(row) for row in rows}


def schedule_row(
    db: Database, conn: Connection, name: str, *, locked: bool = False
) -> ScheduleRow | None:
    """Return one schedule, or None when it was never started."""
    lock = db.for_update if locked else ""
    row = conn.execute(
        db.sql(f"SELECT * FROM schedules WHERE name = :name{lock}"), {"name": name}
    ).first()
    return None if row is None else _schedule(row)


def open_ticks(db: Database, conn: Connection) -> list[TickView]:
    """Return the ticks that were begun and not finished, oldest first within a schedule."""
    rows = conn.execute(db.sql(f"SELECT * FROM ticks WHERE {OPEN} ORDER BY schedule, tick_at"))
    return [_tick(row) for row in rows]


def get_tick(
    db: Database, conn: Connection, name: str, tick_at: int, *, locked: bool = False
) -> TickView | None:
    """Return one tick, or None when nothing is known of it."""
    lock = db.for_update if locked else ""
    row = conn.execute(
        db.sql(f"SELECT * FROM ticks WHERE schedule = :name AND tick_at = :at{lock}"),
        {"name": name, "at": tick_at},
    ).first()
    return None if row is None else _tick(row)


def newest_ticks(db: Database, conn: Connection, names: Iterable[str]) -> dict[str, TickView]:
    """Return the newest tick of each of these schedules that has one."""
    rows = conn.execute(
        db.sql(
            f"SELECT t.* FROM {db.records('n', {'name': 'text'})} JOIN ticks t ON t.id = ("
            "SELECT id FROM ticks WHERE schedule = n.name ORDER BY tick_at DESC LIMIT 1)"
        ),
        {"n": to_json([{"name": name} for name in names])},
    )
    return {row.schedule: _tick(row) for row in rows}


def list_ticks(
    db: Database,
    conn: Connection,
    name: str,
    *,
    limit: int,
    states: Sequence[TickState] | None = None,
    before: int | None = None,
) -> Page[TickView]:
    """Return ticks of a schedule, newest first; `before` is the last one already seen."""
    where = Where()
    where.add("schedule = :name", name=name)
    if states is not None:
        where.add(db.one_of_texts("state", "states"), states=db.texts(str(s) for s in states))
    if before is not None:
        where.add("tick_at < :before", before=before)
    statement = f"SELECT * FROM ticks WHERE {where} ORDER BY tick_at DESC"
    return read_page(db, conn, statement, where.params, _tick, limit=limit)


def is_expanding(db: Database, conn: Connection, set_name: str) -> bool:
    """Say whether a backfill of a set has not made all of its runs yet."""
    found = conn.execute(
        db.sql(
            "SELECT 1 FROM backfills b JOIN partition_sets s ON s.id = b.set_id "
            f"WHERE s.name = :set AND b.expanded_at IS NULL AND b.state IN ({_EXPANDING}) LIMIT 1"
        ),
        {"set": set_name},
    ).first()
    return found is not None


def _schedule(row: Row[Any]) -> ScheduleRow:
    return ScheduleRow(
        name=row.name,
        running=bool(row.running),
        handled_until=row.handled_until,
        cron=row.cron,
        timezone=row.timezone,
        changed_at=row.changed_at,
        changed_by=row.changed_by,
    )


def _tick(row: Row[Any]) -> TickView:
    return TickView(
        id=row.id,
        schedule=row.schedule,
        tick_at=row.tick_at,
        state=TickState(row.state),
        reason=row.reason,
        error=row.error,
        run_ids=decoded(row.run_ids) or (),
        by_hand=bool(row.by_hand),
        asked_by=row.asked_by,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )
