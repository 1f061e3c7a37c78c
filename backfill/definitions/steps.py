"""Steps: functions with named inputs and outputs, a config schema and policies."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, overload

from backfill.definitions.composition import active
from backfill.definitions.config_compile import compile_entry
from backfill.definitions.config_containers import Entry
from backfill.definitions.config_schema import NOT_GIVEN
from backfill.definitions.place import Place, place_of
from backfill.definitions.policies import RetryPolicy
from backfill.definitions.ports import In, Nothing, Out
from backfill.definitions.text import shown
from backfill.errors import DefinitionError, did_you_mean

CONTEXT_NAMES = frozenset({"context", "_context", "context_", "ctx", "_"})
SERIALIZERS = frozenset({"pickle", "json"})
_NAME = re.compile(r"[A-Za-z0-9_]{1,200}")


@dataclass(frozen=True, eq=False)
class StepDefinition:
    """A step: what `@step` makes of a function.

    Inside a pipeline function, calling it adds it to the pipeline and returns its outputs for
    other calls to take; `after=[other()]` makes it wait for other steps without taking anything
    from them. Anywhere else, calling it calls the function.

    Attributes:
        config: The compiled `config_schema`; None takes any config.
        pool: A named limit that runs of it count against.
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
    pool: str | None = None
    version: str | None = None

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


@dataclass(frozen=True, eq=False)
class NamedStep:
    """A step under the name and with the tags it has at one place of a pipeline."""

    definition: StepDefinition
    name: str
    tags: Mapping[str, str] = field(default_factory=dict)

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
        return composition.add(self.definition, self.name, tags, args, named)

    def alias(self, name: str) -> NamedStep:
        """Return the step under another name."""
        return replace(self, name=check_name("alias", name, self.definition.place))

    def tag(self, tags: Mapping[str, str]) -> NamedStep:
        """Return the step with tags added."""
        checked = check_tags(f'step "{self.name}"', tags, self.definition.place)
        return replace(self, tags={**self.tags, **checked})


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
    pool: str | None = None,
    version: str | None = None,
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
    pool: str | None = None,
    version: str | None = None,
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

    Raises:
        DefinitionError: Names, types or schemas do not fit; names the file and line.
    """

    def define(function: Callable[..., Any]) -> StepDefinition:
        place = place_of(function)
        _check_callable(function, place)
        own_name = check_name("step", name or getattr(function, "__name__", ""), place)
        where = f'Step "{own_name}" ({place})'
        parameters, takes_context = _parameters(function, where)
        return StepDefinition(
            name=own_name,
            fn=function,
            place=place,
            takes_context=takes_context,
            description=description or inspect.getdoc(function) or "",
            config=compile_config(config_schema, where),
            ins=_ins(function, parameters, {**dict(input_defs), **(ins or {})}, where),
            outs=_outs({**dict(output_defs), **_named_outs(out), **(outs or {})}, where),
            tags=check_tags(f'step "{own_name}"', tags or {}, place),
            retry_policy=_check_policy(retry_policy, where),
            timeout_seconds=check_seconds(timeout_seconds, where),
            required_resource_keys=frozenset(required_resource_keys),
            pool=pool,
            version=version,
        )

    return define if fn is None else define(fn)


solid = step


def check_name(kind: str, name: object, place: Place) -> str:
    """Return a name that is one, else raise DefinitionError saying the rule."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise DefinitionError(
            f"The name of a {kind} is made of letters, digits and underscores, not "
            f"{shown(name)} ({place})."
        )
    return name


def check_tags(what: str, tags: object, place: Place) -> dict[str, str]:
    """Return tags that map text to text, else raise DefinitionError."""
    if isinstance(tags, Mapping) and all(
        isinstance(key, str) and isinstance(value, str) for key, value in tags.items()
    ):
        return dict(tags)
    raise DefinitionError(f"The tags of {what} ({place}) map str to str, not {shown(tags)}.")


