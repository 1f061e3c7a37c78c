"""Guards as pure functions: what errors have in common, when a breaker breaks, who is a canary."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backfill.definitions.facts import spread
from backfill.lifecycle.breaker import Breaker, Counted, count, ends_told
from backfill.lifecycle.guards import CanaryState, Stand
from backfill.lifecycle.likeness import LONGEST, error_key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("no table 'sales_7'", "no table 'sales_8'"),
        ("timed out after 3.5 s", "timed out after 12 s"),
        ("at 0x7f3a2c", "at 0x19bc"),
        (
            "job 1b4e28ba-2fa1-11d2-883f-0016d3cca427 died",
            "job 6ba7b810-9dad-11d1-80b4-00c04fd430c8 died",
        ),
        ("commit deadbeef1 lost", "commit 0123abcd4 lost"),
        ("wrong\nline 3", "wrong\nline 4 of another kind"),
        ("day-04: empty", "day-05: empty"),
    ],
)
def test_errors_that_differ_in_numbers_and_names_only_are_alike(one: str, other: str) -> None:
    assert error_key("ValueError", one) == error_key("ValueError", other)
    assert error_key("ValueError", one) != error_key("KeyError", other)


def test_the_partition_is_masked_by_its_name() -> None:
    assert error_key("E", "eu is down", partition="eu") == "E: <partition> is down"
    assert error_key("E", "europe is down", partition="eu") == "E: europe is down"


@given(st.none() | st.text(), st.none() | st.text(), st.none() | st.text())
def test_any_error_has_a_short_key(
    kind: str | None, message: str | None, partition: str | None
) -> None:
    key = error_key(kind, message, partition=partition)
    assert key
    assert len(key) <= max(LONGEST, 3 * LONGEST if kind else 0)
    assert "\0" not in key


@given(
    st.integers(1, 5), st.integers(1, 8), st.lists(st.booleans(), max_size=40), st.integers(0, 40)
)
def test_counting_in_pieces_is_counting_at_once(
    in_row: int, last: int, ends: list[bool], cut: int
) -> None:
    breaker = Breaker(in_row=in_row, percent=60, last=last)
    at_once, broke = count(breaker, Counted(), ends)
    first, broke_first = count(breaker, Counted(), ends[:cut])
    both, broke_second = count(breaker, first, ends[cut:])
    assert both == at_once
    assert broke == (broke_first or broke_second)


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 6))
def test_so_many_in_a_row_break_it_and_fewer_never(ends: list[bool], in_row: int) -> None:
    text = "".join("1" if failed else "0" for failed in ends)
    _, broke = count(Breaker(in_row=in_row), Counted(), ends)
    assert (broke is not None) == ("1" * in_row in text)


def test_a_transaction_that_lists_no_runs_is_counted_in_turn() -> None:
    told = ends_told({"counts": {"7": {"failed": 2, "succeeded": 2, "running": -4}}}, 5)
    assert told == {7: [(5, False), (5, True), (5, False), (5, True)]}
    assert ends_told({"counts": {"7": {"failed": 3}}}, 5) == {7: [(5, True)] * 3}
    assert ends_told({"counts": {"7": {"pending": 3}}}, 5) == {}


def test_runs_outside_backfills_and_those_tried_again_are_not_counted() -> None:
    runs = [
        [1, "failed", 1, None, 1, "a"],
        [2, "pending", 1, 7, 1, "b"],
        [3, "failed", 1, 7, 1, "c"],
    ]
    assert ends_told({"runs": runs, "counts": {"7": {"failed": 1}}}, 5) == {7: [(5, True)]}


@pytest.mark.parametrize(
    ("stand", "percent", "verdict"),
    [
        (Stand(3, 0, 0, 0), 100, CanaryState.PASSED),
        (Stand(2, 0, 1, 0), 100, CanaryState.RUNNING),
        (Stand(2, 1, 0, 0), 100, CanaryState.FAILED),
        (Stand(0, 1, 2, 0), 100, CanaryState.FAILED),
        (Stand(2, 1, 0, 0), 66, CanaryState.PASSED),
        (Stand(2, 0, 1, 0), 66, CanaryState.PASSED),
        (Stand(0, 2, 1, 0), 66, CanaryState.FAILED),
        (Stand(2, 0, 0, 1), 100, CanaryState.PASSED),
        (Stand(0, 0, 0, 3), 100, CanaryState.FAILED),
    ],
)
def test_a_canary_is_decided_as_soon_as_it_can_be(
    stand: Stand, percent: int, verdict: CanaryState
) -> None:
    assert stand.verdict(percent) is verdict


@given(st.integers(1, 10_000), st.integers(1, 200))
def test_places_are_spread_from_the_first_to_the_last(size: int, wanted: int) -> None:
    places = spread(size, wanted)
    assert len(places) == len(set(places)) == min(size, wanted)
    assert places == sorted(places)
    assert places[0] == 0
    if min(size, wanted) > 1:
        assert places[-1] == size - 1
        gaps = [b - a for a, b in pairwise(places)]
        assert max(gaps) - min(gaps) <= 1
