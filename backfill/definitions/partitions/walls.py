"""The wall-clock times a cron names, counted without listing them and without a time zone."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from datetime import date
from functools import lru_cache
from threading import Lock
from typing import NamedTuple

from backfill.definitions.partitions.cron import Cron
from backfill.definitions.partitions.zones import DAY_SECONDS, LAST_YEAR

_EPOCH = date(1970, 1, 1)


class _Shape(NamedTuple):
    """What happens in every year of one of the 14 shapes a year can have."""

    before: array[int]  # index: day of the year; value: times named on earlier days
    times: list[tuple[int, ...]]


class WallTimes:
    """The times named by a cron and by none of its exclusions, in seconds since 1970-01-01 local.

    The calendar repeats: a year's matching days depend on its length and its first weekday only.
    So counting is a sum over years and a look into one of 14 tables. When every day matches,
    it is one division.
    """

    def __init__(self, include: Cron, exclude: tuple[Cron, ...], *, first_year: int) -> None:
        """Count from the start of `first_year`, which nothing asked for may precede."""
        self._include = include
        self._exclude = exclude
        self._simple = include.every_day and all(cron.every_day for cron in exclude)
        self._times = _times_left(include, exclude)
        self._first_year = first_year
        self._year_days = [_day_number(first_year)]
        self._year_counts = [0]
        self._lock = Lock()

    def count_before(self, wall: int) -> int:
        """Return how many named times precede `wall`, counted from a fixed origin."""
        day, second = divmod(wall, DAY_SECONDS)
        if self._simple:
            return day * len(self._times) + bisect_left(self._times, second)
        index = self._year_of_day(day)
        shape = self._shape(index)
        day_of_year = day - self._year_days[index]
        named = shape.times[day_of_year]
        return self._year_counts[index] + shape.before[day_of_year] + bisect_left(named, second)

    def nth(self, n: int) -> int:
        """Return the time of which `count_before` is `n`; there must be one by LAST_YEAR."""
        if self._simple:
            day, rest = divmod(n, len(self._times))
            return day * DAY_SECONDS + self._times[rest]
        while self._year_counts[-1] <= n:
            self._add_year()
        index = bisect_right(self._year_counts, n) - 1
        shape = self._shape(index)
        rest = n - self._year_counts[index]
        day_of_year = bisect_right(shape.before, rest) - 1
        second = shape.times[day_of_year][rest - shape.before[day_of_year]]
        return (self._year_days[index] + day_of_year) * DAY_SECONDS + second

    def days_between(self, start: int, stop: int) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Yield midnights and the seconds named after them, for times from start up to stop."""
        for day in range(start // DAY_SECONDS, -(-stop // DAY_SECONDS)):
            midnight = day * DAY_SECONDS
            named = self._named_on(day)
            if midnight < start or stop < midnight + DAY_SECONDS:
                low, high = start - midnight, stop - midnight
                named = named[bisect_left(named, low) : bisect_left(named, high)]
            if named:
                yield midnight, named

    def _named_on(self, day: int) -> tuple[int, ...]:
        if self._simple:
            return self._times
        index = self._year_of_day(day)
        return self._shape(index).times[day - self._year_days[index]]

    def _year_of_day(self, day: int) -> int:
        while self._year_days[-1] <= day:
            self._add_year()
        return bisect_right(self._year_days, day) - 1

    def _add_year(self) -> None:
        with self._lock:
            year = self._first_year + len(self._year_days) - 1
            if year > LAST_YEAR + 1:
                raise OverflowError(year)
            count = self._year_counts[-1] + self._shape(len(self._year_days) - 1).before[-1]
            # Readers do not lock: what they look up second must be there first.
            self._year_counts.append(count)
            self._year_days.append(_day_number(year + 1))

    def _shape(self, index: int) -> _Shape:
        year = self._first_year + index
        leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
        first_weekday = (_day_number(year) + 4) % 7  # 1970-01-01 was a Thursday
        return _shape(self._include, self._exclude, leap, first_weekday)


def names_any_time(include: Cron, exclude: tuple[Cron, ...]) -> bool:
    """Tell whether a cron ever names a time that its exclusions do not name, too."""
    shapes = ((leap, first) for leap in (False, True) for first in range(7))
    return any(_shape(include, exclude, *shape).before[-1] for shape in shapes)


def _day_number(year: int) -> int:
    return (date(year, 1, 1) - _EPOCH).days


def _times_left(include: Cron, exclude: tuple[Cron, ...]) -> tuple[int, ...]:
    taken = {second for cron in exclude for second in cron.times}
    return tuple(second for second in include.times if second not in taken)


@lru_cache(maxsize=512)
def _shape(include: Cron, exclude: tuple[Cron, ...], leap: bool, first_weekday: int) -> _Shape:
    length = 366 if leap else 365
    included = set(include.days_of_year(leap=leap, first_weekday=first_weekday))
    excluded = [
        (cron, set(cron.days_of_year(leap=leap, first_weekday=first_weekday))) for cron in exclude
    ]
    named: dict[tuple[Cron, ...], tuple[int, ...]] = {}
    before = array("q", [0])
    times: list[tuple[int, ...]] = []
    for day in range(length):
        matching: tuple[int, ...] = ()
        if day in included:
            against = tuple(cron for cron, days in excluded if day in days)
            if against not in named:
                named[against] = _times_left(include, against)
            matching = named[against]
        times.append(matching)
        before.append(before[-1] + len(matching))
    return _Shape(before, times)
