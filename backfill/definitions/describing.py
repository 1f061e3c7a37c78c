"""Telling what a registry holds as plain data."""

from __future__ import annotations

from datetime import datetime

from backfill.definitions.catalog import (
    Catalog,
    PartitionSetInfo,
    PipelineInfo,
    ScheduleInfo,
    StepInfo,
)
from backfill.definitions.hooks import BackfillHookDefinition, HookInfo, backfill_hooks
from backfill.definitions.partition_set import PartitionSetDefinition
from backfill.definitions.partitions import (
    DynamicPartitionsDefinition,
    MultiPartitionsDefinition,
    PartitionsDefinition,
)
from backfill.definitions.pipeline import PipelineDefinition
from backfill.definitions.registry import Registry
from backfill.definitions.schedules import ScheduleDefinition


def describe_registry(registry: Registry, loaded_at: datetime | None) -> Catalog:
    """Return everything that is defined, each kind sorted by name."""
    return Catalog(
        sources=tuple(source.text for source in registry.sources),
        pipelines=tuple(_pipeline(item) for _, item in sorted(registry.pipelines.items())),
        partition_sets=tuple(
            _partition_set(item, registry) for _, item in sorted(registry.partition_sets.items())
        ),
        schedules=tuple(_schedule(item) for _, item in sorted(registry.schedules.items())),
        version=registry.version,
        loaded_at=loaded_at,
    )


def _pipeline(pipeline: PipelineDefinition) -> PipelineInfo:
    told = pipeline.describe()
    steps = tuple(StepInfo(**step) for step in told.pop("steps"))
    return PipelineInfo(**told, steps=steps, run_config_sample=pipeline.config.sample())


def hooks_of(
    partition_set: PartitionSetDefinition, registry: Registry
) -> tuple[BackfillHookDefinition, ...]:
    """Return the hooks of a set's backfills: its own and its pipeline's."""
    pipeline = registry.pipelines.get(partition_set.pipeline_name)
    of_pipeline = backfill_hooks(pipeline.hooks) if pipeline is not None else ()
    return tuple(dict.fromkeys((*partition_set.hooks, *of_pipeline)))


def _partition_set(partition_set: PartitionSetDefinition, registry: Registry) -> PartitionSetInfo:
    return PartitionSetInfo(
        name=partition_set.name,
        pipeline=partition_set.pipeline_name,
        kind=partition_set.kind,
        description=partition_set.description,
        has_tags_fn=partition_set.has_tags_fn,
        step_selection=partition_set.step_selection,
        place=str(partition_set.place),
        dynamic=_dynamic(partition_set.partitions_def),
        hooks=tuple(
            HookInfo(hook.name, tuple(sorted(hook.events)))
            for hook in hooks_of(partition_set, registry)
        ),
        partitions_per_run=partition_set.backfill_policy.max_partitions_per_run or 0,
        takes_ranges=partition_set.takes_ranges,
    )


def _dynamic(definition: PartitionsDefinition | None) -> tuple[str, ...]:
    """Return the names under which keys of a definition are added and removed."""
    if isinstance(definition, MultiPartitionsDefinition):
        parts = [part.partitions_def for part in definition.partitions_defs]
        return tuple(dict.fromkeys(name for part in parts for name in _dynamic(part)))
    if isinstance(definition, DynamicPartitionsDefinition) and definition.name is not None:
        return (definition.name,)
    return ()


def _schedule(schedule: ScheduleDefinition) -> ScheduleInfo:
    return ScheduleInfo(
        name=schedule.name,
        pipeline=schedule.pipeline_name,
        cron=schedule.cron_schedule,
        partition_set=schedule.partition_set.name if schedule.partition_set else None,
        timezone=schedule.execution_timezone,
        description=schedule.description,
        when_busy=schedule.when_busy,
        catch_up=str(schedule.catch_up),
        step_selection=schedule.step_selection,
        max_failures=schedule.max_failures,
        default_status=schedule.default_status.value,
        place=str(schedule.place),
    )
