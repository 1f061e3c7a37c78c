"""Hourly, daily, weekly and monthly partitions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from backfill.definitions.partitions.arguments import ScheduleType
from backfill.definitions.partitions.time_window import TimeWindowPartitionsDefinition

HOUR_FORMAT = "%Y-%m-%d-%H:%M"
DATE_FORMAT = "%Y-%m-%d"


class HourlyPartitionsDefinition(TimeWindowPartitionsDefinition):
    """A window per hour, starting `minute_offset` minutes past it."""

    def __init__(
        self,
        start_date: datetime | date | str,
        end_date: datetime | date | str | None = None,
        minute_offset: int = 0,
        timezone: str | None = None,
        fmt: str | None = None,
        end_offset: int = 0,
        exclusions: Sequence[str | datetime | date] | None = None,
    ) -> None:
        super().__init__(
            start=start_date,
            end=end_date,
            schedule_type=ScheduleType.HOURLY,
            minute_offset=minute_offset,
            timezone=timezone,
            fmt=fmt or HOUR_FORMAT,
            end_offset=end_offset,
            exclusions=exclusions,
        )


class DailyPartitionsDefinition(TimeWindowPartitionsDefinition):
    """A window per day, starting at `hour_offset`:`minute_offset`."""

    def __init__(
        self,
        start_date: datetime | date | str,
        end_date: datetime | date | str | None = None,
        minute_offset: int = 0,
        hour_offset: int = 0,
        timezone: str | None = None,
        fmt: str | None = None,
        end_offset: int = 0,
        exclusions: Sequence[str | datetime | date] | None = None,
    ) -> None:
        super().__init__(
            start=start_date,
            end=end_date,
            schedule_type=ScheduleType.DAILY,
            minute_offset=minute_offset,
            hour_offset=hour_offset,
            timezone=timezone,
            fmt=fmt or DATE_FORMAT,
            end_offset=end_offset,
            exclusions=exclusions,
        )


class WeeklyPartitionsDefinition(TimeWindowPartitionsDefinition):
    """A window per week, starting on weekday `day_offset` (0 = Sunday)."""

    def __init__(
        self,
        start_date: datetime | date | str,
        end_date: datetime | date | str | None = None,
        minute_offset: int = 0,
        hour_offset: int = 0,
        day_offset: int = 0,
        timezone: str | None = None,
        fmt: str | None = None,
        end_offset: int = 0,
        exclusions: Sequence[str | datetime | date] | None = None,
    ) -> None:
        super().__init__(
            start=start_date,
            end=end_date,
            schedule_type=ScheduleType.WEEKLY,
            minute_offset=minute_offset,
            hour_offset=hour_offset,
            day_offset=day_offset,
            timezone=timezone,
            fmt=fmt or DATE_FORMAT,
            end_offset=end_offset,
            exclusions=exclusions,
        )


class MonthlyPartitionsDefinition(TimeWindowPartitionsDefinition):
    """A window per month, starting on day `day_offset` of it."""

    def __init__(
        self,
        start_date: datetime | date | str,
        end_date: datetime | date | str | None = None,
        minute_offset: int = 0,
        hour_offset: int = 0,
        day_offset: int = 1,
        timezone: str | None = None,
        fmt: str | None = None,
        end_offset: int = 0,
        exclusions: Sequence[str | datetime | date] | None = None,
    ) -> None:
        super().__init__(
            start=start_date,
            end=end_date,
            schedule_type=ScheduleType.MONTHLY,
            minute_offset=minute_offset,
            hour_offset=hour_offset,
            day_offset=day_offset,
            timezone=timezone,
            fmt=fmt or DATE_FORMAT,
            end_offset=end_offset,
            exclusions=exclusions,
        )
