"""Time-window partitions: which windows there are, how they are named, and what is refused."""

from __future__ import annotations

import pickle
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from backfill.definitions.partitions import (
    DailyPartitionsDefinition,
    HourlyPartitionsDefinition,
    MonthlyPartitionsDefinition,
    PartitionKeyRange,
    PartitionsDefinition,
    ScheduleType,
    TimeWindow,
    TimeWindowPartitionsDefinition,
    WeeklyPartitionsDefinition,
)
from backfill.errors import DefinitionError, NotFound

MINUTES = "%Y-%m-%d-%H:%M"


def at(*parts: int, zone: str = "UTC") -> datetime:
    return datetime(*parts, tzinfo=ZoneInfo(zone))  # type: ignore[arg-type,misc]


def keys(definition: PartitionsDefinition, *now: int, zone: str = "UTC") -> list[str]:
    return list(definition.get_partition_keys(current_time=at(*now, zone=zone)))


def window(definition: TimeWindowPartitionsDefinition, key: str) -> tuple[str, str]:
    start, end = definition.time_window_for_partition_key(key)
    return start.isoformat(), end.isoformat()


def ticking(cron: str, start: str, zone: str = "UTC", **options: Any) -> Any:
    return TimeWindowPartitionsDefinition(
        start=start, fmt=MINUTES, cron_schedule=cron, timezone=zone, **options
    )


def test_days_are_listed_once_they_are_complete() -> None:
    days = DailyPartitionsDefinition(start_date="2024-02-27")
    assert keys(days, 2024, 3, 2) == ["2024-02-27", "2024-02-28", "2024-02-29", "2024-03-01"]
    assert keys(days, 2024, 3, 1, 23, 59)[-1] == "2024-02-29"
    assert window(days, "2024-02-29") == ("2024-02-29T00:00:00+00:00", "2024-03-01T00:00:00+00:00")


def test_a_set_that_starts_in_the_future_is_empty() -> None:
    days = DailyPartitionsDefinition(start_date="2024-01-01")
    assert keys(days, 2023, 1, 1) == []
    assert days.get_first_partition_key(current_time=at(2024, 1, 1, 12)) is None
    assert days.get_last_partition_window(current_time=at(2020, 1, 1)) is None
    assert days.get_num_partitions(current_time=at(2024, 1, 3)) == 2


def test_hours_weeks_and_months_start_at_their_offsets() -> None:
    hours = HourlyPartitionsDefinition(start_date=datetime(2024, 1, 1), minute_offset=15)  # noqa: DTZ001
    assert keys(hours, 2024, 1, 1, 3) == ["2024-01-01-00:15", "2024-01-01-01:15"]
    weeks = WeeklyPartitionsDefinition("2024-01-01", day_offset=3, hour_offset=6)
    assert keys(weeks, 2024, 1, 18) == ["2024-01-03", "2024-01-10"]
    assert window(weeks, "2024-01-03")[0] == "2024-01-03T06:00:00+00:00"
    months = MonthlyPartitionsDefinition(date(2024, 1, 2), day_offset=5, fmt="%Y-%m")
    assert keys(months, 2024, 4, 5) == ["2024-01", "2024-02", "2024-03"]


def test_months_on_the_31st_happen_where_there_is_one() -> None:
    months = MonthlyPartitionsDefinition("2024-01-01", day_offset=31)
    assert keys(months, 2024, 9, 1) == ["2024-01-31", "2024-03-31", "2024-05-31", "2024-07-31"]
    assert window(months, "2024-01-31") == (
        "2024-01-31T00:00:00+00:00",
        "2024-03-31T00:00:00+00:00",
    )


def test_the_29th_of_february_comes_every_leap_year() -> None:
    leap = TimeWindowPartitionsDefinition(
        start="1896-01-01", fmt="%Y-%m-%d", cron_schedule="0 0 29 2 *"
    )
    listed = keys(leap, 2027, 1, 1)
    assert listed[:3] == ["1896-02-29", "1904-02-29", "1908-02-29"]  # 1900 was no leap year
    assert listed[-1] == "2020-02-29"
    assert len(listed) == 31


