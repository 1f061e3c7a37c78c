"""Hooks: functions told of what happened to a step, or to a backfill."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar, overload

from backfill.definitions.checks import check_name
from backfill.definitions.place import Place, place_of
from backfill.definitions.text import shown
from backfill.errors import DefinitionError, did_you_mean

T = TypeVar("T")


class StepEvent(StrEnum):
    """What a step hook is told of."""

    SUCCESS = "success"
    FAILURE = "failure"


class BackfillEvent(StrEnum):
    """What a backfill's hooks and webhooks are told of."""

    STARTED = "started"
    PAUSED = "paused"
    BREAKER_TRIPPED = "breaker_tripped"
    FINISHED = "finished"


@dataclass(frozen=True, eq=False)
class HookDefinition:
    """A hook on steps: what `@success_hook` or `@failure_hook` makes of a function.

    Put it on a pipeline (`@hook` above `@pipeline`), or give it to `with_hooks` of a pipeline or
    a step. Called with a context, it calls the function.
    """

    name: str
    fn: Callable[[Any], Any]
    event: StepEvent
    place: Place
    required_resource_keys: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        return f'<{self.event} hook "{self.name}">'

    def __call__(self, target: Any) -> Any:
        return _applied(self, target)


@dataclass(frozen=True)
class HookedBackfill:
    """What a backfill's hook is given: the backfill as it was when the event happened.

    Attributes:
        event: `started`, `paused`, `breaker_tripped` or `finished`.
        state: The state it went to.
        reason: Why it was paused.
        counts: Runs by state, as counted then; the newest ones may be missing.
        delivery: The same for every try to tell this: what was told already is known by it.
    """

    event: str
    backfill_id: int
    partition_set: str
    pipeline: str
    state: str
    reason: str | None
    selection: str
    tags: Mapping[str, str]
    counts: Mapping[str, int]
    at: str
    delivery: str


@dataclass(frozen=True, eq=False)
class BackfillHookDefinition:
    """A hook on backfills: what `@backfill_hook` makes of a function."""

    name: str
    fn: Callable[[HookedBackfill], Any]
    events: frozenset[BackfillEvent]
    place: Place

    def __repr__(self) -> str:
        return f'<backfill hook "{self.name}">'

    def __call__(self, target: Any) -> Any:
        return _applied(self, target)


AnyHook = HookDefinition | BackfillHookDefinition


@overload
def success_hook(name: Callable[..., Any], /) -> HookDefinition: ...


@overload
def success_hook(
    name: str | None = None, required_resource_keys: Collection[str] | None = None
) -> Callable[[Callable[..., Any]], HookDefinition]: ...


def success_hook(
    name: str | Callable[..., Any] | None = None,
    required_resource_keys: Collection[str] | None = None,
) -> HookDefinition | Callable[[Callable[..., Any]], HookDefinition]:
    """Make a hook of a function that is called after a step has succeeded, in its worker.

    What it raises is recorded and hurts nothing: the step has succeeded. Its context has what a
    step's context has, and `step_name`, `hook_def` and `solid_output_values`.

    Args:
        required_resource_keys: What it takes from `context.resources`.
    """
    return _step_hook(StepEvent.SUCCESS, name, required_resource_keys)


@overload
def failure_hook(name: Callable[..., Any], /) -> HookDefinition: ...


@overload
def failure_hook(
    name: str | None = None, required_resource_keys: Collection[str] | None = None
) -> Callable[[Callable[..., Any]], HookDefinition]: ...


def failure_hook(
    name: str | Callable[..., Any] | None = None,
    required_resource_keys: Collection[str] | None = None,
) -> HookDefinition | Callable[[Callable[..., Any]], HookDefinition]:
    """Make a hook of a function that is called after a step has failed for good, in its worker.

    It is not called for a try that its policy repeats. `context.solid_exception` is what the step
    raised, `context.error` the same as it is recorded.

    Args:
        required_resource_keys: What it takes from `context.resources`.
    """
    return _step_hook(StepEvent.FAILURE, name, required_resource_keys)


@overload
def backfill_hook(fn: Callable[..., Any], /) -> BackfillHookDefinition: ...


