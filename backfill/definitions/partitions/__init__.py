"""Partition definitions: which partitions a set has, computed rather than listed."""

from backfill.definitions.keys import TimeWindow
from backfill.definitions.partitions.arguments import ScheduleType
from backfill.definitions.partitions.base import (
    DynamicKeys,
    PartitionKeyRange,
    PartitionsDefinition,
)
from backfill.definitions.partitions.calendar import (
    DailyPartitionsDefinition,
    HourlyPartitionsDefinition,
    MonthlyPartitionsDefinition,
    WeeklyPartitionsDefinition,
)
from backfill.definitions.partitions.date_range import date_partition_range
from backfill.definitions.partitions.dynamic import DynamicPartitionsDefinition
from backfill.definitions.partitions.multi import (
    MultiPartitionKey,
    MultiPartitionsDefinition,
    PartitionDimensionDefinition,
)
from backfill.definitions.partitions.policy import BackfillPolicy
from backfill.definitions.partitions.static import StaticPartitionsDefinition
from backfill.definitions.partitions.time_window import TimeWindowPartitionsDefinition

__all__ = [
    "BackfillPolicy",
    "DailyPartitionsDefinition",
    "DynamicKeys",
    "DynamicPartitionsDefinition",
    "HourlyPartitionsDefinition",
    "MonthlyPartitionsDefinition",
    "MultiPartitionKey",
    "MultiPartitionsDefinition",
    "PartitionDimensionDefinition",
    "PartitionKeyRange",
    "PartitionsDefinition",
    "ScheduleType",
    "StaticPartitionsDefinition",
    "TimeWindow",
    "TimeWindowPartitionsDefinition",
    "WeeklyPartitionsDefinition",
    "date_partition_range",
]
