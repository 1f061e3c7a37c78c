"""Sets of indexes as sorted, disjoint ranges: a billion neighbours cost two numbers."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import accumulate, islice


class IndexSet:
    """An immutable set of non-negative integers."""

    __slots__ = ("__dict__", "_starts", "_stops")

    def __init__(self, starts: array[int], stops: array[int]) -> None:
        """Take sorted ranges that neither overlap nor touch; use the class methods instead."""
        self._starts = starts
        self._stops = stops

    @classmethod
    def empty(cls) -> IndexSet:
        """Return the set of nothing."""
        return cls(array("q"), array("q"))

    @classmethod
    def span(cls, start: int, stop: int) -> IndexSet:
        """Return the integers with start <= i < stop."""
        return cls.from_ranges([range(start, stop)])

    @classmethod
    def from_ranges(cls, ranges: Iterable[range]) -> IndexSet:
        """Return the union of ranges of step 1, which come in any order."""
        starts, stops = array("q"), array("q")
        for part in sorted((r for r in ranges if r.start < r.stop), key=lambda r: r.start):
            if starts and part.start <= stops[-1]:
                stops[-1] = max(stops[-1], part.stop)
            else:
                starts.append(part.start)
                stops.append(part.stop)
        return cls(starts, stops)

    @classmethod
    def from_indexes(cls, indexes: Iterable[int]) -> IndexSet:
        """Return the set of these integers, which come in any order."""
        starts, stops = array("q"), array("q")
        for index in sorted(indexes):
            if starts and index <= stops[-1]:
                stops[-1] = max(stops[-1], index + 1)
            else:
                starts.append(index)
                stops.append(index + 1)
        return cls(starts, stops)

    @property
    def ranges(self) -> Iterator[range]:
        """The ranges it is made of, ascending; between two of them is a gap."""
        return map(range, self._starts, self._stops)

    @property
    def first(self) -> int:
        """The smallest integer of a set that is not empty."""
        return self._starts[0]

    @property
    def last(self) -> int:
        """The largest integer of a set that is not empty."""
        return self._stops[-1] - 1

    def range_count(self) -> int:
        """Return how many ranges it is made of."""
        return len(self._starts)

    def __len__(self) -> int:
        return sum(self._stops) - sum(self._starts)

    def __bool__(self) -> bool:
        return bool(self._starts)

    def __iter__(self) -> Iterator[int]:
        for part in self.ranges:
            yield from part

    def __contains__(self, index: object) -> bool:
        if not isinstance(index, int):
            return False
        place = bisect_right(self._starts, index) - 1
        return place >= 0 and index < self._stops[place]

    def slice(self, offset: int, limit: int) -> IndexSet:
        """Return the integers at the places offset <= place < offset + limit of the order."""
        starts, stops = array("q"), array("q")
        place = max(bisect_right(self._places, offset) - 1, 0)
        left = limit
        while place < len(self._starts) and left > 0:
            start = self._starts[place] + max(offset - self._places[place], 0)
            stop = min(self._stops[place], start + left)
            if start < stop:
                starts.append(start)
                stops.append(stop)
                left -= stop - start
            place += 1
        return IndexSet(starts, stops)

    def clip(self, start: int, stop: int) -> IndexSet:
        """Return its integers with start <= i < stop."""
        return self.intersect(IndexSet.span(start, stop)) if start < stop else IndexSet.empty()

    def union(self, other: IndexSet) -> IndexSet:
        """Return what is in either."""
        if not self or not other:
            return self or other
        return IndexSet.from_ranges([*self.ranges, *other.ranges])

    def intersect(self, other: IndexSet) -> IndexSet:
        """Return what is in both."""
        starts, stops = array("q"), array("q")
        mine, theirs = 0, 0
        if other._starts and self._starts:  # begin where the other set begins
            mine = max(bisect_right(self._starts, other._starts[0]) - 1, 0)
            theirs = max(bisect_right(other._starts, self._starts[0]) - 1, 0)
        while mine < len(self._starts) and theirs < len(other._starts):
            start = max(self._starts[mine], other._starts[theirs])
            stop = min(self._stops[mine], other._stops[theirs])
            if start < stop:
                starts.append(start)
                stops.append(stop)
            if self._stops[mine] < other._stops[theirs]:
                mine += 1
            else:
                theirs += 1
        return IndexSet(starts, stops)

    def difference(self, other: IndexSet) -> IndexSet:
        """Return what is in this set and not in the other."""
        if not self or not other:
            return self
        gaps_start = array("q", [0])
        gaps_start.extend(other._stops)
        gaps_stop = array("q", other._starts)
        gaps_stop.append(max(self._stops[-1], other._stops[-1]))
        first = 1 if gaps_stop[0] == 0 else 0
        last = len(gaps_stop) - (gaps_start[-1] == gaps_stop[-1])
        return self.intersect(IndexSet(gaps_start[first:last], gaps_stop[first:last]))

    __or__ = union
    __and__ = intersect
    __sub__ = difference

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, IndexSet):
            return NotImplemented
        return self._starts == other._starts and self._stops == other._stops

    def __hash__(self) -> int:
        return hash((self._starts.tobytes(), self._stops.tobytes()))

    def __repr__(self) -> str:
        shown = ", ".join(f"{r.start}..{r.stop - 1}" for r in islice(self.ranges, 6))
        more = ", …" if len(self._starts) > 6 else ""
        return f"IndexSet({shown}{more})"

    @cached_property
    def _places(self) -> array[int]:
        """How many integers precede each range."""
        sizes = (stop - start for start, stop in zip(self._starts, self._stops, strict=True))
        return array("q", accumulate(sizes, initial=0))
