"""What happened inside runs: their attempts, the outcomes of steps, and errors."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row

from backfill.states import RUN_FINAL, AttemptEnd, RunState, StepState
from backfill.storage.database import Database, decoded

MAX_ERRORS = 200


@dataclass(frozen=True)
class AttemptView:
    """One attempt of a run; `ending` and `ended_at` are None while it runs."""

    run_id: int
    attempt: int
    ending: AttemptEnd | None
    worker: str | None
    message_id: str | None
    started_at: int | None
    ended_at: int | None
    reason: str | None


@dataclass(frozen=True)
class ErrorView:
    """A failed try of a step; `step` is empty for an error of the run itself.

    Attributes:
        causes: What it was raised from, nearest first: type, message, traceback.
    """

    run_id: int
    attempt: int
    step: str
    tries: int
    at: int
    type: str
    message: str
    traceback: str
    causes: Sequence[Mapping[str, str]]


@dataclass(frozen=True)
class StepView:
    """The outcome of one step in one attempt, with the errors of its tries."""

    run_id: int
    attempt: int
    step: str
    state: StepState
    tries: int
    started_at: int | None
    finished_at: int | None
    reason: str | None
    metadata: Mapping[str, Any]
    outputs: Mapping[str, str]
    errors: Sequence[ErrorView] = ()


def attempts_of(
    db: Database, conn: Connection, run_ids: Sequence[int]
) -> Mapping[int, Sequence[AttemptView]]:
    """Return the attempts of runs by run id, oldest first: the archived and the one on the row."""
    found: dict[int, list[AttemptView]] = defaultdict(list)
    archived = conn.execute(
        db.sql(
            "SELECT a.*, w.name AS worker_name FROM attempts a "
            "LEFT JOIN workers w ON w.id = a.worker_id "
            f"WHERE {db.one_of('a.run_id', 'runs')} ORDER BY a.run_id, a.attempt"
        ),
        {"runs": db.ints(run_ids)},
    )
    for row in archived:
        found[row.run_id].append(_archived(row))
    newest = conn.execute(
        db.sql(
            "SELECT r.id, r.state, r.attempt, r.message_id, r.started_at, r.finished_at, r.reason, "
            "w.name AS worker_name FROM runs r LEFT JOIN workers w ON w.id = r.worker_id "
            f"WHERE {db.one_of('r.id', 'runs')} AND r.attempt > 0"
        ),
        {"runs": db.ints(run_ids)},
    )
    for row in newest:
        if row.attempt not in {a.attempt for a in found[row.id]}:
            found[row.id].append(_on_row(row))
    return found


def steps_of(
    db: Database, conn: Connection, run_ids: Sequence[int], *, step: str | None = None
) -> Sequence[StepView]:
    """Return the step outcomes of every attempt of runs, with errors, in order of attempts."""
    only = " AND step = :step" if step is not None else ""
    rows = conn.execute(
        db.sql(
            "SELECT run_id, attempt, step, state, tries, started_at, finished_at, reason, "
            f"metadata, outputs FROM step_outcomes WHERE {db.one_of('run_id', 'runs')}{only} "
            "ORDER BY run_id, attempt, started_at IS NULL, started_at, finished_at, step"
        ),
        {"runs": db.ints(run_ids)} | ({} if step is None else {"step": step}),
    ).all()
    errors = _by_step(errors_of(db, conn, run_ids, step=step))
    return [_step(row, errors.get((row.run_id, row.attempt, row.step), ())) for row in rows]


def errors_of(
    db: Database, conn: Connection, run_ids: Sequence[int], *, step: str | None = None
) -> Sequence[ErrorView]:
    """Return what was raised in runs, newest attempt first; at most the last 200."""
    only = " AND step = :step" if step is not None else ""
    rows = conn.execute(
        db.sql(
            'SELECT run_id, attempt, step, "try" AS tries, at, type, message, traceback, cause '
            f"FROM step_errors WHERE {db.one_of('run_id', 'runs')}{only} "
            'ORDER BY attempt DESC, at DESC, run_id, "try" DESC LIMIT :most'
        ),
        {"runs": db.ints(run_ids), "most": MAX_ERRORS} | ({} if step is None else {"step": step}),
    )
    return [_error(row) for row in rows]


def _by_step(errors: Iterable[ErrorView]) -> Mapping[tuple[int, int, str], Sequence[ErrorView]]:
    found: dict[tuple[int, int, str], list[ErrorView]] = defaultdict(list)
    for error in errors:
        found[(error.run_id, error.attempt, error.step)].insert(0, error)
    return found


def _archived(row: Row[Any]) -> AttemptView:
    return AttemptView(
        run_id=row.run_id,
        attempt=row.attempt,
        ending=AttemptEnd(row.ending),
        worker=row.worker_name,
        message_id=row.message_id,
        started_at=row.started_at,
        ended_at=row.ended_at,
        reason=row.reason,
    )


def _on_row(row: Row[Any]) -> AttemptView:
    state = RunState(row.state)
    ended = state in RUN_FINAL
    return AttemptView(
        run_id=row.id,
        attempt=row.attempt,
        ending=AttemptEnd(state.value) if ended else None,
        worker=row.worker_name,
        message_id=row.message_id,
        started_at=row.started_at,
        ended_at=row.finished_at if ended else None,
        reason=row.reason if ended else None,
    )


def _step(row: Row[Any], errors: Sequence[ErrorView]) -> StepView:
    return StepView(
        run_id=row.run_id,
        attempt=row.attempt,
        step=row.step,
        state=StepState(row.state),
        tries=row.tries,
        started_at=row.started_at,
        finished_at=row.finished_at,
        reason=row.reason,
        metadata=decoded(row.metadata) or {},
        outputs=decoded(row.outputs) or {},
        errors=errors,
    )


def _error(row: Row[Any]) -> ErrorView:
    return ErrorView(
        run_id=row.run_id,
        attempt=row.attempt,
        step=row.step,
        tries=row.tries,
        at=row.at,
        type=row.type,
        message=row.message,
        traceback=row.traceback,
        causes=decoded(row.cause) or [],
    )
