"""Compiling what users write as `config_schema` into checked types."""

from __future__ import annotations

import enum
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

from backfill.definitions.config_containers import (
    Entry,
    ListType,
    MapType,
    SelectorType,
    ShapeType,
)
from backfill.definitions.config_problems import Problem
from backfill.definitions.config_pydantic import ModelType, is_model
from backfill.definitions.config_schema import (
    NOT_GIVEN,
    Array,
    Enum,
    EnumValue,
    Field,
    Map,
    Noneable,
    Permissive,
    Secret,
    Selector,
    Shape,
)
from backfill.definitions.config_types import (
    AnyType,
    BoolType,
    ConfigType,
    EnumType,
    FloatType,
    IntType,
    NoneableType,
    SecretType,
    TextType,
)
from backfill.definitions.redaction import is_secret_key
from backfill.definitions.text import shown
from backfill.errors import DefinitionError

_MAX_DEPTH = 50

_PLAIN: Mapping[Any, Callable[[], ConfigType]] = {
    str: TextType,
    int: IntType,
    float: FloatType,
    bool: BoolType,
    Any: AnyType,
    object: AnyType,
    dict: lambda: ShapeType((), extra=True),
    list: lambda: ListType(AnyType()),
}


def compile_entry(name: str, schema: Any, path: str = "config_schema") -> Entry:
    """Compile the schema of a named entry: a `Field`, or any schema as one.

    Raises:
        DefinitionError: Something in it is no schema; names where in the schema it stands.
    """
    return _entry(name, schema, path, 0)


def compile_type(schema: Any, path: str = "config_schema") -> ConfigType:
    """Compile a schema; raises DefinitionError as `compile_entry` does."""
    return _type(schema, path, 0)


def _entry(name: str, schema: Any, path: str, depth: int) -> Entry:
    field = schema if isinstance(schema, Field) else Field(schema)
    compiled = _type(field.type, path, depth)
    if is_secret_key(name) and not isinstance(compiled, SecretType | BoolType):
        compiled = SecretType(compiled)
    default = field.default_value
    if default is NOT_GIVEN and field.is_required is None:
        default = compiled.absent()
        required = default is NOT_GIVEN
    else:
        required = default is NOT_GIVEN and field.is_required is not False
    if default is not NOT_GIVEN:
        _check_default(compiled, default, path)
    return Entry(name, compiled, required, default, field.description)


def _check_default(compiled: ConfigType, default: Any, path: str) -> None:
    problems: list[Problem] = []
    compiled.check(default, problems)
    if problems:
        raise DefinitionError(
            f"{path}: the default value {shown(default)} does not fit its own schema: "
            f"expected {problems[0].expected}."
        )


def _type(schema: Any, path: str, depth: int) -> ConfigType:
    if depth > _MAX_DEPTH:
        raise DefinitionError(f"{path}: a schema may be at most {_MAX_DEPTH} levels deep.")
    depth += 1
    try:
        plain = _PLAIN.get(schema)
    except TypeError:  # an unhashable schema: a dict or a list
        plain = None
    if plain is not None:
        return plain()
    if is_model(schema):
        return ModelType(schema)
    for kind, compiler in _COMPILERS:
        if isinstance(schema, kind):
            return compiler(schema, path, depth)
    if isinstance(schema, type) and issubclass(schema, enum.Enum):
        return _enum(Enum.from_python_enum(schema), path, depth)
    return _generic(schema, path, depth)


