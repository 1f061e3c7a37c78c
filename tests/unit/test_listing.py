"""A page of a set's keys in one call: the same as counting, finding and slicing in three."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backfill.definitions.calls import Listing
from backfill.definitions.in_process import LocalDefinitions
from tests.support.house import NOON
from tests.support.loading import loaded

SOURCE = """
from backfill import PartitionSetDefinition, pipeline, step

@step
def a():
    return 1

@pipeline
def work():
    a()

days = PartitionSetDefinition("days", "work", lambda: [f"day-{n}" for n in range(5)])
none = PartitionSetDefinition("none", "work", lambda: [])
"""
KEYS = [f"day-{n}" for n in range(5)]


@pytest.fixture(scope="module")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalDefinitions]:
    with loaded(SOURCE, Path(tmp_path_factory.mktemp("listing"))) as made:
        yield made


@settings(max_examples=200, deadline=None)
@given(
    st.integers(1, 7),
    st.booleans(),
    st.none() | st.sampled_from([*KEYS, "gone"]),
    st.none() | st.integers(0, 8),
)
def test_a_page_begins_at_its_key_or_else_at_its_place(
    definitions: LocalDefinitions, limit: int, backward: bool, key: str | None, place: int | None
) -> None:
    told = definitions.listing("days", NOON, limit=limit, backward=backward, key=key, place=place)
    found = KEYS.index(key) if key in KEYS else None
    if key is not None and found is None and place is None:
        assert told == Listing(5, None, 0, ())
        return
    first = 4 if backward else 0
    if found is not None:
        first = found
    elif place is not None:
        first = min(place, 4)
    ways = KEYS[first::-1] if backward else KEYS[first:]
    wanted = tuple(sorted(ways[:limit]))
    assert told == Listing(5, found, KEYS.index(wanted[0]), wanted)


@pytest.mark.parametrize("backward", [False, True])
def test_pages_that_follow_each_other_show_every_key_once(
    definitions: LocalDefinitions, backward: bool
) -> None:
    seen: list[str] = []
    page = definitions.listing("days", NOON, limit=2, backward=backward)
    while page.keys:
        keys = list(page.keys)[:: -1 if backward else 1]
        seen += keys
        page = definitions.listing(
            "days", NOON, limit=2, backward=backward, key=keys[-1], place=99, skip=True
        )
    assert seen == KEYS[:: -1 if backward else 1]


@pytest.mark.parametrize("backward", [False, True])
def test_behind_a_key_that_is_gone_the_page_begins_next_to_its_place(
    definitions: LocalDefinitions, backward: bool
) -> None:
    page = definitions.listing(
        "days", NOON, limit=2, backward=backward, key="gone", place=2, skip=True
    )
    assert list(page.keys) == (["day-0", "day-1"] if backward else ["day-3", "day-4"])


@pytest.mark.parametrize("backward", [False, True])
def test_a_set_without_partitions_has_a_page_without_keys(
    definitions: LocalDefinitions, backward: bool
) -> None:
    for place in (None, 0, 3):
        page = definitions.listing("none", NOON, limit=2, backward=backward, place=place)
        assert (page.size, list(page.keys)) == (0, [])
