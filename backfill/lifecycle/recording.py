"""Recording: what workers and the reaper write about attempts, fenced.

Decide, then write: the rows of the runs a batch speaks of are locked first, what becomes of each
is decided in Python, and one statement a table writes it. A run that no longer is on the attempt
and token of its report is left out, with everything its worker says about it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row

from backfill.execution.outcomes import ErrorInfo, LogLine, RunEnd, RunOutcome, StepOutcome
from backfill.lifecycle.moves import Moved, free_holds, tell
from backfill.states import RUN_FINAL, AttemptEnd, RunMove, RunState, StepState
from backfill.storage.database import Database, to_json

CRASH_PAUSE_US = 1_000_000  # a lost run is due again after this, times its crashes


@dataclass(frozen=True)
class Claim:
    """A run, its attempt (counted from 1) and lease token: the fence of every worker write."""

    run_id: int
    attempt: int
    token: int


@dataclass
class Report:
    """What a worker has to say about one attempt since it last said something.

    Attributes:
        outcome: Set when the attempt ended.
        steps: Step outcomes so far unreported; running and retrying ones may come again.
        errors: (step, try, at, error) of every failed try.
        busy_us: Time the attempt took, when it ended.
    """

    claim: Claim
    steps: list[StepOutcome] = field(default_factory=list)
    errors: list[tuple[str, int, int, ErrorInfo]] = field(default_factory=list)
    logs: list[LogLine] = field(default_factory=list)
    outcome: RunOutcome | None = None
    version: str | None = None
    busy_us: int = 0


@dataclass(frozen=True)
class Recorded:
    """What became of a batch: runs by id that ended, and reports that were fenced off."""

    ended: dict[int, RunState]
    fenced: list[Claim]


def record(
    db: Database, conn: Connection, reports: Sequence[Report], *, retry_delay_us: int
) -> Recorded:
    """Write a batch of reports, all of it or none, fenced run by run.

    Args:
        reports: At most one per run.
        retry_delay_us: Delay before a failed run with budget left is due again; doubles with
            every failure.
    """
    held = _lock(db, conn, [r.claim.run_id for r in reports])
    live: list[tuple[Report, Row[Any]]] = []
    fenced: list[Claim] = []
    for report in reports:
        row = held.get(report.claim.run_id)
        if row is None or (row.attempt, row.token) != (report.claim.attempt, report.claim.token):
            fenced.append(report.claim)
        else:
            live.append((report, row))
    endings = [_ending(rep, row, retry_delay_us) for rep, row in live if rep.outcome is not None]
    moved = Moved()
    _write_endings(db, conn, endings, moved)
    _write_steps(db, conn, [rep for rep, _ in live], moved)
    _write_errors(db, conn, [rep for rep, _ in live])
    _write_logs(db, conn, [rep for rep, _ in live], moved)
    tell(db, conn, moved)
    return Recorded({e.row.id: e.move.target for e in endings}, fenced)


def reap(
    db: Database, conn: Connection, *, max_crashes: int, limit: int
) -> list[tuple[Row[Any], RunState]]:
    """Take expired leases away: LOSE, LOSE_FINALLY, or STOP for runs asked to cancel.

    A run that shared its message is not charged: nobody knows which one crashed the worker. It
    goes back to be sent alone, and only a lone run's crash is counted.
    """
    rows = conn.execute(
        db.sql(
            f"SELECT {_HELD} FROM runs WHERE state = 'running' AND lease_expires_at < {{now}} "
            f"ORDER BY lease_expires_at LIMIT :limit{db.skip_locked}"
        ),
        {"limit": limit},
    ).all()
    return _lose(db, conn, rows, max_crashes)


def lose(
    db: Database, conn: Connection, tokens: Sequence[int], *, max_crashes: int
) -> list[tuple[Row[Any], RunState]]:
    """Do at once what `reap` would after the lease: the process with these tokens is dead."""
    rows = conn.execute(
        db.sql(
            f"SELECT {_HELD} FROM runs WHERE state = 'running' AND "
            f"{db.one_of('token', 'tokens')} ORDER BY id{db.for_update}"
        ),
        {"tokens": db.ints(tokens)},
    ).all()
    return _lose(db, conn, rows, max_crashes)


def release(
    db: Database, conn: Connection, tokens: Sequence[int], *, reason: str
) -> list[int]:
    """Hand back, uncharged, what these tokens hold: their worker ended them on its own account."""
    rows = conn.execute(
        db.sql(
            f"SELECT {_HELD} FROM runs WHERE state = 'running' AND "
            f"{db.one_of('token', 'tokens')} ORDER BY id{db.for_update}"
        ),
        {"tokens": db.ints(tokens)},
    ).all()
    endings = [_released(row, reason) for row in rows]
    _finish_for_worker(db, conn, endings)
    return [row.id for row in rows]


def _released(row: Row[Any], reason: str) -> _Ending:
    if row.cancel_requested_at is not None:
        return _Ending(row, RunMove.STOP, AttemptEnd.CANCELED, reason=row.reason or "canceled")
    return _Ending(row, RunMove.RELEASE, AttemptEnd.RELEASED, reason=reason)


def _lose(
    db: Database, conn: Connection, rows: Sequence[Row[Any]], max_crashes: int
) -> list[tuple[Row[Any], RunState]]:
    endings = [_lost(row, max_crashes) for row in rows]
    _finish_for_worker(db, conn, endings)
    return [(e.row, e.move.target) for e in endings]


def stop(
    db: Database, conn: Connection, claims: Sequence[Claim], *, reason: str
) -> list[int]:
    """STOP runs whose process was ended for them, fenced. Return the ids that stopped."""
    held = _lock(db, conn, [c.run_id for c in claims])
    endings = [
        _Ending(row=row, move=RunMove.STOP, end=AttemptEnd.CANCELED, reason=reason)
        for c in claims
        if (row := held.get(c.run_id)) is not None
        and (row.attempt, row.token) == (c.attempt, c.token)
    ]
    _finish_for_worker(db, conn, endings)
    return [e.row.id for e in endings]


def _finish_for_worker(db: Database, conn: Connection, endings: Sequence[_Ending]) -> None:
    """Write endings their worker did not report, with the steps it left running."""
    moved = Moved()
    _write_endings(db, conn, endings, moved)
    _close_steps(db, conn, endings, moved)
    tell(db, conn, moved)


# -- deciding -----------------------------------------------------------------------------------

_HELD = (
    "id, attempt, token, backfill_id, set_id, partition, pipeline_id, failures, max_failures, "
    "crashes, cancel_requested_at, worker_id, message_id, message_size, started_at, reason"
)


@dataclass(frozen=True)
class _Ending:
    """What becomes of one attempt."""

    row: Row[Any]
    move: RunMove
    end: AttemptEnd
    delay_us: int = 0
    failed: int = 0
    crashed: int = 0
    alone: bool = False
    reason: str | None = None
    report: Report | None = None


def _lock(db: Database, conn: Connection, ids: Sequence[int]) -> dict[int, Row[Any]]:
    """Lock the running rows among `ids`, in id order so that two batches cannot deadlock."""
    rows = conn.execute(
        db.sql(
            f"SELECT {_HELD} FROM runs WHERE {db.one_of('id', 'ids')} AND state = 'running' "
            f"ORDER BY id{db.for_update}"
        ),
        {"ids": db.ints(ids)},
    ).all()
    return {row.id: row for row in rows}


def _ending(report: Report, row: Row[Any], retry_delay_us: int) -> _Ending:
    outcome = report.outcome
    assert outcome is not None
    if outcome.end is RunEnd.SUCCEEDED:
        return _Ending(row, RunMove.SUCCEED, AttemptEnd.SUCCEEDED, report=report)
    if outcome.end is RunEnd.CANCELED or row.cancel_requested_at is not None:
        reason = row.reason or "canceled"
        return _Ending(row, RunMove.STOP, AttemptEnd.CANCELED, reason=reason, report=report)
    if outcome.end is RunEnd.RELEASED:
        delay = int((outcome.retry_in_seconds or 0) * 1e6)
        reason = outcome.error.message if outcome.error else "its worker was shutting down"
        return _Ending(
            row, RunMove.RELEASE, AttemptEnd.RELEASED, delay_us=delay, reason=reason, report=report
        )
    reason = outcome.error.message if outcome.error else None
    if outcome.end is RunEnd.RETRY:
        delay = int((outcome.retry_in_seconds or 0) * 1e6)
        return _Ending(
            row,
            RunMove.RETRY_LATER,
            AttemptEnd.FAILED,
            delay_us=delay,
            failed=int(outcome.counted),
            reason=reason,
            report=report,
        )
    if outcome.retryable and row.failures < row.max_failures:
        return _Ending(
            row,
            RunMove.RETRY_LATER,
            AttemptEnd.FAILED,
            delay_us=retry_delay_us << min(row.failures, 10),
            failed=1,
            reason=reason,
            report=report,
        )
    return _Ending(
        row, RunMove.FAIL, AttemptEnd.FAILED, failed=1, reason=reason, report=report
    )


def _lost(row: Row[Any], max_crashes: int) -> _Ending:
    if row.cancel_requested_at is not None:
        reason = row.reason or "canceled"
        return _Ending(row, RunMove.STOP, AttemptEnd.CANCELED, reason=reason)
    if row.message_size > 1:
        reason = "its worker died while several runs shared a message; it goes on alone"
        return _Ending(row, RunMove.LOSE, AttemptEnd.LOST, alone=True, reason=reason)
    crashes = row.crashes + 1
    if crashes >= max_crashes:
        reason = f"its worker died {crashes} times while it ran alone"
        return _Ending(row, RunMove.LOSE_FINALLY, AttemptEnd.LOST, crashed=1, reason=reason)
    return _Ending(
        row,
        RunMove.LOSE,
        AttemptEnd.LOST,
        delay_us=CRASH_PAUSE_US * crashes,
        crashed=1,
        reason="its worker died or lost its lease",
    )


# -- writing ------------------------------------------------------------------------------------

_ENDING_SHAPE = {
    "id": "bigint",
    "attempt": "int",
    "state": "text",
    "delay": "bigint",
    "failed": "int",
    "crashed": "int",
    "alone": "boolean",
    "reason": "text",
    "failed_step": "text",
    "error_type": "text",
    "error_message": "text",
    "run_config": "text",
    "version": "text",
}


def _write_endings(
    db: Database, conn: Connection, endings: Sequence[_Ending], moved: Moved
) -> None:
    if not endings:
        return
    final = "f.state <> 'pending'"
    json_type = "CAST(f.run_config AS json)" if db.postgres else "f.run_config"
    rows = conn.execute(
        db.sql(
            "UPDATE runs SET state = f.state, lease_expires_at = NULL, "
            f"ready = (NOT ({final}) AND f.delay = 0), "
            f"finished_at = CASE WHEN {final} THEN {{now}} END, "
            f"available_at = CASE WHEN {final} THEN available_at ELSE {{now}} + f.delay END, "
            "failures = failures + f.failed, crashes = crashes + f.crashed, "
            "alone = (alone OR f.alone), reason = f.reason, failed_step = f.failed_step, "
            "error_type = f.error_type, error_message = f.error_message, "
            f"run_config = CASE WHEN {final} AND f.run_config IS NOT NULL THEN {json_type} "
            "ELSE runs.run_config END, version = coalesce(f.version, runs.version) "
            f"FROM {db.records('f', _ENDING_SHAPE)} "
            "WHERE runs.id = f.id AND runs.attempt = f.attempt AND runs.state = 'running' "
            "RETURNING runs.id, runs.finished_at"
        ),
        {"f": to_json([_ending_values(e) for e in endings])},
    ).all()
    assert len(rows) == len(endings), "a locked run moved under its lock"
    _archive(db, conn, [e for e in endings if e.move.target not in RUN_FINAL])
    free_holds(db, conn, [e.row.id for e in endings if e.move.target in RUN_FINAL])
    for ending in endings:
        moved.run(ending.row, RunState.RUNNING, ending.move.target)
        if ending.report is not None and ending.report.busy_us:
            moved.executed(ending.row.pipeline_id, ending.report.busy_us)


def _ending_values(ending: _Ending) -> dict[str, Any]:
    outcome = ending.report.outcome if ending.report else None
    error = outcome.error if outcome else None
    return {
        "id": ending.row.id,
        "attempt": ending.row.attempt,
        "state": ending.move.target.value,
        "delay": ending.delay_us,
        "failed": ending.failed,
        "crashed": ending.crashed,
        "alone": ending.alone,
        "reason": _cut(ending.reason),
        "failed_step": outcome.failed_step if outcome else None,
        "error_type": error.type if error else None,
        "error_message": _cut(error.message) if error else None,
        "run_config": to_json(outcome.run_config)
        if outcome is not None and outcome.run_config
        else None,
        "version": ending.report.version if ending.report else None,
    }


def _cut(words: str | None) -> str | None:
    return words if words is None or len(words) <= 500 else words[:499] + "…"


def _archive(db: Database, conn: Connection, endings: Sequence[_Ending]) -> None:
    """Keep attempts the run row will forget; the last attempt of a run lives on its row."""
    if not endings:
        return
    conn.execute(
        db.sql(
            "INSERT INTO attempts (run_id, attempt, ending, worker_id, message_id, started_at, "
            "ended_at, reason) VALUES (:run, :attempt, :ending, :worker, :message, :started, "
            "{now}, :reason)"
        ),
        [
            {
                "run": e.row.id,
                "attempt": e.row.attempt,
                "ending": e.end.value,
                "worker": e.row.worker_id,
                "message": e.row.message_id,
                "started": e.row.started_at,
                "reason": _cut(e.reason),
            }
            for e in endings
        ],
    )


_STEP_SHAPE = {
    "run_id": "bigint",
    "attempt": "int",
    "step": "text",
    "state": "text",
    "tries": "int",
    "started_at": "bigint",
    "finished_at": "bigint",
    "reason": "text",
    "metadata": "text",
    "outputs": "text",
}
_STEP_OVERWRITES = ", ".join(
    f"{c} = excluded.{c}"
    for c in ("state", "tries", "started_at", "finished_at", "reason", "metadata", "outputs")
)


def _write_steps(
    db: Database, conn: Connection, reports: Sequence[Report], moved: Moved
) -> None:
    values = [
        {
            "run_id": r.claim.run_id,
            "attempt": r.claim.attempt,
            "step": s.step,
            "state": s.state.value,
            "tries": s.tries,
            "started_at": s.started_at,
            "finished_at": s.finished_at,
            "reason": _cut(s.reason),
            "metadata": to_json(s.metadata) if s.metadata else None,
            "outputs": to_json(s.outputs) if s.outputs else None,
        }
        for r in reports
        for s in r.steps
    ]
    if not values:
        return
    as_json = "CAST({} AS json)" if db.postgres else "{}"
    conn.execute(
        db.sql(
            "INSERT INTO step_outcomes (run_id, attempt, step, state, tries, started_at, "
            "finished_at, reason, metadata, outputs) "
            "SELECT s.run_id, s.attempt, s.step, s.state, s.tries, s.started_at, s.finished_at, "
            f"s.reason, {as_json.format('s.metadata')}, {as_json.format('s.outputs')} "
            f"FROM {db.records('s', _STEP_SHAPE)} WHERE true "
            f"ON CONFLICT (run_id, attempt, step) DO UPDATE SET {_STEP_OVERWRITES} "
            "WHERE step_outcomes.state IN ('running', 'retrying')"
        ),
        {"s": to_json(values)},
    )
    moved.steps.extend([v["run_id"], v["step"], v["state"]] for v in values)


def _close_steps(
    db: Database, conn: Connection, endings: Sequence[_Ending], moved: Moved
) -> None:
    """End the steps that a dead worker left running, so that no box runs for ever."""
    for ending in endings:
        state = StepState.CANCELED if ending.end is AttemptEnd.CANCELED else StepState.FAILED
        rows = conn.execute(
            db.sql(
                "UPDATE step_outcomes SET state = :state, finished_at = {now}, reason = :reason "
                "WHERE run_id = :run AND attempt = :attempt AND state IN ('running', 'retrying') "
                "RETURNING step"
            ),
            {
                "state": state.value,
                "reason": ending.reason,
                "run": ending.row.id,
                "attempt": ending.row.attempt,
            },
        ).all()
        moved.steps.extend([ending.row.id, row.step, state.value] for row in rows)


def _write_errors(db: Database, conn: Connection, reports: Sequence[Report]) -> None:
    values = [
        {
            "run": r.claim.run_id,
            "attempt": r.claim.attempt,
            "step": step,
            "try": tries,
            "at": at,
            "type": error.type,
            "message": error.message,
            "traceback": error.traceback,
            "cause": _cause(error.cause),
        }
        for r in reports
        for step, tries, at, error in r.errors
    ]
    if values:
        conn.execute(
            db.sql(
                'INSERT INTO step_errors (run_id, attempt, step, "try", at, type, message, '
                "traceback, cause) VALUES (:run, :attempt, :step, :try, :at, :type, :message, "
                ":traceback, "
                + ("CAST(:cause AS json)" if db.postgres else ":cause")
                + ") ON CONFLICT DO NOTHING"
            ),
            values,
        )


def _cause(error: ErrorInfo | None) -> str | None:
    chain: list[dict[str, str]] = []
    while error is not None and len(chain) < 10:
        chain.append(
            {"type": error.type, "message": error.message, "traceback": error.traceback}
        )
        error = error.cause
    return to_json(chain) if chain else None


def _write_logs(
    db: Database, conn: Connection, reports: Sequence[Report], moved: Moved
) -> None:
    values = [
        {
            "run_id": r.claim.run_id,
            "attempt": r.claim.attempt,
            "step": line.step,
            "at": line.at,
            "level": line.level,
            "message": line.message,
        }
        for r in reports
        for line in r.logs
    ]
    if not values:
        return
    shape = {
        "run_id": "bigint",
        "attempt": "int",
        "step": "text",
        "at": "bigint",
        "level": "text",
        "message": "text",
    }
    conn.execute(
        db.sql(
            "INSERT INTO log_lines (run_id, attempt, step, at, level, message) "
            "SELECT l.run_id, l.attempt, l.step, l.at, l.level, l.message "
            f"FROM {db.records('l', shape)}"
        ),
        {"l": to_json(values)},
    )
    moved.logs.extend({r.claim.run_id for r in reports if r.logs})
