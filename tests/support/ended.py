"""Runs brought to an end in a house: what partitions had come to before a test asks."""

from __future__ import annotations

from typing import Any

from backfill.execution.outcomes import ErrorInfo, RunEnd, RunOutcome
from backfill.lifecycle.moves import Claim, Report
from tests.support.house import House, steps_ok

ERROR = ErrorInfo("ValueError", "no", "Traceback: no")


def ended(
    house: House,
    selection: str,
    end: RunEnd = RunEnd.SUCCEEDED,
    *,
    set_name: str = "days",
    version: str | None = None,
    **wanted: Any,
) -> int:
    """Backfill a selection and bring all of its runs to one end. Return the backfill's id.

    Args:
        version: The pipeline's, as the workers had it; the present one when not given.
    """
    backfill_id = house.submit(selection, set_name, **wanted)
    while house.expand(backfill_id):
        pass
    finish(house, end, version=version)
    house.settle(backfill_id)
    house.fold()
    return backfill_id


def finish(house: House, end: RunEnd = RunEnd.SUCCEEDED, *, version: str | None = None) -> None:
    """Bring everything that can be admitted to an end."""
    house.worker(slots=64)
    at = version or house.definitions.catalog().pipeline("work").version
    while claims := house.claim(house.admitted()):
        house.record(*[_report(claim, end, at) for claim in claims])


def _report(claim: Claim, end: RunEnd, version: str) -> Report:
    outcome = RunOutcome(end, error=ERROR if end is RunEnd.FAILED else None, retryable=False)
    steps = steps_ok() if end is RunEnd.SUCCEEDED else []
    return Report(claim, outcome=outcome, steps=steps, version=version, busy_us=1_000_000)
