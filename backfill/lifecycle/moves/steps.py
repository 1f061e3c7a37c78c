"""Steps: outcomes, errors and log lines of the steps of locked runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from backfill.definitions.text import storable
from backfill.execution.outcomes import ErrorInfo, StepOutcome
from backfill.lifecycle.moves.deciding import Ending, Report
from backfill.lifecycle.moves.feed import Moved, tell
from backfill.states import RUN_FINAL, STEP_FINAL, AttemptEnd, RunState, StepState
from backfill.storage.batch import Batch
from backfill.storage.database import Database, to_json

STEP_SHAPE = {
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
LOG_SHAPE = {
    "run_id": "bigint",
    "attempt": "int",
    "step": "text",
    "at": "bigint",
    "level": "text",
    "message": "text",
}
_OVERWRITTEN = ("state", "tries", "started_at", "finished_at", "reason", "metadata", "outputs")
_OVERWRITING = (
    "ON CONFLICT (run_id, attempt, step) DO UPDATE SET "
    + ", ".join(f"{c} = excluded.{c}" for c in _OVERWRITTEN)
    + " WHERE step_outcomes.state IN ('running', 'retrying')"
)


def write_steps(batch: Batch, reports: Sequence[Report], moved: Moved) -> None:
    """Write the step outcomes of locked runs; a final one is never overwritten.

    What a whole attempt left has no rows to meet, so no conflict with them is looked for: that
    would cost as much as the rows.
    """
    for name, met, some in (
        ("s", "", [r for r in reports if r.whole]),
        ("t", _OVERWRITING, [r for r in reports if not r.whole]),
    ):
        values = [step_values(r, s) for r in some for s in r.steps]
        if values:
            _add_steps(batch, name, values, met)
            moved.steps.extend([v["run_id"], v["step"], v["state"]] for v in values)


def _add_steps(batch: Batch, name: str, values: Sequence[dict[str, Any]], met: str) -> None:
    as_json = "CAST({} AS json)" if batch.db.postgres else "{}"
    batch.add(
        "INSERT INTO step_outcomes (run_id, attempt, step, state, tries, started_at, "
        f"finished_at, reason, metadata, outputs) SELECT {name}.run_id, {name}.attempt, "
        f"{name}.step, {name}.state, {name}.tries, {name}.started_at, {name}.finished_at, "
        f"{name}.reason, {as_json.format(name + '.metadata')}, "
        f"{as_json.format(name + '.outputs')} "
        f"FROM {batch.db.records(name, STEP_SHAPE)} WHERE true {met}",
        {name: to_json(values)},
    )


def step_values(report: Report, step: StepOutcome) -> dict[str, Any]:
    """Return the columns of a step's row that have a value."""
    state = step.state
    values: dict[str, Any] = {
        "run_id": report.claim.run_id,
        "attempt": report.claim.attempt,
        "step": step.step,
        "state": state.value,
        "tries": step.tries,
    }
    if step.started_at is not None:
        values["started_at"] = step.started_at
    if state in STEP_FINAL:
        values["finished_at"] = step.finished_at
    if step.reason is not None:
        values["reason"] = cut(step.reason)
    if step.metadata:
        values["metadata"] = to_json(step.metadata)
    if step.outputs:
        values["outputs"] = to_json(step.outputs)
    return values


def close_running_of(db: Database, conn: Connection, endings: Sequence[Ending]) -> None:
    """End the steps that attempts broke off without a word about them.

    One that waits for its retry may go on in the next attempt; with its run it ends too.
    """
    if not endings:
        return
    shape = {
        "run_id": "bigint",
        "attempt": "int",
        "final": "boolean",
        "state": "text",
        "reason": "text",
    }
    values = [
        {
            "run_id": e.row.id,
            "attempt": e.row.attempt,
            "final": e.move.target in RUN_FINAL,
            "state": _broken_off(e).value,
            "reason": cut(e.reason),
        }
        for e in endings
    ]
    rows = conn.execute(
        db.sql(
            "UPDATE step_outcomes SET state = c.state, finished_at = {now}, reason = c.reason "
            f"FROM {db.records('c', shape)} WHERE step_outcomes.run_id = c.run_id "
            "AND step_outcomes.attempt = c.attempt AND (step_outcomes.state = 'running' "
            "OR (c.final AND step_outcomes.state = 'retrying')) "
            "RETURNING step_outcomes.run_id, step_outcomes.step, step_outcomes.state"
        ),
        {"c": to_json(values)},
    ).all()
    tell(db, conn, Moved(steps=[[row.run_id, row.step, row.state] for row in rows]))


