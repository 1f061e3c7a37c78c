"""Likeness: what errors that differ in numbers, names and partitions have in common."""

from __future__ import annotations

import re

from backfill.definitions.text import storable

LONGEST = 200  # characters of a key

_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_HEX = r"0x[0-9a-f]+|(?=[0-9a-f]*[0-9])(?=[0-9a-f]*[a-f])[0-9a-f]{8,}"
_QUOTED = re.compile(r"'[^']{1,200}'|\"[^\"]{1,200}\"|`[^`]{1,200}`")
_NAMED = re.compile(rf"(?<![\w-])(?:{_UUID}|{_HEX})(?![\w-])", re.IGNORECASE)
_NUMBER = re.compile(r"\d+(?:[.,:_]\d+)*")
_SPACE = re.compile(r"\s+")


def error_key(kind: str | None, message: str | None, *, partition: str | None = None) -> str:
    """Return what an error is grouped by: its type and the first line of its message, masked.

    Values in quotes become `…`, the key of the partition `<partition>`, numbers and ids `#`.
    """
    lines = (message or "").strip().splitlines()
    told = masked(lines[0] if lines else "", partition=partition)
    key = f"{kind}: {told}" if kind and told else kind or told or "no error was recorded"
    return storable(key if len(key) <= LONGEST else key[: LONGEST - 1] + "…")


def masked(text: str, *, partition: str | None = None) -> str:
    """Return a line without what tells it apart from others of its kind."""
    text = text[:1_000]
    if partition and len(partition) > 1:
        text = re.sub(rf"(?<!\w){re.escape(partition)}(?!\w)", "<partition>", text)
    text = _QUOTED.sub(lambda match: f"{match[0][0]}…{match[0][0]}", text)
    text = _NAMED.sub("#", text)
    return _SPACE.sub(" ", _NUMBER.sub("#", text)).strip()
