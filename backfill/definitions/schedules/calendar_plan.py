"""What the hourly, daily, weekly and monthly decorators share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from backfill.definitions.partition import Partition
from backfill.definitions.partition_set import PartitionSetDefinition
from backfill.definitions.partitions import TimeWindowPartitionsDefinition
from backfill.definitions.partitions.zones import load_zone
from backfill.definitions.schedules.definition import PartitionScheduleDefinition
from backfill.definitions.schedules.partitioned import window_selector
from backfill.definitions.text import shown
from backfill.errors import DefinitionError

DateFunction = Callable[[datetime], Mapping[str, Any]]
TagsForDate = Callable[[datetime], Mapping[str, str]]
Decorator = Callable[[DateFunction], PartitionScheduleDefinition]


@dataclass(frozen=True)
class CalendarPlan:
    """How a function of a date becomes a partition set and a schedule of it.

    Attributes:
        windows_cron: The cron of the partitions; `cron_schedule` is that of the ticks.
        offset: How many windows before the running one a tick runs.
    """

    cron_schedule: str
    windows_cron: str
    fmt: str
    offset: int
    start: datetime
    end: datetime | None
    timezone: str | None
    pipeline_name: str
    name: str | None
    tags_fn_for_date: TagsForDate | None
    solid_selection: Sequence[str] | None
    mode: str | None
    options: Mapping[str, Any]

    def decorate(self, function: DateFunction) -> PartitionScheduleDefinition:
        name = self.name or function.__name__
        tags_fn = self.tags_fn_for_date
        partition_set = PartitionSetDefinition(
            f"{name}_partitions",
            self.pipeline_name,
            partitions_def=self._partitions(),
            run_config_fn_for_partition=lambda partition: function(_date(partition)),
            tags_fn_for_partition=tags_fn and (lambda partition: tags_fn(_date(partition))),
            solid_selection=self.solid_selection,
            mode=self.mode,
        )
        return PartitionScheduleDefinition(
            name,
            self.cron_schedule,
            partition_set,
            window_selector(self.offset),
            execution_timezone=self.timezone,
            **{"description": function.__doc__, **self.options},
        )

    def _partitions(self) -> TimeWindowPartitionsDefinition:
        """Return the windows from the start to the one that begins at the end, if there is one."""
        if self.end is not None and self.end < self.start:
            raise DefinitionError(f"end_date {self.end} is before start_date {self.start}.")
        endless = self._windows_until(None)
        if self.end is None:
            return endless
        last = endless.get_partition_key_for_timestamp(self.end.timestamp())
        return self._windows_until(endless.time_window_for_partition_key(last).end)

    def _windows_until(self, end: datetime | None) -> TimeWindowPartitionsDefinition:
        return TimeWindowPartitionsDefinition(
            start=self.start,
            fmt=self.fmt,
            end=end,
            timezone=self.timezone,
            cron_schedule=self.windows_cron,
            end_offset=1 if self.offset == 0 else 0,
        )


def _date(partition: Partition) -> datetime:
    assert partition.time_window is not None
    return partition.time_window.start


def in_zone(date: object, argument: str, timezone: str | None) -> datetime:
    if not isinstance(date, datetime):
        raise DefinitionError(f"{argument} must be a datetime, not {shown(date)}.")
    zone = load_zone(timezone or "UTC")
    return date.astimezone(zone) if date.tzinfo else date.replace(tzinfo=zone)


def checked_offset(offset: object, argument: str) -> int:
    if not isinstance(offset, int) or isinstance(offset, bool) or offset < 0:
        raise DefinitionError(f"{argument} must be 0 or more, not {shown(offset)}.")
    return offset