def _broken_off(ending: Ending) -> StepState:
    return StepState.CANCELED if ending.end is AttemptEnd.CANCELED else StepState.FAILED


def close_steps(db: Database, conn: Connection, endings: Sequence[Ending], moved: Moved) -> None:
    """End the steps that a dead worker left running, so that no box runs for ever."""
    for ending in endings:
        state = _broken_off(ending)
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


def close_waiting(
    db: Database, conn: Connection, run_ids: Sequence[int], *, state: StepState
) -> None:
    """End the steps that wait for a retry nobody will make: their runs are final.

    Args:
        state: What they end as, failed or canceled.
    """
    if not run_ids:
        return
    rows = conn.execute(
        db.sql(
            "UPDATE step_outcomes AS o SET state = :state, finished_at = {now}, reason = :reason "
            f"WHERE {db.one_of('o.run_id', 'ids')} AND o.state = 'retrying' AND NOT EXISTS ("
            "SELECT 1 FROM step_outcomes AS n WHERE n.run_id = o.run_id AND n.step = o.step "
            "AND n.attempt > o.attempt) RETURNING run_id, step"
        ),
        {
            "state": state.value,
            "reason": "its run ended before it was tried again",
            "ids": db.ints(run_ids),
        },
    ).all()
    moved = Moved(steps=[[row.run_id, row.step, state.value] for row in rows])
    tell(db, conn, moved)


def close_waiting_of(db: Database, conn: Connection, endings: Sequence[Ending]) -> None:
    """Do so for attempts that ended their runs; a first attempt leaves nothing waiting."""
    final = [e for e in endings if e.move.target in RUN_FINAL and e.row.attempt > 1]
    canceled = [e.row.id for e in final if e.move.target is RunState.CANCELED]
    others = [e.row.id for e in final if e.move.target is not RunState.CANCELED]
    close_waiting(db, conn, canceled, state=StepState.CANCELED)
    close_waiting(db, conn, others, state=StepState.FAILED)


def write_errors(db: Database, conn: Connection, reports: Sequence[Report]) -> None:
    values = [
        {
            "run": r.claim.run_id,
            "attempt": r.claim.attempt,
            "step": storable(step),
            "try": tries,
            "at": at,
            "type": storable(error.type),
            "message": storable(error.message),
            "traceback": storable(error.traceback),
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
        chain.append({"type": error.type, "message": error.message, "traceback": error.traceback})
        error = error.cause
    return to_json(chain) if chain else None


def log_values(reports: Sequence[Report]) -> list[dict[str, Any]]:
    """Return the rows of what runs logged, of LOG_SHAPE."""
    return [
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


def write_logs(batch: Batch, reports: Sequence[Report], moved: Moved) -> None:
    """Write the log lines of locked runs."""
    values = log_values(reports)
    if not values:
        return
    batch.add(
        "INSERT INTO log_lines (run_id, attempt, step, at, level, message) "
        "SELECT l.run_id, l.attempt, l.step, l.at, l.level, l.message "
        f"FROM {batch.db.records('l', LOG_SHAPE)}",
        {"l": to_json(values)},
    )
    moved.logs.extend({r.claim.run_id for r in reports if r.logs})


def cut(words: str | None) -> str | None:
    """Return a reason as it is stored: one line's worth of storable text."""
    if words is None:
        return None
    return storable(words if len(words) <= 500 else words[:499] + "…")
