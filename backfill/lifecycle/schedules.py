"""Schedules: started and stopped at run time, every tick handled once whatever is killed.

A tick is a row, made before it is evaluated and finished in the transaction that makes its runs
and moves the schedule's cursor. One found `started` was interrupted: it is evaluated again, and
the runs it made, if it made any, are found by tick and run key.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row

from backfill.definitions.calls import Definitions, TickResult, TickRun
from backfill.definitions.catalog import ScheduleInfo
from backfill.errors import BackfillError, Conflict
from backfill.lifecycle import moves
from backfill.lifecycle.names import pipeline_id, set_id
from backfill.lifecycle.submitting import QUEUE_TAG
from backfill.lifecycle.telling import note_event
from backfill.states import TickState
from backfill.storage.database import Database, to_json

TICKS_A_TURN = 20
PRIORITY_TAG = "backfill/priority"


@dataclass(frozen=True)
class Handled:
    """What became of one tick."""

    schedule: str
    tick_at: datetime
    state: TickState
    reason: str | None
    run_ids: tuple[int, ...] = ()


# -- start and stop -----------------------------------------------------------------------------


def start(db: Database, definitions: Definitions, name: str, *, actor: str | None = None) -> None:
    """Let a schedule tick from now on: no tick before this moment is ever made up for."""
    schedule = definitions.catalog().schedule(name)
    _turn(db, schedule.name, running=True, actor=actor)


def stop(db: Database, definitions: Definitions, name: str, *, actor: str | None = None) -> None:
    """Let a schedule rest; runs it made go on."""
    schedule = definitions.catalog().schedule(name)
    _turn(db, schedule.name, running=False, actor=actor)


def _turn(db: Database, name: str, *, running: bool, actor: str | None) -> None:
    verb = "started" if running else "stopped"

    def work(conn: Connection) -> None:
        row = conn.execute(
            db.sql(
                "INSERT INTO schedules (name, running, handled_until, changed_at, changed_by) "
                "VALUES (:name, :running, {now}, {now}, :actor) ON CONFLICT (name) DO UPDATE SET "
                "running = excluded.running, changed_at = excluded.changed_at, "
                "changed_by = excluded.changed_by, handled_until = CASE "
                "WHEN excluded.running THEN excluded.handled_until "
                "ELSE schedules.handled_until END "
                "WHERE schedules.running <> excluded.running RETURNING name"
            ),
            {"name": name, "running": running, "actor": actor},
        ).first()
        if row is None:
            raise Conflict(f'Schedule "{name}" is {"running" if running else "stopped"} already.')
        message = f"schedule {name} {verb}"
        note_event(db, conn, kind=f"schedule.{verb}", message=message, actor=actor)

    db.transact(work)
    db.notify()


# -- ticking ------------------------------------------------------------------------------------


def tick_all(db: Database, definitions: Definitions) -> list[Handled]:
    """Handle what is due of every running schedule; a failing one keeps none of the others."""
    with db.read() as conn:
        rows = conn.execute(
            db.sql("SELECT name, handled_until, {now} AS now FROM schedules WHERE running")
        ).all()
    if not rows:
        return []
    known = {s.name: s for s in definitions.catalog().schedules}
    handled: list[Handled] = []
    for row in rows:
        if row.name in known:
            handled += _tick_schedule(db, definitions, known[row.name], row)
    return handled


def _tick_schedule(
    db: Database, definitions: Definitions, schedule: ScheduleInfo, row: Row[Any]
) -> list[Handled]:
    after, until = _time(row.handled_until), _time(row.now)
    try:
        due = definitions.due_ticks(schedule.name, after, until, limit=TICKS_A_TURN)
    except BackfillError:
        return []  # the code cannot be asked right now; the cursor stays where it is
    handled = [_handle(db, definitions, schedule, tick_at) for tick_at in due.evaluate]
    if due.missed:
        _note_missed(db, schedule.name, due.missed, due.policy)
    if due.until is not None:
        _move_cursor(db, schedule.name, due.until)
    return [h for h in handled if h is not None]


def _handle(
    db: Database,
    definitions: Definitions,
    schedule: ScheduleInfo,
    tick_at: datetime,
) -> Handled | None:
    tick = db.transact(lambda conn: _begin(db, conn, schedule.name, tick_at))
    if tick is None:
        return None
    result = evaluate(definitions, schedule.name, tick_at)
    return db.transact(lambda conn: _finish(db, conn, schedule, tick, tick_at, result))


def evaluate(definitions: Definitions, name: str, tick_at: datetime) -> TickResult:
    """Ask the schedule what a tick is to do; what raises or hangs fails the tick alone."""
    try:
        return definitions.evaluate_tick(name, tick_at)
    except BackfillError as error:
        trace = error.facts.get("traceback")
        return TickResult(TickState.FAILURE, reason=error.detail, error=trace or error.detail)


def _begin(db: Database, conn: Connection, name: str, tick_at: datetime) -> int | None:
    """Make the tick's row, or find an interrupted one; None when it is already handled."""
    conn.execute(
        db.sql(
            "INSERT INTO ticks (schedule, tick_at, state, started_at) "
            "VALUES (:name, :at, 'started', {now}) ON CONFLICT (schedule, tick_at) DO NOTHING"
        ),
        {"name": name, "at": _us(tick_at)},
    )
    row = conn.execute(
        db.sql("SELECT id, state FROM ticks WHERE schedule = :name AND tick_at = :at"),
        {"name": name, "at": _us(tick_at)},
    ).one()
    if row.state != TickState.STARTED.value:
        _advance(db, conn, name, tick_at)
        return None
    return int(row.id)


