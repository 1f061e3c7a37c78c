"""How long runs take together, as a range."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backfill.definitions.hours import parse_hours
from backfill.lifecycle.forecasting import Sample, span, stretched

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
HOUR = 3600.0


def test_equal_runs_take_what_they_take() -> None:
    low, likely, high = span(Sample("backfill", [10.0] * 20), 100, 4, None)
    assert (low, likely, high) == (250.0, 250.0, 250.0)


def test_the_last_run_takes_its_time_however_many_slots_there_are() -> None:
    _, likely, _ = span(Sample("backfill", [10.0] * 20), 1, 8, None)
    assert likely == 10.0


def test_a_rate_knows_better_than_durations_do() -> None:
    low, likely, high = span(Sample("backfill", [1.0] * 20), 600, 8, rate=1.0)
    assert likely == 600.0
    assert low < 600.0 < high


def test_a_single_duration_is_a_wide_guess() -> None:
    low, likely, high = span(Sample("pipeline", [10.0]), 10, 1, None)
    assert likely == 100.0
    assert low < 60.0
    assert high > 140.0


@given(
    durations=st.lists(st.floats(0.001, 1e5), min_size=1, max_size=50),
    runs=st.integers(1, 10**6),
    lanes=st.integers(1, 500),
    rate=st.none() | st.floats(0.001, 1e4),
)
@settings(max_examples=100, deadline=None)
def test_likely_lies_within_the_range(
    durations: list[float], runs: int, lanes: int, rate: float | None
) -> None:
    low, likely, high = span(Sample("backfill", durations), runs, lanes, rate)
    assert 0 <= low <= likely <= high


@pytest.mark.parametrize("lanes", [1, 4])
def test_the_range_holds_four_times_of_five(lanes: int) -> None:
    chance = random.Random(7)
    inside = 0
    for _ in range(300):
        seen = [chance.lognormvariate(1, 0.6) for _ in range(30)]
        low, _, high = span(Sample("backfill", seen), 100, lanes, None)
        free = [0.0] * lanes
        for _ in range(100):
            free[free.index(min(free))] += chance.lognormvariate(1, 0.6)
        inside += low <= max(free) <= high
    assert inside >= 0.75 * 300


@pytest.mark.parametrize(
    ("hours", "seconds", "takes"),
    [
        ([], 5 * HOUR, 5 * HOUR),
        (["22:00-04:00"], 1 * HOUR, 11 * HOUR),  # begins at 22:00
        (["22:00-04:00"], 6 * HOUR, 16 * HOUR),  # to the end of the night
        (["22:00-04:00"], 7 * HOUR, 35 * HOUR),  # one hour of the next
        (["10:00-14:00"], 1 * HOUR, 1 * HOUR),
        (["10:00-14:00"], 3 * HOUR, 23 * HOUR),
    ],
)
def test_work_within_hours_takes_the_time_between_them_too(
    hours: list[str], seconds: float, takes: float
) -> None:
    assert stretched([parse_hours(text) for text in hours], NOON, seconds) == takes


def test_work_of_years_in_a_few_hours_is_not_foretold() -> None:
    assert stretched([parse_hours("sun 01:00-02:00")], NOON, 10_000 * HOUR) is None
