"""Sets of indexes behave as sets of integers do, whatever their ranges."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from backfill.definitions.selection import IndexSet
from backfill.definitions.selection.boxes import Box

INTEGERS = st.sets(st.integers(0, 40))


@given(INTEGERS, INTEGERS)
def test_sets_are_joined_met_and_taken_away(one: set[int], other: set[int]) -> None:
    a, b = IndexSet.from_indexes(one), IndexSet.from_indexes(other)
    assert list(a | b) == sorted(one | other)
    assert list(a & b) == sorted(one & other)
    assert list(a - b) == sorted(one - other)
    assert (a == b) == (one == other)
    assert len(a) == len(one)
    assert bool(a) == bool(one)
    assert all((i in a) == (i in one) for i in range(-1, 42))


@given(INTEGERS, st.integers(0, 45), st.integers(0, 45))
def test_a_page_is_a_stretch_of_the_order(members: set[int], offset: int, limit: int) -> None:
    found = IndexSet.from_indexes(members)
    assert list(found.slice(offset, limit)) == sorted(members)[offset : offset + limit]
    assert list(found.clip(offset, limit)) == [i for i in sorted(members) if offset <= i < limit]


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30))))
def test_ranges_of_any_order_become_sorted_and_disjoint(pairs: list[tuple[int, int]]) -> None:
    found = IndexSet.from_ranges(range(a, b) for a, b in pairs)
    assert list(found) == sorted({i for a, b in pairs for i in range(a, b)})
    ranges = list(found.ranges)
    assert all(x.stop < y.start for x, y in pairwise(ranges))
    assert IndexSet.from_ranges(ranges) == found


def test_a_billion_neighbours_are_one_range() -> None:
    found = IndexSet.span(0, 10**9) - IndexSet.span(5, 7)
    assert len(found) == 10**9 - 2
    assert list(found.slice(4, 2)) == [4, 7]
    assert repr(found) == "IndexSet(0..4, 7..999999999)"
    assert (found.first, found.last) == (0, 10**9 - 1)


@given(INTEGERS, INTEGERS, st.integers(0, 1700), st.integers(0, 1700))
def test_a_box_is_the_product_of_its_sides(
    rows: set[int], columns: set[int], start: int, stop: int
) -> None:
    box = Box((IndexSet.from_indexes(rows), IndexSet.from_indexes(columns)), (41, 41))
    members = {row * 41 + column for row in rows for column in columns}
    assert len(box) == len(members)
    found = IndexSet.from_ranges(box.ranges(start, stop))
    assert set(found) == {i for i in members if start <= i < stop}
    assert all((i in box) == (i in members) for i in range(0, 41 * 41, 13))
