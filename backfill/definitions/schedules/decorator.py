"""The decorator that makes a schedule of a function of the tick."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from backfill.definitions.schedules.answers import ScheduleContext
from backfill.definitions.schedules.definition import ScheduleDefinition


def schedule(
    cron_schedule: str,
    pipeline_name: str | None = None,
    name: str | None = None,
    tags: Mapping[str, str] | None = None,
    tags_fn: Callable[[ScheduleContext], Mapping[str, str]] | None = None,
    solid_selection: Sequence[str] | None = None,
    mode: str | None = None,
    should_execute: Callable[[ScheduleContext], bool] | None = None,
    environment_vars: Mapping[str, str] | None = None,
    execution_timezone: str | None = None,
    description: str | None = None,
    **options: Any,
) -> Callable[[Callable[[ScheduleContext], Any]], ScheduleDefinition]:
    """Make a schedule of a function of the tick's context.

    The function returns a run config, or returns or yields RunRequests, or a SkipReason.
    `options` are `pipeline` and those of ScheduleOptions.
    """

    def decorate(function: Callable[[ScheduleContext], Any]) -> ScheduleDefinition:
        return ScheduleDefinition(
            name or function.__name__,
            cron_schedule,
            pipeline_name,
            tags=tags,
            tags_fn=tags_fn,
            solid_selection=solid_selection,
            mode=mode,
            should_execute=should_execute,
            environment_vars=environment_vars,
            execution_timezone=execution_timezone,
            execution_fn=function,
            description=description or function.__doc__,
            **options,
        )

    return decorate
