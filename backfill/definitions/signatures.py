"""What a function's signature says about the step it becomes: context, inputs, outputs."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from backfill.definitions.checks import NAME
from backfill.definitions.config_schema import NOT_GIVEN
from backfill.definitions.place import Place
from backfill.definitions.ports import In, Nothing, Out
from backfill.definitions.serializers import serializer_names
from backfill.definitions.text import shown
from backfill.errors import DefinitionError, did_you_mean

CONTEXT_NAMES = frozenset({"context", "_context", "context_", "ctx", "_"})


def check_callable(function: object, place: Place) -> None:
    if not callable(function):
        raise DefinitionError(f"@step is put on a function, not on {shown(function)}.")
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise DefinitionError(
            f"@step is put on a plain function ({place}), not on an async one: call asyncio.run "
            "inside the step."
        )


def parameters_of(function: Callable[..., Any], where: str) -> tuple[list[inspect.Parameter], bool]:
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


def ins_of(
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


def named_outs(out: Any) -> Mapping[str, Any]:
    if out is None:
        return {}
    return out if isinstance(out, Mapping) else {"result": out}


def outs_of(declared: Mapping[str, Any], where: str) -> dict[str, Out]:
    if not declared:
        return {"result": Out()}
    outs = {}
    for name, value in declared.items():
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise DefinitionError(f"{where}: {shown(name)} is no name for an output.")
        port = value if isinstance(value, Out) else Out(Any if value is None else value)
        if port.serializer not in serializer_names():
            raise DefinitionError(
                f'{where}: output "{name}" has no serializer {shown(port.serializer)}; '
                f"there are: {', '.join(serializer_names())}. register_serializer adds others."
            )
        outs[name] = port
    return outs