@overload
def backfill_hook(
    fn: None = None, /, *, on: Collection[str] | str | None = None, name: str | None = None
) -> Callable[[Callable[..., Any]], BackfillHookDefinition]: ...


def backfill_hook(
    fn: Callable[..., Any] | None = None,
    /,
    *,
    on: Collection[str] | str | None = None,
    name: str | None = None,
) -> BackfillHookDefinition | Callable[[Callable[..., Any]], BackfillHookDefinition]:
    """Make a hook of a function that is told what happens to backfills: a `HookedBackfill`.

    Give it to a pipeline's `with_hooks` or to a partition set's `hooks`. It is called in a
    definitions process, within the time limit of such calls, and again when it fails.

    Args:
        on: Events it is told of, all of them when not given: `started`, `paused`,
            `breaker_tripped`, `finished`.

    Raises:
        DefinitionError: There is no such event.
    """

    def define(function: Callable[..., Any]) -> BackfillHookDefinition:
        place = place_of(function)
        own = check_name("hook", name or getattr(function, "__name__", ""), place)
        _check_takes_context(function, own, place)
        return BackfillHookDefinition(own, function, _events(on, own, place), place)

    return define if fn is None else define(fn)


def checked_hooks(hooks: Iterable[Any] | None, where: str) -> tuple[AnyHook, ...]:
    """Return hooks, each once, by name.

    Raises:
        DefinitionError: Something else is among them.
    """
    if hooks is None:
        return ()
    if isinstance(hooks, AnyHook):
        hooks = [hooks]
    found = list(dict.fromkeys(hooks))
    for hook in found:
        if not isinstance(hook, AnyHook):
            raise DefinitionError(
                f"{where}: hooks are made with @success_hook, @failure_hook or @backfill_hook; "
                f"{shown(hook)} is none."
            )
    return tuple(sorted(found, key=lambda hook: hook.name))


def step_hooks(hooks: Iterable[AnyHook]) -> tuple[HookDefinition, ...]:
    """Return those of steps."""
    return tuple(hook for hook in hooks if isinstance(hook, HookDefinition))


def backfill_hooks(hooks: Iterable[AnyHook]) -> tuple[BackfillHookDefinition, ...]:
    """Return those of backfills."""
    return tuple(hook for hook in hooks if isinstance(hook, BackfillHookDefinition))


@dataclass(frozen=True)
class HookInfo:
    """A hook of a partition set's backfills, as plain data."""

    name: str
    events: tuple[str, ...] = field(default_factory=tuple)


def _step_hook(
    event: StepEvent, name: Any, keys: Collection[str] | None
) -> HookDefinition | Callable[[Callable[..., Any]], HookDefinition]:
    function = name if callable(name) else None

    def define(fn: Callable[..., Any]) -> HookDefinition:
        place = place_of(fn)
        given = None if function is not None else name
        own = check_name("hook", given or getattr(fn, "__name__", ""), place)
        _check_takes_context(fn, own, place)
        return HookDefinition(own, fn, event, place, frozenset(keys or ()))

    return define if function is None else define(function)


def _check_takes_context(function: Callable[..., Any], name: str, place: Place) -> None:
    required = [
        p
        for p in inspect.signature(function).parameters.values()
        if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]
    if len(required) != 1 or required[0].kind is inspect.Parameter.KEYWORD_ONLY:
        names = ", ".join(p.name for p in required)
        raise DefinitionError(f'Hook "{name}" ({place}): it takes the context, not ({names}).')


def _events(on: Collection[str] | str | None, name: str, place: Place) -> frozenset[BackfillEvent]:
    if on is None:
        return frozenset(BackfillEvent)
    known = [event.value for event in BackfillEvent]
    events = [on] if isinstance(on, str) else list(on)
    for event in events:
        if event not in known:
            raise DefinitionError(
                f'Hook "{name}" ({place}): there is no event {shown(event)} of backfills.'
                f"{did_you_mean(str(event), known)} There are: {', '.join(known)}."
            )
    return frozenset(BackfillEvent(event) for event in events)


def _applied(hook: AnyHook, target: Any) -> Any:
    """Put a hook on what has hooks; call its function with anything else: a context."""
    if hasattr(target, "with_hooks"):
        return target.with_hooks({hook})
    return hook.fn(target)
