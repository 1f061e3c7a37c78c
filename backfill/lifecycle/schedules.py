"""Schedules: started and stopped at run time, their due ticks found and handled once each.

A schedule's cursor says up to where every tick since it was started has its row in `ticks`; row and
cursor are written together. What is `started` there was interrupted and is done again, whatever the
catch-up policy says of ticks as old.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from sqlalchemy import Connection

from backfill.definitions.calls import Definitions
from backfill.definitions.catalog import ScheduleInfo
from backfill.definitions.schedules import CatchUp, Timetable, due_ticks
from backfill.errors import DefinitionsUnavailable, Unavailable
from backfill.lifecycle.telling import note_event
from backfill.lifecycle.tick_runs import Plan
from backfill.lifecycle.ticks import (
    Handled,
    OpenTick,
    begin,
    from_us,
    handle,
    move_cursor,
    to_us,
)
from backfill.states import ScheduleState, TickState
from backfill.storage.database import Database
from backfill.storage.queries.schedules import (
    OPEN,
    ScheduleRow,
    TickView,
    open_ticks,
    schedule_row,
    schedule_rows,
)

TICKS_A_TURN = 20
STOPPED_REASON = "The schedule was stopped before this tick was handled."


# -- start and stop -----------------------------------------------------------------------------


def start(db: Database, definitions: Definitions, name: str, *, actor: str | None = None) -> bool:
    """Let a schedule tick from now on: no tick before this moment is ever made up for.

    Returns:
        Whether it was stopped before; starting a running one changes nothing.

    Raises:
        NotFound: No such schedule.
    """
    schedule = definitions.catalog().schedule(name)
    changed = db.transact(lambda conn: _start(db, conn, schedule, actor, "started"))
    if changed:
        db.notify()
    return changed


def stop(db: Database, definitions: Definitions, name: str, *, actor: str | None = None) -> bool:
    """Let a schedule rest: no tick makes runs any more; those it made go on.

    One that the code no longer defines can be stopped, too.

    Returns:
        Whether it was running before.

    Raises:
        NotFound: No such schedule.
    """

    def work(conn: Connection) -> bool:
        row = schedule_row(db, conn, name, locked=True)
        if row is not None:
            return row.running and _stop(db, conn, name, actor)
        schedule = definitions.catalog().schedule(name)
        if schedule.default_status == ScheduleState.STOPPED:
            return False
        _start(db, conn, schedule, None, None)
        return _stop(db, conn, name, actor)

    return db.transact(work)


def _start(
    db: Database, conn: Connection, schedule: ScheduleInfo, actor: str | None, verb: str | None
) -> bool:
    row = conn.execute(
        db.sql(
            "INSERT INTO schedules (name, running, handled_until, cron, timezone, changed_at, "
            "changed_by) VALUES (:name, true, {now}, :cron, :timezone, {now}, :actor) "
            "ON CONFLICT (name) DO UPDATE SET running = true, "
            "handled_until = excluded.handled_until, cron = excluded.cron, "
            "timezone = excluded.timezone, changed_at = excluded.changed_at, "
            "changed_by = excluded.changed_by WHERE NOT schedules.running RETURNING name"
        ),
        {
            "name": schedule.name,
            "cron": schedule.cron,
            "timezone": schedule.timezone,
            "actor": actor,
        },
    ).first()
    if row is not None and verb is not None:
        _note(db, conn, schedule.name, "started", f"schedule {schedule.name} {verb}", actor)
    return row is not None


def _stop(db: Database, conn: Connection, name: str, actor: str | None) -> bool:
    """Stop a running schedule whose row the caller has locked, and close its open ticks."""
    conn.execute(
        db.sql(
            "UPDATE schedules SET running = false, changed_at = {now}, changed_by = :actor "
            "WHERE name = :name"
        ),
        {"name": name, "actor": actor},
    )
    conn.execute(
        db.sql(
            "UPDATE ticks SET state = :skipped, reason = :reason, finished_at = {now} "
            f"WHERE schedule = :name AND {OPEN}"
        ),
        {"name": name, "skipped": TickState.SKIPPED.value, "reason": STOPPED_REASON},
    )
    _note(db, conn, name, "stopped", f"schedule {name} stopped", actor)
    return True


# -- ticking ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Seen:
    """What the database said of a schedule at the beginning of a turn."""

    row: ScheduleRow | None
    interrupted: Sequence[TickView]
    now: datetime


def tick_all(db: Database, definitions: Definitions) -> Iterator[Handled]:
    """Handle what is due of every running schedule; a failing one keeps none of the others.

    Yields what was handled, tick by tick. A long stretch takes several turns.

    Raises:
        DefinitionsUnavailable: The code cannot be asked; ticks wait for it.
    """
    catalog = definitions.catalog()
    if catalog.loaded_at is None and catalog.problems:
        raise DefinitionsUnavailable(catalog.problems[-1].detail)
    with db.read() as conn:
        now = from_us(db.clock(conn))
        rows = schedule_rows(db, conn)
        interrupted = open_ticks(db, conn)
    failures: list[Exception] = []
    for schedule in catalog.schedules:
        mine = [tick for tick in interrupted if tick.schedule == schedule.name]
        seen = _Seen(rows.get(schedule.name), mine, now)
        try:
            yield from _tick_schedule(db, definitions, Plan.of(catalog, schedule.name), seen)
        except (DefinitionsUnavailable, Unavailable):
            raise  # nor could any other be handled
        except Exception as error:
            failures.append(error)
    if failures:
        raise ExceptionGroup("schedules that could not be handled", failures)


def _tick_schedule(
    db: Database, definitions: Definitions, plan: Plan, seen: _Seen
) -> Iterator[Handled]:
    """Handle a schedule's ticks until one fails or waits: then the others come first."""
    schedule, row = plan.schedule, seen.row
    if row is None or not row.running:
        _start_by_default(db, schedule, row)
        return
    if (row.cron, row.timezone) != (schedule.cron, schedule.timezone):
        db.transact(lambda conn: _take_over(db, conn, schedule))
        return
    for tick in _begun(db, schedule, seen, from_us(row.handled_until)):
        handled = handle(db, definitions, plan, tick)
        if handled is not None:
            yield handled
        if handled is None or handled.state is TickState.FAILURE:
            return


