"""Steps: functions with named inputs and outputs, a config schema and policies."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, overload

from backfill.definitions.checks import (
    check_name,
    check_policy,
    check_seconds,
    check_tags,
    compile_config,
)
from backfill.definitions.composition import active
from backfill.definitions.config_containers import Entry
from backfill.definitions.config_schema import NOT_GIVEN
from backfill.definitions.hooks import HookDefinition, checked_hooks, step_hooks
from backfill.definitions.place import Place, place_of
from backfill.definitions.policies import RetryPolicy
from backfill.definitions.pools import checked_pools
from backfill.definitions.ports import In, Nothing, Out
from backfill.definitions.signatures import (
    check_callable,
    ins_of,
    named_outs,
    outs_of,
    parameters_of,
)
from backfill.errors import DefinitionError


@dataclass(frozen=True, eq=False)
class StepDefinition:
    """A step: what `@step` makes of a function.

    Inside a pipeline function, calling it adds it to the pipeline and returns its outputs for
    other calls to take; `after=[other()]` makes it wait for other steps without taking anything
    from them. Anywhere else, calling it calls the function.

    Attributes:
        config: The compiled `config_schema`; None takes any config.
        pools: Slots that runs of it take, by named limit.
        version: Said by the user; None has the pipeline's version follow the source.
    """

    name: str
    fn: Callable[..., Any]
    place: Place
    takes_context: bool
    description: str = ""
    config: Entry | None = None
    ins: Mapping[str, In] = field(default_factory=dict)
    outs: Mapping[str, Out] = field(default_factory=lambda: {"result": Out()})
    tags: Mapping[str, str] = field(default_factory=dict)
    retry_policy: RetryPolicy | None = None
    timeout_seconds: float | None = None
    required_resource_keys: frozenset[str] = frozenset()
    pools: Mapping[str, int] = field(default_factory=dict)
    version: str | None = None
    hooks: tuple[HookDefinition, ...] = ()

    def __call__(self, *args: Any, **named: Any) -> Any:
        return NamedStep(self, self.name)(*args, **named)

    def __repr__(self) -> str:
        return f'<step "{self.name}">'

    @property
    def required_inputs(self) -> tuple[str, ...]:
        """The inputs that must be connected: those with a value and no default."""
        return tuple(
            name
            for name, port in self.ins.items()
            if port.default_value is NOT_GIVEN and port.type is not Nothing
        )

    def alias(self, name: str) -> NamedStep:
        """Return the step under another name, for a second use in a pipeline."""
        return NamedStep(self, check_name("alias", name, self.place))

    def tag(self, tags: Mapping[str, str]) -> NamedStep:
        """Return the step with tags added to its own."""
        return NamedStep(self, self.name).tag(tags)

    def with_hooks(self, hook_defs: Iterable[Any]) -> NamedStep:
        """Return the step with hooks, told when it has succeeded or failed."""
        return NamedStep(self, self.name).with_hooks(hook_defs)


@dataclass(frozen=True, eq=False)
class NamedStep:
    """A step under the name and with the tags it has at one place of a pipeline."""

    definition: StepDefinition
    name: str
    tags: Mapping[str, str] = field(default_factory=dict)
    hooks: tuple[HookDefinition, ...] = ()

    @property
    def takes_context(self) -> bool:
        return self.definition.takes_context

    def __repr__(self) -> str:
        return f'<step "{self.name}">'

    def __call__(self, *args: Any, **named: Any) -> Any:
        composition = active()
        if composition is None:
            return self.definition.fn(*args, **named)
        tags = {**self.definition.tags, **self.tags}
        hooks = (*self.definition.hooks, *self.hooks)
        return composition.add(self.definition, self.name, tags, args, named, hooks)

    def alias(self, name: str) -> NamedStep:
        """Return the step under another name."""
        return replace(self, name=check_name("alias", name, self.definition.place))

    def tag(self, tags: Mapping[str, str]) -> NamedStep:
        """Return the step with tags added."""
        checked = check_tags(f'step "{self.name}"', tags, self.definition.place)
        return replace(self, tags={**self.tags, **checked})

    def with_hooks(self, hook_defs: Iterable[Any]) -> NamedStep:
        """Return the step with hooks added."""
        checked = _step_hooks(hook_defs, f'Step "{self.name}" ({self.definition.place})')
        return replace(self, hooks=(*self.hooks, *checked))


@overload
def step(fn: Callable[..., Any], /) -> StepDefinition: ...


@overload
def step(
    fn: None = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    config_schema: Any = NOT_GIVEN,
    ins: Mapping[str, Any] | None = None,
    outs: Mapping[str, Any] | None = None,
    out: Any = None,
    input_defs: Sequence[tuple[str, In]] = (),
    output_defs: Sequence[tuple[str, Out]] = (),
    tags: Mapping[str, str] | None = None,
    retry_policy: RetryPolicy | None = None,
    timeout_seconds: float | None = None,
    required_resource_keys: Collection[str] = (),
    pool: str | Mapping[str, int] | None = None,
    version: str | None = None,
    hooks: Iterable[Any] | None = None,
) -> Callable[[Callable[..., Any]], StepDefinition]: ...


def step(
    fn: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    config_schema: Any = NOT_GIVEN,
    ins: Mapping[str, Any] | None = None,
    outs: Mapping[str, Any] | None = None,
    out: Any = None,
    input_defs: Sequence[tuple[str, In]] = (),
    output_defs: Sequence[tuple[str, Out]] = (),
    tags: Mapping[str, str] | None = None,
    retry_policy: RetryPolicy | None = None,
    timeout_seconds: float | None = None,
    required_resource_keys: Collection[str] = (),
    pool: str | Mapping[str, int] | None = None,
    version: str | None = None,
    hooks: Iterable[Any] | None = None,
) -> StepDefinition | Callable[[Callable[..., Any]], StepDefinition]:
    """Make a step of a function: `@step`, or `@step(config_schema={"date": str}, …)`.

    A first parameter named `context` (or `_`, `_context`, `context_`, `ctx`) is given the
    `StepContext`; the other parameters are the inputs, their annotations the types, their
    defaults the values where nothing is connected. What the function returns is its output
    `result`; with several outputs it returns a tuple in their order, or yields `Output`s.

    Args:
        ins: Input name -> `In` or type; also names inputs of type `Nothing`, for order alone.
        outs: Output name -> `Out` or type.
        out: The one output without a name of its own, or what `outs` takes.
        retry_policy: When the step fails; the run goes on at this step.
        timeout_seconds: The step is interrupted and fails after this long, per try.
        required_resource_keys: What it takes from `context.resources`.
        hooks: What `@success_hook` and `@failure_hook` made; `with_hooks` does it for one use.
        pool: A named limit that its runs take a slot of, or a dict of names to slots.

    Raises:
        DefinitionError: Names, types or schemas do not fit; names the file and line.
    """

    def define(function: Callable[..., Any]) -> StepDefinition:
        place = place_of(function)
        check_callable(function, place)
        own_name = check_name("step", name or getattr(function, "__name__", ""), place)
        where = f'Step "{own_name}" ({place})'
        parameters, takes_context = parameters_of(function, where)
        return StepDefinition(
            name=own_name,
            fn=function,
            place=place,
            takes_context=takes_context,
            description=description or inspect.getdoc(function) or "",
            config=compile_config(config_schema, where),
            ins=ins_of(function, parameters, {**dict(input_defs), **(ins or {})}, where),
            outs=outs_of({**dict(output_defs), **named_outs(out), **(outs or {})}, where),
            tags=check_tags(f'step "{own_name}"', tags or {}, place),
            retry_policy=check_policy(retry_policy, where),
            timeout_seconds=check_seconds(timeout_seconds, where),
            required_resource_keys=frozenset(required_resource_keys),
            pools=checked_pools(pool, where),
            version=version,
            hooks=_step_hooks(hooks, where),
        )

    return define if fn is None else define(fn)


def _step_hooks(hooks: Iterable[Any] | None, where: str) -> tuple[HookDefinition, ...]:
    checked = checked_hooks(hooks, where)
    for hook in checked:
        if not isinstance(hook, HookDefinition):
            raise DefinitionError(
                f"{where}: {hook!r} is told of backfills; give it to a pipeline or a partition set."
            )
    return step_hooks(checked)


solid = step
