"""Selecting time windows by weekday, by month and by how recent they are."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta

from backfill.definitions.keys import CalendarKeys
from backfill.definitions.selection.index_set import IndexSet
from backfill.definitions.selection.syntax import Months, Recent, Weekdays

_DAY = timedelta(days=1)


def windows_within(
    wanted: Weekdays | Months | Recent, keys: CalendarKeys, within: IndexSet, now: datetime
) -> IndexSet:
    """Return the windows of `within` that are wanted, going by dates, not by keys."""
    if not within:
        return within
    if isinstance(wanted, Recent):
        after = now - timedelta(seconds=wanted.seconds)
        span = IndexSet.span(keys.from_instant(after), keys.from_instant(now))
        return within.intersect(span)
    first, last = keys.date_at(within.first), keys.date_at(within.last)
    stretches = _weeks if isinstance(wanted, Weekdays) else _months
    numbers = wanted.days if isinstance(wanted, Weekdays) else wanted.months
    found = (keys.on_dates(*dates) for dates in stretches(numbers, first, last))
    return within.intersect(IndexSet.from_ranges(found))


def _weeks(days: tuple[int, ...], first: date, last: date) -> Iterator[tuple[date, date]]:
    """Yield stretches of wanted days (the end excluded) that cover first to last."""
    spans = _spans(days)
    monday = first - first.weekday() * _DAY
    while monday <= last:
        for start, stop in spans:
            yield monday + start * _DAY, monday + stop * _DAY
        monday += 7 * _DAY


def _months(months: tuple[int, ...], first: date, last: date) -> Iterator[tuple[date, date]]:
    spans = _spans(months)
    for year in range(first.year, last.year + 1):
        for start, stop in spans:
            yield date(year, start, 1), date(year + stop // 13, (stop - 1) % 12 + 1, 1)


def _spans(numbers: tuple[int, ...]) -> list[tuple[int, int]]:
    """Return ascending numbers as stretches, their ends excluded."""
    return [(part.start, part.stop) for part in IndexSet.from_indexes(numbers).ranges]
