"""The ordered keys of a partition set at one moment, without listing them.

Everything that walks partitions (selections, plans, expansion, matrix pages) talks to a
`KeySpace`. Time-window sets compute their keys; list sets hold them. Two kinds of key spaces can do
more: those of time windows are also `CalendarKeys`, those of several dimensions `DimensionedKeys`.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple, Protocol, runtime_checkable


class TimeWindow(NamedTuple):
    """A half-open window of time; both ends are timezone-aware."""

    start: datetime
    end: datetime


class KeySpace(Protocol):
    """The keys of a partition set in the set's order, counted from 0."""

    def __len__(self) -> int:
        """Return how many keys there are, without listing them where they can be computed."""
        ...

    def key_at(self, index: int) -> str:
        """Return the key at `index` (0 <= index < len), else raise IndexError."""
        ...

    def index_of(self, key: str) -> int | None:
        """Return where `key` stands in the order, or None when it is not a key of the set."""
        ...

    def slice(self, start: int, stop: int) -> Sequence[str]:
        """Return the keys with start <= index < stop, clipped to the set."""
        ...

    def window_of(self, key: str) -> TimeWindow | None:
        """Return the time window of `key`, or None for a set that is not of time windows."""
        ...

    def nearest(self, key: str) -> Sequence[str]:
        """Return up to three keys that an unknown `key` may have meant."""
        ...


@runtime_checkable
class CalendarKeys(KeySpace, Protocol):
    """A key space of time windows, in the order of time.

    `window_of` also tells the window of a key that is well formed but not (or no longer) in the
    set.
    """

    def date_at(self, index: int) -> date:
        """Return the local date on which the window at `index` starts (0 <= index < len)."""
        ...

    def on_dates(self, first: date, after: date) -> range:
        """Return the indexes of the windows that start on a date with first <= date < after."""
        ...

    def from_instant(self, instant: datetime) -> int:
        """Return the index of the first window that starts at or after an instant, at most len."""
        ...

    def with_prefix(self, prefix: str) -> Sequence[range] | None:
        """Return where the keys that begin with `prefix` stand, or None when only a look tells."""
        ...


@runtime_checkable
class DimensionedKeys(KeySpace, Protocol):
    """A key space that is the product of others; the last dimension varies fastest."""

    @property
    def dimensions(self) -> Mapping[str, KeySpace]:
        """Return the key space of each dimension, in their order."""
        ...


@dataclass(frozen=True)
class ListedKeys:
    """A key space that holds its keys: static, dynamic and function-made sets."""

    keys: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "_index", {key: i for i, key in enumerate(self.keys)})

    def __len__(self) -> int:
        return len(self.keys)

    def key_at(self, index: int) -> str:
        if index < 0:
            raise IndexError(index)
        return self.keys[index]

    def index_of(self, key: str) -> int | None:
        index: dict[str, int] = self._index  # type: ignore[attr-defined]
        return index.get(key)

    def slice(self, start: int, stop: int) -> Sequence[str]:
        return self.keys[max(start, 0) : max(stop, 0)]

    def window_of(self, key: str) -> TimeWindow | None:  # noqa: ARG002
        return None

    def nearest(self, key: str) -> Sequence[str]:
        return difflib.get_close_matches(key, self.keys[:10_000], n=3, cutoff=0.5)
