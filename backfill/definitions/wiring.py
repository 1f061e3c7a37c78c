"""Pipelines given as a list of steps and a dict of what each takes from whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from backfill.definitions.graph import FanIn, OutputRef, Source, StepNode, in_order
from backfill.definitions.pipeline import PipelineDefinition
from backfill.definitions.place import Place, calling_place
from backfill.definitions.ports import Nothing
from backfill.definitions.resources import check_resources
from backfill.definitions.steps import NamedStep, StepDefinition
from backfill.errors import DefinitionError, did_you_mean


def pipeline_from_graph(
    name: str,
    steps: Sequence[StepDefinition | NamedStep],
    dependencies: Mapping[str, Mapping[str, str | Sequence[str]]],
    **options: Any,
) -> PipelineDefinition:
    """Make a pipeline of steps and a dict of what each takes from whom.

    Args:
        dependencies: Step name -> input name -> `"step"` or `"step.output"`, or a list of them
            gathered into one; the input name `after` waits for steps without taking anything.
        options: What `@pipeline` takes.

    Raises:
        DefinitionError: As `@pipeline`, and also for steps that wait for each other in a circle.
    """
    place = calling_place()
    named = [NamedStep(one, one.name) if isinstance(one, StepDefinition) else one for one in steps]
    names = [one.name for one in named]
    where = f'Pipeline "{name}" ({place})'
    for one in names:
        if names.count(one) > 1:
            raise DefinitionError(f'{where}: there are two steps named "{one}".')
    for one in dependencies:
        if one not in names:
            raise DefinitionError(f'{where}: there is no step "{one}".{did_you_mean(one, names)}')
    by_name = {one.name: one.definition for one in named}
    nodes = [_wired_node(one, dependencies.get(one.name, {}), by_name, place) for one in named]
    resources = check_resources(options.pop("resource_defs", None) or {}, name, place)
    options = {key: value for key, value in options.items() if value is not None}
    ordered = in_order(nodes, name)
    return PipelineDefinition(
        name=name, steps=ordered, place=place, resource_defs=resources, **options
    )


def _wired_node(
    named: NamedStep,
    wires: Mapping[str, str | Sequence[str]],
    steps: Mapping[str, StepDefinition],
    place: Place,
) -> StepNode:
    """Build one step of `pipeline_from_graph`."""
    definition = named.definition
    where = f'Step "{named.name}" ({place})'
    inputs: dict[str, Source] = {}
    after: list[tuple[str, str | None]] = []
    for name, wire in wires.items():
        texts = [wire] if isinstance(wire, str) else list(wire)
        if name == "after":
            after.extend((text, None) for text in texts)
            continue
        if name not in definition.ins:
            hint = did_you_mean(name, definition.ins)
            raise DefinitionError(f'{where} has no input "{name}".{hint}')
        found = tuple(_ref(text, steps, where) for text in texts)
        if definition.ins[name].type is Nothing:
            after.extend((ref.step, None) for ref in found)
        else:
            inputs[name] = found[0] if isinstance(wire, str) else FanIn(found)
    tags = {**definition.tags, **named.tags}
    _check_connected(definition, inputs, where)
    return StepNode(named.name, definition, inputs, tuple(after), tags, place)


def _ref(text: str, steps: Mapping[str, StepDefinition], where: str) -> OutputRef:
    step, _, output = text.partition(".")
    definition = steps.get(step)
    if definition is None:
        raise DefinitionError(
            f'{where} depends on "{step}", which is no step here.{did_you_mean(step, steps)}'
        )
    output = output or next(iter(definition.outs))
    if output not in definition.outs:
        hint = did_you_mean(output, definition.outs)
        raise DefinitionError(f'{where}: step "{step}" has no output "{output}".{hint}')
    return OutputRef(step, output)


def _check_connected(definition: StepDefinition, inputs: Mapping[str, Source], where: str) -> None:
    missing = [name for name in definition.required_inputs if name not in inputs]
    if missing:
        raise DefinitionError(f"{where} is not given: {', '.join(missing)}.")
