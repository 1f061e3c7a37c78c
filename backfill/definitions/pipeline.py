"""Pipelines: steps wired by calling them, and what holds for all of a pipeline's runs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, overload

from backfill.definitions.checks import check_name, check_seconds, check_tags
from backfill.definitions.composition import Composition
from backfill.definitions.graph import (
    Constant,
    Edge,
    StepNode,
    in_order,
)
from backfill.definitions.hooks import AnyHook, HookDefinition, checked_hooks, step_hooks
from backfill.definitions.place import Place, place_of
from backfill.definitions.policies import RetryPolicy
from backfill.definitions.pools import checked_pools
from backfill.definitions.resources import ResourceDefinition, check_resources
from backfill.definitions.run_config import RunConfigSchema, ValidConfig
from backfill.definitions.text import shown
from backfill.definitions.versions import pipeline_version
from backfill.errors import DefinitionError, NotFound, did_you_mean


@dataclass(frozen=True, eq=False)
class PipelineDefinition:
    """A pipeline as data.

    Attributes:
        steps: In an order in which each comes after what it waits for.
        resource_defs: Dependencies first.
        retry_policy: When a run of it fails: the whole run is due again later, and goes on after
            the steps that succeeded.
        max_parallel_steps: Steps of one run that may execute at once, each in a thread; 1 runs
            them one after another in the worker's main thread.
        timeout_seconds: A run of it is stopped and fails after this long, per attempt.
        own_pools: Slots that its runs take, by named limit, whatever their steps.
        version: As given, or a hash of the steps' source and the wiring.
        hooks: Of all of its steps, and of the backfills over it.
        place: Where it is defined.
    """

    name: str
    steps: tuple[StepNode, ...]
    place: Place
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    resource_defs: Mapping[str, ResourceDefinition] = field(default_factory=dict)
    retry_policy: RetryPolicy | None = None
    max_parallel_steps: int = 1
    timeout_seconds: float | None = None
    own_pools: Mapping[str, int] = field(default_factory=dict)
    version: str = ""
    hooks: tuple[AnyHook, ...] = ()

    def __post_init__(self) -> None:
        where = f'Pipeline "{self.name}" ({self.place})'
        if not self.steps:
            raise DefinitionError(f"{where} has no steps: call at least one in its function.")
        if type(self.max_parallel_steps) is not int or self.max_parallel_steps < 1:
            raise DefinitionError(
                f"{where}: max_parallel_steps must be an int of 1 or more, "
                f"not {shown(self.max_parallel_steps)}."
            )
        if self.retry_policy is not None and not isinstance(self.retry_policy, RetryPolicy):
            raise DefinitionError(
                f"{where}: retry_policy must be a RetryPolicy, not {shown(self.retry_policy)}."
            )
        check_name("pipeline", self.name, self.place)
        check_tags(f'pipeline "{self.name}"', self.tags, self.place)
        check_seconds(self.timeout_seconds, where)
        _check_required_resources(self.steps, self.resource_defs, where)
        _check_hooks(self.steps, step_hooks(self.hooks), self.resource_defs, where)
        if not self.version:
            object.__setattr__(self, "version", pipeline_version(self.steps, self.resource_defs))

    def __repr__(self) -> str:
        return f'<pipeline "{self.name}": {", ".join(self.step_names)}>'

    @property
    def step_names(self) -> tuple[str, ...]:
        """The names of the steps, in order."""
        return tuple(node.name for node in self.steps)

    @property
    def edges(self) -> tuple[Edge, ...]:
        """Every arrow of the graph."""
        return tuple(edge for node in self.steps for edge in node.edges)

    @property
    def pools(self) -> frozenset[str]:
        """The pools a run of it takes a slot of."""
        return frozenset(self.own_pools).union(*(node.definition.pools for node in self.steps))

    def with_hooks(self, hook_defs: Iterable[Any]) -> PipelineDefinition:
        """Return the pipeline with hooks: on each of its steps, and on the backfills over it."""
        checked = checked_hooks(hook_defs, f'Pipeline "{self.name}" ({self.place})')
        return replace(self, hooks=tuple(dict.fromkeys((*self.hooks, *checked))))

    def hooks_of(self, node: StepNode) -> tuple[HookDefinition, ...]:
        """Return the hooks of a step: its own, then the pipeline's."""
        return tuple(dict.fromkeys((*node.hooks, *step_hooks(self.hooks))))

    def step(self, name: str) -> StepNode:
        """Return a step, else raise NotFound."""
        for node in self.steps:
            if node.name == name:
                return node
        raise NotFound(
            f'Pipeline "{self.name}" has no step "{name}".{did_you_mean(name, self.step_names)}'
        )

    @cached_property
    def config(self) -> RunConfigSchema:
        """The compiled schema of its run config."""
        return self.config_for(self.step_names)

    def config_for(self, selected: Collection[str]) -> RunConfigSchema:
        """Return the schema for runs of some of its steps: only theirs must be there."""
        return RunConfigSchema(
            self.name,
            {node.name: node.definition.config for node in self.steps},
            {name: resource.config for name, resource in self.resource_defs.items()},
            selected,
        )

    def describe(self) -> dict[str, Any]:
        """Return the pipeline as JSON-able data: steps in order, edges, config schema."""
        return {
            "name": self.name,
            "description": self.description,
            "version": self.version,
            "tags": dict(self.tags),
            "place": str(self.place),
            "pools": sorted(self.pools),
            "own_pools": dict(self.own_pools),
            "max_parallel_steps": self.max_parallel_steps,
            "timeout_seconds": self.timeout_seconds,
            "resources": [
                {"name": name, "description": resource.description}
                for name, resource in self.resource_defs.items()
            ],
            "steps": [_describe_step(node) for node in self.steps],
            "edges": [
                {
                    "from_step": edge.from_step,
                    "from_output": edge.from_output,
                    "to_step": edge.to_step,
                    "to_input": edge.to_input,
                }
                for edge in self.edges
            ],
            "run_config_schema": self.config.json_schema(),
        }


