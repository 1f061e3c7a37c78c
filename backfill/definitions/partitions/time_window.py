"""Partitions that are windows of time between the ticks of a cron."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime

from typing_extensions import override

from backfill.definitions.keys import TimeWindow
from backfill.definitions.partitions.arguments import (
    ScheduleType,
    exclusions_of,
    instant_of,
    schedule_of,
)
from backfill.definitions.partitions.base import (
    DynamicKeys,
    PartitionKeyRange,
    PartitionsDefinition,
    known_index,
    moment,
    unknown_key,
)
from backfill.definitions.partitions.cron import parse_cron
from backfill.definitions.partitions.formats import KeyFormat
from backfill.definitions.partitions.keyspace import TimeWindowKeys
from backfill.definitions.partitions.windows import Windows, WindowSpec, windows_of
from backfill.definitions.partitions.zones import load_zone
from backfill.errors import DefinitionError


class TimeWindowPartitionsDefinition(PartitionsDefinition):
    """Windows of time; a window's key is its start, formatted.

    The first window starts at the first tick of `cron_schedule` at or after `start`. The last one
    ends at or before the current time, and before or at `end`; `end_offset` moves the former by
    that many windows. Keys are computed: no set is too long.

    Args:
        start: Wall-clock time in `timezone`, or text in the format `fmt`.
        fmt: strftime format of the keys, fine enough to tell the windows apart.
        timezone: IANA name, UTC by default.
        exclusions: Cron schedules, times at which windows start, or dates on which they do;
            these windows are left out.

    Raises:
        DefinitionError: An argument makes no sense; says which and why.
    """

    kind = "time_window"

    def __init__(
        self,
        start: datetime | date | str,
        fmt: str,
        end: datetime | date | str | None = None,
        schedule_type: ScheduleType | None = None,
        timezone: str | None = None,
        end_offset: int = 0,
        minute_offset: int | None = None,
        hour_offset: int | None = None,
        day_offset: int | None = None,
        cron_schedule: str | None = None,
        exclusions: Sequence[str | datetime | date] | None = None,
    ) -> None:
        zone_name = timezone or "UTC"
        load_zone(zone_name)
        schedule = cron_schedule
        if schedule is None:
            schedule = schedule_of(schedule_type, minute_offset, hour_offset, day_offset)
        elif schedule_type or minute_offset or hour_offset or day_offset:
            raise DefinitionError("Give either cron_schedule, or schedule_type and offsets.")
        cron = parse_cron(schedule)
        self.cron_schedule = schedule
        self.timezone = zone_name
        self.fmt = fmt
        self.end_offset = end_offset
        self.exclusions = tuple(exclusions) if exclusions else None
        key_format = KeyFormat(fmt, zone_name, both_passes=cron.every_hour)
        self._spec = WindowSpec(
            cron_schedule=schedule,
            timezone=zone_name,
            fmt=fmt,
            start=instant_of(start, "start", key_format, zone_name),
            end=instant_of(end, "end", key_format, zone_name) if end else None,
            end_offset=end_offset,
            **exclusions_of(self.exclusions or (), zone_name),  # type: ignore[arg-type]
        )
        self._windows.check_keys()

    @property
    def start(self) -> datetime:
        """The moment at or after which the first window starts, in the set's zone."""
        return self._windows.local(self._spec.start)

    @property
    def end(self) -> datetime | None:
        """The moment at or before which the last window ends, in the set's zone."""
        return None if self._spec.end is None else self._windows.local(self._spec.end)

    @override
    def key_space(
        self,
        current_time: datetime | None = None,
        *,
        dynamic_partitions_store: DynamicKeys | None = None,
    ) -> TimeWindowKeys:
        now = moment(current_time)
        if now.tzinfo is None:
            now = now.replace(tzinfo=self._windows.zone)
        return TimeWindowKeys(self._spec, self._windows.count(now.timestamp()))

    def time_window_for_partition_key(self, partition_key: str) -> TimeWindow:
        """Return the window of a key, also of one that lies beyond the current end of the set.

        Raises:
            NotFound: No window of the set has this key.
        """
        index = self._windows.index(partition_key)
        if index is None:
            raise unknown_key(self.key_space(), partition_key)
        return self._windows.window(index)

    def start_time_for_partition_key(self, partition_key: str) -> datetime:
        """Return when the window of a key starts."""
        return self.time_window_for_partition_key(partition_key).start

    def end_time_for_partition_key(self, partition_key: str) -> datetime:
        """Return when the window of a key ends."""
        return self.time_window_for_partition_key(partition_key).end

    def get_first_partition_window(self, current_time: datetime | None = None) -> TimeWindow | None:
        """Return the first window, or None when there is none."""
        keys = self.key_space(current_time)
        return keys.window_at(0) if len(keys) else None

    def get_last_partition_window(self, current_time: datetime | None = None) -> TimeWindow | None:
        """Return the last window, or None when there is none."""
        keys = self.key_space(current_time)
        return keys.window_at(len(keys) - 1) if len(keys) else None

    def get_next_partition_key(
        self, partition_key: str, current_time: datetime | None = None
    ) -> str | None:
        """Return the key after a key, or None after the last."""
        keys = self.key_space(current_time)
        index = known_index(keys, partition_key) + 1
        return keys.key_at(index) if index < len(keys) else None

    def get_prev_partition_key(
        self, partition_key: str, current_time: datetime | None = None
    ) -> str | None:
        """Return the key before a key, or None before the first."""
        keys = self.key_space(current_time)
        index = known_index(keys, partition_key) - 1
        return keys.key_at(index) if index >= 0 else None

    def get_partition_key_for_timestamp(self, timestamp: float, end_closed: bool = False) -> str:
        """Return the key of the window that contains a moment.

        A moment in an excluded window, or before the first, gives the window before or the first.

        Args:
            timestamp: Seconds since the epoch.
            end_closed: Whether a window contains its end instead of its start.
        """
        bound = -int(-timestamp // 1) if end_closed else int(timestamp // 1) + 1
        return self._windows.key(max(self._windows.first_at_or_after(bound) - 1, 0))

    def get_partition_keys_in_time_window(self, time_window: TimeWindow) -> Sequence[str]:
        """List the keys of the windows that start within a window of time, the end excluded."""
        return list(self._windows.keys(*self._indexes(time_window)))

    def get_num_partitions_in_window(self, time_window: TimeWindow) -> int:
        """Count the windows that start within a window of time, the end excluded."""
        first, stop = self._indexes(time_window)
        return max(stop - first, 0)

    def get_partition_key_range_for_time_window(self, time_window: TimeWindow) -> PartitionKeyRange:
        """Return the first and the last key of the windows that start within a window of time."""
        first, stop = self._indexes(time_window)
        return PartitionKeyRange(self._windows.key(first), self._windows.key(max(stop - 1, first)))

    @property
    def schedule_type(self) -> ScheduleType | None:
        """Hourly, daily, weekly or monthly, when the cron schedule is as simple as that."""
        shapes = {
            r"\d+ \* \* \* \*": ScheduleType.HOURLY,
            r"\d+ \d+ \* \* \*": ScheduleType.DAILY,
            r"\d+ \d+ \* \* \d+": ScheduleType.WEEKLY,
            r"\d+ \d+ \d+ \* \*": ScheduleType.MONTHLY,
        }
        for shape, schedule_type in shapes.items():
            if re.fullmatch(shape, self.cron_schedule):
                return schedule_type
        return None

    @property
    def minute_offset(self) -> int:
        """Minutes past the hour at which windows start."""
        return self._offset(0, "minute")

    @property
    def hour_offset(self) -> int:
        """Hours past midnight at which windows start."""
        return self._offset(1, "hour")

    @property
    def day_offset(self) -> int:
        """Day of the week (0 = Sunday) or of the month on which windows start."""
        if self.schedule_type not in (ScheduleType.WEEKLY, ScheduleType.MONTHLY):
            raise DefinitionError(f'The windows of "{self.cron_schedule}" have no day offset.')
        return self._offset(4 if self.schedule_type is ScheduleType.WEEKLY else 2, "day")

    def get_cron_schedule(
        self,
        minute_of_hour: int | None = None,
        hour_of_day: int | None = None,
        day_of_week: int | None = None,
        day_of_month: int | None = None,
    ) -> str:
        """Return a cron schedule of the same frequency that ticks at other offsets."""
        asked = (minute_of_hour, hour_of_day, day_of_week, day_of_month)
        if all(part is None for part in asked):
            return self.cron_schedule
        kind = self.schedule_type
        if kind is None:
            raise DefinitionError(f'"{self.cron_schedule}" is too special to move its ticks.')
        fields = self.cron_schedule.split()
        places = ((0, minute_of_hour), (1, hour_of_day), (4, day_of_week), (2, day_of_month))
        for place, value in places:
            if value is None:
                continue
            if not fields[place].isdigit():
                raise DefinitionError(
                    f"{kind.value.capitalize()} windows cannot be moved by this unit."
                )
            fields[place] = str(value)
        return " ".join(fields)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TimeWindowPartitionsDefinition) and self._spec == other._spec

    def __hash__(self) -> int:
        return hash(self._spec)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(start={self.start.isoformat()!r}, "
            f"end={self.end.isoformat() if self.end else None!r}, timezone={self.timezone!r}, "
            f"fmt={self.fmt!r}, end_offset={self.end_offset}, "
            f"cron_schedule={self.cron_schedule!r}, exclusions={self.exclusions!r})"
        )

    @property
    def _windows(self) -> Windows:
        return windows_of(self._spec)

    def _indexes(self, time_window: TimeWindow) -> tuple[int, int]:
        start, end = (-int(-time.timestamp() // 1) for time in time_window)
        return self._windows.first_at_or_after(start), self._windows.first_at_or_after(end)

    def _offset(self, place: int, unit: str) -> int:
        text = self.cron_schedule.split()[place]
        if not text.isdigit():
            raise DefinitionError(f'The windows of "{self.cron_schedule}" have no {unit} offset.')
        return int(text)
