"""What a step can yield: its outputs, and facts about what it did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Output:
    """A value of one of the step's outputs, yielded or returned.

    Attributes:
        value: Anything; it is handed to the steps that depend on it.
        name: Which output, for a step with several.
        metadata: Facts about it, kept with the step's outcome.
    """

    value: Any
    name: str = "result"
    metadata: Mapping[str, Any] | None = None


@dataclass(frozen=True, init=False)
class Metadata:
    """Facts about what a step did, kept with its outcome and shown beside it.

    Values are JSON-able: numbers, text, booleans, lists, dicts, dates, or one of the value
    classes below, which say how to show them:
    `yield Metadata(rows=3, report=MarkdownValue("**ok**"), source=UrlValue("https://…"))`.
    """

    entries: Mapping[str, Any] = field(default_factory=dict)

    def __init__(self, entries: Mapping[str, Any] | None = None, /, **named: Any) -> None:
        object.__setattr__(self, "entries", {**(entries or {}), **named})


@dataclass(frozen=True)
class MarkdownValue:
    """Text shown as markdown."""

    text: str


@dataclass(frozen=True)
class UrlValue:
    """A link."""

    url: str


@dataclass(frozen=True)
class PathValue:
    """A path of a file or folder, or a key in an object store."""

    path: str


@dataclass(frozen=True)
class SizeValue:
    """A size in bytes, shown in a unit a person can read."""

    size_bytes: int


@dataclass(frozen=True)
class JsonValue:
    """Any JSON-able value, shown as a tree."""

    value: Any
