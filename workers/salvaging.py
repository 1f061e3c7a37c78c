"""What is kept of a report that the database refuses: how the steps and the run ended, and why.

Without it the run would be taken for one whose worker died, tried again and refused again.
"""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy.exc import DBAPIError

from backfill.execution.outcomes import ErrorInfo, RunEnd, RunOutcome, StepOutcome
from backfill.lifecycle.moves import Report
from backfill.states import STEP_FINAL

_KEEPS_ITS_END = {RunEnd.CANCELED, RunEnd.RELEASED}


def salvaged(report: Report, error: Exception) -> Report:
    """Return a report that can be written: the run fails, with the refusal as its error."""
    told = ErrorInfo(
        "Unrecordable", f"What this run reported cannot be stored: {refusal(error)}", ""
    )
    steps = [_bare(step) for step in report.steps]
    outcome = report.outcome
    if outcome is None:
        return Report(report.claim, steps=steps)
    if outcome.end in _KEEPS_ITS_END:
        ended = RunOutcome(outcome.end, retry_in_seconds=outcome.retry_in_seconds)
    else:
        ended = RunOutcome(RunEnd.FAILED, error=told, retryable=False)
    at = max((step.finished_at or 0 for step in steps), default=0)
    return Report(
        report.claim,
        steps=steps,
        errors=[("", 0, at, told)],
        outcome=ended,
        busy_us=report.busy_us,
    )


def _bare(step: StepOutcome) -> StepOutcome:
    """Leave out what users' code put in."""
    finished_at = step.finished_at
    if step.state in STEP_FINAL:
        finished_at = finished_at or step.started_at or 0
    return replace(step, finished_at=finished_at, error=None, metadata=None)


def refusal(error: Exception) -> str:
    """Describe a refusal without the statement and its values, which may hold secrets."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return f"{type(cause).__name__}: {cause}"[:500]
