"""One tick: begun with its row, evaluated, finished in the transaction that makes its runs.

So a tick has its runs if and only if it is finished, and one found `started` was interrupted (or is
in the hands of another coordinator) and has none: it is evaluated again, and the first to finish it
makes the runs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection
from sqlalchemy.exc import StatementError

from backfill.definitions.calls import Definitions, TickResult, TickRun
from backfill.definitions.text import bounded, storable
from backfill.definitions.user_code import describe
from backfill.errors import BackfillError, DefinitionsUnavailable, UserCodeStuck
from backfill.lifecycle.tick_runs import Plan, blocked_partitions, busy_partitions, make_runs
from backfill.states import TickState
from backfill.storage.database import Database, to_json
from backfill.storage.queries.schedules import TickView, get_tick, is_expanding, schedule_row
from backfill.storage.queries.statuses import InFlight

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
REASON_LIMIT = 2_000
ERROR_LIMIT = 20_000
_BUSY_TOLD = 5


class OpenTick(NamedTuple):
    """A tick that was begun."""

    id: int
    at: datetime


@dataclass(frozen=True)
class Handled:
    """What became of a tick.

    Attributes:
        error: The traceback of a failure.
        run_ids: The runs it made.
    """

    schedule: str
    tick_at: datetime
    state: TickState
    reason: str | None
    error: str | None
    run_ids: Sequence[int]

    @classmethod
    def of(cls, tick: TickView) -> Handled:
        """Return what became of a finished tick."""
        return cls(
            tick.schedule,
            from_us(tick.tick_at),
            tick.state,
            tick.reason,
            tick.error,
            tuple(tick.run_ids),
        )


def begin(db: Database, conn: Connection, name: str, tick_at: datetime) -> OpenTick | None:
    """Make the row of the next due tick and move the schedule's cursor to it.

    Returns:
        None when the schedule was stopped, or the tick is begun or left out already.
    """
    schedule = schedule_row(db, conn, name, locked=True)
    if schedule is None or not schedule.running or schedule.handled_until >= to_us(tick_at):
        return None
    move_cursor(db, conn, name, tick_at)
    row = conn.execute(
        db.sql(
            "INSERT INTO ticks (schedule, tick_at, state, started_at) "
            "VALUES (:name, :at, :state, {now}) ON CONFLICT (schedule, tick_at) DO NOTHING "
            "RETURNING id"
        ),
        {"name": name, "at": to_us(tick_at), "state": TickState.STARTED.value},
    ).first()
    return None if row is None else OpenTick(row.id, tick_at)


def move_cursor(db: Database, conn: Connection, name: str, until: datetime) -> None:
    """Note that every tick of a schedule up to here has its row; the caller holds its lock."""
    conn.execute(
        db.sql("UPDATE schedules SET handled_until = :until WHERE name = :name"),
        {"name": name, "until": to_us(until)},
    )


def handle(db: Database, definitions: Definitions, plan: Plan, tick: OpenTick) -> Handled | None:
    """Evaluate a begun tick and finish it.

    Returns:
        What became of it, whoever was first to finish it; None when it has to wait for a backfill
        that is still being expanded.

    Raises:
        DefinitionsUnavailable: The code cannot be asked; the tick stays open.
    """
    result = evaluate(definitions, plan.schedule.name, tick.at)
    return finish(db, plan, tick, result)


def evaluate(definitions: Definitions, name: str, tick_at: datetime) -> TickResult:
    """Ask the schedule what a tick is to do; what raises or hangs fails the tick alone.

    Raises:
        DefinitionsUnavailable: The code cannot be loaded, so that nobody could be asked.
    """
    try:
        return definitions.evaluate_tick(name, tick_at)
    except DefinitionsUnavailable as error:
        if not isinstance(error, UserCodeStuck):
            raise
        return _failure(error)
    except BackfillError as error:
        return _failure(error)


def finish(db: Database, plan: Plan, tick: OpenTick, result: TickResult) -> Handled | None:
    """Make the runs of a begun tick and finish it, all or nothing; returns as `handle` does."""

    def work(conn: Connection, result: TickResult = result) -> Handled | None:
        row = get_tick(db, conn, plan.schedule.name, to_us(tick.at), locked=True)
        assert row is not None, "a tick that was begun is gone"
        if row.state is not TickState.STARTED:
            return Handled.of(row)
        return close(db, conn, plan, tick, result)

    try:
        return db.transact(work)
    except (StatementError, ValueError, TypeError) as error:
        unkept = _failure_to_keep(error)
        return db.transact(lambda conn: work(conn, unkept))


def close(
    db: Database, conn: Connection, plan: Plan, tick: OpenTick, result: TickResult
) -> Handled | None:
    """Write what becomes of an open tick, whose row the caller has locked, with its runs.

    Returns:
        None when it has to wait for a backfill that is still being expanded.
    """
    schedule = plan.schedule
    busy: Mapping[str, InFlight] = {}
    if schedule.when_busy == "skip" and result.runs and schedule.partition_set is not None:
        if is_expanding(db, conn, schedule.partition_set):
            return None
        busy = busy_partitions(db, conn, schedule, result.runs)
    result = without_blocked(result, blocked_partitions(db, conn, schedule, result.runs))
    result = without_busy(result, busy)
    run_ids = make_runs(db, conn, plan, result.runs, tick_id=tick.id, tick_at=tick.at)
    reason = result.reason and bounded(storable(result.reason), REASON_LIMIT)
    error = result.error and bounded(storable(result.error), ERROR_LIMIT)
    conn.execute(
        db.sql(
            "UPDATE ticks SET state = :state, reason = :reason, error = :error, "
            f"run_ids = {_as_json(db)}, finished_at = {{now}} WHERE id = :id"
        ),
        {
            "state": result.state.value,
            "reason": reason,
            "error": error,
            "run_ids": to_json(run_ids),
            "id": tick.id,
        },
    )
    if run_ids:
        db.ring(conn)
    return Handled(schedule.name, tick.at, result.state, reason, error, tuple(run_ids))


def without_blocked(result: TickResult, blocked: Mapping[str, str]) -> TickResult:
    """Leave out the runs of blocked partitions, and say so."""
    told = [f"{key} ({why})" for key, why in blocked.items()]
    return _without(result, blocked, "Left out, for they are blocked", told)


def without_busy(result: TickResult, busy: Mapping[str, InFlight]) -> TickResult:
    """Leave out the runs of partitions that another run is on its way for, and say so."""
    told = [_told(found) for found in busy.values()]
    return _without(result, busy, "Left out, for another run is on its way", told)


def _without(
    result: TickResult, keys: Collection[str], why: str, told: Sequence[str]
) -> TickResult:
    left = [run for run in result.runs if run.partition not in keys]
    if len(left) == len(result.runs):
        return result
    more = f" and {len(told) - _BUSY_TOLD} more" if len(told) > _BUSY_TOLD else ""
    reason = f"{why}: {', '.join(told[:_BUSY_TOLD])}{more}."
    if result.reason:
        reason = f"{result.reason} {reason}"
    state = result.state if left else TickState.SKIPPED
    return replace(result, state=state, runs=left, reason=reason)


def wait_for(busy: Mapping[str, InFlight], run: TickRun) -> int | None:
    """Return the run that a run of a tick would wait for or give way to."""
    found = None if run.partition is None else busy.get(run.partition)
    return None if found is None else found.run_id


def to_us(time: datetime) -> int:
    """Return a time in microseconds since the epoch."""
    return (time - EPOCH) // timedelta(microseconds=1)


def from_us(us: int) -> datetime:
    """Return microseconds since the epoch as a time."""
    return EPOCH + timedelta(microseconds=us)


def _told(found: InFlight) -> str:
    of = f" of backfill {found.backfill_id}" if found.backfill_id is not None else ""
    return f"{found.partition} (run {found.run_id}{of})"


def _failure(error: BackfillError) -> TickResult:
    trace = error.facts.get("traceback")
    return TickResult(TickState.FAILURE, reason=error.detail, error=trace or error.detail)


def _failure_to_keep(error: Exception) -> TickResult:
    """Return the failure of a tick whose runs the database does not take: a NUL in a key."""
    cause = error.orig if isinstance(error, StatementError) and error.orig else error
    reason = f"The runs of this tick cannot be kept: {describe(cause)}"
    return TickResult(TickState.FAILURE, reason=reason, error=reason)


def _as_json(db: Database) -> str:
    return "CAST(:run_ids AS json)" if db.postgres else ":run_ids"
