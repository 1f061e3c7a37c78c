"""What the steps of a run have come to along its lineage: which need not be executed again."""

from __future__ import annotations

from collections.abc import Sequence

from backfill.states import ReexecutionMode, StepState
from backfill.storage.queries.lineage import Ancestor


def succeeded_along(line: Sequence[Ancestor]) -> set[str]:
    """Return the steps whose newest outcome along a line of runs is a success.

    A run that was to execute a step and never came to it takes an older success of it away: who
    asked for the step again wanted it again.

    Args:
        line: A run and those it descends from, nearest first.
    """
    done: dict[str, bool] = {}
    for run in line:
        for step, state in run.outcomes.items():
            done.setdefault(step, state == StepState.SUCCEEDED)
        if run.mode is ReexecutionMode.FROM_FAILURE:
            continue  # what it was to execute is told by those before it
        if run.steps is None:
            break  # it was to execute every step
        for step in run.steps:
            done.setdefault(step, False)
    return {step for step, succeeded in done.items() if succeeded}
