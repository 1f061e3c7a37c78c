"""What users write as `config_schema`.

A schema is a primitive (`int`, `float`, `bool`, `str`), a dict of name to schema, a list of one
schema, one of the classes below, `Any`, an `enum.Enum` class, or a pydantic model class.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from backfill.errors import DefinitionError


class _NotGiven(enum.Enum):
    NOT_GIVEN = "not given"


NOT_GIVEN: Final = _NotGiven.NOT_GIVEN


@dataclass(frozen=True)
class Field:
    """A schema with a default, a description, or leave to be absent.

    Attributes:
        type: Any schema.
        default_value: Taken where the entry is absent; implies that it may be.
        is_required: Whether the entry must be given; without a word about it, it must unless it
            has a default, may be None, or is a dict of which nothing must be given.
    """

    type: Any
    default_value: Any = NOT_GIVEN
    is_required: bool | None = None
    description: str | None = None

    def __post_init__(self) -> None:
        if self.is_required and self.default_value is not NOT_GIVEN:
            raise DefinitionError(
                "Field: is_required=True and a default_value exclude each other; drop one."
            )


@dataclass(frozen=True)
class Noneable:
    """A schema whose value may also be None."""

    inner: Any


@dataclass(frozen=True)
class Array:
    """A list of items of one schema; `[schema]` is short for it."""

    inner: Any


@dataclass(frozen=True)
class Map:
    """A dict of any text keys to values of one schema: `Map(str, int)`."""

    key_type: Any
    inner: Any


@dataclass(frozen=True)
class Shape:
    """A dict of exactly these entries; `{…}` is short for it."""

    fields: Mapping[str, Any]


@dataclass(frozen=True)
class Permissive:
    """A dict of these entries, checked, and of any others, unchecked."""

    fields: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Selector:
    """A dict of exactly one of these entries: a choice with a config of its own."""

    fields: Mapping[str, Any]


@dataclass(frozen=True)
class EnumValue:
    """A choice of an `Enum`: the text in the config, and what the step is given for it."""

    config_value: str
    python_value: Any = NOT_GIVEN
    description: str | None = None


@dataclass(frozen=True)
class Enum:
    """One of several texts: `Enum("Size", ["small", "large"])`."""

    name: str
    enum_values: Sequence[str | EnumValue]

    @classmethod
    def from_python_enum(cls, python_enum: type[enum.Enum]) -> Enum:
        """Build the choice of an `enum.Enum`'s names; the step is given its members."""
        values = [EnumValue(member.name, member) for member in python_enum]
        return cls(python_enum.__name__, values)


@dataclass(frozen=True)
class Secret:
    """A value that is given to the step and never recorded: `{"password": Secret()}`."""

    inner: Any = str
