"""Runs over ranges: which claimed runs are executed together, and what each is told in the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Row

from backfill.execution.outcomes import ErrorInfo, RunEnd, RunOutcome
from backfill.lifecycle.moves import Claim, Report
from backfill.states import StepState

Rows = Sequence[Row[Any]]


def spans(rows: Rows) -> list[Rows]:
    """Return claimed runs as they are executed: neighbours of one span together, others alone.

    Where one of a span did not come along, the partitions before and after it are no neighbours.
    """
    found: list[list[Row[Any]]] = []
    for row in sorted(rows, key=_place):
        last = found[-1][-1] if found else None
        if last is not None and _follows(last, row):
            found[-1].append(row)
        else:
            found.append([row])
    return [*found]


def _place(row: Row[Any]) -> tuple[int, int, int, int]:
    if row.span is None:
        return (0, 0, 0, row.id)
    return (1, row.generation, row.span, row.sort)


def _follows(last: Row[Any], row: Row[Any]) -> bool:
    return row.span is not None and (last.generation, last.span, last.sort + 1) == (
        row.generation,
        row.span,
        row.sort,
    )


def told_apart(report: Report, rows: Rows, token: int) -> list[Report]:
    """Return a report for each run that was executed together, the first one's own included."""
    outcome = report.outcome
    assert outcome is not None
    reports = []
    for n, row in enumerate(rows):
        own = of_partition(outcome, row.partition, first=n == 0, ranged=row.span is not None)
        if n == 0:
            reports.append(replace(report, outcome=own))
        else:
            claim = Claim(row.id, row.attempt, token)
            steps = list(own.steps)
            reports.append(Report(claim, steps=steps, outcome=own, version=report.version))
    return reports


def of_partition(
    outcome: RunOutcome, key: str | None, *, first: bool = True, ranged: bool = True
) -> RunOutcome:
    """Return what an execution came to for one of its partitions.

    Args:
        first: Of the run that was executed: it alone is asked whether it was canceled.
        ranged: It may have been executed for others, too.
    """
    if outcome.end is RunEnd.CANCELED and not first:
        told = ErrorInfo("Released", "another partition of its run was canceled", "")
        return RunOutcome(RunEnd.RELEASED, error=told)
    said = outcome.partitions.get(key) if key is not None else None
    if said is None or outcome.end not in (RunEnd.SUCCEEDED, RunEnd.FAILED, RunEnd.RETRY):
        return outcome
    if not said.succeeded:
        if outcome.end is not RunEnd.SUCCEEDED:
            return outcome
        words = said.reason or "a step said so"
        error = ErrorInfo("PartitionFailed", f'partition "{key}" failed: {words}', "")
        return replace(outcome, end=RunEnd.FAILED, error=error, failed_step=said.step)
    spared = ranged and outcome.end is not RunEnd.SUCCEEDED
    return _spared(outcome, said.step) if spared else outcome


def _spared(outcome: RunOutcome, step: str) -> RunOutcome:
    """Return a failure as a success, where only the step that reported it failed."""
    others = [s for s in outcome.steps if s.step != step]
    if outcome.failed_step != step or any(s.state is not StepState.SUCCEEDED for s in others):
        return outcome
    steps = [
        replace(s, state=StepState.SUCCEEDED, error=None) if s.step == step else s
        for s in outcome.steps
    ]
    return RunOutcome(RunEnd.SUCCEEDED, steps, run_config=outcome.run_config)