def _begun(
    db: Database, schedule: ScheduleInfo, seen: _Seen, since: datetime
) -> Iterator[OpenTick]:
    """Yield the ticks that were interrupted, then those that are due, each begun."""
    for tick in seen.interrupted:
        yield OpenTick(tick.id, from_us(tick.tick_at))
    for tick_at in _due(db, schedule, since, seen.now):
        begun = db.transact(partial(begin, db, name=schedule.name, tick_at=tick_at))
        if begun is not None:
            yield begun


def _due(
    db: Database, schedule: ScheduleInfo, since: datetime, now: datetime
) -> Sequence[datetime]:
    """Return ticks to handle now; those that the catch-up policy leaves out are noted."""
    timetable = Timetable(schedule.cron, schedule.timezone)
    catch_up = CatchUp.named(schedule.catch_up)
    while True:
        due = due_ticks(timetable, catch_up, since, now, limit=TICKS_A_TURN)
        if due.missed:
            db.transact(partial(_leave_out, db, schedule=schedule, missed=due.missed))
        if due.evaluate or due.until is None:
            return due.evaluate
        since = due.until


def _leave_out(
    db: Database, conn: Connection, schedule: ScheduleInfo, missed: Sequence[datetime]
) -> None:
    """Keep the ticks that the catch-up policy leaves out, so that nobody wonders."""
    name = schedule.name
    row = schedule_row(db, conn, name, locked=True)
    if row is None or not row.running or row.handled_until >= to_us(missed[-1]):
        return
    reason = f"Missed, for nothing was there to handle it; catch-up policy: {schedule.catch_up}."
    conn.execute(
        db.sql(
            "INSERT INTO ticks (schedule, tick_at, state, reason, started_at, finished_at) "
            "VALUES (:name, :at, :state, :reason, {now}, {now}) "
            "ON CONFLICT (schedule, tick_at) DO NOTHING"
        ),
        [
            {"name": name, "at": at, "state": TickState.SKIPPED.value, "reason": reason}
            for at in map(to_us, missed)
            if at > row.handled_until
        ],
    )
    move_cursor(db, conn, name, missed[-1])


# -- what the code says -------------------------------------------------------------------------


def _start_by_default(db: Database, schedule: ScheduleInfo, row: ScheduleRow | None) -> None:
    """Start a schedule that says so itself, unless somebody ever started or stopped it."""
    if row is not None or schedule.default_status != ScheduleState.RUNNING:
        return

    def work(conn: Connection) -> None:
        if schedule_row(db, conn, schedule.name) is None:
            _start(db, conn, schedule, None, "started, as its definition says")

    db.transact(work)


def _take_over(db: Database, conn: Connection, schedule: ScheduleInfo) -> None:
    """Take a changed cron or time zone over: its ticks count from now, as after a start."""
    row = schedule_row(db, conn, schedule.name, locked=True)
    if row is None or (row.cron, row.timezone) == (schedule.cron, schedule.timezone):
        return
    is_first = row.cron is None
    until = row.handled_until if is_first else max(row.handled_until, db.clock(conn))
    conn.execute(
        db.sql(
            "UPDATE schedules SET cron = :cron, timezone = :timezone, handled_until = :until "
            "WHERE name = :name"
        ),
        {
            "name": schedule.name,
            "cron": schedule.cron,
            "timezone": schedule.timezone,
            "until": until,
        },
    )
    if not is_first:
        message = (
            f"schedule {schedule.name} ticks at {schedule.cron} ({schedule.timezone}) from now "
            f"on; it was {row.cron} ({row.timezone})"
        )
        _note(db, conn, schedule.name, "changed", message, None)


def _note(
    db: Database, conn: Connection, name: str, what: str, message: str, actor: str | None
) -> None:
    facts = {"schedule": name}
    note_event(db, conn, kind=f"schedule.{what}", message=message, actor=actor, facts=facts)
