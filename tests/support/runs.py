"""Executing runs in tests: a recorder that keeps everything, a control one can turn, a clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from backfill.definitions.pipeline import PipelineDefinition
from backfill.execution.engine import compile_plan
from backfill.execution.outcomes import (
    ErrorInfo,
    LogLine,
    RunInfo,
    RunOutcome,
    StepOutcome,
)
from backfill.execution.run_execution import RunExecution


@dataclass
class Kept:
    """Everything the engine reported, in order."""

    events: list[tuple[str, str]] = field(default_factory=list)
    lines: list[LogLine] = field(default_factory=list)
    finished: list[StepOutcome] = field(default_factory=list)
    retries: list[ErrorInfo] = field(default_factory=list)
    hook_errors: list[tuple[str, str, str]] = field(default_factory=list)

    def step_started(self, step: str, tries: int, at: int) -> None:
        self.events.append((f"started {tries}", step))

    def step_retrying(self, step: str, tries: int, at: int, error: ErrorInfo) -> None:
        self.events.append((f"retrying {tries}", step))
        self.retries.append(error)

    def step_finished(self, outcome: StepOutcome) -> None:
        self.events.append((str(outcome.state), outcome.step))
        self.finished.append(outcome)

    def log(self, line: LogLine) -> None:
        self.lines.append(line)

    def hook_failed(self, step: str, hook: str, error: ErrorInfo) -> None:
        self.hook_errors.append((step, hook, error.message))


@dataclass
class Turned:
    """A control that says what it is set to."""

    cancel: bool = False
    release: bool = False

    def canceled(self) -> bool:
        return self.cancel

    def released(self) -> bool:
        return self.release


@dataclass
class Ticking:
    """A clock that moves one second on with every look at it."""

    at: int = 0

    def __call__(self) -> int:
        self.at += 1_000_000
        return self.at


@dataclass
class Ran:
    """The end of a run and what was reported on the way."""

    outcome: RunOutcome
    kept: Kept
    execution: RunExecution

    @property
    def steps(self) -> dict[str, StepOutcome]:
        return {outcome.step: outcome for outcome in self.outcome.steps}

    @property
    def states(self) -> dict[str, str]:
        return {outcome.step: str(outcome.state) for outcome in self.outcome.steps}

    def lines(self, step: str | None = None) -> list[tuple[str, str]]:
        return [(x.level, x.message) for x in self.kept.lines if step in (None, x.step)]


def run(
    pipeline: PipelineDefinition,
    run_config: Any = None,
    *,
    steps: list[str] | None = None,
    control: Turned | None = None,
    outputs: Any = None,
    done: Mapping[str, Mapping[str, str]] | None = None,
    tried: Mapping[str, int] | None = None,
    captures: bool = False,
    quiet: bool = False,
    wait: Callable[[float], None] = lambda seconds: None,
    **info: Any,
) -> Ran:
    """Execute one attempt of a run as a worker does; waits for retries take no time."""
    kept = Kept()
    execution = RunExecution(
        compile_plan(pipeline, steps),
        info=RunInfo(**{"run_id": 12, "attempt": 1, "pipeline_name": pipeline.name, **info}),
        recorder=kept,
        control=control or Turned(),
        clock=Ticking(),
        outputs=outputs,
        tried=tried or {},
        captures=captures,
        quiet=quiet,
        keeps_values=True,
        wait=wait,
    )
    return Ran(execution.execute(run_config or {}, done or {}), kept, execution)
