"""Selections of a product of dimensions that are a product themselves: counted, not listed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod

from backfill.definitions.selection.index_set import IndexSet


@dataclass(frozen=True)
class Box:
    """One set of indexes per dimension; the last dimension varies fastest.

    Attributes:
        sizes: How many keys each dimension has in all.
    """

    sides: tuple[IndexSet, ...]
    sizes: tuple[int, ...]

    @classmethod
    def full(cls, sizes: tuple[int, ...]) -> Box:
        """Return the whole product."""
        return cls(tuple(IndexSet.span(0, size) for size in sizes), sizes)

    def __len__(self) -> int:
        return prod(len(side) for side in self.sides)

    def __bool__(self) -> bool:
        return all(self.sides)

    def __contains__(self, index: object) -> bool:
        if not isinstance(index, int):
            return False
        for side, size in zip(reversed(self.sides), reversed(self.sizes), strict=True):
            index, place = divmod(index, size)
            if place not in side:
                return False
        return index == 0

    def narrowed(self, place: int, side: IndexSet) -> Box:
        """Return the part of the box whose key of one dimension is also in `side`."""
        sides = list(self.sides)
        sides[place] = sides[place].intersect(side)
        return replace(self, sides=tuple(sides))

    def intersect(self, other: Box) -> Box:
        """Return what is in both."""
        pairs = zip(self.sides, other.sides, strict=True)
        return replace(self, sides=tuple(a.intersect(b) for a, b in pairs))

    def union(self, other: Box) -> Box | None:
        """Return what is in either when that is a box, else None."""
        if not self or not other:
            return self or other
        different = self._different_sides(other)
        if len(different) > 1:
            return None
        if not different:
            return self
        return self._with_side(different[0], self._at(different[0]).union(other._at(different[0])))

    def difference(self, part: Box) -> Box | None:
        """Return this box without a part of it, when that is a box, else None."""
        if not part:
            return self
        different = self._different_sides(part)
        if len(different) > 1:
            return None
        place = different[0] if different else 0
        return self._with_side(place, self._at(place).difference(part._at(place)))

    def ranges(self, start: int = 0, stop: int | None = None) -> Iterator[range]:
        """Yield ranges of indexes of the whole product, ascending, within start <= i < stop."""
        end = prod(self.sizes) if stop is None else stop
        return _ranges(self.sides, self.sizes, start, end) if self else iter(())

    def _at(self, place: int) -> IndexSet:
        return self.sides[place]

    def _with_side(self, place: int, side: IndexSet) -> Box:
        sides = list(self.sides)
        sides[place] = side
        return replace(self, sides=tuple(sides))

    def _different_sides(self, other: Box) -> list[int]:
        pairs = zip(self.sides, other.sides, strict=True)
        return [place for place, (mine, theirs) in enumerate(pairs) if mine != theirs]


def _ranges(
    sides: tuple[IndexSet, ...], sizes: tuple[int, ...], start: int, stop: int
) -> Iterator[range]:
    outer, inner = sides[0], sides[1:]
    stride = prod(sizes[1:])
    rows = outer.clip(max(start, 0) // stride, -(-stop // stride))
    if prod(len(side) for side in inner) == stride:  # whole rows: neighbours are one range
        for row in rows.ranges:
            yield range(max(row.start * stride, start), min(row.stop * stride, stop))
        return
    for row_index in rows:
        base = row_index * stride
        for part in _ranges(inner, sizes[1:], start - base, stop - base):
            yield range(part.start + base, part.stop + base)
