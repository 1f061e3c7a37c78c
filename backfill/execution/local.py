"""Runs without any service: in the calling process, so that pdb and pytest work."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

from backfill.definitions.keys import TimeWindow
from backfill.definitions.merging import merged
from backfill.definitions.pipeline import PipelineDefinition
from backfill.definitions.resources import check_resources
from backfill.errors import Invalid, NotFound, did_you_mean
from backfill.execution.inputs import NO_VALUE
from backfill.execution.outcomes import (
    ErrorInfo,
    LogLine,
    RunEnd,
    RunInfo,
    RunOutcome,
    StepOutcome,
)
from backfill.execution.outputs import OutputStore
from backfill.execution.plan import compile_plan
from backfill.execution.run_execution import RunExecution


@runtime_checkable
class PartitionSet(Protocol):
    """What `execute_partition` needs of a partition set."""

    name: str
    pipeline_name: str

    def get_partition(self, name: str) -> Any:
        """Return the partition of a key, else raise NotFound."""
        ...

    def run_config_for_partition(self, partition: Any) -> Mapping[str, Any]: ...

    def tags_for_partition(self, partition: Any) -> Mapping[str, str]: ...


@dataclass
class LocalRecorder:
    """Keeps what the engine reports.

    Attributes:
        on_line: Called with every line of the log as it is written.
        retries: (step, tries so far, time, error), one per try that is followed by another.
        hook_errors: (step, hook, error), one per hook that failed.
    """

    on_line: Callable[[LogLine], None] | None = None
    lines: list[LogLine] = field(default_factory=list)
    retries: list[tuple[str, int, int, ErrorInfo]] = field(default_factory=list)
    hook_errors: list[tuple[str, str, ErrorInfo]] = field(default_factory=list)

    def step_started(self, step: str, tries: int, at: int) -> None:
        """Nothing to keep: the outcome will say it."""

    def step_retrying(self, step: str, tries: int, at: int, error: ErrorInfo) -> None:
        self.retries.append((step, tries, at, error))

    def step_finished(self, outcome: StepOutcome) -> None:
        """Nothing to keep: the run's outcome holds it."""

    def log(self, line: LogLine) -> None:
        self.lines.append(line)
        if self.on_line is not None:
            self.on_line(line)

    def hook_failed(self, step: str, hook: str, error: ErrorInfo) -> None:
        self.hook_errors.append((step, hook, error))


class Undisturbed:
    """A control of a run that nobody cancels."""

    def canceled(self) -> bool:
        return False

    def released(self) -> bool:
        return False


@dataclass(frozen=True)
class RunResult:
    """What executing a pipeline in this process gave.

    Attributes:
        outcome: The end of the run, as a worker would record it.
        log: Every line of the log, in order.
        exception: What made the run fail, as it was raised.
    """

    pipeline: PipelineDefinition
    outcome: RunOutcome
    log: Sequence[LogLine]
    exception: BaseException | None
    _values: Mapping[tuple[str, str], Any]

    @property
    def success(self) -> bool:
        """Whether the run succeeded."""
        return self.outcome.end is RunEnd.SUCCEEDED

    @property
    def outcomes(self) -> Mapping[str, StepOutcome]:
        """The outcome of every step that was executed or skipped, by name."""
        return {outcome.step: outcome for outcome in self.outcome.steps}

    @property
    def run_config(self) -> Mapping[str, Any]:
        """The run config that was used, secrets redacted."""
        return self.outcome.run_config

    def step(self, name: str) -> StepOutcome:
        """Return the outcome of a step, else raise NotFound."""
        outcome = self.outcomes.get(name)
        if outcome is None:
            raise NotFound(f'Step "{name}" was not executed.{did_you_mean(name, self.outcomes)}')
        return outcome

    def output(self, step: str, name: str = "result") -> Any:
        """Return the value of an output.

        Raises:
            NotFound: There is no such step or output.
            Invalid: The step did not yield it; says how the step ended.
        """
        outs = self.pipeline.step(step).definition.outs
        if name not in outs:
            raise NotFound(f'Step "{step}" has no output "{name}".{did_you_mean(name, outs)}')
        if (step, name) in self._values:
            return self._values[step, name]
        outcome = self.outcomes.get(step)
        told = "was not executed" if outcome is None else f"{outcome.state}"
        raise Invalid(f'Step "{step}" yielded no output "{name}": it {told}.')

    def lines(self, step: str | None = None) -> list[str]:
        """Return the messages of the log, of one step or of all."""
        return [line.message for line in self.log if step is None or line.step == step]


