"""The windows of a time-window set: what is where, computed from a small frozen description."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import lru_cache

from backfill.definitions.keys import TimeWindow
from backfill.definitions.partitions.cron import parse_cron
from backfill.definitions.partitions.formats import KeyFormat
from backfill.definitions.partitions.ticks import Ticks
from backfill.definitions.partitions.walls import names_any_time
from backfill.definitions.partitions.zones import (
    DAY_SECONDS,
    FIRST_YEAR,
    load_zone,
    transitions,
    year_start,
)
from backfill.errors import DefinitionError

_LONGEST_WINDOW = 9 * 366 * DAY_SECONDS  # from one February 29 to the next around 2100
_TRIED_FIRST = 64
_TRIED_DAYS = (31.55, 59.3, 100.7, 190.1, 365.9, 410.4, 777.35, 1461.6)
_TRIED_HORIZON = 5 * 366 * DAY_SECONDS


@dataclass(frozen=True)
class WindowSpec:
    """What determines the windows of a set; plain values, equal sets have equal descriptions.

    Attributes:
        start: Instant (seconds since the epoch) at or after which the first window starts.
        end: Instant at or before which the last window ends, or None.
        end_offset: Windows beyond the last one that is complete now (negative: fewer).
        excluded_instants: Starts of windows that are left out.
        excluded_dates: Local dates on which no window starts.
    """

    cron_schedule: str
    timezone: str
    fmt: str
    start: int
    end: int | None = None
    end_offset: int = 0
    excluded_crons: tuple[str, ...] = ()
    excluded_instants: tuple[int, ...] = ()
    excluded_dates: tuple[date, ...] = ()


@lru_cache(maxsize=512)
def windows_of(spec: WindowSpec) -> Windows:
    """Return the shared computation of a description."""
    return Windows(spec)


class Windows:
    """Window `i` starts at the i-th tick that is not excluded and ends at the next tick of all.

    Indexes count from 0 at the first window of the set and know no end; `count` says how many of
    the windows exist at a moment.
    """

    def __init__(self, spec: WindowSpec) -> None:
        self.spec = spec
        self.zone = load_zone(spec.timezone)
        self._cron = parse_cron(spec.cron_schedule)
        self._exclude = tuple(parse_cron(expression) for expression in spec.excluded_crons)
        if self._exclude and not names_any_time(self._cron, self._exclude):
            raise DefinitionError(
                f'The exclusions leave no window of "{spec.cron_schedule}": '
                f"{', '.join(spec.excluded_crons)} exclude them all."
            )
        self.format = KeyFormat(spec.fmt, spec.timezone, both_passes=self._cron.every_hour)
        self._ticks = self._kept = Ticks(self._cron, (), spec.timezone, spec.start)
        if self._exclude:
            self._kept = Ticks(self._cron, self._exclude, spec.timezone, spec.start)
        self._holes = sorted(self._find_holes())
        # The n-th window left is the (n + holes before it)-th tick kept; see `start_of`.
        self._hole_places = [self._kept.count_before(h) - i for i, h in enumerate(self._holes)]

    def count(self, now: float) -> int:
        """Return how many windows the set has at `now` (seconds since the epoch)."""
        moment = int(now // 1)
        count = self._count_complete(moment) + self.spec.end_offset
        if count > 0 and moment < self._ticks.nth(0):
            count -= self._count_between(moment)
        if count > 0 and self.spec.end is not None:
            count = min(count, self._count_complete(self.spec.end))
        return max(count, 0)

    def first_at_or_after(self, instant: int) -> int:
        """Return the index of the first window that starts at or after `instant`."""
        return self._kept.count_before(instant) - bisect_left(self._holes, instant)

    def start_of(self, index: int) -> int:
        """Return the instant at which a window starts."""
        return self._kept.nth(index + bisect_right(self._hole_places, index))

    def end_of(self, start: int) -> int:
        """Return the instant at which the window that starts at `start` ends."""
        return self._ticks.nth(self._ticks.count_before(start + 1))

    def keys(self, first: int, stop: int) -> Iterator[str]:
        """Yield the keys of the windows first <= index < stop."""
        if first >= stop:
            return
        holes = frozenset(self._holes)
        for block in self._kept.blocks(self.start_of(first), self.start_of(stop - 1) + 1):
            if holes:
                base = block.midnight - block.offset
                seconds = tuple(s for s in block.seconds if base + s not in holes)
                block = block._replace(seconds=seconds)
            yield from self.format.write_block(block)

    def key(self, index: int) -> str:
        """Return the key of a window."""
        return self.format.write(self.start_of(index))

    def index(self, key: str) -> int | None:
        """Return the index of a key, or None when it is not the key of a window."""
        earliest = self.format.read(key)
        if earliest is None:
            return None
        try:
            index = self.first_at_or_after(earliest)
            return index if self.key(index) == key else None
        except DefinitionError:  # beyond the end of the calendar
            return None

    def window(self, index: int) -> TimeWindow:
        """Return the window at an index, in the set's zone."""
        start = self.start_of(index)
        return TimeWindow(self.local(start), self.local(self.end_of(start)))

    def window_like(self, key: str) -> TimeWindow | None:
        """Return the time from what a key of no window says to the next tick, if it says a time."""
        start = self.format.read(key)
        if start is None:
            return None
        end = self.end_of(max(start, self.spec.start - 1))
        return TimeWindow(self.local(start), self.local(end))

    def local(self, instant: int) -> datetime:
        """Return an instant in the set's zone."""
        return datetime.fromtimestamp(instant, self.zone)

    def day_start(self, day: date) -> int:
        """Return the first instant of a local date."""
        return start_of_day(day, self.spec.timezone)

    def runs(self, count: int) -> Iterator[range]:
        """Yield stretches of indexes below `count` in which local times only ascend."""
        first = 0
        self._kept.count_before(self.start_of(count - 1) + 1 if count else 0)
        for repeat in list(self._kept.repeats):
            stop = min(repeat - bisect_left(self._hole_ticks(), repeat), count)
            if stop > first:
                yield range(first, stop)
                first = stop
        if count > first:
            yield range(first, count)

    def check_keys(self) -> None:
        """Read sample keys back.

        Raises:
            DefinitionError: The format cannot tell the windows apart, or cannot be read back.
        """
        for index in self._samples():
            start = self.start_of(index)
            if self.spec.end is not None and start >= self.spec.end:
                return
            key = self.format.write(start)
            if self.index(key) != index:
                raise DefinitionError(self._not_readable(index, key))

    def _samples(self) -> Iterator[int]:
        """Yield indexes of windows in all parts of the hour, day, month and year."""
        for index in range(_TRIED_FIRST):
            yield index
            if self.start_of(index) > self.spec.start + _TRIED_HORIZON:
                return
        for days in _TRIED_DAYS:
            yield self.first_at_or_after(self.spec.start + int(days * DAY_SECONDS))

    def _not_readable(self, index: int, key: str) -> str:
        windows = f'the windows of "{self.spec.cron_schedule}"'
        if any(self.key(other) == key for other in range(max(index - 62, 0), index)):
            return (
                f'The format "{self.spec.fmt}" is too coarse for {windows}: '
                f'"{key}" would be the key of several. Add the smaller units to fmt.'
            )
        return (
            f'The format "{self.spec.fmt}" does not fit {windows}: the key "{key}" cannot be read '
            "back as the time its window starts. Use year, month, day, hour and minute as needed."
        )

    def _count_complete(self, bound: int) -> int:
        """Return how many windows end at or before `bound`."""
        ticks = self._ticks.count_before(bound + 1)
        return self.first_at_or_after(self._ticks.nth(ticks - 1)) if ticks >= 2 else 0

    def _count_between(self, moment: int) -> int:
        """Return how many windows would start from the last tick at `moment` to the first one.

        These are no windows of the set, but count against an end offset that reaches into it.
        """
        early = max(moment, year_start(FIRST_YEAR)) - _LONGEST_WINDOW
        ticks = Ticks(self._cron, (), self.spec.timezone, early)
        kept = Ticks(self._cron, self._exclude, self.spec.timezone, early)
        last = ticks.nth(ticks.count_before(moment + 1) - 1)
        return kept.count_before(self.spec.start) - kept.count_before(last)

    def _hole_ticks(self) -> list[int]:
        return [place + i for i, place in enumerate(self._hole_places)]

    def _find_holes(self) -> set[int]:
        holes = set()
        for instant in self.spec.excluded_instants:
            if instant >= self.spec.start and instant in self._kept.between(instant, instant + 1):
                holes.add(instant)
        for day in self.spec.excluded_dates:
            first = self.day_start(day)
            after = self.day_start(date.fromordinal(day.toordinal() + 1))
            holes.update(self._kept.between(max(first, self.spec.start), after))
        return holes


def start_of_day(day: date, zone_name: str) -> int:
    """Return the first instant of a local date; of a date that was skipped, that of the next."""
    wall = (day - date(1970, 1, 1)).days * DAY_SECONDS
    instant = int(datetime.combine(day, time(), tzinfo=load_zone(zone_name)).timestamp())
    for year in (day.year - 1, day.year):
        for change in transitions(zone_name, year):
            if change.at + change.before <= wall < change.at + change.after:  # no such midnight
                return change.at
    return instant
