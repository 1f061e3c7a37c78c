"""Schedules: when runs start by themselves, and of which partitions."""

from backfill.definitions.schedules.answers import RunRequest, ScheduleContext, SkipReason
from backfill.definitions.schedules.calendar import (
    daily_schedule,
    hourly_schedule,
    monthly_schedule,
    weekly_schedule,
)
from backfill.definitions.schedules.catch_up import CatchUp
from backfill.definitions.schedules.decorator import schedule
from backfill.definitions.schedules.definition import (
    PartitionScheduleDefinition,
    ScheduleDefinition,
)
from backfill.definitions.schedules.evaluation import evaluate_tick
from backfill.definitions.schedules.partitioned import (
    create_schedule_definition,
    schedule_from_partitions,
)
from backfill.definitions.schedules.ticking import DueTicks, due_ticks
from backfill.definitions.schedules.timetable import Timetable
from backfill.states import ScheduleState as DefaultScheduleStatus

__all__ = [
    "CatchUp",
    "DefaultScheduleStatus",
    "DueTicks",
    "PartitionScheduleDefinition",
    "RunRequest",
    "ScheduleContext",
    "ScheduleDefinition",
    "SkipReason",
    "Timetable",
    "create_schedule_definition",
    "daily_schedule",
    "due_ticks",
    "evaluate_tick",
    "hourly_schedule",
    "monthly_schedule",
    "schedule",
    "schedule_from_partitions",
    "weekly_schedule",
]
