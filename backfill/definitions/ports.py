"""Inputs and outputs of a step: their names, types and defaults."""

from __future__ import annotations

import numbers
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from backfill.definitions.config_schema import NOT_GIVEN


class Nothing:
    """The type of an input that carries no value: only the order matters."""


@dataclass(frozen=True)
class In:
    """An input of a step.

    Attributes:
        type: A class a value must be an instance of; `Nothing` for order alone; `Any` for
            anything. An input without a word here takes its parameter's annotation.
        default_value: Taken where nothing is connected.
    """

    type: Any = NOT_GIVEN
    description: str | None = None
    default_value: Any = NOT_GIVEN


@dataclass(frozen=True)
class Out:
    """An output of a step.

    Attributes:
        type: A class the value must be an instance of; `Any` for anything.
        is_required: The step fails when it does not yield this output; otherwise an output not
            yielded skips the steps that depend on it.
        serializer: How the value is kept for later attempts: `pickle`, `json`, `parquet`, or the
            name of one that `register_serializer` made known.
    """

    type: Any = Any
    description: str | None = None
    is_required: bool = False
    serializer: str = "pickle"


def InputDefinition(  # noqa: N802 (the seed's name of it)
    name: str, dagster_type: Any = NOT_GIVEN, description: str | None = None
) -> tuple[str, In]:
    """Describe an input as `input_defs=[InputDefinition("rows", list)]` does."""
    return name, In(dagster_type, description)


def OutputDefinition(  # noqa: N802 (the seed's name of it)
    dagster_type: Any = Any,
    name: str = "result",
    description: str | None = None,
    is_required: bool = False,
) -> tuple[str, Out]:
    """Describe an output as `output_defs=[OutputDefinition(int, "count")]` does."""
    return name, Out(dagster_type, description, is_required)


def value_check(declared: Any) -> Callable[[Any], bool] | None:
    """Return a test for values of a declared type, or None where anything goes.

    Only what `isinstance` can tell is tested: of `list[int]`, that it is a list. `float` takes
    any real number and `int` any integral one, also those of numpy.
    """
    classes = _classes(declared)
    if not classes or object in classes:
        return None
    return lambda value: isinstance(value, classes)


def type_name(declared: Any) -> str:
    """Return the name of a declared type for an error message."""
    return getattr(declared, "__name__", None) or str(declared)


def _classes(declared: Any) -> tuple[type, ...]:
    """Return the classes that stand for a type, or none where it cannot be told."""
    if declared is None or declared is types.NoneType:
        return (types.NoneType,)
    if declared is float:
        return (numbers.Real,)
    if declared is int:
        return (numbers.Integral,)
    origin = typing.get_origin(declared)
    if origin in (typing.Union, types.UnionType):
        members = [_classes(member) for member in typing.get_args(declared)]
        return tuple(cls for classes in members for cls in classes) if all(members) else ()
    if origin is typing.Annotated:
        return _classes(typing.get_args(declared)[0])
    found = origin or declared
    if found is Any or not isinstance(found, type) or getattr(found, "_is_protocol", False):
        return ()
    return () if typing.is_typeddict(found) else (found,)