def test_an_end_limits_the_set_and_an_offset_moves_it() -> None:
    bounded = DailyPartitionsDefinition("2024-01-01", end_date="2024-01-03")
    assert keys(bounded, 2025, 1, 1) == ["2024-01-01", "2024-01-02"]
    ahead = DailyPartitionsDefinition("2024-01-01", end_offset=2)
    assert keys(ahead, 2024, 1, 2, 12) == ["2024-01-01", "2024-01-02", "2024-01-03"]
    behind = DailyPartitionsDefinition("2024-01-01", end_offset=-1)
    assert keys(behind, 2024, 1, 4) == ["2024-01-01", "2024-01-02"]
    both = DailyPartitionsDefinition("2024-01-01", end_date="2024-01-04", end_offset=5)
    assert keys(both, 2024, 1, 3) == ["2024-01-01", "2024-01-02", "2024-01-03"]
    none = DailyPartitionsDefinition("2024-01-05", end_date="2024-01-02")
    assert keys(none, 2025, 1, 1) == []


def test_exclusions_leave_windows_out_by_cron_time_and_date() -> None:
    days = DailyPartitionsDefinition(
        "2024-01-01",
        exclusions=["0 0 * * 6,0", datetime(2024, 1, 3), date(2024, 1, 9)],  # noqa: DTZ001
    )
    assert keys(days, 2024, 1, 11) == [
        "2024-01-01", "2024-01-02", "2024-01-04", "2024-01-05", "2024-01-08", "2024-01-10",
    ]  # fmt: skip
    assert window(days, "2024-01-02")[1] == "2024-01-03T00:00:00+00:00"  # the gap stays a gap
    assert not days.has_partition_key("2024-01-06")
    hours = HourlyPartitionsDefinition("2024-01-01-00:00", exclusions=[date(2024, 1, 2)])
    assert keys(hours, 2024, 1, 3, 1)[23:] == ["2024-01-01-23:00", "2024-01-03-00:00"]


def test_an_offset_counts_windows_that_are_left() -> None:
    workdays = DailyPartitionsDefinition("2024-01-01", exclusions=["0 0 * * 6,0"], end_offset=1)
    assert keys(workdays, 2024, 1, 6, 12)[-1] == "2024-01-08"


def test_an_hour_that_is_skipped_is_no_window_and_a_repeated_one_is_two() -> None:
    hours = HourlyPartitionsDefinition("2024-03-10-00:00", timezone="America/New_York")
    spring = keys(hours, 2024, 3, 10, 8)
    assert spring == ["2024-03-10-00:00", "2024-03-10-01:00", "2024-03-10-03:00"]
    assert window(hours, "2024-03-10-01:00") == (
        "2024-03-10T01:00:00-05:00",
        "2024-03-10T03:00:00-04:00",
    )
    autumn = HourlyPartitionsDefinition("2024-11-03-00:00", timezone="America/New_York")
    assert keys(autumn, 2024, 11, 3, 8) == [
        "2024-11-03-00:00", "2024-11-03-01:00", "2024-11-03-01:00-0500", "2024-11-03-02:00",
    ]  # fmt: skip
    assert window(autumn, "2024-11-03-01:00-0500")[0] == "2024-11-03T01:00:00-05:00"
    assert not autumn.has_partition_key("2024-11-03-01:00-0400")
    assert not autumn.has_partition_key("2024-11-03-02:00-0500")


def test_a_format_with_an_offset_needs_no_mark_for_the_second_hour() -> None:
    hours = HourlyPartitionsDefinition(
        "2024-11-03-00:00-0400", fmt="%Y-%m-%d-%H:%M%z", timezone="America/New_York"
    )
    assert keys(hours, 2024, 11, 3, 7)[1:] == ["2024-11-03-01:00-0400", "2024-11-03-01:00-0500"]


def test_a_daily_time_that_is_skipped_comes_when_the_skip_ends() -> None:
    days = ticking("30 2 * * *", "2024-03-09-00:00", "America/New_York")
    assert keys(days, 2024, 3, 12) == ["2024-03-09-02:30", "2024-03-10-03:00"]
    assert window(days, "2024-03-10-03:00") == (
        "2024-03-10T03:00:00-04:00",
        "2024-03-11T02:30:00-04:00",
    )


