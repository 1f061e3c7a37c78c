"""Partition sets: the partitions a pipeline runs over, and the run config of each."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from backfill.definitions.hooks import BackfillHookDefinition, backfill_hooks, checked_hooks
from backfill.definitions.keys import KeySpace, TimeWindow
from backfill.definitions.listing import Computed, PartitionFunction, Partitions
from backfill.definitions.partition import Partition
from backfill.definitions.partitions import (
    BackfillPolicy,
    DynamicKeys,
    PartitionsDefinition,
    TimeWindowPartitionsDefinition,
)
from backfill.definitions.place import Place, calling_place
from backfill.definitions.tags import PARTITION_SET_TAG, PARTITION_TAG, WEIGHT_TAG, tags_problem
from backfill.definitions.text import shown
from backfill.definitions.user_code import call_user
from backfill.errors import DefinitionError, NotFound, UserCodeError

if TYPE_CHECKING:
    from backfill.definitions.pipeline import PipelineDefinition
    from backfill.definitions.schedules import PartitionScheduleDefinition, ScheduleContext
    from backfill.definitions.schedules.definition import PartitionSelector

_NAME = re.compile(r"[A-Za-z0-9_]{1,200}")


class PartitionSetDefinition:
    """A set of partitions of a pipeline, with the run config and the tags of each.

    Args:
        name: Letters, digits and underscores.
        pipeline_name: The pipeline that runs; or give the pipeline itself as `pipeline`.
        partition_fn: Takes nothing, or the current time (UTC), and returns a list of Partition
            or str in the set's order; or give a `partitions_def`.
        solid_selection: The steps to run, all when None; `step_selection` is the same.
        mode: Kept for programs that name one.
        run_config_fn_for_partition: Takes a Partition, returns its run config.
        tags_fn_for_partition: Takes a Partition, returns the tags of its run.
        weight_fn_for_partition: Takes a Partition, returns a number: a backfill ordered by weight
            runs the largest first.
        hooks: What `@backfill_hook` made: told of the backfills over this set.
        partitions_def: The value of its partitions is their time window, or else their key.
        backfill_policy: How many neighbouring partitions a backfill runs together.
        run_config_fn_for_range: Takes the partitions of such a run, returns its run config.

    Attributes:
        place: Where it is defined.
    """

    def __init__(
        self,
        name: str,
        pipeline_name: str | None = None,
        partition_fn: Callable[..., Sequence[Partition | str]] | None = None,
        solid_selection: Sequence[str] | None = None,
        mode: str | None = None,
        run_config_fn_for_partition: Callable[[Partition], Mapping[str, Any]] | None = None,
        tags_fn_for_partition: Callable[[Partition], Mapping[str, str] | None] | None = None,
        *,
        pipeline: PipelineDefinition | None = None,
        partitions_def: PartitionsDefinition | None = None,
        step_selection: Sequence[str] | None = None,
        description: str | None = None,
        weight_fn_for_partition: Callable[[Partition], float] | None = None,
        hooks: Iterable[Any] | None = None,
        backfill_policy: BackfillPolicy | None = None,
        run_config_fn_for_range: Callable[[Sequence[Partition]], Mapping[str, Any]] | None = None,
    ) -> None:
        self.place = calling_place()
        self.name = _checked_name(name)
        self.pipeline = pipeline
        self.pipeline_name = self._pipeline_name(pipeline_name)
        self.partitions_def = partitions_def
        self.step_selection = self._selected_steps(step_selection, solid_selection)
        self.mode = mode or "default"
        self.description = description
        self._function = self._partition_function(partition_fn)
        self._run_config_fn = self._optional(
            "run_config_fn_for_partition", run_config_fn_for_partition
        )
        self._tags_fn = self._optional("tags_fn_for_partition", tags_fn_for_partition)
        self._weight_fn = self._optional("weight_fn_for_partition", weight_fn_for_partition)
        self.hooks = _checked_hooks(hooks, self.name, self.place)
        self.backfill_policy = backfill_policy or BackfillPolicy()
        self._range_config_fn = self._optional("run_config_fn_for_range", run_config_fn_for_range)

    def __repr__(self) -> str:
        return f"PartitionSetDefinition({self.name!r}, pipeline_name={self.pipeline_name!r})"

    @property
    def solid_selection(self) -> Sequence[str] | None:
        """The same as `step_selection`."""
        return self.step_selection

    @property
    def kind(self) -> str:
        """`function` for a set with a partition_fn, else the kind of its definition."""
        return "function" if self.partitions_def is None else self.partitions_def.kind

    @property
    def has_tags_fn(self) -> bool:
        """Whether its runs may carry tags of their own."""
        return self._tags_fn is not None or self._weight_fn is not None

    def partitions(self, at: datetime, *, dynamic_keys: DynamicKeys | None = None) -> Partitions:
        """Return the partitions at a time, computed where they can be.

        Args:
            dynamic_keys: Where definitions of dynamic partitions find their keys.

        Raises:
            UserCodeError: The partition function raised.
            DefinitionError: It returned something else than distinct partitions.
        """
        if self._function is not None:
            return self._function.listed(at)
        assert self.partitions_def is not None
        keys = self.partitions_def.key_space(at, dynamic_partitions_store=dynamic_keys)
        return Computed(keys, self.partitions_def)

    def key_space(
        self, current_time: datetime, *, dynamic_keys: DynamicKeys | None = None
    ) -> KeySpace:
        """Return the keys at a time; raises as `partitions` does."""
        return self.partitions(current_time, dynamic_keys=dynamic_keys).keys

    def get_partitions(self, current_time: datetime | None = None) -> list[Partition]:
        """Return every partition, in order, at a time (now when not given)."""
        found = self.partitions(current_time or datetime.now(UTC))
        return list(found.between(0, len(found.keys)))

    def get_partition_names(self, current_time: datetime | None = None) -> list[str]:
        """Return the key of every partition, in order, at a time (now when not given)."""
        keys = self.key_space(current_time or datetime.now(UTC))
        return list(keys.slice(0, len(keys)))

    def get_partition(
        self,
        name: str,
        current_time: datetime | None = None,
        *,
        dynamic_keys: DynamicKeys | None = None,
    ) -> Partition:
        """Return the partition of a key, at a time (now when not given).

        Raises:
            NotFound: The set has no such partition; the nearest are named.
        """
        at = current_time or datetime.now(UTC)
        found = self.partitions(at, dynamic_keys=dynamic_keys)
        partition = found.find(name)
        if partition is None and self._function is not None:
            found = self._function.listed(at, fresh=True)  # it may be newer than what was kept
            partition = found.find(name)
        if partition is None:
            raise self.unknown(name, found.keys)
        return partition

    def unknown(self, key: str, keys: KeySpace) -> NotFound:
        """Return the error for a key that is none of the set's."""
        near = " or ".join(f'"{name}"' for name in keys.nearest(key))
        meant = f" Did you mean {near}?" if near else ""
        return NotFound(
            f'Partition set "{self.name}" has no partition "{key}".{meant} '
            f"It has {len(keys)} partitions{_ends(keys)}.",
            partition_set=self.name,
            partition=key,
        )

    def run_config_for_partition(
        self, partition: Partition | str, current_time: datetime | None = None
    ) -> dict[str, Any]:
        """Return the run config of a partition (or of its key); empty without a function.

        Raises:
            NotFound: The set has no partition of that key.
            UserCodeError: The function raised or did not return a dict.
        """
        partition = self._resolved(partition, current_time)
        if self._run_config_fn is None:
            if self._range_config_fn is not None:
                return self.run_config_for_range((partition,), None)
            return {}
        what = f'The run config function of set "{self.name}" for partition "{partition.name}"'
        facts = {"partition_set": self.name, "partition": partition.name}
        config = call_user(what, self._run_config_fn, partition, **facts)
        if not isinstance(config, Mapping):
            raise UserCodeError(
                f"{what} returned {shown(config)} ({type(config).__name__}); expected a dict.",
                **facts,
            )
        return dict(config)

    @property
    def takes_ranges(self) -> bool:
        """Whether it can tell the run config of several partitions that are run together."""
        time_windows = isinstance(self.partitions_def, TimeWindowPartitionsDefinition)
        return self._run_config_fn is None or self._range_config_fn is not None or time_windows

    def run_config_for_range(
        self, partitions: Sequence[Partition], window: TimeWindow | None
    ) -> dict[str, Any]:
        """Return the run config of neighbouring partitions that are run together.

        The function for ranges is given all of them. Where there is none, the function for a
        partition is given one whose value is the time window of them all.

        Raises:
            UserCodeError: The function raised or did not return a dict, or there is none to ask.
        """
        first, last = partitions[0], partitions[-1]
        if self._range_config_fn is None:
            if self._run_config_fn is not None and window is None:
                raise UserCodeError(
                    f'Set "{self.name}" cannot tell the run config of several partitions: give it '
                    "a run_config_fn_for_range.",
                    partition_set=self.name,
                )
            return self.run_config_for_partition(Partition(window, f"{first.name}...{last.name}"))
        what = (
            f'The run config function for ranges of set "{self.name}" for '
            f'"{first.name}" to "{last.name}"'
        )
        config = call_user(what, self._range_config_fn, tuple(partitions), partition_set=self.name)
        if not isinstance(config, Mapping):
            raise UserCodeError(
                f"{what} returned {shown(config)} ({type(config).__name__}); expected a dict.",
                partition_set=self.name,
            )
        return dict(config)

    def tags_for_partition(
        self, partition: Partition | str, current_time: datetime | None = None
    ) -> dict[str, str]:
        """Return every tag of a partition's run: its own, and which partition of which set it is.

        Raises:
            NotFound: The set has no partition of that key.
            UserCodeError: The function raised, or returned wrong or reserved tags.
        """
        resolved = self._resolved(partition, current_time)
        return {
            **self.own_tags(resolved),
            PARTITION_TAG: resolved.name,
            PARTITION_SET_TAG: self.name,
        }

    def own_tags(self, partition: Partition) -> dict[str, str]:
        """Return the tags that the set's functions give a partition; none without a function."""
        weight = {} if self._weight_fn is None else {WEIGHT_TAG: str(self._weight(partition))}
        if self._tags_fn is None:
            return weight
        what = f'The tags function of set "{self.name}" for partition "{partition.name}"'
        facts = {"partition_set": self.name, "partition": partition.name}
        tags = call_user(what, self._tags_fn, partition, **facts)
        if tags is None:
            return {}
        if problem := tags_problem(tags):
            raise UserCodeError(f"{what} {problem}.", **facts)
        return {**tags, **weight}

    def _weight(self, partition: Partition) -> float:
        assert self._weight_fn is not None
        what = f'The weight function of set "{self.name}" for partition "{partition.name}"'
        facts = {"partition_set": self.name, "partition": partition.name}
        weight = call_user(what, self._weight_fn, partition, **facts)
        if isinstance(weight, bool) or not isinstance(weight, int | float) or weight != weight:
            raise UserCodeError(f"{what} returned {shown(weight)}; expected a number.", **facts)
        return weight

    def create_schedule_definition(
        self,
        schedule_name: str,
        cron_schedule: str,
        partition_selector: PartitionSelector,
        should_execute: Callable[[ScheduleContext], bool] | None = None,
        environment_vars: Mapping[str, str] | None = None,
        execution_timezone: str | None = None,
        description: str | None = None,
        **options: Any,
    ) -> PartitionScheduleDefinition:
        """Return a schedule of this set: `partition_selector(context, set)` returns what to run.

        It returns a Partition, a list of them, or a SkipReason. `options` are those of
        ScheduleOptions: `catch_up`, `when_busy`, `max_failures` and `default_status`.
        """
        from backfill.definitions.schedules import create_schedule_definition

        return create_schedule_definition(
            self,
            schedule_name,
            cron_schedule,
            partition_selector,
            should_execute,
            environment_vars,
            execution_timezone,
            description,
            **options,
        )

    def _resolved(self, partition: Partition | str, at: datetime | None) -> Partition:
        return self.get_partition(partition, at) if isinstance(partition, str) else partition

    def _pipeline_name(self, given: str | None) -> str:
        if self.pipeline is not None:
            if given is not None and given != self.pipeline.name:
                raise DefinitionError(
                    f'Partition set "{self.name}" names the pipeline "{given}" and is given '
                    f'the pipeline "{self.pipeline.name}".'
                )
            return self.pipeline.name
        if not isinstance(given, str) or not given:
            raise DefinitionError(
                f'Partition set "{self.name}" needs a pipeline: give pipeline_name or pipeline.'
            )
        return given

    def _partition_function(self, function: Callable[..., Any] | None) -> PartitionFunction | None:
        if self.partitions_def is not None and not isinstance(
            self.partitions_def, PartitionsDefinition
        ):
            raise DefinitionError(
                f'partitions_def of set "{self.name}" must be a partitions definition, not '
                f"{shown(self.partitions_def)}."
            )
        if (function is None) == (self.partitions_def is None):
            raise DefinitionError(
                f'Partition set "{self.name}" needs its partitions: give either partition_fn '
                "or partitions_def."
            )
        return None if function is None else PartitionFunction(self.name, function)

    def _selected_steps(
        self, steps: Sequence[str] | None, solids: Sequence[str] | None
    ) -> Sequence[str] | None:
        if steps is not None and solids is not None:
            raise DefinitionError(
                f'Partition set "{self.name}" is given step_selection and solid_selection, '
                "which are the same: give one."
            )
        given = steps if steps is not None else solids
        if given is None:
            return None
        if (
            isinstance(given, str)
            or not isinstance(given, Sequence)
            or not all(isinstance(step, str) for step in given)
        ):
            raise DefinitionError(
                f'The step selection of set "{self.name}" must be a list of step names, '
                f"not {shown(given)}."
            )
        return tuple(given)

    def _optional(
        self, argument: str, function: Callable[..., Any] | None
    ) -> Callable[[Partition], Any] | None:
        if function is not None and not callable(function):
            raise DefinitionError(
                f'{argument} of set "{self.name}" must be a function, not {shown(function)}.'
            )
        return function


def _checked_hooks(
    hooks: Iterable[Any] | None, name: str, place: Place
) -> tuple[BackfillHookDefinition, ...]:
    where = f'Partition set "{name}" ({place})'
    checked = checked_hooks(hooks, where)
    for hook in checked:
        if not isinstance(hook, BackfillHookDefinition):
            raise DefinitionError(
                f"{where}: {hook!r} is told of steps; give it to the pipeline or to its steps."
            )
    return backfill_hooks(checked)


def _checked_name(name: object) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise DefinitionError(
            f"{shown(name)} cannot name a partition set: use letters, digits and underscores."
        )
    return name


def _ends(keys: KeySpace) -> str:
    return f', "{keys.key_at(0)}" to "{keys.key_at(len(keys) - 1)}"' if len(keys) else ""
