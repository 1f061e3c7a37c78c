"""What is known of partitions from elsewhere, by their keys, and selections divided by it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Literal, NamedTuple

from backfill.definitions.keys import DimensionedKeys, KeySpace
from backfill.definitions.partitions.keyspace import TimeWindowKeys
from backfill.definitions.selection.boxes import Box
from backfill.definitions.selection.index_set import IndexSet

INCOMPLETE = "incomplete"
"""The fact that needs no keys: the time window of the partition has not ended yet."""

NOT_TAKEN = "not_taken"
"""Why partitions were left out of which only a few are taken."""

_BLOCK = 1_024
_NEAR = 32


class Group(NamedTuple):
    """Partitions of a selection that share a fact: how many, and the first and last of them."""

    name: str
    size: int
    first: str
    last: str


class Take(NamedTuple):
    """A few of the partitions that are selected.

    Attributes:
        how: The `first` or the `last` so many in the set's order, or `spread`: evenly over all,
            both ends among them; the same selection always gives the same ones.
    """

    size: int
    how: Literal["first", "last", "spread"]


def located(
    keys: KeySpace, facts: Mapping[str, Sequence[str]], at: datetime
) -> dict[str, IndexSet]:
    """Return where the partitions of each fact stand.

    Args:
        facts: Keys by the name of what is true of them. A name with a `!` before it lists those
            that it is not true of. Keys that the set does not have are passed over.
    """
    found = {}
    for name, listed in facts.items():
        if name == INCOMPLETE:
            found[name] = incomplete(keys, at)
        elif name.startswith("!"):
            found[name[1:]] = IndexSet.span(0, len(keys)) - indexes_of(keys, listed)
        else:
            found[name] = indexes_of(keys, listed)
    return found


def divide(
    keys: KeySpace, selected: IndexSet, facts: Mapping[str, IndexSet]
) -> tuple[list[Group], IndexSet]:
    """Give each selected partition to the first fact that is true of it; return also the rest."""
    groups = []
    for name, indexes in facts.items():
        part = selected & indexes
        if part:
            groups.append(group(name, keys, part))
            selected = selected - part
    return groups, selected


def taken(selected: IndexSet, take: Take, ordered: Iterable[range]) -> IndexSet:
    """Return so many of the selected partitions; `ordered` says which are the first."""
    size = len(selected)
    if take.how == "first":
        return IndexSet.from_ranges(_first(ordered, take.size))
    if take.how == "last":
        return selected.slice(max(0, size - take.size), take.size)
    places = spread(size, take.size)
    return IndexSet.from_indexes(selected.slice(place, 1).first for place in places)


def _first(ranges: Iterable[range], size: int) -> Iterator[range]:
    for part in ranges:
        if size <= 0:
            return
        yield part[:size]
        size -= len(part)


def spread(size: int, count: int) -> list[int]:
    """Return at most `count` places of `size`, evenly spread, the first and the last among them."""
    wanted = min(size, count)
    if wanted <= 1:
        return [0] * wanted
    return [round(n * (size - 1) / (wanted - 1)) for n in range(wanted)]


def group(name: str, keys: KeySpace, part: IndexSet) -> Group:
    """Return some partitions, at least one, as a group."""
    return Group(name, len(part), keys.key_at(part.first), keys.key_at(part.last))


def indexes_of(keys: KeySpace, listed: Sequence[str]) -> IndexSet:
    """Return where the listed keys stand; fastest when they come in the set's order."""
    return IndexSet.from_indexes(_indexes(keys, listed))


def incomplete(keys: KeySpace, at: datetime) -> IndexSet:
    """Return the partitions whose time window ends after a moment."""
    if isinstance(keys, TimeWindowKeys):
        return IndexSet.span(_first_ending_after(keys, at), len(keys))
    if not isinstance(keys, DimensionedKeys):
        return IndexSet.empty()
    whole = Box.full(tuple(len(part) for part in keys.dimensions.values()))
    sides = [incomplete(part, at) for part in keys.dimensions.values()]
    boxes = [whole.narrowed(place, side) for place, side in enumerate(sides) if side]
    return IndexSet.from_ranges(part for box in boxes for part in box.ranges())


def _indexes(keys: KeySpace, listed: Sequence[str]) -> Iterator[int]:
    """Yield where listed keys stand, reading the set's keys page by page where many are near."""
    for start in range(0, len(listed), _BLOCK):
        block = listed[start : start + _BLOCK]
        first, last = keys.index_of(block[0]), keys.index_of(block[-1])
        page: dict[str, int] = {}
        if first is not None and last is not None and 0 <= last - first < len(block) * _NEAR:
            between = keys.slice(first, last + 1)
            if list(between) == list(block):
                yield from range(first, last + 1)
                continue
            page = {key: first + n for n, key in enumerate(between)}
        for key in block:
            index = page.get(key)
            if index is None:
                index = keys.index_of(key)
            if index is not None:
                yield index


def _first_ending_after(keys: TimeWindowKeys, at: datetime) -> int:
    low, high = 0, len(keys)
    while low < high:
        middle = (low + high) // 2
        if keys.window_at(middle).end > at:
            high = middle
        else:
            low = middle + 1
    return low