def test_several_times_in_one_skip_make_one_window() -> None:
    often = ticking("0,20,40 2,3 * * *", "2024-03-10-00:00", "America/New_York")
    assert keys(often, 2024, 3, 10, 12) == ["2024-03-10-03:00", "2024-03-10-03:20"]


def test_a_daily_time_that_is_repeated_makes_one_window() -> None:
    days = ticking("30 1 * * *", "2024-11-02-00:00", "America/New_York")
    assert keys(days, 2024, 11, 5) == ["2024-11-02-01:30", "2024-11-03-01:30"]
    assert window(days, "2024-11-03-01:30")[0] == "2024-11-03T01:30:00-05:00"


def test_a_midnight_that_is_repeated_begins_its_day_the_first_time() -> None:
    days = DailyPartitionsDefinition("2023-11-04", timezone="America/Havana")
    start, end = days.time_window_for_partition_key("2023-11-05")
    assert end.timestamp() - start.timestamp() == 25 * 3600


def test_a_midnight_that_is_skipped_begins_its_day_later() -> None:
    days = DailyPartitionsDefinition("2018-11-03", timezone="America/Sao_Paulo")
    assert window(days, "2018-11-04")[0] == "2018-11-04T01:00:00-02:00"


def test_half_hour_shifts_of_lord_howe_are_exact() -> None:
    hours = HourlyPartitionsDefinition("2024-04-07-00:00", timezone="Australia/Lord_Howe")
    assert keys(hours, 2024, 4, 6, 18) == [
        "2024-04-07-00:00", "2024-04-07-01:00", "2024-04-07-02:00", "2024-04-07-03:00",
    ]  # fmt: skip
    start, end = hours.time_window_for_partition_key("2024-04-07-01:00")
    assert end.timestamp() - start.timestamp() == 5400  # 01:30 to 02:00 comes twice
    half_hours = ticking("*/30 * * * *", "2024-10-06-01:00", "Australia/Lord_Howe")
    assert keys(half_hours, 2024, 10, 5, 16, 30) == [
        "2024-10-06-01:00", "2024-10-06-01:30", "2024-10-06-02:30", "2024-10-06-03:00",
    ]  # fmt: skip


def test_kathmandu_is_a_quarter_of_an_hour_off() -> None:
    days = DailyPartitionsDefinition("2024-01-01", timezone="Asia/Kathmandu")
    assert window(days, "2024-01-01")[0] == "2024-01-01T00:00:00+05:45"
    assert keys(days, 2024, 1, 1, 18, 15) == ["2024-01-01"]
    assert keys(days, 2024, 1, 1, 18, 14) == []


def test_a_date_that_a_country_skipped_has_no_window() -> None:
    days = DailyPartitionsDefinition("2011-12-28", timezone="Pacific/Apia")
    assert keys(days, 2012, 1, 1, 12) == [
        "2011-12-28", "2011-12-29", "2011-12-31", "2012-01-01",
    ]  # fmt: skip


def test_a_clock_set_back_over_midnight_keeps_every_window_apart() -> None:
    hours = ticking("0 * * * *", "2006-10-28-22:00", "America/St_Johns")  # 00:01 -> 23:01
    listed = keys(hours, 2006, 10, 29, 6)
    assert listed == [
        "2006-10-28-22:00", "2006-10-28-23:00", "2006-10-29-00:00",
        "2006-10-29-00:00-0330", "2006-10-29-01:00",
    ]  # fmt: skip
    assert [hours.key_space(at(2006, 11, 1)).index_of(key) for key in listed] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("cron", "fmt"),
    [
        ("0 * * * *", "%Y-%m-%d"),
        ("*/5 * * * *", "%Y-%m-%d-%H"),
        ("0 0 * * *", "%Y-%m"),
        ("0 0 * * *", "%Y-%d"),
        ("0 0 1 * *", "%Y"),
        ("0 1,13 * * *", "%Y-%m-%d-%I"),
    ],
)
def test_a_format_too_coarse_for_the_windows_is_refused(cron: str, fmt: str) -> None:
    with pytest.raises(DefinitionError, match=r"too coarse|cannot be read back"):
        TimeWindowPartitionsDefinition(start=date(1969, 1, 1), fmt=fmt, cron_schedule=cron)