def check_seconds(seconds: object, where: str) -> float | None:
    """Return a timeout in seconds above 0, or None, else raise DefinitionError."""
    if seconds is None:
        return None
    if isinstance(seconds, int | float) and not isinstance(seconds, bool) and 0 < seconds < 1e9:
        return float(seconds)
    raise DefinitionError(f"{where}: timeout_seconds must be above 0, not {shown(seconds)}.")


def compile_config(schema: Any, where: str) -> Entry | None:
    """Compile a `config_schema`; None where none is given, which takes any config."""
    if schema is NOT_GIVEN or schema is None:
        return None
    return compile_entry("config", schema, f"{where}: config_schema")


def _check_callable(function: object, place: Place) -> None:
    if not callable(function):
        raise DefinitionError(f"@step is put on a function, not on {shown(function)}.")
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise DefinitionError(
            f"@step is put on a plain function ({place}), not on an async one: call asyncio.run "
            "inside the step."
        )


def _check_policy(policy: object, where: str) -> RetryPolicy | None:
    if policy is None or isinstance(policy, RetryPolicy):
        return policy
    raise DefinitionError(f"{where}: retry_policy must be a RetryPolicy, not {shown(policy)}.")


def _parameters(function: Callable[..., Any], where: str) -> tuple[list[inspect.Parameter], bool]:
    """Return the parameters that are inputs, and whether the first is the context."""
    parameters = list(inspect.signature(function).parameters.values())
    takes_context = bool(parameters) and parameters[0].name in CONTEXT_NAMES
    inputs = parameters[1:] if takes_context else parameters
    for parameter in inputs:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise DefinitionError(
                f"{where}: its inputs have names; *{parameter.name} has none. For a varying "
                "number of inputs take one list."
            )
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise DefinitionError(f'{where}: its input "{parameter.name}" is positional-only.')
        if parameter.name == "after":
            raise DefinitionError(f'{where}: "after" is kept for the order; rename the input.')
    return inputs, takes_context


def _ins(
    function: Callable[..., Any],
    parameters: Sequence[inspect.Parameter],
    declared: Mapping[str, Any],
    where: str,
) -> dict[str, In]:
    hints = _hints(function) if parameters else {}
    ins: dict[str, In] = {}
    for parameter in parameters:
        port = _in(declared.get(parameter.name))
        if port.type is NOT_GIVEN:
            port = replace(port, type=hints.get(parameter.name, Any))
        if port.default_value is NOT_GIVEN and parameter.default is not parameter.empty:
            port = replace(port, default_value=parameter.default)
        ins[parameter.name] = port
    for name, value in declared.items():
        port = _in(value)
        if name not in ins and port.type is not Nothing:
            raise DefinitionError(
                f'{where}: there is no parameter for its input "{name}".{did_you_mean(name, ins)}'
            )
        ins.setdefault(name, port)
    return ins


def _in(declared: Any) -> In:
    if declared is None:
        return In()
    return declared if isinstance(declared, In) else In(declared)


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the annotations of a function; those that cannot be resolved are left out."""
    try:
        return typing.get_type_hints(function)
    except Exception:
        raw = getattr(function, "__annotations__", {})
        return {name: hint for name, hint in raw.items() if not isinstance(hint, str)}


def _named_outs(out: Any) -> Mapping[str, Any]:
    if out is None:
        return {}
    return out if isinstance(out, Mapping) else {"result": out}


def _outs(declared: Mapping[str, Any], where: str) -> dict[str, Out]:
    if not declared:
        return {"result": Out()}
    outs = {}
    for name, value in declared.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise DefinitionError(f"{where}: {shown(name)} is no name for an output.")
        port = value if isinstance(value, Out) else Out(Any if value is None else value)
        if port.serializer not in SERIALIZERS:
            raise DefinitionError(
                f'{where}: output "{name}" has no serializer {shown(port.serializer)}; '
                f"there are: {', '.join(sorted(SERIALIZERS))}."
            )
        outs[name] = port
    return outs
