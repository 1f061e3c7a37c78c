"""What a step says about itself, as JSON-able values of bounded size."""

from __future__ import annotations

import datetime
import decimal
import math
import os
import uuid
from collections.abc import Mapping, Set
from typing import Any

from backfill.definitions.events import (
    JsonValue,
    MarkdownValue,
    PathValue,
    SizeValue,
    UrlValue,
)
from backfill.definitions.redaction import Redactor
from backfill.definitions.text import bounded
from backfill.execution.faults import MetadataWrong

MAX_ENTRIES = 100
MAX_TEXT = 16 * 1024  # characters of one text
MAX_ITEMS = 1000  # of one list or dict
MAX_NODES = 10_000  # of one entry
MAX_CHARS = 64 * 1024  # of all entries of a step, roughly
LEFT_OUT = "left_out"

_MAX_DEPTH = 20
_MAX_INT_BITS = 1000


def add_metadata(into: dict[str, Any], entries: Mapping[Any, Any], redactor: Redactor) -> None:
    """Put a step's entries into its metadata, made JSON-able and bounded.

    What is beyond the bounds is left out, and counted under `left_out`.

    Raises:
        MetadataWrong: A key is no text, or a value is nothing JSON can carry; names the entry.
    """
    if not isinstance(entries, Mapping):
        raise MetadataWrong(f"Metadata is a dict of name to value, not a {type(entries).__name__}.")
    for name, value in entries.items():
        if not isinstance(name, str):
            raise MetadataWrong(
                f"The name of a metadata entry is a text, not a {type(name).__name__}."
            )
        budget = _Budget()
        jsonable = _entry(name, value, redactor, budget)
        name = bounded(redactor.text(name), 200)
        if len(into) >= MAX_ENTRIES or _size(into) + budget.chars > MAX_CHARS:
            into[LEFT_OUT] = into.get(LEFT_OUT, 0) + 1
        else:
            into[name] = jsonable


class _Budget:
    """How much of an entry has been converted so far."""

    __slots__ = ("chars", "nodes")

    def __init__(self) -> None:
        self.chars = 0
        self.nodes = 0

    def spend(self, chars: int) -> None:
        self.chars += chars
        self.nodes += 1


def _size(metadata: Mapping[str, Any]) -> int:
    """Return roughly how many characters metadata takes as JSON."""
    return sum(len(name) + len(str(value)) for name, value in metadata.items())


def _entry(name: str, value: Any, redactor: Redactor, budget: _Budget) -> Any:
    """Return a value as it is stored: plain ones as they are, others with their kind."""
    typed = _typed(value)
    if typed is not None:
        kind, inner = typed
        return {"type": kind, "value": _jsonable(name, inner, redactor, budget, 0)}
    jsonable = _jsonable(name, value, redactor, budget, 0)
    return {"type": "json", "value": jsonable} if isinstance(jsonable, dict | list) else jsonable


def _typed(value: Any) -> tuple[str, Any] | None:
    match value:
        case MarkdownValue(text):
            return "markdown", text
        case UrlValue(url):
            return "url", url
        case PathValue(path):
            return "path", str(path)
        case SizeValue(size_bytes):
            return "size", size_bytes
        case JsonValue(inner):
            return "json", inner
    return None


def _jsonable(name: str, value: Any, redactor: Redactor, budget: _Budget, depth: int) -> Any:
    if value is None or isinstance(value, bool):
        budget.spend(5)
        return value
    if isinstance(value, str):
        text = bounded(redactor.text(value), MAX_TEXT)
        budget.spend(len(text))
        return text
    if isinstance(value, int):
        budget.spend(20)
        return (
            int(value)
            if value.bit_length() <= _MAX_INT_BITS
            else f"int of {value.bit_length()} bits"
        )
    if isinstance(value, float):
        budget.spend(20)
        return float(value) if math.isfinite(value) else str(float(value))
    if depth >= _MAX_DEPTH or budget.nodes >= MAX_NODES or budget.chars >= MAX_CHARS:
        return "…"
    if isinstance(value, Mapping):
        return _jsonable_dict(name, value, redactor, budget, depth)
    if isinstance(value, list | tuple | Set):
        items = list(value)
        return [_jsonable(name, item, redactor, budget, depth + 1) for item in items[:MAX_ITEMS]]
    return _jsonable(name, _plain(name, value), redactor, budget, depth + 1)


def _jsonable_dict(
    name: str, value: Mapping[Any, Any], redactor: Redactor, budget: _Budget, depth: int
) -> dict[str, Any]:
    copy: dict[str, Any] = {}
    for key, item in value.items():
        if len(copy) >= MAX_ITEMS:
            break
        if not isinstance(key, str | int | float | datetime.date):
            raise MetadataWrong(
                f'Metadata "{name}" has a {type(key).__name__} as a key, which JSON cannot carry.'
            )
        text = bounded(redactor.text(str(key)), 200)
        budget.spend(len(text))
        copy[text] = _jsonable(name, item, redactor, budget, depth + 1)
    return copy


def _plain(name: str, value: Any) -> Any:
    """Return what stands for a value of a common type that JSON does not know."""
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, decimal.Decimal | uuid.UUID):
        return str(value)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    item = getattr(value, "item", None)  # a number of numpy
    if callable(item) and getattr(value, "ndim", None) == 0:
        return item()
    raise MetadataWrong(
        f'Metadata "{name}" holds a {type(value).__name__}, which JSON cannot carry; '
        "give a number, a text, a list or a dict of them."
    )