def _generic(schema: Any, path: str, depth: int) -> ConfigType:
    """Compile what Python itself writes: `list[int]`, `dict[str, int]`, `int | None`."""
    origin, args = typing.get_origin(schema), typing.get_args(schema)
    if origin is list and len(args) == 1:
        return ListType(_type(args[0], f"{path}[]", depth))
    if origin is dict and len(args) == 2 and args[0] is str:
        return MapType(_type(args[1], f"{path}{{}}", depth))
    if origin in (typing.Union, types.UnionType) and len(args) == 2 and type(None) in args:
        inner = args[0] if args[1] is type(None) else args[1]
        return NoneableType(_type(inner, path, depth))
    if origin is typing.Literal and all(isinstance(arg, str) for arg in args):
        return EnumType("Literal", {arg: arg for arg in args})
    raise DefinitionError(
        f"{path}: {shown(schema)} is no config schema. Expected int, float, bool, str, Any, a "
        "dict, a list of one schema, Field, Noneable, Array, Map, Shape, Permissive, Selector, "
        "Enum, Secret, or a pydantic model class."
    )


def _entries(fields: Mapping[Any, Any], path: str, depth: int) -> list[Entry]:
    entries = []
    for name, schema in fields.items():
        if not isinstance(name, str):
            raise DefinitionError(f"{path}: the key {shown(name)} is not a str.")
        entries.append(_entry(name, schema, f"{path}.{name}", depth))
    return entries


def _dict(schema: Mapping[Any, Any], path: str, depth: int) -> ConfigType:
    return ShapeType(_entries(schema, path, depth))


def _shape(schema: Shape, path: str, depth: int) -> ConfigType:
    return _dict(schema.fields, path, depth)


def _permissive(schema: Permissive, path: str, depth: int) -> ConfigType:
    return ShapeType(_entries(schema.fields or {}, path, depth), extra=True)


def _list(schema: list[Any], path: str, depth: int) -> ConfigType:
    if len(schema) != 1:
        raise DefinitionError(
            f"{path}: a list schema holds exactly one schema, that of its items: [str]; "
            f"got {len(schema)}."
        )
    return ListType(_type(schema[0], f"{path}[]", depth))


def _array(schema: Array, path: str, depth: int) -> ConfigType:
    return _list([schema.inner], path, depth)


def _map(schema: Map, path: str, depth: int) -> ConfigType:
    if schema.key_type is not str:
        raise DefinitionError(f"{path}: the keys of a Map are str, not {shown(schema.key_type)}.")
    return MapType(_type(schema.inner, f"{path}{{}}", depth))


def _noneable(schema: Noneable, path: str, depth: int) -> ConfigType:
    return NoneableType(_type(schema.inner, path, depth))


def _secret(schema: Secret, path: str, depth: int) -> ConfigType:
    return SecretType(_type(schema.inner, path, depth))


def _selector(schema: Selector, path: str, depth: int) -> ConfigType:
    if not schema.fields:
        raise DefinitionError(f"{path}: a Selector needs at least one entry to choose.")
    return SelectorType(_entries(schema.fields, path, depth))


def _enum(schema: Enum, path: str, _depth: int) -> ConfigType:
    choices: dict[str, Any] = {}
    for value in schema.enum_values:
        choice = value if isinstance(value, EnumValue) else EnumValue(value)
        if not isinstance(choice.config_value, str) or choice.config_value in choices:
            raise DefinitionError(
                f"{path}: the values of Enum {schema.name} must be different texts; "
                f"look at {shown(choice.config_value)}."
            )
        given = choice.python_value
        choices[choice.config_value] = choice.config_value if given is NOT_GIVEN else given
    if not choices:
        raise DefinitionError(f"{path}: Enum {schema.name} has no values.")
    return EnumType(schema.name, choices)


def _field(_schema: Field, path: str, _depth: int) -> ConfigType:
    raise DefinitionError(
        f"{path}: a Field stands for an entry of a dict or for a whole config_schema; "
        "here put its type alone."
    )


_COMPILERS: tuple[tuple[Any, Callable[[Any, str, int], ConfigType]], ...] = (
    (Mapping, _dict),
    (list, _list),
    (Field, _field),
    (Noneable, _noneable),
    (Array, _array),
    (Map, _map),
    (Shape, _shape),
    (Permissive, _permissive),
    (Selector, _selector),
    (Enum, _enum),
    (Secret, _secret),
)
