"""Resources: what the steps of a run share, set up once and torn down whatever happens."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, overload

from backfill.definitions.checks import check_name, compile_config
from backfill.definitions.config_containers import Entry
from backfill.definitions.config_schema import NOT_GIVEN
from backfill.definitions.place import Place, calling_place, place_of
from backfill.definitions.signatures import CONTEXT_NAMES
from backfill.definitions.text import stable_text
from backfill.errors import DefinitionError, did_you_mean


@dataclass(frozen=True, eq=False)
class ResourceDefinition:
    """A resource: what `@resource` makes of a function.

    Attributes:
        fn: Returns the resource, or yields it once and tears it down after the yield.
        config: The compiled `config_schema`; None takes any config.
        required_resource_keys: Other resources it takes from `context.resources`.
    """

    fn: Callable[..., Any]
    place: Place
    takes_context: bool = False
    description: str = ""
    config: Entry | None = None
    required_resource_keys: frozenset[str] = frozenset()
    version: str | None = None

    def __call__(self, *args: Any, **named: Any) -> Any:
        return self.fn(*args, **named)

    @classmethod
    def hardcoded(cls, value: Any) -> ResourceDefinition:
        """Return a resource that is this value."""
        return cls(fn=lambda: value, place=calling_place(), version=stable_text(value))


@overload
def resource(fn: Callable[..., Any], /) -> ResourceDefinition: ...


@overload
def resource(
    fn: None = None,
    /,
    *,
    config_schema: Any = NOT_GIVEN,
    description: str | None = None,
    required_resource_keys: Collection[str] = (),
    version: str | None = None,
) -> Callable[[Callable[..., Any]], ResourceDefinition]: ...


def resource(
    fn: Callable[..., Any] | None = None,
    /,
    *,
    config_schema: Any = NOT_GIVEN,
    description: str | None = None,
    required_resource_keys: Collection[str] = (),
    version: str | None = None,
) -> ResourceDefinition | Callable[[Callable[..., Any]], ResourceDefinition]:
    """Make a resource of a function that returns it, or yields it and then tears it down.

    It is set up when the first step of a run needs it, and torn down when the run ends, in
    reverse order of setting up. A `context` parameter has `resource_config`, `resources`, `log`
    and what identifies the run.

    Raises:
        DefinitionError: The function takes more than the context, or the schema is none.
    """

    def define(function: Callable[..., Any]) -> ResourceDefinition:
        place = place_of(function)
        where = f'Resource "{getattr(function, "__name__", "?")}" ({place})'
        return ResourceDefinition(
            fn=function,
            place=place,
            takes_context=_takes_context(function, where),
            description=description or inspect.getdoc(function) or "",
            config=compile_config(config_schema, where),
            required_resource_keys=frozenset(required_resource_keys),
            version=version,
        )

    return define if fn is None else define(fn)


def as_resource(value: Any) -> ResourceDefinition:
    """Return a resource definition as it is, any other value as a resource that is this value."""
    if isinstance(value, ResourceDefinition):
        return value
    return ResourceDefinition.hardcoded(value)


def check_resources(defs: Mapping[str, Any], pipeline: str, place: Place) -> dict[str, Any]:
    """Return resource definitions by name, plain values made into ones, dependencies first.

    Raises:
        DefinitionError: A resource needs one that is not there, or itself in a circle.
    """
    resources = {
        check_name("resource", name, place): as_resource(value) for name, value in defs.items()
    }
    ordered: dict[str, ResourceDefinition] = {}
    for name in resources:
        _place_after_needs(name, resources, ordered, (), f'Pipeline "{pipeline}" ({place})')
    return ordered


def _place_after_needs(
    name: str,
    resources: Mapping[str, ResourceDefinition],
    ordered: dict[str, ResourceDefinition],
    trail: tuple[str, ...],
    where: str,
) -> None:
    if name in ordered:
        return
    if name in trail:
        circle = " <- ".join((*trail[trail.index(name) :], name))
        raise DefinitionError(f"{where}: its resources need each other in a circle: {circle}.")
    for needed in sorted(resources[name].required_resource_keys):
        if needed not in resources:
            raise DefinitionError(
                f'{where}: resource "{name}" needs the resource "{needed}", which is not in '
                f"resource_defs.{did_you_mean(needed, resources)}"
            )
        _place_after_needs(needed, resources, ordered, (*trail, name), where)
    ordered[name] = resources[name]


def _takes_context(function: Callable[..., Any], where: str) -> bool:
    parameters = list(inspect.signature(function).parameters.values())
    required = [p for p in parameters if p.default is p.empty and p.kind < p.VAR_POSITIONAL]
    if len(required) > 1 or (required and required[0] is not parameters[0]):
        names = ", ".join(p.name for p in required)
        raise DefinitionError(f"{where}: it takes the context or nothing, not ({names}).")
    return bool(required) or (bool(parameters) and parameters[0].name in CONTEXT_NAMES)
