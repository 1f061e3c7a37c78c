"""Hours: days, wall-clock times and a zone, also where clocks jump."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backfill.definitions.hours import DAYS, Hours, opening, parse_hours
from backfill.errors import Invalid


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("mon-fri 20:00-06:00 Europe/Zurich", "mon-fri 20:00-06:00 Europe/Zurich"),
        ("20:00-06:00", "daily 20:00-06:00 UTC"),
        ("sat,sun", "sat,sun 00:00-24:00 UTC"),
        ("fri-mon 1:30 - 2:00 Asia/Kathmandu", "mon,fri,sat,sun 01:30-02:00 Asia/Kathmandu"),
        ("Monday,WED UTC", "mon,wed 00:00-24:00 UTC"),
        ("daily 22:00-24:00", "daily 22:00-24:00 UTC"),
        ("America/New_York 09:00-17:00", "daily 09:00-17:00 America/New_York"),
    ],
)
def test_a_window_is_read_and_told(text: str, told: str) -> None:
    hours = parse_hours(text)
    assert str(hours) == told
    assert Hours.unpacked(hours.packed()) == hours
    assert parse_hours(told) == hours


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not a window"),
        ("Europe/Zurich", "neither days nor hours"),
        ("mon tue 01:00-02:00", "not a window"),
        ("noday 01:00-02:00", "time zone"),
        ("01:00-24:01", "time of the day"),
        ("01:60-02:00", "time of the day"),
        ("24:00-02:00", "cannot start at 24:00"),
        ("mon 01:00-02:00 Europe/Zurisch", "time zone"),
    ],
)
def test_a_window_that_makes_no_sense_is_refused(text: str, why: str) -> None:
    with pytest.raises(Invalid, match=why):
        parse_hours(text)


@pytest.mark.parametrize(
    ("now", "is_open", "until"),
    [
        ("2026-01-02T18:59", False, "2026-01-02T19:00"),  # a Friday, 19:59 in Zurich
        ("2026-01-02T19:00", True, "2026-01-03T05:00"),
        ("2026-01-03T04:59", True, "2026-01-03T05:00"),
        ("2026-01-03T05:00", False, "2026-01-05T19:00"),  # nothing begins on a weekend
    ],
)
def test_hours_past_midnight_belong_to_the_day_they_begin_on(
    now: str, is_open: bool, until: str
) -> None:
    found = opening([parse_hours("mon-fri 20:00-06:00 Europe/Zurich")], at(now))
    assert (found.is_open, found.until) == (is_open, at(until))


def test_windows_that_touch_are_one() -> None:
    hours = [parse_hours("sat"), parse_hours("sun 00:00-12:00")]
    assert opening(hours, at("2026-01-03T10:00")).until == at("2026-01-04T12:00")


def test_hours_that_never_end_say_so() -> None:
    assert opening([], at("2026-01-03T10:00")).is_open
    assert opening([parse_hours("daily")], at("2026-01-03T10:00")).until is None


@pytest.mark.parametrize(
    ("text", "begins", "ends"),
    [
        # 02:00 to 03:00 is left out on 2026-03-29: a time in it is the moment of the jump.
        ("sun 02:30-04:00 Europe/Zurich", "2026-03-29T01:00", "2026-03-29T02:00"),
        ("sun 01:00-02:30 Europe/Zurich", "2026-03-29T00:00", "2026-03-29T01:00"),
        # 02:00 to 03:00 comes twice on 2026-10-25: from the first to the second.
        ("sun 02:30-02:45 Europe/Zurich", "2026-10-25T00:30", "2026-10-25T01:45"),
        ("sat 22:00-03:00 Europe/Zurich", "2026-10-24T20:00", "2026-10-25T02:00"),
    ],
)
def test_where_clocks_jump(text: str, begins: str, ends: str) -> None:
    hours = [parse_hours(text)]
    minute = timedelta(minutes=1)
    assert not opening(hours, at(begins) - minute).is_open
    assert opening(hours, at(begins)).is_open
    assert opening(hours, at(ends) - minute).is_open
    assert not opening(hours, at(ends)).is_open


ZONES = ("UTC", "Europe/Zurich", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu")


@given(
    days=st.sets(st.sampled_from(DAYS), min_size=1),
    start=st.integers(0, 1439),
    end=st.integers(1, 1440),
    zone=st.sampled_from(ZONES),
    minutes=st.integers(0, 2 * 366 * 24 * 60),
)
def test_what_is_open_is_what_the_clock_on_the_wall_says(
    days: set[str], start: int, end: int, zone: str, minutes: int
) -> None:
    """But for the days on which a clock jumps."""
    packed = {
        "days": sorted(days),
        "start": f"{start // 60:02}:{start % 60:02}",
        "end": f"{end // 60:02}:{end % 60:02}",
        "zone": zone,
    }
    now = at("2026-01-01T00:00") + timedelta(minutes=minutes)
    local = now.astimezone(ZoneInfo(zone))
    offsets = {(local + timedelta(hours=n)).utcoffset() for n in range(-48, 49, 12)}
    offsets |= {
        (now + timedelta(hours=n)).astimezone(ZoneInfo(zone)).utcoffset() for n in (-48, 48)
    }
    if len(offsets) > 1:
        return
    minute = local.hour * 60 + local.minute
    begun = DAYS[local.weekday()] in days and start <= minute
    today = begun and (minute < end or end <= start)
    yesterday = end <= start and DAYS[local.weekday() - 1] in days and minute < end
    assert opening([Hours.unpacked(packed)], now).is_open == (today or yesterday)


def test_the_end_of_what_is_open_is_the_first_moment_that_is_not() -> None:
    hours = [parse_hours("tue-thu 23:00-01:00 America/New_York")]
    now = at("2026-05-01T00:00")
    for _ in range(6):
        found = opening(hours, now)
        assert found.until is not None
        assert opening(hours, found.until).is_open is not found.is_open
        now = found.until
