"""A pipeline compiled for execution: made once, used for every run of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from backfill.definitions.config_schema import NOT_GIVEN
from backfill.definitions.graph import Constant, FanIn, OutputRef, StepNode, refs
from backfill.definitions.hooks import HookDefinition
from backfill.definitions.pipeline import PipelineDefinition
from backfill.definitions.policies import RetryPolicy
from backfill.definitions.ports import Nothing, type_name, value_check
from backfill.definitions.run_config import RunConfigSchema


@dataclass(frozen=True, slots=True)
class PlannedOutput:
    """An output and where its value is kept during a run.

    Attributes:
        slot: Index into the run's list of values.
        step: Index of the step that yields it.
        consumed: Some step takes it, so that it is worth keeping for later attempts.
    """

    name: str
    slot: int
    step: int
    type_name: str
    check: Callable[[Any], bool] | None
    required: bool
    consumed: bool
    serializer: str


@dataclass(frozen=True, slots=True)
class PlannedInput:
    """An input and where its value comes from.

    Attributes:
        members: The outputs and values gathered, in order; just one unless `gathers`.
        gathers: The step is given a list.
    """

    name: str
    members: tuple[PlannedOutput | Constant, ...]
    gathers: bool
    type_name: str
    check: Callable[[Any], bool] | None


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """A step with everything its execution needs at hand.

    Attributes:
        index: Its place in the order, and in the run's list of states.
        after: (index of a step, an output that must have been yielded or None).
        frees: Slots whose last consumer this is, when steps run one after another.
        plain_slot: The slot of the one output where nothing but the value matters, else -1.
        hooks: Told when it has succeeded or failed.
    """

    index: int
    name: str
    fn: Callable[..., Any]
    takes_context: bool
    inputs: tuple[PlannedInput, ...]
    after: tuple[tuple[int, PlannedOutput | None], ...]
    outputs: tuple[PlannedOutput, ...]
    plain_slot: int
    upstream: tuple[int, ...]
    frees: tuple[int, ...]
    resources: tuple[str, ...]
    retry_policy: RetryPolicy | None
    timeout_seconds: float | None
    hooks: tuple[HookDefinition, ...] = ()


@dataclass(frozen=True, slots=True)
class ExecutionPlan:
    """What `execute` runs; immutable, shared by runs and threads.

    Attributes:
        steps: All steps of the pipeline, in order.
        selected: Indexes of the steps to execute.
        slots: How many outputs there are.
        has_limits: A step or the run may take only so long.
    """

    pipeline: PipelineDefinition
    steps: tuple[PlannedStep, ...]
    selected: frozenset[int]
    slots: int
    config: RunConfigSchema
    has_limits: bool


def compile_plan(pipeline: PipelineDefinition, steps: Sequence[str] | None = None) -> ExecutionPlan:
    """Compile a pipeline, or the execution of some of its steps; keep the result, it is reusable.

    Args:
        steps: Names of the steps to execute; None for all.

    Raises:
        NotFound: A name is no step of the pipeline.
    """
    index = {node.name: i for i, node in enumerate(pipeline.steps)}
    if steps is None:
        selected = frozenset(index.values())
        config = pipeline.config
    else:
        selected = frozenset(index[pipeline.step(name).name] for name in steps)
        config = pipeline.config_for(steps)
    outputs = _outputs(pipeline, index)
    frees = _last_consumers(pipeline, outputs)
    planned = tuple(
        _planned(i, node, index, outputs, frees.get(i, ()), pipeline.hooks_of(node))
        for i, node in enumerate(pipeline.steps)
    )
    has_limits = pipeline.timeout_seconds is not None or any(
        step.timeout_seconds is not None for step in planned
    )
    return ExecutionPlan(pipeline, planned, selected, len(outputs), config, has_limits)


_Outputs = dict[tuple[str, str], PlannedOutput]


def _outputs(pipeline: PipelineDefinition, index: dict[str, int]) -> _Outputs:
    consumed = {
        (ref.step, ref.output)
        for node in pipeline.steps
        for source in node.inputs.values()
        for ref in refs(source)
    }
    outputs: _Outputs = {}
    for node in pipeline.steps:
        for name, out in node.definition.outs.items():
            key = (node.name, name)
            outputs[key] = PlannedOutput(
                name=name,
                slot=len(outputs),
                step=index[node.name],
                type_name=type_name(out.type),
                check=value_check(out.type),
                required=out.is_required,
                consumed=key in consumed,
                serializer=out.serializer,
            )
    return outputs


def _last_consumers(pipeline: PipelineDefinition, outputs: _Outputs) -> dict[int, tuple[int, ...]]:
    """Return, per step index, the slots nothing looks at after that step."""
    last: dict[int, int] = {}
    for i, node in enumerate(pipeline.steps):
        for source in node.inputs.values():
            for ref in refs(source):
                last[outputs[ref.step, ref.output].slot] = i
        for step, output in node.after:
            if output is not None:
                last[outputs[step, output].slot] = i
    frees: dict[int, tuple[int, ...]] = {}
    for slot, i in last.items():
        frees[i] = (*frees.get(i, ()), slot)
    return frees


def _planned(
    i: int,
    node: StepNode,
    index: dict[str, int],
    outputs: _Outputs,
    frees: tuple[int, ...],
    hooks: tuple[HookDefinition, ...],
) -> PlannedStep:
    definition = node.definition
    own = tuple(outputs[node.name, name] for name in definition.outs)
    plain = len(own) == 1 and own[0].check is None and not own[0].consumed
    return PlannedStep(
        index=i,
        name=node.name,
        fn=definition.fn,
        takes_context=definition.takes_context,
        inputs=tuple(_input(name, node, outputs) for name in node.inputs),
        after=tuple(
            (index[step], None if output is None else outputs[step, output])
            for step, output in node.after
        ),
        outputs=own,
        plain_slot=own[0].slot if plain else -1,
        upstream=tuple(index[name] for name in node.upstream),
        frees=frees,
        resources=tuple(sorted(definition.required_resource_keys)),
        retry_policy=definition.retry_policy,
        timeout_seconds=definition.timeout_seconds,
        hooks=hooks,
    )


def _input(name: str, node: StepNode, outputs: _Outputs) -> PlannedInput:
    source = node.inputs[name]
    declared = node.definition.ins[name].type
    sources = source.members if isinstance(source, FanIn) else (source,)
    members = tuple(
        outputs[member.step, member.output] if isinstance(member, OutputRef) else member
        for member in sources
    )
    typed = declared is not NOT_GIVEN and declared is not Nothing
    return PlannedInput(
        name=name,
        members=members,
        gathers=isinstance(source, FanIn),
        type_name=type_name(declared),
        check=value_check(declared) if typed else None,
    )
