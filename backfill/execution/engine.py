"""Run the steps of a pipeline in this process: the door of the package for a worker."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from backfill.execution import capture
from backfill.execution.outcomes import Control, Recorder, RunInfo, RunOutcome
from backfill.execution.outputs import OutputStore
from backfill.execution.plan import ExecutionPlan, compile_plan
from backfill.execution.run_execution import RunExecution

__all__ = ["ExecutionPlan", "compile_plan", "execute"]

_NOTHING: Mapping[str, Any] = {}


def execute(
    plan: ExecutionPlan,
    *,
    info: RunInfo,
    run_config: Mapping[str, Any],
    recorder: Recorder,
    control: Control,
    clock: Callable[[], int],
    outputs: OutputStore | None = None,
    done: Mapping[str, Mapping[str, str]] = _NOTHING,
    tried: Mapping[str, int] = _NOTHING,
    timeout_seconds: float | None = None,
    on_limit: Callable[[float | None], None] | None = None,
    captures: bool = True,
    quiet: bool = False,
) -> RunOutcome:
    """Execute one attempt of a run; whatever users' code does ends as an outcome.

    A run whose config does not fit, or that misses an output it needs, fails without a step
    having started. Steps that depend on a failed one are skipped; the others still execute.

    Args:
        plan: Of `compile_plan`; made once per pipeline (and selection of steps).
        clock: Gives microseconds since the epoch, for what is recorded.
        outputs: Where outputs that other steps take are kept; None keeps none.
        done: Step -> output -> URL, as recorded, for steps that succeeded before: they are not
            executed, what others take from them is loaded.
        tried: Step -> tries in earlier attempts of this run that ended as `retrying`, so that a
            step's policy counts over attempts.
        timeout_seconds: How long this attempt may take, in place of what the pipeline says.
        on_limit: Told how many seconds a step may take when it begins, and None when it ended;
            who executes can then end the process of one that cannot be interrupted.
        captures: Make what steps print to lines of the log; replaces `sys.stdout` and
            `sys.stderr` of the process, once.
        quiet: Tell no hook what becomes of the steps.
    """
    if captures:
        capture.install()
    execution = RunExecution(
        plan,
        info=info,
        recorder=recorder,
        control=control,
        clock=clock,
        outputs=outputs,
        tried=tried,
        timeout_seconds=timeout_seconds,
        on_limit=on_limit,
        captures=captures,
        quiet=quiet,
    )
    return execution.execute(run_config, done)
