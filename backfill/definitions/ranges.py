"""Finding frozen ranges of keys again in a set that may have changed since."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

from backfill.definitions.calls import KeyRange
from backfill.definitions.keys import KeySpace, ListedKeys
from backfill.definitions.partitions.keyspace import TimeWindowKeys


class Found(NamedTuple):
    """Where a range stands now: start <= index < stop, and which of its ends are gone.

    Attributes:
        drifted: Whether the whole range now has more or fewer keys than when it was frozen.
    """

    start: int
    stop: int
    vanished: tuple[str, ...] = ()
    drifted: bool = False


class Piece(NamedTuple):
    """A part of a range to take: begin <= place < end, counted as when the range was frozen."""

    range: KeyRange
    begin: int
    end: int


def total(key_ranges: Iterable[KeyRange]) -> int:
    """Return how many keys the ranges held when they were frozen."""
    return sum(key_range.size for key_range in key_ranges)


def freeze(keys: KeySpace, ranges: Iterable[tuple[int, int]]) -> list[KeyRange]:
    """Return ranges of indexes (both ends inclusive) as ranges of keys."""
    frozen = []
    for first, last in ranges:
        key = keys.key_at(first)
        frozen.append(KeyRange(key, key if first == last else keys.key_at(last), last - first + 1))
    return frozen


def overlapping(
    key_ranges: Iterable[KeyRange], offset: int, limit: int
) -> tuple[list[KeyRange], int]:
    """Return the ranges that a chunk touches, and the chunk's offset within those."""
    touched: list[KeyRange] = []
    before = skipped = 0
    for key_range in key_ranges:
        if before >= offset + limit:
            break
        if before + key_range.size > offset:
            touched.append(key_range)
        else:
            skipped += key_range.size
        before += key_range.size
    return touched, offset - skipped


def pieces(key_ranges: Iterable[KeyRange], offset: int, limit: int) -> Iterator[Piece]:
    """Cut the chunk of `limit` keys at `offset` into its parts of each range."""
    before = 0
    for key_range in key_ranges:
        begin = max(offset - before, 0)
        end = min(offset + limit - before, key_range.size)
        if begin < end:
            yield Piece(key_range, begin, end)
        before += key_range.size


class RangeFinder:
    """Finds ranges in the keys of a set.

    An end that is gone is looked for by time in time-window sets and by text in sorted lists, so
    that what is left between is exact. In a list of any other order it is counted from the other
    end, and nothing is left when both are gone.
    """

    def __init__(self, keys: KeySpace) -> None:
        self._keys = keys

    def find(self, key_range: KeyRange) -> Found:
        """Return where a range stands now."""
        first = self._keys.index_of(key_range.first)
        last = self._keys.index_of(key_range.last)
        if first is not None and last is not None:
            return Found(min(first, last), max(first, last) + 1)
        vanished = [
            key
            for key, index in ((key_range.first, first), (key_range.last, last))
            if index is None
        ]
        start = self._place(key_range.first) if first is None else first
        stop = self._place(key_range.last) if last is None else last + 1
        left = key_range.size - 1
        if start is None and stop is None:
            start = stop = 0
        elif start is None:
            assert stop is not None
            start = max(stop - left, 0)
        elif stop is None:
            stop = min(start + left, len(self._keys))
        return Found(start, max(start, stop), tuple(dict.fromkeys(vanished)))

    def take(self, piece: Piece, after: str | None = None) -> Found:
        """Return where a part of a range stands now.

        The last part of a range that has grown takes all that is left of it; a part that does not
        begin its range goes on behind `after` where that key is still in it.
        """
        found = self.find(piece.range)
        size = found.stop - found.start
        begin = piece.begin
        if after is not None and begin > 0:
            index = self._keys.index_of(after)
            if index is not None and found.start <= index < found.stop:
                begin = index + 1 - found.start
        end = size if piece.end == piece.range.size else min(piece.end, size)
        drifted = size != piece.range.size
        return Found(found.start + min(begin, end), found.start + end, found.vanished, drifted)

    def _place(self, key: str) -> int | None:
        """Return how many keys come before one that is gone, or None when nothing tells."""
        if isinstance(self._keys, TimeWindowKeys):
            return self._keys.place_of(key)
        return None if self._sorted is None else bisect_left(self._sorted, key)

    @cached_property
    def _sorted(self) -> Sequence[str] | None:
        if not isinstance(self._keys, ListedKeys):
            return None
        keys = self._keys.keys
        return keys if all(a < b for a, b in pairwise(keys)) else None
