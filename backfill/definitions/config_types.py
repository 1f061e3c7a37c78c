"""Compiled config schemas: checking values, recording them, and describing themselves.

A value is checked by `check`, which returns what the step is given and notes every problem it
finds; containers put their key in front of the problems of what they contain, so that no path is
built while all is well.
"""

from __future__ import annotations

import datetime
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from backfill.definitions.config_problems import MAX_PROBLEMS, Problem, put_in_front
from backfill.definitions.config_schema import NOT_GIVEN
from backfill.definitions.redaction import (
    MAX_DEPTH,
    REDACTED,
    public_text,
    redact_into,
    secret_texts,
)
from backfill.definitions.text import shown

MAX_INT_BITS = 1000  # what a float can carry, and every JSON reader takes


class ConfigType(ABC):
    """A compiled schema.

    Attributes:
        expected: What a value must be, in a few words.
    """

    expected: str = "any value"

    @abstractmethod
    def check(self, value: Any, problems: list[Problem]) -> Any:
        """Return what the step is given for a value; note what is wrong with it."""

    @abstractmethod
    def recorded(self, value: Any, found: list[str], /) -> Any:
        """Return a JSON-able copy of a checked value; append the secrets left out to `found`."""

    @abstractmethod
    def sample(self) -> Any:
        """Return a JSON-able value of this schema, with only what must be given."""

    @abstractmethod
    def json_schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the values."""

    def absent(self) -> Any:
        """Return what stands for an absent value, or NOT_GIVEN where it must be given."""
        return NOT_GIVEN

    def wrong(self, value: object, problems: list[Problem]) -> Any:
        """Note that a value is of the wrong type."""
        problems.append(Problem("wrong_type", value, self.expected))
        return None


class TextType(ConfigType):
    """`str`."""

    expected = "str"

    def check(self, value: Any, problems: list[Problem]) -> Any:
        if isinstance(value, str):
            return value
        expected = "str"
        if isinstance(value, datetime.date):
            expected = "str (put it in quotes: YAML reads it as a date)"
        problems.append(Problem("wrong_type", value, expected))
        return None

    def recorded(self, value: Any, _found: list[str], /) -> Any:
        return public_text(value)

    def sample(self) -> Any:
        return "..."

    def json_schema(self) -> dict[str, Any]:
        return {"type": "string"}


class IntType(ConfigType):
    """`int`; a bool is none."""

    expected = "int"

    def check(self, value: Any, problems: list[Problem]) -> Any:
        if not isinstance(value, int) or isinstance(value, bool):
            return self.wrong(value, problems)
        if value.bit_length() > MAX_INT_BITS:
            problems.append(Problem("invalid", None, f"int of at most {MAX_INT_BITS} bits"))
        return value

    def recorded(self, value: Any, _found: list[str], /) -> Any:
        return int(value)

    def sample(self) -> Any:
        return 0

    def json_schema(self) -> dict[str, Any]:
        return {"type": "integer"}


class FloatType(ConfigType):
    """`float`, finite; an int is taken as one."""

    expected = "float"

    def check(self, value: Any, problems: list[Problem]) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return self.wrong(value, problems)
        if isinstance(value, int) and value.bit_length() > MAX_INT_BITS:
            problems.append(Problem("invalid", None, "finite float"))
            return None
        if not math.isfinite(value):
            problems.append(Problem("invalid", str(value), "finite float"))
        return float(value)

    def recorded(self, value: Any, _found: list[str], /) -> Any:
        return value

    def sample(self) -> Any:
        return 0.0

    def json_schema(self) -> dict[str, Any]:
        return {"type": "number"}


class BoolType(ConfigType):
    """`bool`."""

    expected = "bool"

    def check(self, value: Any, problems: list[Problem]) -> Any:
        return value if isinstance(value, bool) else self.wrong(value, problems)

    def recorded(self, value: Any, _found: list[str], /) -> Any:
        return value

    def sample(self) -> Any:
        return False

    def json_schema(self) -> dict[str, Any]:
        return {"type": "boolean"}


class AnyType(ConfigType):
    """Any JSON value, up to 100 levels deep; also what stands for no schema at all."""

    expected = "a JSON value"

    def check(self, value: Any, problems: list[Problem]) -> Any:
        return json_copy(value, problems)

    def recorded(self, value: Any, found: list[str], /) -> Any:
        return redact_into(value, found)

    def sample(self) -> Any:
        return None

    def json_schema(self) -> dict[str, Any]:
        return {}


class NoneableType(ConfigType):
    """A value or None; absent is None."""

    def __init__(self, inner: ConfigType) -> None:
        self.inner = inner
        self.expected = f"{inner.expected} or None"

    def check(self, value: Any, problems: list[Problem]) -> Any:
        if value is None:
            return None
        before = len(problems)
        checked = self.inner.check(value, problems)
        if len(problems) != before and not problems[-1].path:
            problems[-1].expected += " or None"
        return checked

    def recorded(self, value: Any, found: list[str], /) -> Any:
        return None if value is None else self.inner.recorded(value, found)

    def sample(self) -> Any:
        return self.inner.sample()

    def json_schema(self) -> dict[str, Any]:
        return {"anyOf": [self.inner.json_schema(), {"type": "null"}]}

    def absent(self) -> Any:
        return None


class EnumType(ConfigType):
    """One of several texts, each of which stands for a value."""

    def __init__(self, name: str, choices: Mapping[str, Any]) -> None:
        self._name = name
        self._choices = dict(choices)
        self.expected = "one of " + ", ".join(f'"{text}"' for text in choices)

    def check(self, value: Any, problems: list[Problem]) -> Any:
        if isinstance(value, str) and value in self._choices:
            return self._choices[value]
        return self.wrong(value, problems)

    def recorded(self, value: Any, _found: list[str], /) -> Any:
        return next((text for text, means in self._choices.items() if means is value), None)

    def sample(self) -> Any:
        return next(iter(self._choices))

    def json_schema(self) -> dict[str, Any]:
        return {"title": self._name, "enum": list(self._choices)}


class SecretType(ConfigType):
    """A value of another schema that is never recorded nor shown."""

    def __init__(self, inner: ConfigType) -> None:
        self.inner = inner
        self.expected = f"{inner.expected} (a secret)"

    def check(self, value: Any, problems: list[Problem]) -> Any:
        before = len(problems)
        checked = self.inner.check(value, problems)
        for problem in problems[before:]:
            problem.secret = True
        return checked

    def recorded(self, value: Any, found: list[str], /) -> Any:
        found.extend(secret_texts(value))
        return REDACTED

    def sample(self) -> Any:
        return self.inner.sample()

    def json_schema(self) -> dict[str, Any]:
        return {**self.inner.json_schema(), "writeOnly": True}


def json_copy(value: Any, problems: list[Problem], depth: int = 0) -> Any:
    """Return a copy of a JSON value with containers of its own; note what JSON cannot carry."""
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int | float):
        kind = IntType if isinstance(value, int) else FloatType
        return kind().check(value, problems)
    if depth >= MAX_DEPTH:
        problems.append(Problem("invalid", None, f"at most {MAX_DEPTH} levels"))
        return None
    if isinstance(value, Mapping):
        return _copy_mapping(value, problems, depth)
    if isinstance(value, list | tuple):
        return _copy_list(value, problems, depth)
    problems.append(Problem("wrong_type", value, "a JSON value"))
    return None


def _copy_mapping(value: Mapping[Any, Any], problems: list[Problem], depth: int) -> dict[str, Any]:
    copy: dict[str, Any] = {}
    for key, item in value.items():
        if isinstance(key, str):
            copy[key] = _copy_at(key, item, problems, depth)
        else:
            problems.append(Problem("unexpected", item, "a text key", path=[shown(key)]))
        if len(problems) >= MAX_PROBLEMS:
            break
    return copy


def _copy_list(value: Sequence[Any], problems: list[Problem], depth: int) -> list[Any]:
    copy: list[Any] = []
    for index, item in enumerate(value):
        copy.append(_copy_at(index, item, problems, depth))
        if len(problems) >= MAX_PROBLEMS:
            break
    return copy


def _copy_at(key: str | int, item: Any, problems: list[Problem], depth: int) -> Any:
    before = len(problems)
    copy = json_copy(item, problems, depth + 1)
    if len(problems) != before:
        put_in_front(key, problems, before)
    return copy
