"""Partitioned backfills on Celery: the public names, each loaded when it is first used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from backfill.client import Client
    from backfill.definitions.config_schema import (
        Array,
        Enum,
        EnumValue,
        Field,
        Map,
        Noneable,
        Permissive,
        Secret,
        Selector,
        Shape,
    )
    from backfill.definitions.events import (
        JsonValue,
        MarkdownValue,
        Metadata,
        Output,
        PathValue,
        SizeValue,
        UrlValue,
    )
    from backfill.definitions.hooks import (
        BackfillHookDefinition,
        HookDefinition,
        HookedBackfill,
        backfill_hook,
        failure_hook,
        success_hook,
    )
    from backfill.definitions.partition import Partition
    from backfill.definitions.partition_set import PartitionSetDefinition
    from backfill.definitions.partitions import (
        BackfillPolicy,
        DailyPartitionsDefinition,
        DynamicPartitionsDefinition,
        HourlyPartitionsDefinition,
        MonthlyPartitionsDefinition,
        MultiPartitionKey,
        MultiPartitionsDefinition,
        PartitionKeyRange,
        StaticPartitionsDefinition,
        TimeWindow,
        TimeWindowPartitionsDefinition,
        WeeklyPartitionsDefinition,
        date_partition_range,
    )
    from backfill.definitions.pipeline import PipelineDefinition, pipeline
    from backfill.definitions.policies import (
        Backoff,
        Failure,
        Jitter,
        RetryPolicy,
        RetryRequested,
        Skip,
    )
    from backfill.definitions.ports import In, InputDefinition, Nothing, Out, OutputDefinition
    from backfill.definitions.repository import repository
    from backfill.definitions.resources import ResourceDefinition, resource
    from backfill.definitions.schedules import (
        CatchUp,
        DefaultScheduleStatus,
        PartitionScheduleDefinition,
        RunRequest,
        ScheduleContext,
        ScheduleDefinition,
        SkipReason,
        daily_schedule,
        hourly_schedule,
        monthly_schedule,
        schedule,
        schedule_from_partitions,
        weekly_schedule,
    )
    from backfill.definitions.serializers import Serializer, register_serializer
    from backfill.definitions.steps import StepDefinition, solid, step
    from backfill.definitions.wiring import pipeline_from_graph
    from backfill.execution.context import ResourceContext, StepContext
    from backfill.execution.hooks import HookContext, build_hook_context
    from backfill.execution.interrupts import RunCanceled, StepTimeout
    from backfill.execution.local import RunResult, execute_partition, execute_pipeline
    from backfill.execution.step_testing import build_step_context

_HOME = {
    "config_schema": ("Array Enum EnumValue Field Map Noneable Permissive Secret Selector Shape"),
    "events": "JsonValue MarkdownValue Metadata Output PathValue SizeValue UrlValue",
    "hooks": (
        "BackfillHookDefinition HookDefinition HookedBackfill backfill_hook failure_hook "
        "success_hook"
    ),
    "partition": "Partition",
    "partition_set": "PartitionSetDefinition",
    "partitions": (
        "BackfillPolicy DailyPartitionsDefinition DynamicPartitionsDefinition "
        "HourlyPartitionsDefinition MonthlyPartitionsDefinition MultiPartitionKey "
        "MultiPartitionsDefinition PartitionKeyRange StaticPartitionsDefinition "
        "TimeWindow TimeWindowPartitionsDefinition WeeklyPartitionsDefinition "
        "date_partition_range"
    ),
    "pipeline": "PipelineDefinition pipeline",
    "policies": "Backoff Failure Jitter RetryPolicy RetryRequested Skip",
    "ports": "In InputDefinition Nothing Out OutputDefinition",
    "repository": "repository",
    "resources": "ResourceDefinition resource",
    "schedules": (
        "CatchUp DefaultScheduleStatus PartitionScheduleDefinition RunRequest ScheduleContext "
        "ScheduleDefinition SkipReason daily_schedule hourly_schedule monthly_schedule "
        "schedule schedule_from_partitions weekly_schedule"
    ),
    "serializers": "Serializer register_serializer",
    "steps": "StepDefinition solid step",
    "wiring": "pipeline_from_graph",
}
_EXECUTION = {
    "context": "ResourceContext StepContext",
    "hooks": "HookContext build_hook_context",
    "interrupts": "RunCanceled StepTimeout",
    "local": "RunResult execute_partition execute_pipeline",
    "step_testing": "build_step_context",
}
_MODULES = {
    name: f"backfill.{package}.{module}"
    for package, homes in (("definitions", _HOME), ("execution", _EXECUTION))
    for module, names in homes.items()
    for name in names.split()
} | {"Client": "backfill.client"}

__all__ = [  # noqa: PLE0604, RUF100 (the same names as above, sorted)
    "Array",
    "BackfillHookDefinition",
    "BackfillPolicy",
    "Backoff",
    "CatchUp",
    "Client",
    "DailyPartitionsDefinition",
    "DefaultScheduleStatus",
    "DynamicPartitionsDefinition",
    "Enum",
    "EnumValue",
    "Failure",
    "Field",
    "HookContext",
    "HookDefinition",
    "HookedBackfill",
    "HourlyPartitionsDefinition",
    "In",
    "InputDefinition",
    "Jitter",
    "JsonValue",
    "Map",
    "MarkdownValue",
    "Metadata",
    "MonthlyPartitionsDefinition",
    "MultiPartitionKey",
    "MultiPartitionsDefinition",
    "Noneable",
    "Nothing",
    "Out",
    "Output",
    "OutputDefinition",
    "Partition",
    "PartitionKeyRange",
    "PartitionScheduleDefinition",
    "PartitionSetDefinition",
    "PathValue",
    "Permissive",
    "PipelineDefinition",
    "ResourceContext",
    "ResourceDefinition",
    "RetryPolicy",
    "RetryRequested",
    "RunCanceled",
    "RunRequest",
    "RunResult",
    "ScheduleContext",
    "ScheduleDefinition",
    "Secret",
    "Selector",
    "Serializer",
    "Shape",
    "SizeValue",
    "Skip",
    "SkipReason",
    "StaticPartitionsDefinition",
    "StepContext",
    "StepDefinition",
    "StepTimeout",
    "TimeWindow",
    "TimeWindowPartitionsDefinition",
    "UrlValue",
    "WeeklyPartitionsDefinition",
    "backfill_hook",
    "build_hook_context",
    "build_step_context",
    "daily_schedule",
    "date_partition_range",
    "execute_partition",
    "execute_pipeline",
    "failure_hook",
    "hourly_schedule",
    "monthly_schedule",
    "pipeline",
    "pipeline_from_graph",
    "register_serializer",
    "repository",
    "resource",
    "schedule",
    "schedule_from_partitions",
    "solid",
    "step",
    "success_hook",
    "weekly_schedule",
]


def __getattr__(name: str) -> Any:
    """Load a public name from its module: `import backfill` itself stays cheap."""
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module 'backfill' has no attribute {name!r}")
    value = getattr(import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
