"""Frozen key ranges: walked in chunks, and found again in sets that have changed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backfill.definitions.calls import KeyRange
from backfill.definitions.chunks import Chunk
from backfill.definitions.keys import KeySpace, ListedKeys
from backfill.definitions.listing import Computed
from backfill.definitions.partitions import TimeWindowPartitionsDefinition
from backfill.definitions.ranges import RangeFinder, freeze, overlapping, total


def letters(text: str) -> ListedKeys:
    return ListedKeys(tuple(text))


def chunk_of(
    keys: KeySpace, ranges: list[KeyRange], offset: int, limit: int, after: str | None = None
) -> tuple[str, Chunk]:
    chunk = Chunk(Computed(keys), ranges, offset, limit, after)
    return "".join(chunk.all_keys()), chunk


def test_ranges_freeze_to_their_ends_and_sizes() -> None:
    assert freeze(letters("abcdef"), [(0, 2), (4, 4)]) == [("a", "c", 3), ("e", "e", 1)]


@settings(max_examples=50)
@given(st.lists(st.booleans(), min_size=1, max_size=40), st.integers(1, 12))
def test_chunks_of_any_size_give_every_key_once_in_order(chosen: list[bool], limit: int) -> None:
    keys = ListedKeys(tuple(f"k{n:02}" for n in range(len(chosen))))
    ranges = freeze(keys, [(n, n) for n, taken in enumerate(chosen) if taken])
    walked: list[str] = []
    offset = 0
    while offset < total(ranges):
        touched, within = overlapping(ranges, offset, limit)
        chunk = Chunk(Computed(keys), touched, within, limit)
        walked += chunk.all_keys()
        assert not chunk.drifted
        offset += chunk.next_offset - within
    assert walked == [key for key, taken in zip(keys.keys, chosen, strict=True) if taken]


@pytest.mark.parametrize(
    ("now", "left", "vanished"),
    [
        ("abcdef", "bcde", []),
        ("abdef", "bde", []),
        ("acdef", "cde", ["b"]),
        ("abcdf", "bcd", ["e"]),
        ("acdf", "cd", ["b", "e"]),
        ("af", "", ["b", "e"]),
        ("", "", ["b", "e"]),
    ],
)
def test_what_is_left_of_a_range_is_taken_and_its_lost_ends_are_told(
    now: str, left: str, vanished: list[str]
) -> None:
    found, chunk = chunk_of(letters(now), [KeyRange("b", "e", 4)], 0, 10)
    assert found == left
    assert list(chunk.vanished) == vanished
    assert chunk.drifted == (found != "bcde")
    assert chunk.next_offset == 4


@pytest.mark.parametrize(
    ("now", "left"),
    [("zxceq", "xce"), ("ecx", "e"), ("qbxz", "bxz"), ("qzx", ""), ("ezyxb", "ezyxb")],
)
def test_in_a_list_of_no_order_what_is_left_is_counted_from_the_other_end(
    now: str, left: str
) -> None:
    found, _ = chunk_of(letters(now), [KeyRange("b", "e", 4)], 0, 10)
    assert found == left


def test_an_end_that_vanished_from_a_time_window_set_is_found_by_its_time() -> None:
    at = datetime(2020, 6, 1, tzinfo=UTC)
    frozen = KeyRange("2020-05-02", "2020-05-10", 9)
    weekdays = TimeWindowPartitionsDefinition(
        "2020-05-01", "%Y-%m-%d", cron_schedule="0 0 * * *", exclusions=["0 0 * * 0,6"]
    ).key_space(at)
    found = RangeFinder(weekdays).find(frozen)
    assert list(weekdays.slice(found.start, found.stop)) == [
        f"2020-05-{day:02}" for day in range(4, 9)
    ]
    assert found.vanished == ("2020-05-02", "2020-05-10")


def test_keys_inserted_into_a_range_come_with_its_last_chunk() -> None:
    ranges = [KeyRange("a", "d", 4)]
    assert chunk_of(letters("aXbcYd"), ranges, 0, 2)[0] == "aX"
    assert chunk_of(letters("aXbcYd"), ranges, 2, 2)[0] == "bcYd"


def test_a_removed_key_costs_no_other_one_when_the_last_key_taken_is_told() -> None:
    ranges = [KeyRange("a", "f", 6)]
    before, _ = chunk_of(letters("abcdef"), ranges, 0, 3)
    assert before == "abc"
    after, _ = chunk_of(letters("acdef"), ranges, 3, 3, after="c")
    assert after == "def"


def test_a_walk_whose_time_is_up_says_where_to_go_on() -> None:
    keys = letters("abcdef")
    ranges = [KeyRange("a", "c", 3), KeyRange("e", "f", 2)]
    chunk = Chunk(Computed(keys), ranges, 0, 5)
    assert [partition.key for partition in chunk.until(float("-inf"))] == ["a"]
    assert chunk.next_offset == 1
    rest = Chunk(Computed(keys), ranges, 1, 5)
    assert [partition.key for partition in rest.until(float("inf"))] == ["b", "c", "e", "f"]
    assert rest.next_offset == 5
