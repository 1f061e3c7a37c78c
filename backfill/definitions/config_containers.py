"""Compiled config schemas of containers: dicts of known entries, lists, maps and choices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backfill.definitions.config_problems import MAX_PROBLEMS, Problem, put_in_front
from backfill.definitions.config_schema import NOT_GIVEN
from backfill.definitions.config_types import (
    ConfigType,
    json_copy,
)
from backfill.definitions.redaction import REDACTED, is_secret_key, redact_into, secret_texts
from backfill.definitions.text import shown, storable


@dataclass(frozen=True)
class Entry:
    """One entry of a dict.

    Attributes:
        default: The raw value that stands for an absent one; NOT_GIVEN leaves it absent.
    """

    name: str
    type: ConfigType
    required: bool
    default: Any = NOT_GIVEN
    description: str | None = None

    def missing(self) -> Problem:
        """Return the problem of this entry being absent."""
        return Problem(
            "missing", None, self.type.expected, [self.name], sample={self.name: self.type.sample()}
        )

    def json_schema(self) -> dict[str, Any]:
        schema = self.type.json_schema()
        if self.description:
            schema = {**schema, "description": self.description}
        if self.default is not NOT_GIVEN and not schema.get("writeOnly"):
            schema = {**schema, "default": redact_into(self.default, [])}
        return schema


class ShapeType(ConfigType):
    """A dict of known entries; others are problems, or kept where `extra` is set."""

    expected = "a dict"

    def __init__(self, entries: Sequence[Entry], *, extra: bool = False) -> None:
        self.entries = tuple(entries)
        self._extra = extra
        self._names = frozenset(entry.name for entry in entries)
        self._rows = tuple((e.name, e.type.check, e.required, e.default, e) for e in entries)
        if entries:
            self.expected = "a dict of " + ", ".join(f'"{e.name}"' for e in entries)

    def check(self, value: Any, problems: list[Problem]) -> Any:
        if not isinstance(value, Mapping):
            return self.wrong(value, problems)
        checked: dict[str, Any] = {}
        taken = 0
        for name, check, required, default, entry in self._rows:
            item = value.get(name, NOT_GIVEN)
            if item is NOT_GIVEN:
                if required:
                    problems.append(entry.missing())
                    continue
                if default is NOT_GIVEN:
                    continue
                item = default
            else:
                taken += 1
            before = len(problems)
            checked[name] = check(item, problems)
            if len(problems) != before:
                put_in_front(name, problems, before)
        if taken != len(value):
            self._rest(value, checked, problems)
        return checked

    def _rest(
        self, value: Mapping[Any, Any], checked: dict[str, Any], problems: list[Problem]
    ) -> None:
        """Keep or refuse the entries the schema does not know."""
        for key, item in value.items():
            if key in self._names or len(problems) >= MAX_PROBLEMS:
                continue
            if not isinstance(key, str):
                problems.append(Problem("unexpected", item, self.expected, [shown(key)]))
            elif self._extra:
                before = len(problems)
                checked[key] = json_copy(item, problems)
                put_in_front(key, problems, before)
            else:
                problems.append(Problem("unexpected", item, self.expected, [key]))

    def recorded(self, value: Any, found: list[str], /) -> Any:
        copy = {
            entry.name: entry.type.recorded(value[entry.name], found)
            for entry in self.entries
            if entry.name in value
        }
        if len(copy) != len(value):
            extra = {key: item for key, item in value.items() if key not in self._names}
            copy.update(redact_into(extra, found))
        return copy

    def sample(self) -> Any:
        return {entry.name: entry.type.sample() for entry in self.entries if entry.required}

    def json_schema(self) -> dict[str, Any]:
        schema: dict[str, Any] = {
            "type": "object",
            "properties": {entry.name: entry.json_schema() for entry in self.entries},
            "additionalProperties": self._extra,
        }
        required = [entry.name for entry in self.entries if entry.required]
        if required:
            schema["required"] = required
        return schema

    def absent(self) -> Any:
        return NOT_GIVEN if any(entry.required for entry in self.entries) else {}


class ListType(ConfigType):
    """A list of items of one schema; the step is given a list."""

    def __init__(self, inner: ConfigType) -> None:
        self.inner = inner
        self.expected = f"a list of {inner.expected}"

    def check(self, value: Any, problems: list[Problem]) -> Any:
        if not isinstance(value, list | tuple):
            return self.wrong(value, problems)
        checked = []
        for index, item in enumerate(value):
            before = len(problems)
            checked.append(self.inner.check(item, problems))
            if len(problems) != before:
                put_in_front(index, problems, before)
                if len(problems) >= MAX_PROBLEMS:
                    break
        return checked

    def recorded(self, value: Any, found: list[str], /) -> Any:
        return [self.inner.recorded(item, found) for item in value]

    def sample(self) -> Any:
        return [self.inner.sample()]

    def json_schema(self) -> dict[str, Any]:
        return {"type": "array", "items": self.inner.json_schema()}


class MapType(ConfigType):
    """A dict of any text keys to values of one schema."""

    def __init__(self, inner: ConfigType) -> None:
        self.inner = inner
        self.expected = f"a dict of text to {inner.expected}"

    def check(self, value: Any, problems: list[Problem]) -> Any:
        if not isinstance(value, Mapping):
            return self.wrong(value, problems)
        checked = {}
        for key, item in value.items():
            before = len(problems)
            if isinstance(key, str):
                checked[key] = self.inner.check(item, problems)
                put_in_front(key, problems, before)
            else:
                problems.append(Problem("unexpected", item, "a text key", [shown(key)]))
            if len(problems) >= MAX_PROBLEMS:
                break
        return checked

    def recorded(self, value: Any, found: list[str], /) -> Any:
        copy = {}
        for key, item in value.items():
            if is_secret_key(key):
                found.extend(secret_texts(item))
                copy[storable(key)] = REDACTED
            else:
                copy[storable(key)] = self.inner.recorded(item, found)
        return copy

    def sample(self) -> Any:
        return {"...": self.inner.sample()}

    def json_schema(self) -> dict[str, Any]:
        return {"type": "object", "additionalProperties": self.inner.json_schema()}


class SelectorType(ConfigType):
    """A dict of exactly one of several entries."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = {entry.name: entry for entry in entries}
        self.expected = "a dict of exactly one of " + ", ".join(f'"{e.name}"' for e in entries)

    def check(self, value: Any, problems: list[Problem]) -> Any:
        if isinstance(value, str) and value in self._entries:
            value = {value: None}  # the choice alone, where its config may be absent
        if not isinstance(value, Mapping):
            return self.wrong(value, problems)
        if len(value) != 1:
            kind = "invalid" if value else "missing"
            problems.append(Problem(kind, value, self.expected, sample=self.sample()))
            return None
        ((name, item),) = value.items()
        entry = self._entries.get(name) if isinstance(name, str) else None
        if entry is None:
            path: list[str | int] = [name if isinstance(name, str) else shown(name)]
            problems.append(Problem("unexpected", item, self.expected, path))
            return None
        before = len(problems)
        checked = self._chosen(entry, item, problems)
        put_in_front(name, problems, before)
        return {name: checked}

    def _chosen(self, entry: Entry, item: Any, problems: list[Problem]) -> Any:
        if item is None and entry.default is not NOT_GIVEN:
            item = entry.default
        elif item is None and not entry.required and entry.type.absent() is not NOT_GIVEN:
            item = entry.type.absent()
        return entry.type.check(item, problems)

    def recorded(self, value: Any, found: list[str], /) -> Any:
        return {
            name: self._entries[name].type.recorded(item, found) for name, item in value.items()
        }

    def sample(self) -> Any:
        entry = next(iter(self._entries.values()))
        return {entry.name: entry.type.sample()}

    def json_schema(self) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": {name: entry.json_schema() for name, entry in self._entries.items()},
            "additionalProperties": False,
            "minProperties": 1,
            "maxProperties": 1,
        }
