"""Facts by key: found in the set's order, whatever order and kind of set they come from."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from backfill.definitions.facts import divide, incomplete, indexes_of, located
from backfill.definitions.keys import KeySpace, ListedKeys
from backfill.definitions.partitions import (
    DailyPartitionsDefinition,
    MultiPartitionsDefinition,
    StaticPartitionsDefinition,
    TimeWindowPartitionsDefinition,
)
from backfill.definitions.selection import IndexSet

AT = datetime(2026, 1, 1, 12, tzinfo=UTC)
MINUTES = TimeWindowPartitionsDefinition(
    start="2025-06-01-00:00", fmt="%Y-%m-%d-%H:%M", cron_schedule="*/5 * * * *"
).key_space(AT)
SHUFFLED = ListedKeys(tuple(f"{n * 7919 % 3000:04}" for n in range(3000)))
REGIONS = MultiPartitionsDefinition(
    {
        "date": DailyPartitionsDefinition("2025-01-01", end_offset=1),
        "region": StaticPartitionsDefinition(["eu", "us", "a|b"]),
    }
).key_space(AT)


@settings(max_examples=60, deadline=None)
@given(
    keys=st.sampled_from([MINUTES, SHUFFLED, REGIONS]),
    stretches=st.lists(
        st.tuples(st.integers(0, 2_999), st.integers(1, 1_500), st.integers(1, 40)), max_size=6
    ),
    ordered=st.booleans(),
)
def test_listed_keys_are_found_where_they_stand(
    keys: KeySpace, stretches: list[tuple[int, int, int]], ordered: bool
) -> None:
    wanted: set[int] = set()
    for start, length, step in stretches:
        wanted |= set(range(start, min(start + length, len(keys)), step))
    wanted = {index for index in wanted if index < len(keys)}
    listed = [keys.key_at(index) for index in sorted(wanted, key=lambda n: n if ordered else -n)]
    mixed = [*listed[:3], "not a key", *listed[3:]]
    assert indexes_of(keys, mixed) == IndexSet.from_indexes(wanted)


def test_a_fact_with_a_mark_before_it_lists_what_it_is_not_true_of() -> None:
    keys = ListedKeys(("a", "b", "c", "d"))
    found = located(keys, {"!missing": ["b", "gone"], "failed": ["c"]}, AT)
    assert list(found) == ["missing", "failed"]
    assert found["missing"] == IndexSet.from_indexes([0, 2, 3])
    assert found["failed"] == IndexSet.from_indexes([2])


def test_each_partition_goes_to_the_first_fact_that_is_true_of_it() -> None:
    keys = ListedKeys(tuple("abcdef"))
    facts = located(keys, {"one": ["a", "b"], "two": ["b", "c", "d"], "none": []}, AT)
    groups, rest = divide(keys, IndexSet.span(1, 6), facts)
    assert groups == [("one", 1, "b", "b"), ("two", 2, "c", "d")]
    assert rest == IndexSet.from_indexes([4, 5])


def test_windows_that_end_after_the_moment_are_incomplete() -> None:
    days = DailyPartitionsDefinition("2025-12-30", end_offset=3).key_space(AT)
    assert [days.key_at(n) for n in incomplete(days, AT)] == [
        "2026-01-01",
        "2026-01-02",
        "2026-01-03",
    ]
    midnight = datetime(2026, 1, 2, tzinfo=UTC)
    assert [days.key_at(n) for n in incomplete(days, midnight)] == ["2026-01-02", "2026-01-03"]
    assert incomplete(ListedKeys(("2099-01-01",)), AT) == IndexSet.empty()


def test_of_several_dimensions_those_with_an_unfinished_window_are_incomplete() -> None:
    assert [REGIONS.key_at(n) for n in incomplete(REGIONS, AT)] == [
        "2026-01-01|eu",
        "2026-01-01|us",
        "2026-01-01|a\\|b",
    ]