def _finish(
    db: Database,
    conn: Connection,
    schedule: ScheduleInfo,
    tick: int,
    tick_at: datetime,
    result: TickResult,
) -> Handled | None:
    """Make the runs, finish the tick and move the cursor: all or nothing, by one of two."""
    state = conn.execute(
        db.sql(f"SELECT state FROM ticks WHERE id = :id{db.for_update}"), {"id": tick}
    ).scalar_one()
    if state != TickState.STARTED.value:
        return None
    busy = _busy(db, conn, schedule, result.runs)
    if busy:
        reason = f"skipped: {busy}, and the schedule's policy is to skip then"
        result = TickResult(TickState.SKIPPED, reason=reason)
    run_ids = [_make_run(db, conn, schedule, tick, run) for run in result.runs]
    conn.execute(
        db.sql(
            "UPDATE ticks SET state = :state, reason = :reason, error = :error, "
            f"run_ids = {_as_json(db)}, finished_at = {{now}} WHERE id = :id"
        ),
        {
            "state": result.state.value,
            "reason": result.reason,
            "error": result.error,
            "runs": to_json(run_ids),
            "id": tick,
        },
    )
    _advance(db, conn, schedule.name, tick_at)
    db.ring(conn)
    return Handled(schedule.name, tick_at, result.state, result.reason, tuple(run_ids))


def _busy(
    db: Database, conn: Connection, schedule: ScheduleInfo, wanted: Sequence[TickRun]
) -> str | None:
    """Say which partition another run works on, for a schedule that skips then."""
    if schedule.when_busy != "skip":
        return None
    for run in wanted:
        if run.partition is None or schedule.partition_set is None:
            continue
        row = conn.execute(
            db.sql(
                "SELECT run_id FROM partition_holds "
                'WHERE set_id = :set AND "partition" = :partition'
            ),
            {
                "set": set_id(db, conn, schedule.partition_set),
                "partition": run.partition,
            },
        ).first()
        if row is not None:
            return f"partition {run.partition} is held by run {row.run_id}"
    return None


def _make_run(
    db: Database, conn: Connection, schedule: ScheduleInfo, tick: int, run: TickRun
) -> int:
    tags = {**run.tags, "backfill/schedule": schedule.name}
    partitioned = schedule.partition_set is not None and run.partition is not None
    return moves.create_run(
        db,
        conn,
        {
            "set_id": set_id(db, conn, schedule.partition_set)
            if partitioned and schedule.partition_set is not None
            else None,
            "partition": run.partition if partitioned else None,
            "pipeline_id": pipeline_id(db, conn, schedule.pipeline),
            "sort": -_priority(tags),
            "queue": tags.get(QUEUE_TAG),
            "tags": tags,
            "run_config": dict(run.run_config) if run.run_config else None,
            "tick_id": tick,
            "run_key": run.run_key,
        },
    )


def _priority(tags: dict[str, str]) -> int:
    try:
        return int(tags.get(PRIORITY_TAG, "0"))
    except ValueError:
        return 0


def _note_missed(db: Database, name: str, missed: Sequence[datetime], policy: str) -> None:
    """Keep the ticks that the catch-up policy leaves out, so that nobody wonders."""
    reason = f"missed while nothing was there to handle it; catch-up policy: {policy}"

    def work(conn: Connection) -> None:
        for tick_at in missed:
            conn.execute(
                db.sql(
                    "INSERT INTO ticks (schedule, tick_at, state, reason, started_at, "
                    "finished_at) VALUES (:name, :at, 'skipped', :reason, {now}, {now}) "
                    "ON CONFLICT (schedule, tick_at) DO NOTHING"
                ),
                {"name": name, "at": _us(tick_at), "reason": reason},
            )

    db.transact(work)


def _move_cursor(db: Database, name: str, until: datetime) -> None:
    db.transact(lambda conn: _advance(db, conn, name, until))


def _advance(db: Database, conn: Connection, name: str, tick_at: datetime) -> None:
    conn.execute(
        db.sql(
            "UPDATE schedules SET handled_until = :at WHERE name = :name AND handled_until < :at"
        ),
        {"name": name, "at": _us(tick_at)},
    )


# -- by hand ------------------------------------------------------------------------------------


def tick_by_hand(db: Database, definitions: Definitions, name: str, tick_at: datetime) -> Handled:
    """Handle one tick now, whether or not the schedule runs; a handled one is a Conflict."""
    schedule = definitions.catalog().schedule(name)
    handled = _handle(db, definitions, schedule, tick_at)
    if handled is None:
        raise Conflict(f'Tick {tick_at.isoformat()} of schedule "{name}" is handled already.')
    db.notify()
    return handled


def _as_json(db: Database) -> str:
    return "CAST(:runs AS json)" if db.postgres else ":runs"


def _time(us: int) -> datetime:
    return datetime.fromtimestamp(us / 1e6, UTC)


def _us(at: datetime) -> int:
    return int(at.timestamp()) * 1_000_000 + at.microsecond