def test_a_format_that_cannot_be_read_back_is_refused() -> None:
    with pytest.raises(DefinitionError, match="cannot be read back"):
        WeeklyPartitionsDefinition(start_date=datetime(2024, 1, 1), fmt="week %W of %Y")  # noqa: DTZ001


def test_formats_may_be_as_coarse_as_the_windows_and_in_any_order() -> None:
    yearly = TimeWindowPartitionsDefinition(start="2020", fmt="%Y", cron_schedule="@yearly")
    assert keys(yearly, 2023, 1, 1) == ["2020", "2021", "2022"]
    days = DailyPartitionsDefinition("31.12.2023", fmt="%d.%m.%Y", hour_offset=7)
    assert keys(days, 2024, 1, 3) == ["31.12.2023", "01.01.2024"]
    assert days.has_partition_key("01.01.2024", current_time=at(2024, 1, 3))
    by_name = DailyPartitionsDefinition("Feb 29, 2024", fmt="%b %d, %Y")
    assert keys(by_name, 2024, 3, 1) == ["Feb 29, 2024"]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"timezone": "America/New_Yrok"}, 'There is no time zone "America/New_Yrok".*New_York'),
        ({"cron_schedule": "61 * * * *"}, "minute 61 is not between 0 and 59"),
        ({"cron_schedule": "0 0 30 2 *"}, "never ticks"),
        ({"cron_schedule": "0 0 * *"}, "needs five fields"),
        ({"start": "yesterday"}, 'start "yesterday" does not have the format'),
        ({"end": "2024"}, 'end "2024" does not have the format'),
        ({"exclusions": ["daily"]}, '"daily" is not a cron schedule'),
        ({"exclusions": ["* * * * *"]}, "exclusions leave no window"),
        ({"cron_schedule": None}, "needs a cron_schedule"),
        ({"hour_offset": 3}, "either cron_schedule, or"),
    ],
)
def test_a_wrong_definition_says_what_is_wrong(options: dict[str, Any], problem: str) -> None:
    arguments = {"start": "2024-01-01", "fmt": "%Y-%m-%d", "cron_schedule": "0 0 * * *", **options}
    with pytest.raises(DefinitionError, match=problem):
        TimeWindowPartitionsDefinition(**arguments)


def test_an_unknown_key_names_its_nearest() -> None:
    days = DailyPartitionsDefinition("2024-01-01")
    with pytest.raises(NotFound, match="2024-02-29, 2024-03-01"):
        days.time_window_for_partition_key("2024-02-30")
    space = days.key_space(at(2024, 4, 1))
    assert space.nearest("2023-01-01") == ["2024-01-01", "2024-01-02", "2024-01-03"]
    assert space.nearest("2099") == ["2024-03-29", "2024-03-30", "2024-03-31"]
    assert space.nearest("soon")[0] == "2024-01-01"
    assert space.index_of("2024-1-1") is None
    assert space.index_of("2024-04-01") is None


def test_neighbours_and_moments_find_their_windows() -> None:
    days = DailyPartitionsDefinition("2024-01-01", exclusions=[datetime(2024, 1, 3)])  # noqa: DTZ001
    now = at(2024, 1, 10)
    assert days.get_next_partition_key("2024-01-02", current_time=now) == "2024-01-04"
    assert days.get_next_partition_key("2024-01-09", current_time=now) is None
    assert days.get_prev_partition_key("2024-01-04", current_time=now) == "2024-01-02"
    assert days.get_prev_partition_key("2024-01-01", current_time=now) is None
    midnight = at(2024, 1, 2).timestamp()
    assert days.get_partition_key_for_timestamp(midnight) == "2024-01-02"
    assert days.get_partition_key_for_timestamp(midnight, end_closed=True) == "2024-01-01"
    assert days.get_partition_key_for_timestamp(midnight + 0.5, end_closed=True) == "2024-01-02"