def validate_run_config(pipeline: PipelineDefinition, run_config: Any) -> ValidConfig:
    """Check a run config against a pipeline; raises ConfigInvalid with every error."""
    return pipeline.config.validate(run_config)


def run_config_json_schema(pipeline: PipelineDefinition) -> dict[str, Any]:
    """Return the JSON Schema of a pipeline's run config."""
    return pipeline.config.json_schema()


@overload
def pipeline(fn: Callable[[], Any], /) -> PipelineDefinition: ...


@overload
def pipeline(
    fn: None = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    tags: Mapping[str, str] | None = None,
    resource_defs: Mapping[str, Any] | None = None,
    retry_policy: RetryPolicy | None = None,
    max_parallel_steps: int = 1,
    timeout_seconds: float | None = None,
    pool: str | Mapping[str, int] | None = None,
    version: str | None = None,
    hooks: Iterable[Any] | None = None,
) -> Callable[[Callable[[], Any]], PipelineDefinition]: ...


def pipeline(
    fn: Callable[[], Any] | None = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    tags: Mapping[str, str] | None = None,
    resource_defs: Mapping[str, Any] | None = None,
    retry_policy: RetryPolicy | None = None,
    max_parallel_steps: int = 1,
    timeout_seconds: float | None = None,
    pool: str | Mapping[str, int] | None = None,
    version: str | None = None,
    hooks: Iterable[Any] | None = None,
) -> PipelineDefinition | Callable[[Callable[[], Any]], PipelineDefinition]:
    """Make a pipeline of a function that calls steps: `load(transform(extract()))`.

    The function is called once, now; its calls of steps execute nothing, they note the steps and
    hand out their outputs. `load(rows, after=[cleanup()])` waits for a step without taking its
    output; `merge([a(), b()])` gathers outputs into a list; `extract.alias("extract_eu")()` uses a
    step a second time.

    Args:
        resource_defs: Resource name -> what `@resource` made, or any value as it is.
        pool: A named limit that every run takes a slot of, or a dict of names to slots.
        version: Said by the user; without it, a hash of the steps' source.
        hooks: Told of each of its steps, or of the backfills over it.

    Raises:
        DefinitionError: The steps do not fit together; names pipeline, step, file and line.
    """

    def define(function: Callable[[], Any]) -> PipelineDefinition:
        place = place_of(function)
        own_name = check_name("pipeline", name or getattr(function, "__name__", ""), place)
        if inspect.signature(function).parameters:
            raise DefinitionError(
                f'Pipeline "{own_name}" ({place}): its function takes no parameters; what differs '
                "between runs comes from config."
            )
        with Composition(own_name, place) as composition:
            function()
        return PipelineDefinition(
            name=own_name,
            steps=in_order(list(composition.nodes.values()), own_name),
            place=place,
            description=description or inspect.getdoc(function) or "",
            tags=dict(tags or {}),
            resource_defs=check_resources(resource_defs or {}, own_name, place),
            retry_policy=retry_policy,
            max_parallel_steps=max_parallel_steps,
            timeout_seconds=timeout_seconds,
            own_pools=checked_pools(pool, f'Pipeline "{own_name}" ({place})'),
            version=version or "",
            hooks=checked_hooks(hooks, f'Pipeline "{own_name}" ({place})'),
        )

    return define if fn is None else define(fn)


def _check_required_resources(
    steps: Sequence[StepNode], resources: Mapping[str, ResourceDefinition], where: str
) -> None:
    for node in steps:
        for key in sorted(node.definition.required_resource_keys):
            if key not in resources:
                raise DefinitionError(
                    f'{where}: step "{node.name}" ({node.definition.place}) needs the resource '
                    f'"{key}", which is not in resource_defs.{did_you_mean(key, resources)}'
                )


def _check_hooks(
    steps: Sequence[StepNode],
    hooks: Sequence[HookDefinition],
    resources: Mapping[str, ResourceDefinition],
    where: str,
) -> None:
    for hook in dict.fromkeys((*hooks, *(hook for node in steps for hook in node.hooks))):
        for key in sorted(hook.required_resource_keys):
            if key not in resources:
                raise DefinitionError(
                    f'{where}: hook "{hook.name}" ({hook.place}) needs the resource "{key}", '
                    f"which is not in resource_defs.{did_you_mean(key, resources)}"
                )


def _describe_step(node: StepNode) -> dict[str, Any]:
    definition = node.definition
    return {
        "name": node.name,
        "description": definition.description,
        "tags": dict(node.tags),
        "place": str(definition.place),
        "pools": dict(definition.pools),
        "timeout_seconds": definition.timeout_seconds,
        "max_retries": definition.retry_policy.max_retries if definition.retry_policy else 0,
        "upstream": list(node.upstream),
        "inputs": [
            {"name": name, "constant": isinstance(node.inputs.get(name), Constant)}
            for name in definition.ins
        ],
        "outputs": list(definition.outs),
        "resources": sorted(definition.required_resource_keys),
    }
