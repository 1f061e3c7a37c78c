"""What holds for every set of time windows: checked over zones, decades and random schedules."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given, settings
from hypothesis import strategies as st

from backfill.definitions.partitions import TimeWindowPartitionsDefinition
from backfill.definitions.partitions.cron import parse_cron
from backfill.definitions.partitions.keyspace import TimeWindowKeys
from backfill.definitions.partitions.ticks import Ticks
from backfill.definitions.partitions.zones import transitions

ZONES = [
    "Africa/Cairo", "Africa/Casablanca", "Africa/El_Aaiun", "Africa/Monrovia", "America/Caracas",
    "America/Chicago", "America/Godthab", "America/Havana", "America/Los_Angeles",
    "America/New_York", "America/Noronha", "America/Santiago", "America/Sao_Paulo",
    "America/Scoresbysund", "America/St_Johns", "Antarctica/Troll", "Asia/Amman", "Asia/Beirut",
    "Asia/Dhaka", "Asia/Gaza", "Asia/Kathmandu", "Asia/Kolkata", "Asia/Pyongyang", "Asia/Tehran",
    "Asia/Tokyo", "Atlantic/Azores", "Australia/Adelaide", "Australia/Lord_Howe",
    "Australia/Sydney", "Europe/Berlin", "Europe/Dublin", "Europe/Lisbon", "Europe/London",
    "Europe/Moscow", "Pacific/Apia", "Pacific/Auckland", "Pacific/Chatham", "Pacific/Kiritimati",
    "Pacific/Kwajalein", "UTC",
]  # fmt: skip
SCHEDULES = ["0 * * * *", "*/5 * * * *", "30 2 * * *", "15 0,23 * * 1-5", "59 23 L * *"]
FIRST_YEAR, LAST_YEAR = 1970, 2030
PREFIXES = [
    "", "2006", "2006-1", "2006-10-29", "2006-10-29-01:", "2006-10-29-01:0", "2007-", "x", "2005",
    "2006-03-26-02", "2006-01-01-00:15", "2006-12-31-23:45zzz",
]  # fmt: skip
NOW = datetime(LAST_YEAR, 1, 1, tzinfo=UTC)


def sixty_years(zone: str, cron: str) -> TimeWindowKeys:
    return TimeWindowPartitionsDefinition(
        start=date(FIRST_YEAR, 1, 1), fmt="%Y-%m-%d-%H:%M", cron_schedule=cron, timezone=zone
    ).key_space(NOW)


def near_every_change(zone: str, space: TimeWindowKeys) -> set[int]:
    """Return the indexes of windows around the changes of the clocks, and of some others."""
    rng = random.Random(zone)
    places = {0, 1, len(space) - 2, len(space) - 1}
    for year in range(FIRST_YEAR, LAST_YEAR):
        for change in transitions(zone, year):
            middle = space.from_instant(datetime.fromtimestamp(change.at, UTC))
            places.update(range(middle - 3, middle + 3))
    chosen = rng.sample(sorted(places), min(len(places), 90)) if len(places) > 90 else places
    others = (rng.randrange(len(space)) for _ in range(30))
    return {index for index in (*chosen, *others) if 0 <= index < len(space) - 1}


@pytest.mark.parametrize("zone", ZONES)
def test_windows_tile_sixty_years_and_every_key_finds_its_place(zone: str) -> None:
    for cron in SCHEDULES:
        space = sixty_years(zone, cron)
        for index in near_every_change(zone, space):
            key = space.key_at(index)
            assert space.index_of(key) == index
            window, following = space.window_at(index), space.window_at(index + 1)
            assert window.start.timestamp() < window.end.timestamp() == following.start.timestamp()
            assert space.slice(index, index + 2) == [key, space.key_at(index + 1)]
            assert space.from_instant(window.start) == index


@pytest.mark.parametrize(
    ("zone", "year", "changes"),
    [
        ("Africa/Freetown", 1939, 3),
        ("America/Noronha", 2000, 3),
        ("Asia/Gaza", 2040, 4),
        ("Pacific/Apia", 2011, 3),
        ("Asia/Tokyo", 2024, 0),
    ],
)
def test_short_changes_of_the_clocks_are_not_missed(zone: str, year: int, changes: int) -> None:
    daily = [
        datetime.fromtimestamp(second, ZoneInfo(zone)).utcoffset()
        for second in range(
            int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) - 1,
            int(datetime(year + 1, 1, 1, tzinfo=UTC).timestamp()),
            43_200,
        )
    ]
    assert sum(a != b for a, b in pairwise(daily)) == len(transitions(zone, year)) == changes


def test_every_hour_of_sixty_years_is_in_exactly_one_window() -> None:
    for zone in ("America/New_York", "Europe/London", "Pacific/Auckland"):
        space = sixty_years(zone, "0 * * * *")
        first, last = space.window_at(0), space.window_at(len(space) - 1)
        assert (last.end.timestamp() - first.start.timestamp()) / 3600 == len(space)


def crons() -> st.SearchStrategy[str]:
    minutes = st.sampled_from(["0", "1", "0,30", "10-13", "5,59"])
    hours = st.sampled_from(["*", "0", "1", "2", "3", "23", "0,2", "1-4", "9-17"])
    days = st.sampled_from(["*", "*", "1", "15,31", "28-31"])
    months = st.sampled_from(["*", "*", "3", "mar,oct,nov", "4-10"])
    weekdays = st.sampled_from(["*", "*", "0", "mon-fri", "6,7"])
    return st.tuples(minutes, hours, days, months, weekdays).map(" ".join)


@settings(max_examples=60, deadline=None)
@given(crons(), st.sampled_from(ZONES), st.integers(0, 20_000), st.integers(0, 1439))
def test_ticks_are_those_of_the_calendar_read_day_by_day(
    cron: str, zone: str, day: int, minute: int
) -> None:
    start = (datetime(1975, 1, 1, tzinfo=UTC) + timedelta(days=day, minutes=minute)).timestamp()
    ticks = Ticks(parse_cron(cron), (), zone, int(start))
    stop = int(start) + 40 * 86_400
    expected = sorted(t for t in calendar_ticks(cron, zone, int(start), stop) if start <= t < stop)
    assert list(ticks.between(int(start), stop)) == expected
    assert ticks.count_before(stop) == len(expected)
    assert [ticks.nth(n) for n in range(len(expected))] == expected


def calendar_ticks(cron: str, zone_name: str, start: int, stop: int) -> set[int]:
    """Return the ticks by looking at every day and every time of it."""
    zone = ZoneInfo(zone_name)
    parsed = CronSim(cron, datetime(2000, 1, 1, tzinfo=UTC))
    first = datetime.fromtimestamp(start, zone).date() - timedelta(days=2)
    found: set[int] = set()
    for day in (first + timedelta(days=n) for n in range((stop - start) // 86_400 + 5)):
        if day.month in parsed.months and parsed.match_day(day):
            for hour in sorted(parsed.hours):
                for minute in sorted(parsed.minutes):
                    wall = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone)
                    found.update(instants(wall, every_hour=len(parsed.hours) == 24))
    return found


def instants(wall: datetime, *, every_hour: bool) -> Iterator[int]:
    """Yield when a named time happens: never, once or twice."""
    both = {wall.timestamp(), wall.replace(fold=1).timestamp()}
    real = sorted(t for t in both if same_wall(t, wall))
    if every_hour:
        yield from (int(t) for t in real)
    elif not real:  # skipped: on to the first instant after the skip
        low, high = int(min(both)) - 86_400, int(max(both))
        while high - low > 1:
            middle = (low + high) // 2
            late = datetime.fromtimestamp(middle, wall.tzinfo).replace(tzinfo=None)
            low, high = (low, middle) if late > wall.replace(tzinfo=None) else (middle, high)
        yield high
    else:
        yield int(real[-1] if wall.hour in (1, 2, 3) else real[0])


def same_wall(instant: float, wall: datetime) -> bool:
    local = datetime.fromtimestamp(instant, wall.tzinfo)
    return local.replace(tzinfo=None, fold=0) == wall.replace(tzinfo=None, fold=0)


@settings(max_examples=30, deadline=None)
@given(crons(), st.lists(st.sampled_from(["0 0 * * *", "* 1-4 * * *", "* * 1 * 0"]), max_size=2),
       st.sampled_from(ZONES))  # fmt: skip
def test_excluded_windows_are_the_ticks_of_the_other_schedules(
    cron: str, exclusions: list[str], zone: str
) -> None:
    start = int(datetime(2019, 2, 1, tzinfo=UTC).timestamp())
    stop = start + 400 * 86_400
    left = set(Ticks(parse_cron(cron), (), zone, start).between(start, stop))
    for exclusion in exclusions:
        left -= set(Ticks(parse_cron(exclusion), (), zone, start).between(start, stop))
    kept = Ticks(parse_cron(cron), tuple(map(parse_cron, exclusions)), zone, start)
    assert list(kept.between(start, stop)) == sorted(left)
    assert kept.count_before(stop) == len(left)


@pytest.mark.parametrize("zone", ["America/New_York", "Australia/Lord_Howe", "America/St_Johns"])
def test_keys_with_a_prefix_are_found_without_looking_at_all(zone: str) -> None:
    space = TimeWindowPartitionsDefinition(
        start=date(2006, 1, 1),
        fmt="%Y-%m-%d-%H:%M",
        cron_schedule="*/15 * * * *",
        timezone=zone,
        exclusions=["0 * * * 0"],
    ).key_space(datetime(2007, 1, 1, tzinfo=UTC))
    keys = space.slice(0, len(space))
    for prefix in PREFIXES:
        ranges = space.with_prefix(prefix)
        assert ranges is not None
        found = [index for part in ranges for index in part]
        assert found == [i for i, key in enumerate(keys) if key.startswith(prefix)]