def test_windows_of_a_stretch_of_time_are_listed_and_counted() -> None:
    days = DailyPartitionsDefinition("2024-01-01")
    stretch = TimeWindow(at(2024, 1, 2, 12), at(2024, 1, 5))
    assert days.get_partition_keys_in_time_window(stretch) == ["2024-01-03", "2024-01-04"]
    assert days.get_num_partitions_in_window(stretch) == 2
    assert days.get_partition_key_range_for_time_window(stretch) == ("2024-01-03", "2024-01-04")
    assert days.get_partition_keys_in_range(PartitionKeyRange("2024-01-30", "2024-02-01")) == [
        "2024-01-30", "2024-01-31", "2024-02-01",
    ]  # fmt: skip


def test_the_parts_of_a_schedule_can_be_read_and_moved() -> None:
    weeks = WeeklyPartitionsDefinition("2024-01-01", day_offset=2, hour_offset=3, minute_offset=4)
    assert weeks.schedule_type is ScheduleType.WEEKLY
    assert (weeks.minute_offset, weeks.hour_offset, weeks.day_offset) == (4, 3, 2)
    assert weeks.get_cron_schedule() == "4 3 * * 2"
    assert weeks.get_cron_schedule(hour_of_day=9, day_of_week=5) == "4 9 * * 5"
    with pytest.raises(DefinitionError, match="cannot be moved by this unit"):
        HourlyPartitionsDefinition("2024-01-01-00:00").get_cron_schedule(hour_of_day=2)


def test_equal_definitions_are_equal_and_key_spaces_travel() -> None:
    days = DailyPartitionsDefinition("2024-01-01")
    same = TimeWindowPartitionsDefinition(
        start=date(2024, 1, 1), fmt="%Y-%m-%d", cron_schedule="0 0 * * *"
    )
    assert days == same
    assert hash(days) == hash(same)
    assert days != DailyPartitionsDefinition("2024-01-02")
    space = days.key_space(at(2024, 2, 1))
    assert pickle.loads(pickle.dumps(space)).key_at(30) == "2024-01-31"


def test_the_current_time_may_be_naive_or_of_any_zone() -> None:
    days = DailyPartitionsDefinition("2024-01-01", timezone="Asia/Tokyo")
    naive = datetime(2024, 1, 3)  # noqa: DTZ001
    assert days.get_partition_keys(current_time=naive) == ["2024-01-01", "2024-01-02"]
    assert days.get_partition_keys(current_time=at(2024, 1, 2, 15)) == ["2024-01-01", "2024-01-02"]
    assert len(days.get_partition_keys(current_time=at(2024, 1, 2, 14, 59))) == 1


def test_the_key_space_answers_within_its_bounds_only() -> None:
    space = DailyPartitionsDefinition("2024-01-01").key_space(at(2024, 1, 4))
    assert [space.key_at(i) for i in range(len(space))] == list(space.slice(0, 99))
    assert space.slice(-5, 1) == ["2024-01-01"]
    assert space.slice(3, 9) == []
    for index in (-1, 3):
        with pytest.raises(IndexError):
            space.key_at(index)
    gone = space.window_of("2023-12-31")
    assert gone is not None
    assert gone.start == at(2023, 12, 31)


def test_a_schedule_past_the_end_of_the_calendar_is_refused_not_endless() -> None:
    days = DailyPartitionsDefinition("9980-01-01", end_offset=10_000_000)
    with pytest.raises(DefinitionError, match="after the year 9990"):
        days.get_last_partition_key(current_time=at(9981, 1, 1))


def test_a_million_keys_are_reached_by_arithmetic() -> None:
    often = ticking("*/5 * * * *", "2014-01-01-00:00", "America/New_York")
    space = often.key_space(at(2024, 1, 1))
    assert len(space) == 1_051_716
    assert space.key_at(1_000_000) == "2023-07-05-06:20"
    assert space.index_of("2023-07-05-06:20") == 1_000_000
    page = space.slice(1_000_000, 1_008_640)
    assert len(page) == 8640
    first, last = (space.window_of(key) for key in (page[0], page[-1]))
    assert first is not None
    assert last is not None
    assert last.end - first.start == timedelta(days=30)
    assert page[0] == space.key_at(1_000_000)
