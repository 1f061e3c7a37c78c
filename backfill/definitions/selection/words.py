"""The words of the selection language: statuses, weekdays, months and lengths of time."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum
from itertools import groupby


class StatusWord(StrEnum):
    """What a partition's runs can have come to, by the word a selection uses for it."""

    MISSING = "missing"  # neither succeeded nor running
    RUNNING = "running"  # a run of it is pending, queued or running
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    BLOCKED = "blocked"  # by an operator
    STALE = "stale"  # its last success is from another version of the pipeline


WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
STATUSES = frozenset(word.value for word in StatusWord)
KEYWORDS = STATUSES | {"all"}
PREFIXES = ("last:", "dow:", "month:", "older:")

_UNITS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_DURATION = re.compile(r"([0-9]{1,9})([wdhms])")
_MONTH_NUMBER = re.compile(r"0?[1-9]|1[0-2]")


def weekday_number(text: str) -> int | None:
    """Return 0 for `mon` to 6 for `sun`, or None."""
    return WEEKDAYS.index(text) if text in WEEKDAYS else None


def month_number(text: str) -> int | None:
    """Return 1 for `1` or `jan` to 12 for `12` or `dec`, or None."""
    if text in MONTHS:
        return MONTHS.index(text) + 1
    return int(text) if _MONTH_NUMBER.fullmatch(text) else None


def weekday_span(text: str) -> list[int] | None:
    """Return the weekdays of `mon` or `fri-mon`, or None."""
    first, dash, last = text.partition("-")
    low, high = weekday_number(first), weekday_number(last if dash else first)
    if low is None or high is None:
        return None
    return [day % 7 for day in range(low, high + 1 if high >= low else high + 8)]


def month_span(text: str) -> list[int] | None:
    """Return the months of `7` or `nov-feb`, or None."""
    first, dash, last = text.partition("-")
    low, high = month_number(first), month_number(last if dash else first)
    if low is None or high is None:
        return None
    return [(month - 1) % 12 + 1 for month in range(low, high + 1 if high >= low else high + 13)]


def spans_text(numbers: Sequence[int], names: Sequence[str]) -> str:
    """Return ascending numbers as `mon-wed,fri`; the name of number i is `names[i]`."""
    parts = []
    for _, run in groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0]):
        values = [value for _, value in run]
        parts.append(names[values[0]] + (f"-{names[values[-1]]}" if len(values) > 1 else ""))
    return ",".join(parts)


def duration_seconds(text: str) -> int | None:
    """Return the seconds of `7d`, `36h`, `30m`, `90s` or `2w`, or None."""
    match = _DURATION.fullmatch(text)
    return int(match[1]) * _UNITS[match[2]] if match else None


def duration_text(seconds: int) -> str:
    """Return seconds as a length of time in one unit, the largest of d, h, m, s that fits."""
    unit = next(u for u in "dhms" if seconds % _UNITS[u] == 0)
    return f"{seconds // _UNITS[unit]}{unit}"
