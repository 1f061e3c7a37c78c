"""Schedules: how they stand, their ticks; start, stop, tick by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AwareDatetime

from backfill.api.context import Actor, Api, Context, Cursor, Limit, NamePath
from backfill.api.cursors import decode_ints, encode
from backfill.definitions.catalog import ScheduleInfo
from backfill.definitions.redaction import redact
from backfill.definitions.schedules import Timetable
from backfill.lifecycle import schedules
from backfill.lifecycle.ticks import Handled, from_us, wait_for
from backfill.lifecycle.ticks_by_hand import Preview, preview_tick, require_year, tick_by_hand
from backfill.schemas.base import Page
from backfill.schemas.schedules import (
    NextTicks,
    PlannedRun,
    Schedules,
    ScheduleStatus,
    Tick,
    TickOutcome,
    TickRequest,
)
from backfill.states import ScheduleState, TickState
from backfill.storage.queries import schedules as queries
from backfill.storage.queries.schedules import ScheduleRow, TickView

router = APIRouter(prefix="/schedules", tags=["schedules"])

NEXT_SHOWN = 5
RUNS_SHOWN = 100


@router.get("")
def list_schedules(api: Api) -> Schedules:
    """Return every schedule: whether it runs, its next ticks and its last one."""
    known = {schedule.name: schedule for schedule in api.definitions.catalog().schedules}
    with api.db.read() as conn:
        rows = queries.schedule_rows(api.db, conn)
        names = sorted(known.keys() | rows.keys())
        newest = queries.newest_ticks(api.db, conn, names)
        now = from_us(api.db.clock(conn))
    return Schedules(
        items=[_status(n, known.get(n), rows.get(n), newest.get(n), now) for n in names]
    )


@router.get("/{name}")
def get_schedule(api: Api, name: NamePath) -> ScheduleStatus:
    """Return how a schedule stands."""
    return _shown(api, name)


@router.get("/{name}/ticks")
def get_ticks(
    api: Api,
    name: NamePath,
    state: Annotated[list[TickState] | None, Query(description="Any of these.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[Tick]:
    """Return the ticks of a schedule with their outcomes and reasons, newest first."""
    _shown(api, name)
    before = None if cursor is None else decode_ints(cursor, 1)[0]
    with api.db.read() as conn:
        page = queries.list_ticks(api.db, conn, name, limit=limit, states=state, before=before)
    after = encode(page.items[-1].tick_at) if page.more else None
    return Page[Tick](items=[Tick.model_validate(view) for view in page.items], next=after)


@router.get("/{name}/next")
def get_next_ticks(
    api: Api,
    name: NamePath,
    count: Annotated[int, Query(ge=1, le=1_000, description="How many.")] = 10,
    since: Annotated[
        AwareDatetime | None, Query(description="Ticks after this time; now when not given.")
    ] = None,
) -> NextTicks:
    """Return when a schedule ticks next, or would if it were running."""
    schedule = api.definitions.catalog().schedule(name)
    after = _now(api) if since is None else require_year(since)
    ticks = Timetable(schedule.cron, schedule.timezone).following(after, count)
    return NextTicks(schedule=name, timezone=schedule.timezone, items=ticks)


@router.post("/{name}/start")
def start_schedule(api: Api, actor: Actor, name: NamePath) -> ScheduleStatus:
    """Let a schedule tick from now on; no tick from before is made up for."""
    schedules.start(api.db, api.definitions, name, actor=actor)
    return _shown(api, name)


@router.post("/{name}/stop")
def stop_schedule(api: Api, actor: Actor, name: NamePath) -> ScheduleStatus:
    """Let a schedule rest; the runs it made go on."""
    schedules.stop(api.db, api.definitions, name, actor=actor)
    return _shown(api, name)


@router.post("/{name}/tick")
def tick_schedule(
    api: Api, actor: Actor, name: NamePath, body: TickRequest | None = None
) -> TickOutcome:
    """Handle one tick now, running or not, also one that failed or was skipped; or say what it
    would do."""
    asked = body or TickRequest()
    if asked.dry_run:
        return _previewed(name, preview_tick(api.db, api.definitions, name, asked.at))
    return _handled(tick_by_hand(api.db, api.definitions, name, asked.at, actor=actor))


# -- presenting ---------------------------------------------------------------------------------


def _shown(api: Context, name: str) -> ScheduleStatus:
    known = {schedule.name: schedule for schedule in api.definitions.catalog().schedules}
    with api.db.read() as conn:
        row = queries.schedule_row(api.db, conn, name)
        newest = queries.newest_ticks(api.db, conn, [name])
        now = from_us(api.db.clock(conn))
    schedule = known.get(name)
    if schedule is None and row is None:
        schedule = api.definitions.catalog().schedule(name)
    return _status(name, schedule, row, newest.get(name), now)


def _status(
    name: str,
    schedule: ScheduleInfo | None,
    row: ScheduleRow | None,
    last: TickView | None,
    now: datetime,
) -> ScheduleStatus:
    running = row.running if row is not None else _runs_by_default(schedule)
    ticks: Sequence[datetime] = ()
    if running and schedule is not None:
        ticks = Timetable(schedule.cron, schedule.timezone).following(now, NEXT_SHOWN)
    return ScheduleStatus.model_validate(
        {
            "name": name,
            "state": ScheduleState.RUNNING if running else ScheduleState.STOPPED,
            "definition": schedule,
            "next_ticks": ticks,
            "last_tick": last,
            "changed_at": row and row.changed_at,
            "changed_by": row and row.changed_by,
        }
    )


def _runs_by_default(schedule: ScheduleInfo | None) -> bool:
    return schedule is not None and schedule.default_status == ScheduleState.RUNNING


def _previewed(name: str, preview: Preview) -> TickOutcome:
    result = preview.result
    shown = result.runs[:RUNS_SHOWN]
    return TickOutcome(
        schedule=name,
        tick_at=preview.tick_at,
        dry_run=True,
        state=result.state,
        reason=result.reason,
        error=result.error,
        run_ids=[],
        runs=[
            PlannedRun.model_validate(
                {
                    **vars(run),
                    "run_config": _redacted(run.run_config),
                    "waits_for": wait_for(preview.busy, run),
                }
            )
            for run in shown
        ],
        run_count=len(result.runs),
        handled=Tick.model_validate(preview.handled) if preview.handled is not None else None,
    )


def _handled(handled: Handled) -> TickOutcome:
    return TickOutcome.model_validate(
        {
            **vars(handled),
            "dry_run": False,
            "runs": [],
            "run_count": len(handled.run_ids),
            "handled": None,
        }
    )


def _redacted(config: Mapping[str, object] | None) -> object:
    return None if config is None else redact(config)


def _now(api: Context) -> datetime:
    with api.db.read() as conn:
        return from_us(api.db.clock(conn))
