"""Schedules of partition sets: with a selector of one's own, or following the partitions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Unpack

from backfill.definitions.keys import CalendarKeys, DimensionedKeys, KeySpace
from backfill.definitions.partition import Partition
from backfill.definitions.partition_set import PartitionSetDefinition
from backfill.definitions.partitions import (
    MultiPartitionsDefinition,
    TimeWindowPartitionsDefinition,
)
from backfill.definitions.partitions.keyspace import TimeWindowKeys
from backfill.definitions.schedules.answers import ScheduleContext, SkipReason
from backfill.definitions.schedules.definition import (
    PartitionScheduleDefinition,
    PartitionSelector,
    ScheduleOptions,
)
from backfill.definitions.schedules.timetable import Timetable
from backfill.definitions.selection import evaluate, selected_keys
from backfill.definitions.selection.syntax import Dimension, Range
from backfill.errors import DefinitionError


def create_schedule_definition(
    partition_set: PartitionSetDefinition,
    schedule_name: str,
    cron_schedule: str,
    partition_selector: PartitionSelector,
    should_execute: Callable[[ScheduleContext], bool] | None = None,
    environment_vars: Mapping[str, str] | None = None,
    execution_timezone: str | None = None,
    description: str | None = None,
    **options: Unpack[ScheduleOptions],
) -> PartitionScheduleDefinition:
    """Return a schedule whose ticks run what `partition_selector(context, partition_set)` returns.

    The selector returns one Partition, a list of them, or a SkipReason. `options` are those of
    ScheduleOptions.
    """
    return PartitionScheduleDefinition(
        schedule_name,
        cron_schedule,
        partition_set,
        partition_selector,
        should_execute=should_execute,
        environment_vars=environment_vars,
        execution_timezone=execution_timezone,
        description=description,
        **options,
    )


def schedule_from_partitions(
    partition_set: PartitionSetDefinition,
    *,
    name: str | None = None,
    cron_schedule: str | None = None,
    minute_of_hour: int | None = None,
    hour_of_day: int | None = None,
    day_of_week: int | None = None,
    day_of_month: int | None = None,
    should_execute: Callable[[ScheduleContext], bool] | None = None,
    execution_timezone: str | None = None,
    description: str | None = None,
    **options: Unpack[ScheduleOptions],
) -> PartitionScheduleDefinition:
    """Return a schedule that runs the partitions of a set as they come to be.

    Of time windows a tick runs those that became complete since the tick before; with other
    dimensions, all their combinations. Of other sets it runs every partition.

    Args:
        name: `<set>_schedule` when not given.
        cron_schedule: The cron of the windows when not given; the offsets move that one. Sets
            without time windows need it.
        options: Those of ScheduleOptions.

    Raises:
        DefinitionError: No cron is given and none follows from the set.
    """
    windows = _time_windows(partition_set)
    moved = (minute_of_hour, hour_of_day, day_of_week, day_of_month)
    if cron_schedule is None:
        if windows is None:
            raise DefinitionError(
                f'Partition set "{partition_set.name}" has no time windows to follow: give '
                "cron_schedule."
            )
        cron_schedule = windows.get_cron_schedule(*moved)
    elif any(part is not None for part in moved):
        raise DefinitionError("Give either cron_schedule, or the parts in which to move it.")
    schedule = PartitionScheduleDefinition(
        name or f"{partition_set.name}_schedule",
        cron_schedule,
        partition_set,
        lambda context, found: _new_partitions(schedule, context, found),
        should_execute=should_execute,
        execution_timezone=execution_timezone or (windows.timezone if windows else None),
        description=description,
        **options,
    )
    return schedule


def window_selector(offset: int) -> PartitionSelector:
    """Return a selector of the window `offset` windows before the one that runs at the tick.

    It is for sets whose partitions are defined by time windows.
    """

    def select(
        context: ScheduleContext, partition_set: PartitionSetDefinition
    ) -> Partition | SkipReason:
        at = context.scheduled_execution_time
        partitions = partition_set.partitions(at)
        assert isinstance(partitions.keys, TimeWindowKeys)
        index = partitions.keys.running_at(at) - offset
        if index < 0:
            return SkipReason("There is no partition yet: the tick is before the beginning.")
        if index >= len(partitions.keys):
            return SkipReason("There is no partition any more: the tick is after the end.")
        return next(iter(partitions.between(index, index + 1)))

    return select


def _time_windows(partition_set: PartitionSetDefinition) -> TimeWindowPartitionsDefinition | None:
    definition: Any = partition_set.partitions_def
    if isinstance(definition, MultiPartitionsDefinition):
        of_time = [
            dimension.partitions_def
            for dimension in definition.partitions_defs
            if isinstance(dimension.partitions_def, TimeWindowPartitionsDefinition)
        ]
        definition = of_time[0] if len(of_time) == 1 else None
    return definition if isinstance(definition, TimeWindowPartitionsDefinition) else None


def _new_partitions(
    schedule: PartitionScheduleDefinition,
    context: ScheduleContext,
    partition_set: PartitionSetDefinition,
) -> Sequence[Partition] | SkipReason:
    at = context.scheduled_execution_time
    timetable = Timetable(schedule.cron_schedule, schedule.execution_timezone)
    before = timetable.latest(at - timedelta(seconds=1))
    found = partition_set.partitions(at, dynamic_keys=context.dynamic_keys)
    earlier = partition_set.key_space(before, dynamic_keys=context.dynamic_keys)
    new = [found.find(key) for key in _new_keys(found.keys, earlier, at)]
    if not new:
        return SkipReason("No partition has become complete since the tick before.")
    return [partition for partition in new if partition is not None]


def _new_keys(keys: KeySpace, earlier: KeySpace, at: datetime) -> Sequence[str]:
    if isinstance(keys, CalendarKeys):
        return keys.slice(len(earlier), len(keys))
    if not isinstance(keys, DimensionedKeys) or not isinstance(earlier, DimensionedKeys):
        return keys.slice(0, len(keys))
    for name, dimension in keys.dimensions.items():
        if isinstance(dimension, CalendarKeys):
            new = dimension.slice(len(earlier.dimensions[name]), len(dimension))
            if not new:
                return ()
            found = evaluate(Dimension(name, Range(new[0], new[-1])), keys, now=at)
            return list(selected_keys(found, keys))
    return keys.slice(0, len(keys))
