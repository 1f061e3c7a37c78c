"""Schedules: when runs of a pipeline start by themselves, and which."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack

from backfill.definitions.checks import NAME
from backfill.definitions.partition import Partition
from backfill.definitions.partitions.cron import parse_cron
from backfill.definitions.partitions.zones import load_zone
from backfill.definitions.place import calling_place
from backfill.definitions.schedules.answers import ScheduleContext, SkipReason
from backfill.definitions.schedules.catch_up import CatchUp, catch_up_of
from backfill.definitions.text import shown
from backfill.errors import DefinitionError
from backfill.states import ScheduleState

if TYPE_CHECKING:
    from backfill.definitions.partition_set import PartitionSetDefinition
    from backfill.definitions.pipeline import PipelineDefinition

WhenBusy = Literal["wait", "skip"]
MAX_FAILURES = 1000
PartitionSelector = Callable[
    [ScheduleContext, "PartitionSetDefinition"], Partition | Sequence[Partition] | SkipReason
]


class ScheduleOptions(TypedDict, total=False):
    """What every kind of schedule takes besides; see ScheduleDefinition."""

    catch_up: CatchUp | str | int | None
    when_busy: WhenBusy
    max_failures: int
    default_status: ScheduleState | str


class ScheduleDefinition:
    """A cron at whose ticks runs of a pipeline start.

    A tick makes one run with `run_config` (or what `run_config_fn(context)` returns), unless
    `execution_fn(context)` says otherwise: it returns or yields RunRequests or a SkipReason, or
    returns the run config itself.

    Args:
        should_execute: Asked at a tick; a tick it says no to is skipped.
        execution_timezone: IANA name of the cron's zone, UTC by default.
        catch_up: What becomes of missed ticks: a CatchUp, or `none`, `last`, `all` or a number;
            the newest 5 by default. Ticks from before the schedule was started are never made.
        when_busy: What becomes of a tick's partition that another run is on its way for: its run
            waits behind that one (`wait`), or none is made (`skip`).
        max_failures: How often a failed run of a tick is tried again.
        default_status: `running` makes it tick without being started, from when it is first
            seen; whoever starts or stops it has the last word.

    Raises:
        DefinitionError: An argument makes no sense; says which and why.
    """

    partition_set: PartitionSetDefinition | None = None
    partition_selector: PartitionSelector | None = None

    def __init__(
        self,
        name: str,
        cron_schedule: str,
        pipeline_name: str | None = None,
        run_config: Mapping[str, Any] | None = None,
        run_config_fn: Callable[[ScheduleContext], Mapping[str, Any]] | None = None,
        tags: Mapping[str, str] | None = None,
        tags_fn: Callable[[ScheduleContext], Mapping[str, str] | None] | None = None,
        solid_selection: Sequence[str] | None = None,
        mode: str | None = None,
        should_execute: Callable[[ScheduleContext], bool] | None = None,
        environment_vars: Mapping[str, str] | None = None,
        execution_timezone: str | None = None,
        execution_fn: Callable[[ScheduleContext], Any] | None = None,
        description: str | None = None,
        *,
        pipeline: PipelineDefinition | None = None,
        step_selection: Sequence[str] | None = None,
        catch_up: CatchUp | str | int | None = None,
        when_busy: WhenBusy = "wait",
        max_failures: int = 0,
        default_status: ScheduleState | str = ScheduleState.STOPPED,
    ) -> None:
        self.place = calling_place()
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise DefinitionError(
                f"{shown(name)} cannot name a schedule: use letters, digits and underscores."
            )
        self.name = name
        parse_cron(cron_schedule)
        self.cron_schedule = cron_schedule
        self.execution_timezone = execution_timezone or "UTC"
        load_zone(self.execution_timezone)
        self.pipeline = pipeline
        self.pipeline_name = self._pipeline_name(pipeline_name)
        self.run_config = self._one("run_config", run_config, "run_config_fn", run_config_fn)
        self.run_config_fn = run_config_fn
        self.tags = self._one("tags", tags, "tags_fn", tags_fn)
        self.tags_fn = tags_fn
        self.step_selection = step_selection if step_selection is not None else solid_selection
        self.mode = mode or "default"
        self.should_execute = should_execute
        self.environment_vars = environment_vars
        self.execution_fn = execution_fn
        self.description = description
        self.catch_up = catch_up_of(catch_up)
        if when_busy not in ("wait", "skip"):
            raise DefinitionError(f'when_busy of schedule "{name}" is wait or skip.')
        self.when_busy = when_busy
        self.max_failures = _count(name, max_failures)
        self.default_status = _status(name, default_status)
        if execution_fn is not None and (run_config is not None or run_config_fn is not None):
            raise DefinitionError(
                f'Schedule "{name}" is given execution_fn, which makes the runs itself, and a run '
                "config besides: give one."
            )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, {self.cron_schedule!r})"

    def _pipeline_name(self, given: str | None) -> str:
        if self.pipeline is not None and given in (None, self.pipeline.name):
            return self.pipeline.name
        if self.pipeline is not None or not isinstance(given, str) or not given:
            raise DefinitionError(
                f'Schedule "{self.name}" needs one pipeline: give pipeline_name or pipeline.'
            )
        return given

    def _one(self, argument: str, value: Any, function_argument: str, function: object) -> Any:
        if value is not None and function is not None:
            raise DefinitionError(
                f'Schedule "{self.name}" is given {argument} and {function_argument}: give one.'
            )
        return value


class PartitionScheduleDefinition(ScheduleDefinition):
    """A schedule whose ticks run partitions of a set.

    `partition_selector(context, partition_set)` returns a Partition, a list of them, or a
    SkipReason. Run configs and tags are those of the set; `options` are those of
    ScheduleOptions.
    """

    partition_set: PartitionSetDefinition
    partition_selector: PartitionSelector

    def __init__(
        self,
        name: str,
        cron_schedule: str,
        partition_set: PartitionSetDefinition,
        partition_selector: PartitionSelector,
        *,
        should_execute: Callable[[ScheduleContext], bool] | None = None,
        environment_vars: Mapping[str, str] | None = None,
        execution_timezone: str | None = None,
        description: str | None = None,
        **options: Unpack[ScheduleOptions],
    ) -> None:
        super().__init__(
            name,
            cron_schedule,
            partition_set.pipeline_name,
            solid_selection=partition_set.step_selection,
            mode=partition_set.mode,
            should_execute=should_execute,
            environment_vars=environment_vars,
            execution_timezone=execution_timezone,
            description=description,
            **options,
        )
        if not callable(partition_selector):
            raise DefinitionError(
                f'partition_selector of schedule "{name}" must be a function, '
                f"not {shown(partition_selector)}."
            )
        self.partition_set = partition_set
        self.partition_selector = partition_selector

    def get_partition_set(self) -> PartitionSetDefinition:
        """Return the set whose partitions it runs."""
        return self.partition_set


def _count(schedule: str, given: object) -> int:
    if not isinstance(given, int) or isinstance(given, bool) or not 0 <= given <= MAX_FAILURES:
        raise DefinitionError(
            f'max_failures of schedule "{schedule}" must be from 0 to {MAX_FAILURES}, '
            f"not {shown(given)}."
        )
    return given


def _status(schedule: str, given: object) -> ScheduleState:
    try:
        return ScheduleState(str(given))
    except ValueError:
        raise DefinitionError(
            f'default_status of schedule "{schedule}" is running or stopped, not {shown(given)}.'
        ) from None
