"""Endings: attempts written to their runs, history and holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backfill.execution.outcomes import RunOutcome
from backfill.lifecycle.likeness import error_key
from backfill.lifecycle.moves.deciding import Ending
from backfill.lifecycle.moves.feed import Moved
from backfill.lifecycle.moves.queueing import add_freed_holds
from backfill.lifecycle.moves.steps import cut
from backfill.states import RUN_FINAL, RunState
from backfill.storage.batch import Batch
from backfill.storage.database import to_json

_ON_THE_ROW = RUN_FINAL - {RunState.SKIPPED}  # a skipped run keeps no attempt as its end
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
    "error_key": "text",
    "run_config": "text",
    "version": "text",
}


def write_endings(batch: Batch, endings: Sequence[Ending], moved: Moved) -> None:
    """Write what becomes of attempts whose runs are locked: run rows, history, holds."""
    if not endings:
        return
    db = batch.db
    final = "f.state <> 'pending'"
    json_type = "CAST(f.run_config AS json)" if db.postgres else "f.run_config"
    batch.add(
        "UPDATE runs SET state = f.state, lease_expires_at = NULL, "
        f"ready = (NOT ({final}) AND f.delay = 0), "
        f"finished_at = CASE WHEN {final} THEN {{now}} END, "
        f"available_at = CASE WHEN {final} THEN runs.available_at ELSE {{now}} + f.delay END, "
        "failures = runs.failures + f.failed, crashes = runs.crashes + f.crashed, "
        "alone = (runs.alone OR f.alone), reason = f.reason, failed_step = f.failed_step, "
        "error_type = f.error_type, error_message = f.error_message, "
        "error_key = f.error_key, "
        f"run_config = CASE WHEN {final} AND f.run_config IS NOT NULL THEN {json_type} "
        "ELSE runs.run_config END, version = coalesce(f.version, runs.version) "
        f"FROM {db.records('f', _ENDING_SHAPE)} "
        "WHERE runs.id = f.id AND runs.attempt = f.attempt AND "
        + db.checked("runs.state = 'running'"),
        {"f": to_json([_values(e) for e in endings])},
        expect=len(endings),
    )
    _archive(batch, [e for e in endings if e.move.target not in _ON_THE_ROW])
    add_freed_holds(batch, [e.row.id for e in endings if e.move.target in RUN_FINAL])
    for ending in endings:
        moved.run(ending.row, RunState.RUNNING, ending.move.target)
        executed = ending.move.target is not RunState.SKIPPED
        if executed and ending.report is not None and ending.report.busy_us:
            moved.executed(ending.row.pipeline_id, ending.report.busy_us)


def _values(ending: Ending) -> dict[str, Any]:
    """Return what the row becomes; what has no value is left out."""
    values: dict[str, Any] = {
        "id": ending.row.id,
        "attempt": ending.row.attempt,
        "state": ending.move.target.value,
        "delay": ending.delay_us,
        "failed": ending.failed,
        "crashed": ending.crashed,
        "alone": ending.alone,
    }
    if ending.reason is not None:
        values["reason"] = cut(ending.reason)
    if ending.move.target is RunState.FAILED:
        values["error_key"] = _error_key(ending)
    report = ending.report
    if report is None:
        return values
    if report.version is not None:
        values["version"] = report.version
    if report.outcome is not None:
        values |= _outcome_values(report.outcome)
    return values


def _outcome_values(outcome: RunOutcome) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if outcome.run_config:
        values["run_config"] = to_json(outcome.run_config)
    if outcome.failed_step is not None:
        values["failed_step"] = outcome.failed_step
    if outcome.error is not None:
        values |= {"error_type": outcome.error.type, "error_message": cut(outcome.error.message)}
    return values


def _error_key(ending: Ending) -> str:
    """Return what a failure is grouped by."""
    partition = ending.row.partition
    outcome = ending.report.outcome if ending.report else None
    if outcome is None or outcome.error is None:
        return error_key(None, ending.reason, partition=partition)
    return error_key(outcome.error.type, outcome.error.message, partition=partition)


def _archive(batch: Batch, endings: Sequence[Ending]) -> None:
    """Keep attempts the run row will forget; the last attempt of a run lives on its row."""
    if not endings:
        return
    batch.conn.execute(
        batch.db.sql(
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
                "reason": cut(e.reason),
            }
            for e in endings
        ],
    )