def execute_pipeline(
    pipeline: PipelineDefinition,
    run_config: Mapping[str, Any] | None = None,
    *,
    tags: Mapping[str, str] | None = None,
    resources: Mapping[str, Any] | None = None,
    steps: Sequence[str] | None = None,
    raise_on_error: bool = False,
    on_line: Callable[[LogLine], None] | None = None,
    outputs: OutputStore | None = None,
) -> RunResult:
    """Execute a pipeline in the calling process and return what it gave.

    What steps print is printed. A retry that is due in more than a few seconds is left:
    `result.outcome.retry_in_seconds` says when it would be.

    Args:
        resources: Resource name -> a value, or what `@resource` made, in place of the pipeline's.
        steps: Execute only these; they must not take anything from the others.
        raise_on_error: Raise what made the run fail.
        on_line: Called with every line of the log as it is written.

    Raises:
        NotFound: A name in `steps` or `resources` is none of the pipeline's.
    """
    own_tags = {**pipeline.tags, **(tags or {})}
    info = RunInfo(run_id=system_clock(), attempt=1, pipeline_name=pipeline.name, tags=own_tags)
    return _execute(
        pipeline,
        info,
        run_config,
        resources=resources,
        steps=steps,
        raise_on_error=raise_on_error,
        on_line=on_line,
        outputs=outputs,
    )


def execute_partition(
    partition_set: PartitionSet,
    partition_key: str,
    *,
    pipeline: PipelineDefinition | None = None,
    run_config: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
    resources: Mapping[str, Any] | None = None,
    steps: Sequence[str] | None = None,
    raise_on_error: bool = False,
    on_line: Callable[[LogLine], None] | None = None,
    outputs: OutputStore | None = None,
) -> RunResult:
    """Execute a partition of a set in the calling process, with the set's config and tags.

    Args:
        pipeline: Where the set only names its pipeline; found by itself when it is in the module
            of the set or of the caller.
        run_config: Merged over what the set's function gives.

    Raises:
        NotFound: The set has no such partition, or its pipeline was not found.
        UserCodeError: A function of the set raised.
    """
    found = pipeline or _pipeline_of(partition_set, sys._getframe(1).f_globals)
    partition = partition_set.get_partition(partition_key)
    config = merged(partition_set.run_config_for_partition(partition), run_config)
    selected = steps or getattr(partition_set, "step_selection", None)
    info = RunInfo(
        run_id=system_clock(),
        attempt=1,
        pipeline_name=found.name,
        partition_set=partition_set.name,
        partition_keys=(partition_key,),
        partition=partition,
        time_window=_window(partition),
        tags={**found.tags, **partition_set.tags_for_partition(partition), **(tags or {})},
    )
    return _execute(
        found,
        info,
        config,
        resources=resources,
        steps=selected,
        raise_on_error=raise_on_error,
        on_line=on_line,
        outputs=outputs,
    )


def _execute(
    pipeline: PipelineDefinition,
    info: RunInfo,
    run_config: Mapping[str, Any] | None,
    *,
    resources: Mapping[str, Any] | None,
    steps: Sequence[str] | None,
    raise_on_error: bool,
    on_line: Callable[[LogLine], None] | None,
    outputs: OutputStore | None,
) -> RunResult:
    if resources:
        pipeline = _with_resources(pipeline, resources)
    plan = compile_plan(pipeline, steps)
    recorder = LocalRecorder(on_line)
    execution = RunExecution(
        plan,
        info=info,
        recorder=recorder,
        control=Undisturbed(),
        clock=system_clock,
        outputs=outputs,
        tried={},
        captures=False,
        interactive=True,
        keeps_values=True,
    )
    outcome = execution.execute(run_config or {}, {})
    if raise_on_error and execution.cause is not None:
        raise execution.cause
    values = {
        (step.name, output.name): execution.values[output.slot]
        for step in plan.steps
        for output in step.outputs
        if execution.values[output.slot] is not NO_VALUE
    }
    return RunResult(pipeline, outcome, tuple(recorder.lines), execution.cause, values)


def _with_resources(
    pipeline: PipelineDefinition, resources: Mapping[str, Any]
) -> PipelineDefinition:
    for name in resources:
        if name not in pipeline.resource_defs:
            raise NotFound(
                f'Pipeline "{pipeline.name}" has no resource "{name}".'
                f"{did_you_mean(name, pipeline.resource_defs)}"
            )
    replaced = {**pipeline.resource_defs, **resources}
    return replace(pipeline, resource_defs=check_resources(replaced, pipeline.name, pipeline.place))


def _pipeline_of(partition_set: PartitionSet, calling: Mapping[str, Any]) -> PipelineDefinition:
    own = getattr(partition_set, "pipeline", None)
    if isinstance(own, PipelineDefinition):
        return own
    place = getattr(partition_set, "place", None)
    homes = [vars(m) for m in list(sys.modules.values()) if _is_at(m, place)]
    for home in (*homes, calling):
        for value in list(home.values()):
            if isinstance(value, PipelineDefinition) and value.name == partition_set.pipeline_name:
                return value
    raise NotFound(
        f'Partition set "{partition_set.name}" is of the pipeline '
        f'"{partition_set.pipeline_name}", which is neither in its module nor in yours. Give it: '
        "execute_partition(partition_set, key, pipeline=…)."
    )


def _is_at(module: Any, place: Any) -> bool:
    file = getattr(place, "file", None)
    return file is not None and getattr(module, "__file__", None) == file


def _window(partition: Any) -> TimeWindow | None:
    window = getattr(partition, "time_window", None)
    return window if isinstance(window, TimeWindow) else None


def system_clock() -> int:
    """Return microseconds since the epoch."""
    return time.time_ns() // 1000
