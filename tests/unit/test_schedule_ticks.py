"""When schedules tick: over a year of clock changes, after downtime, and by which policy."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from backfill import CatchUp, ScheduleDefinition, daily_schedule, hourly_schedule
from backfill.definitions.calls import TickResult
from backfill.definitions.schedules import (
    DueTicks,
    PartitionScheduleDefinition,
    Timetable,
    due_ticks,
    evaluate_tick,
)
from backfill.errors import DefinitionError
from backfill.states import TickState


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type,misc]


def timetable(schedule: ScheduleDefinition) -> Timetable:
    return Timetable(schedule.cron_schedule, schedule.execution_timezone)


def sort_ticks(
    schedule: ScheduleDefinition, since: datetime, until: datetime, *, limit: int
) -> DueTicks:
    return due_ticks(timetable(schedule), schedule.catch_up, since, until, limit=limit)


def hourly(**options: Any) -> ScheduleDefinition:
    return ScheduleDefinition("hours", "0 * * * *", "sales", **options)


@pytest.mark.parametrize("zone", ["America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"])
@pytest.mark.parametrize("hour", [0, 2])
def test_a_daily_schedule_runs_each_day_of_a_year_once(zone: str, hour: int) -> None:
    @daily_schedule(
        "sales",
        start_date=datetime(2023, 12, 31),  # noqa: DTZ001
        execution_time=time(hour, 15),
        execution_timezone=zone,
    )
    def daily(date: datetime) -> dict[str, Any]:
        return {"date": date.isoformat()}

    start = datetime(2024, 1, 1, tzinfo=ZoneInfo(zone))
    ran = []
    for tick in timetable(daily).between(start - timedelta(seconds=1), start.replace(year=2025)):
        result = evaluate_tick(daily, tick)
        local = tick.astimezone(ZoneInfo(zone))
        if local.year == 2025:
            continue
        assert [run.run_key for run in result.runs] == [f"{local - timedelta(days=1):%Y-%m-%d}"]
        ran.append(result.runs[0].partition)
    expected = datetime(2023, 12, 31)  # noqa: DTZ001
    assert ran == [f"{expected + timedelta(days=n):%Y-%m-%d}" for n in range(366)]


def test_an_hourly_schedule_runs_both_hours_when_the_clock_goes_back() -> None:
    @hourly_schedule(
        "sales",
        start_date=datetime(2024, 11, 3, tzinfo=ZoneInfo("America/New_York")),
        execution_timezone="America/New_York",
    )
    def hours(_: datetime) -> dict[str, Any]:
        return {}

    keys = [evaluate_tick(hours, tick).runs[0].partition for tick in timetable(hours).between(
        at(2024, 11, 3, 4), at(2024, 11, 3, 8))]  # fmt: skip
    assert keys == [
        "2024-11-03-00:00-0400", "2024-11-03-01:00-0400",
        "2024-11-03-01:00-0500", "2024-11-03-02:00-0500",
    ]  # fmt: skip


def test_ticks_come_after_one_time_and_up_to_another() -> None:
    found = timetable(hourly()).between(at(2024, 1, 1, 1), at(2024, 1, 1, 3))
    assert found == [at(2024, 1, 1, 2), at(2024, 1, 1, 3)]
    assert timetable(hourly()).following(at(2024, 1, 1, 1), 2) == [
        at(2024, 1, 1, 2),
        at(2024, 1, 1, 3),
    ]
    tokyo = ScheduleDefinition("t", "0 0 * * *", "sales", execution_timezone="Asia/Tokyo")
    assert timetable(tokyo).following(at(2024, 1, 1), 1) == [at(2024, 1, 1, 15)]


def test_a_tick_is_due_once() -> None:
    due = sort_ticks(hourly(), at(2024, 1, 1, 1), at(2024, 1, 1, 2, 0, 1), limit=20)
    assert (due.evaluate, due.missed, due.until) == ([at(2024, 1, 1, 2)], [], at(2024, 1, 1, 2))
    nothing = sort_ticks(hourly(), at(2024, 1, 1, 2), at(2024, 1, 1, 2, 59, 59), limit=20)
    assert (nothing.evaluate, nothing.missed, nothing.until) == ([], [], None)


def test_a_timetable_knows_its_last_tick_and_which_times_are_ticks() -> None:
    noons = Timetable("0 12 * * *", "America/New_York")
    assert noons.latest(at(2024, 3, 10, 15, 59, 59)) == at(2024, 3, 9, 17)
    assert noons.latest(at(2024, 3, 10, 16)) == at(2024, 3, 10, 16)  # the clocks have changed
    assert noons.has(datetime(2024, 3, 10, 12, tzinfo=ZoneInfo("America/New_York")))
    assert not noons.has(at(2024, 3, 10, 16, 0, 1))
    assert not noons.has(at(2024, 3, 10, 16).replace(microsecond=1))
    assert Timetable("0 0 29 2 *", "UTC").latest(at(1903, 1, 1)) == at(1896, 2, 29)


def test_both_passes_of_a_repeated_hour_are_ticks() -> None:
    hours = Timetable("30 * * * *", "America/New_York")
    once = datetime(2024, 11, 3, 1, 30, tzinfo=ZoneInfo("America/New_York"))
    assert hours.has(once)
    assert hours.has(once.replace(fold=1))
    assert hours.between(once, once.replace(fold=1)) == [at(2024, 11, 3, 6, 30)]


@pytest.mark.parametrize(
    ("policy", "made_up"),
    [("none", 0), ("last", 1), (3, 3), (None, 5), ("all", 9), (CatchUp.up_to(2), 2)],
)
def test_after_downtime_the_policy_says_which_ticks_are_made_up(policy: Any, made_up: int) -> None:
    schedule = hourly(catch_up=policy)
    due = sort_ticks(schedule, at(2024, 1, 1), at(2024, 1, 1, 10, 1), limit=20)
    hours = [at(2024, 1, 1, hour) for hour in range(1, 11)]
    assert due.missed == hours[: 9 - made_up]
    assert due.evaluate == hours[9 - made_up :]  # the last one is on time
    assert due.until == hours[-1]
    assert CatchUp.named(str(schedule.catch_up)) == schedule.catch_up


def test_long_stretches_come_in_parts() -> None:
    minutes = ScheduleDefinition("m", "* * * * *", "sales", catch_up="all")
    now = at(2024, 1, 2)
    since, seen = at(2024, 1, 1), 0
    while (due := sort_ticks(minutes, since, now, limit=100)).until is not None:
        assert len(due.evaluate) <= 100
        seen += len(due.evaluate)
        since = due.until
    assert seen == 1440
    none = ScheduleDefinition("m", "* * * * *", "sales", catch_up="none")
    first = sort_ticks(none, at(2024, 1, 1), now, limit=100)
    assert (len(first.missed), first.evaluate) == (1000, [])
    assert first.until is not None
    rest = sort_ticks(none, first.until, now, limit=100)
    assert len(rest.missed) + len(rest.evaluate) == 440


def test_a_policy_has_a_name_and_must_make_sense() -> None:
    policies = (CatchUp.none(), CatchUp.last(), CatchUp.up_to(7), CatchUp.all())
    assert [str(policy) for policy in policies] == ["none", "last", "7", "all"]
    for wrong in (-1, "some", 2.5, True):
        with pytest.raises(DefinitionError, match=r"catch_up is|0 ticks or more"):
            hourly(catch_up=wrong)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"name": "my schedule"}, "letters, digits and underscores"),
        ({"cron_schedule": "every hour"}, "is not a cron schedule"),
        ({"execution_timezone": "Mars"}, 'no time zone "Mars"'),
        ({"pipeline_name": None}, "needs one pipeline"),
        ({"run_config": {}, "run_config_fn": lambda _: {}}, "run_config and run_config_fn"),
        ({"tags": {}, "tags_fn": lambda _: {}}, "tags and tags_fn"),
        ({"run_config": {}, "execution_fn": lambda _: {}}, "a run config besides"),
        ({"when_busy": "explode"}, "wait or skip"),
        ({"max_failures": -1}, "from 0 to 1000"),
        ({"max_failures": True}, "from 0 to 1000"),
        ({"default_status": "on"}, "running or stopped"),
    ],
)
def test_a_wrong_schedule_says_what_is_wrong(options: dict[str, Any], problem: str) -> None:
    arguments = {"name": "x", "cron_schedule": "0 * * * *", "pipeline_name": "sales", **options}
    with pytest.raises(DefinitionError, match=problem):
        ScheduleDefinition(**arguments)


def outcome(result: TickResult) -> tuple[TickState, list[str | None]]:
    return result.state, [run.partition for run in result.runs]


def of_day(
    schedule: PartitionScheduleDefinition, *parts: int
) -> tuple[TickState, list[str | None]]:
    return outcome(evaluate_tick(schedule, at(*parts)))


def test_the_first_tick_is_before_the_beginning_and_the_end_is_inclusive() -> None:
    @daily_schedule("sales", start_date=at(2024, 1, 1), end_date=at(2024, 1, 3))
    def daily(_: datetime) -> dict[str, Any]:
        return {}

    first = evaluate_tick(daily, at(2024, 1, 1))
    assert first.state is TickState.SKIPPED
    assert first.reason is not None
    assert "before the beginning" in first.reason
    assert of_day(daily, 2024, 1, 2) == (TickState.SUCCESS, ["2024-01-01"])
    assert of_day(daily, 2024, 1, 4) == (TickState.SUCCESS, ["2024-01-03"])
    after = evaluate_tick(daily, at(2024, 1, 5))
    assert after.reason is not None
    assert "after the end" in after.reason
