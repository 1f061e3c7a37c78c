"""Ticks by hand: one tick of a schedule handled now, or only looked at.

It is evaluated first and written at once, so that it is never left open: it is done, or nothing is.
The schedule's cursor stays where it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection

from backfill.definitions.calls import Definitions, TickResult
from backfill.definitions.catalog import ScheduleInfo
from backfill.definitions.partitions.zones import load_zone
from backfill.definitions.schedules import Timetable
from backfill.errors import Conflict, Invalid
from backfill.lifecycle.telling import note_event
from backfill.lifecycle.tick_runs import Plan, blocked_partitions, busy_partitions
from backfill.lifecycle.ticks import (
    Handled,
    OpenTick,
    close,
    evaluate,
    from_us,
    to_us,
    without_blocked,
    without_busy,
)
from backfill.states import TickState
from backfill.storage.database import Database
from backfill.storage.queries.schedules import TickView, get_tick
from backfill.storage.queries.statuses import InFlight

FIRST_YEAR, LAST_YEAR = 1970, 2100


@dataclass(frozen=True)
class Preview:
    """What a tick would do now.

    Attributes:
        busy: Of its partitions those that another run is on its way for.
        handled: What became of it already; None when nothing is known of it.
    """

    tick_at: datetime
    result: TickResult
    busy: Mapping[str, InFlight]
    handled: TickView | None


def preview_tick(
    db: Database, definitions: Definitions, name: str, at: datetime | None = None
) -> Preview:
    """Say what a tick would do, without doing it; times to come may be asked for, too.

    Args:
        at: A tick; the last one when not given. Without a zone it is in the schedule's.

    Raises:
        NotFound: No such schedule.
        Invalid: It does not tick then; the nearest ticks are named.
    """
    schedule = definitions.catalog().schedule(name)
    with db.read() as conn:
        tick_at = _tick_of(schedule, at, from_us(db.clock(conn)))
    result = evaluate(definitions, name, tick_at)
    with db.snapshot() as conn:
        busy = busy_partitions(db, conn, schedule, result.runs)
        if schedule.when_busy == "skip":
            result = without_busy(result, busy)
        result = without_blocked(result, blocked_partitions(db, conn, schedule, result.runs))
        handled = get_tick(db, conn, name, to_us(tick_at))
    return Preview(tick_at, result, busy, handled)


def tick_by_hand(
    db: Database,
    definitions: Definitions,
    name: str,
    at: datetime | None = None,
    *,
    actor: str | None = None,
) -> Handled:
    """Handle one tick now, whether or not the schedule runs; also one that failed or was skipped.

    Args:
        at: A tick; the last one when not given. Without a zone it is in the schedule's.

    Raises:
        NotFound: No such schedule.
        Invalid: It does not tick then, or not yet.
        Conflict: The tick made its runs already, or its partitions are being expanded right now.
    """
    plan = Plan.of(definitions.catalog(), name)
    with db.read() as conn:
        now = from_us(db.clock(conn))
        tick_at = _tick_of(plan.schedule, at, now)
        _require_not_done(plan.schedule, get_tick(db, conn, name, to_us(tick_at)))
    if tick_at > now:
        raise Invalid(
            f'Schedule "{name}" ticks at {_local(plan.schedule, tick_at)} only: what it would do '
            "then a dry run shows."
        )
    result = evaluate(definitions, name, tick_at)
    tried = False

    def work(conn: Connection) -> Handled:
        nonlocal tried
        mine, tried = tried, True  # the answer to the first commit may have been lost
        return _write(db, conn, plan, tick_at, result, actor, mine=mine)

    return db.transact(work)


def _write(
    db: Database,
    conn: Connection,
    plan: Plan,
    tick_at: datetime,
    result: TickResult,
    actor: str | None,
    *,
    mine: bool,
) -> Handled:
    name = plan.schedule.name
    conn.execute(
        db.sql(
            "INSERT INTO ticks (schedule, tick_at, state, started_at) "
            "VALUES (:name, :at, :state, {now}) ON CONFLICT (schedule, tick_at) DO NOTHING"
        ),
        {"name": name, "at": to_us(tick_at), "state": TickState.STARTED.value},
    )
    tick = get_tick(db, conn, name, to_us(tick_at), locked=True)
    assert tick is not None
    if mine and tick.by_hand and tick.state is not TickState.STARTED:
        return Handled.of(tick)
    _require_not_done(plan.schedule, tick)
    conn.execute(
        db.sql(
            "UPDATE ticks SET state = :state, started_at = {now}, finished_at = NULL, "
            "by_hand = true, asked_by = :actor WHERE id = :id"
        ),
        {"state": TickState.STARTED.value, "actor": actor, "id": tick.id},
    )
    handled = close(db, conn, plan, OpenTick(tick.id, tick_at), result)
    if handled is None:
        raise Conflict(
            f'A backfill of set "{plan.schedule.partition_set}" is being expanded right now, and '
            f'schedule "{name}" skips partitions that are on their way. Try again in a moment.'
        )
    message = f"schedule {name} ticked by hand: {_local(plan.schedule, tick_at)}"
    facts = {"schedule": name, "tick": tick_at.isoformat(), "state": handled.state.value}
    note_event(db, conn, kind="schedule.ticked", message=message, actor=actor, facts=facts)
    return handled


def _require_not_done(schedule: ScheduleInfo, tick: TickView | None) -> None:
    if tick is None or tick.state is not TickState.SUCCESS:
        return
    runs = ", ".join(str(run_id) for run_id in tick.run_ids[:5])
    more = f" and {len(tick.run_ids) - 5} more" if len(tick.run_ids) > 5 else ""
    raise Conflict(
        f'Tick {_local(schedule, from_us(tick.tick_at))} of schedule "{schedule.name}" made its '
        f"runs already: {runs}{more}. To run partitions again, submit a backfill of them.",
        run_ids=list(tick.run_ids[:1000]),
    )


def _tick_of(schedule: ScheduleInfo, at: datetime | None, now: datetime) -> datetime:
    """Return the tick that is meant, in UTC."""
    timetable = Timetable(schedule.cron, schedule.timezone)
    if at is None:
        return timetable.latest(now)
    require_year(at)
    meant = at if at.tzinfo is not None else at.replace(tzinfo=load_zone(schedule.timezone))
    if timetable.has(meant):
        return meant.astimezone(UTC)
    before, after = timetable.latest(meant), timetable.following(meant, 1)[0]
    raise Invalid(
        f'Schedule "{schedule.name}" ({schedule.cron}, {schedule.timezone}) does not tick at '
        f"{_local(schedule, meant)}. The nearest ticks: {_local(schedule, before)}, "
        f"{_local(schedule, after)}."
    )


def require_year(at: datetime) -> datetime:
    """Return a time that timetables reach; raise Invalid for any other."""
    if FIRST_YEAR <= at.year <= LAST_YEAR:
        return at
    raise Invalid(f"{at.isoformat()} is not a time between {FIRST_YEAR} and {LAST_YEAR}.")


def _local(schedule: ScheduleInfo, at: datetime) -> str:
    return at.astimezone(load_zone(schedule.timezone)).isoformat()
