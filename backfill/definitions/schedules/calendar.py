"""Hourly, daily, weekly and monthly schedules: of a function of the date that a tick runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, time
from typing import Any

from backfill.definitions.partitions.calendar import DATE_FORMAT, HOUR_FORMAT
from backfill.definitions.schedules.answers import ScheduleContext
from backfill.definitions.schedules.calendar_plan import (
    CalendarPlan,
    Decorator,
    TagsForDate,
    checked_offset,
    in_zone,
)
from backfill.definitions.text import shown
from backfill.errors import DefinitionError

_MIDNIGHT = time(0, 0)
_LAST_SAFE_DAY = 28


def hourly_schedule(
    pipeline_name: str,
    start_date: datetime,
    name: str | None = None,
    execution_time: time = _MIDNIGHT,
    tags_fn_for_date: TagsForDate | None = None,
    solid_selection: Sequence[str] | None = None,
    mode: str | None = None,
    should_execute: Callable[[ScheduleContext], bool] | None = None,
    environment_vars: dict[str, str] | None = None,
    end_date: datetime | None = None,
    execution_timezone: str | None = None,
    partition_hours_offset: int = 1,
    description: str | None = None,
    **options: Any,
) -> Decorator:
    """Make a schedule of a function of the hour that is over: `fn(date)` returns its run config.

    `end_date` is inclusive; an offset of 0 runs the hour that is under way. `options` are
    those of ScheduleOptions.
    """
    start = in_zone(start_date, "start_date", execution_timezone)
    ticks = f"{execution_time.minute} * * * *"
    windows = f"{start.minute} * * * *"
    fmt = HOUR_FORMAT + ("%z" if execution_timezone else "")
    return CalendarPlan(
        cron_schedule=ticks,
        windows_cron=windows,
        fmt=fmt,
        offset=checked_offset(partition_hours_offset, "partition_hours_offset"),
        start=start,
        end=end_date and in_zone(end_date, "end_date", execution_timezone),
        timezone=execution_timezone,
        pipeline_name=pipeline_name,
        name=name,
        tags_fn_for_date=tags_fn_for_date,
        solid_selection=solid_selection,
        mode=mode,
        options=_options(should_execute, environment_vars, description, options),
    ).decorate


def daily_schedule(
    pipeline_name: str,
    start_date: datetime,
    name: str | None = None,
    execution_time: time = _MIDNIGHT,
    tags_fn_for_date: TagsForDate | None = None,
    solid_selection: Sequence[str] | None = None,
    mode: str | None = None,
    should_execute: Callable[[ScheduleContext], bool] | None = None,
    environment_vars: dict[str, str] | None = None,
    end_date: datetime | None = None,
    execution_timezone: str | None = None,
    partition_days_offset: int = 1,
    description: str | None = None,
    **options: Any,
) -> Decorator:
    """Make a schedule of a function of the day that is over: `fn(date)` returns its run config.

    `end_date` is inclusive; an offset of 0 runs the day that is under way. `options` are
    those of ScheduleOptions.
    """
    start = in_zone(start_date, "start_date", execution_timezone)
    ticks = f"{execution_time.minute} {execution_time.hour} * * *"
    windows = f"{start.minute} {start.hour} * * *"
    fmt = DATE_FORMAT
    return CalendarPlan(
        cron_schedule=ticks,
        windows_cron=windows,
        fmt=fmt,
        offset=checked_offset(partition_days_offset, "partition_days_offset"),
        start=start,
        end=end_date and in_zone(end_date, "end_date", execution_timezone),
        timezone=execution_timezone,
        pipeline_name=pipeline_name,
        name=name,
        tags_fn_for_date=tags_fn_for_date,
        solid_selection=solid_selection,
        mode=mode,
        options=_options(should_execute, environment_vars, description, options),
    ).decorate


def weekly_schedule(
    pipeline_name: str,
    start_date: datetime,
    name: str | None = None,
    execution_day_of_week: int = 0,
    execution_time: time = _MIDNIGHT,
    tags_fn_for_date: TagsForDate | None = None,
    solid_selection: Sequence[str] | None = None,
    mode: str | None = None,
    should_execute: Callable[[ScheduleContext], bool] | None = None,
    environment_vars: dict[str, str] | None = None,
    end_date: datetime | None = None,
    execution_timezone: str | None = None,
    partition_weeks_offset: int = 1,
    description: str | None = None,
    **options: Any,
) -> Decorator:
    """Make a schedule of a function of the week that is over: `fn(date)` returns its run config.

    `end_date` is inclusive; an offset of 0 runs the week that is under way. `options` are
    those of ScheduleOptions.

    Args:
        execution_day_of_week: 0 is Sunday. Weeks begin on the weekday of `start_date`.
    """
    start = in_zone(start_date, "start_date", execution_timezone)
    day = _number(execution_day_of_week, "execution_day_of_week", 0, 6)
    ticks = f"{execution_time.minute} {execution_time.hour} * * {day}"
    windows = f"{start.minute} {start.hour} * * {start.isoweekday() % 7}"
    fmt = DATE_FORMAT
    return CalendarPlan(
        cron_schedule=ticks,
        windows_cron=windows,
        fmt=fmt,
        offset=checked_offset(partition_weeks_offset, "partition_weeks_offset"),
        start=start,
        end=end_date and in_zone(end_date, "end_date", execution_timezone),
        timezone=execution_timezone,
        pipeline_name=pipeline_name,
        name=name,
        tags_fn_for_date=tags_fn_for_date,
        solid_selection=solid_selection,
        mode=mode,
        options=_options(should_execute, environment_vars, description, options),
    ).decorate


def monthly_schedule(
    pipeline_name: str,
    start_date: datetime,
    name: str | None = None,
    execution_day_of_month: int = 1,
    execution_time: time = _MIDNIGHT,
    tags_fn_for_date: TagsForDate | None = None,
    solid_selection: Sequence[str] | None = None,
    mode: str | None = None,
    should_execute: Callable[[ScheduleContext], bool] | None = None,
    environment_vars: dict[str, str] | None = None,
    end_date: datetime | None = None,
    execution_timezone: str | None = None,
    partition_months_offset: int = 1,
    description: str | None = None,
    **options: Any,
) -> Decorator:
    """Make a schedule of a function of the month that is over: `fn(date)` returns its run config.

    `end_date` is inclusive; an offset of 0 runs the month that is under way. `options` are
    those of ScheduleOptions.

    Args:
        execution_day_of_month: A month without that day has no tick; up to 28, every month has.

    Raises:
        DefinitionError: The months would begin on a day that not every month has.
    """
    start = in_zone(start_date, "start_date", execution_timezone)
    if start.day > _LAST_SAFE_DAY:
        raise DefinitionError(
            f"start_date {start:%Y-%m-%d} is on a day that not every month has: begin months on "
            f"day 1 to {_LAST_SAFE_DAY}."
        )
    day = _number(execution_day_of_month, "execution_day_of_month", 1, 31)
    ticks = f"{execution_time.minute} {execution_time.hour} {day} * *"
    windows = f"{start.minute} {start.hour} {start.day} * *"
    fmt = "%Y-%m"
    return CalendarPlan(
        cron_schedule=ticks,
        windows_cron=windows,
        fmt=fmt,
        offset=checked_offset(partition_months_offset, "partition_months_offset"),
        start=start,
        end=end_date and in_zone(end_date, "end_date", execution_timezone),
        timezone=execution_timezone,
        pipeline_name=pipeline_name,
        name=name,
        tags_fn_for_date=tags_fn_for_date,
        solid_selection=solid_selection,
        mode=mode,
        options=_options(should_execute, environment_vars, description, options),
    ).decorate


def _options(
    should_execute: Callable[[ScheduleContext], bool] | None,
    environment_vars: dict[str, str] | None,
    description: str | None,
    others: dict[str, Any],
) -> dict[str, Any]:
    told = {
        "should_execute": should_execute,
        "environment_vars": environment_vars,
        "description": description,
    }
    return {name: value for name, value in told.items() if value is not None} | others


def _number(value: object, argument: str, low: int, high: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise DefinitionError(f"{argument} must be from {low} to {high}, not {shown(value)}.")
    return value
