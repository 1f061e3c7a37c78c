"""The computed key space of a time-window set."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from backfill.definitions.keys import TimeWindow
from backfill.definitions.partitions.windows import Windows, WindowSpec, windows_of


@dataclass(frozen=True)
class TimeWindowKeys:
    """The first `count` windows of a set: keys computed both ways, nothing held.

    Plain data, so it can be pickled and sent to another process.
    """

    spec: WindowSpec
    count: int

    def __len__(self) -> int:
        return self.count

    def key_at(self, index: int) -> str:
        if not 0 <= index < self.count:
            raise IndexError(index)
        return self._windows.key(index)

    def index_of(self, key: str) -> int | None:
        index = self._windows.index(key)
        return index if index is not None and index < self.count else None

    def slice(self, start: int, stop: int) -> Sequence[str]:
        return list(self.iterate(start, stop))

    def iterate(self, start: int, stop: int) -> Iterator[str]:
        """Iterate over the keys with start <= index < stop, clipped to the set."""
        return self._windows.keys(max(start, 0), min(stop, self.count))

    def window_of(self, key: str) -> TimeWindow | None:
        index = self._windows.index(key)
        return self._windows.window_like(key) if index is None else self._windows.window(index)

    def window_at(self, index: int) -> TimeWindow:
        """Return the window at an index, in the set's zone."""
        if not 0 <= index < self.count:
            raise IndexError(index)
        return self._windows.window(index)

    def nearest(self, key: str) -> Sequence[str]:
        if not self.count:
            return []
        instant = _guess_instant(self._windows, key)
        if instant is None:
            last = self.count - 1
            return [self._windows.key(i) for i in sorted({0, max(last - 1, 0), last})]
        middle = self._windows.first_at_or_after(instant)
        first = max(min(middle - 1, self.count - 3), 0)
        return self.slice(first, first + 3)

    def date_at(self, index: int) -> date:
        return self._windows.local(self._windows.start_of(index)).date()

    def on_dates(self, first: date, after: date) -> range:
        windows = self._windows
        low = windows.first_at_or_after(windows.day_start(first))
        high = windows.first_at_or_after(windows.day_start(after))
        return range(min(low, self.count), min(high, self.count))

    def from_instant(self, instant: datetime) -> int:
        return min(self._windows.first_at_or_after(-int(-instant.timestamp() // 1)), self.count)

    def place_of(self, key: str) -> int | None:
        """Return how many windows start before the time a key tells, be it one of the set or not.

        None for text that is not a key at all.
        """
        instant = self._windows.format.read(key)
        if instant is None:
            return None
        return min(self._windows.first_at_or_after(instant), self.count)

    def running_at(self, instant: datetime) -> int:
        """Return the index of the last window that has started at an instant, also beyond len."""
        return self._windows.first_at_or_after(int(instant.timestamp() // 1) + 1) - 1

    def with_prefix(self, prefix: str) -> Sequence[range] | None:
        if not self._windows.format.sortable:
            return None
        found = []
        for run in self._windows.runs(self.count):
            low = _bisect(self._windows, run, prefix, past=False)
            high = _bisect(self._windows, run, prefix, past=True)
            if low < high:
                found.append(range(low, high))
        return found

    @property
    def _windows(self) -> Windows:
        return windows_of(self.spec)


def _bisect(windows: Windows, run: range, prefix: str, *, past: bool) -> int:
    """Return the first index of an ascending run whose key is not before `prefix`, or not in it."""
    low, high = run.start, run.stop
    while low < high:
        middle = (low + high) // 2
        head = windows.key(middle)[: len(prefix)]
        if head < prefix or (past and head == prefix):
            low = middle + 1
        else:
            high = middle
    return low


def _guess_instant(windows: Windows, key: str) -> int | None:
    """Return the time somebody meant who wrote `key`, going by its numbers alone."""
    exact = windows.format.read(key)
    if exact is not None:
        return exact
    numbers = [int(number) for number in re.findall(r"[0-9]{1,9}", key)[:5]]
    if not numbers or not 1 <= numbers[0] <= 9_900:
        return None
    year, month, day, hour, minute = numbers + [1, 1, 1, 0, 0][len(numbers) :]
    month = min(max(month, 1), 12)
    try:
        local = datetime(
            year, month, min(max(day, 1), 28), min(hour, 23), min(minute, 59), tzinfo=windows.zone
        )
        return int(local.timestamp()) + (min(day, 31) - local.day) * 86_400
    except (ValueError, OverflowError):
        return None
