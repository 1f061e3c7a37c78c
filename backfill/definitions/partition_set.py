"""Partition sets: the partitions a pipeline runs over, and the run config of each."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from backfill.definitions.keys import KeySpace
from backfill.definitions.listing import Listing, PartitionFunction
from backfill.definitions.partition import Partition
from backfill.definitions.tags import PARTITION_SET_TAG, PARTITION_TAG, tags_problem
from backfill.definitions.text import shown
from backfill.definitions.user_code import call_user
from backfill.errors import DefinitionError, NotFound, UserCodeError

if TYPE_CHECKING:
    from backfill.definitions.pipeline import PipelineDefinition

_NAME = re.compile(r"[A-Za-z0-9_]+")


class PartitionsDefinition(Protocol):
    """What defines partitions by rule: time windows, fixed lists, dimensions."""

    @property
    def kind(self) -> str:
        """Return what kind of partitions these are, such as `time_window`."""
        ...

    def key_space(self, at: datetime) -> KeySpace:
        """Return the keys at a time."""
        ...


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
    ) -> None:
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
        return self._tags_fn is not None

    def get_partitions(self, current_time: datetime | None = None) -> list[Partition]:
        """Return every partition, in order, at a time (now when not given)."""
        at = current_time or datetime.now(UTC)
        if self._function is not None:
            return list(self._function.call(at).partitions)
        keys = self.key_space(at)
        return [_computed(keys, key) for key in keys.slice(0, len(keys))]

    def get_partition_names(self, current_time: datetime | None = None) -> list[str]:
        """Return the key of every partition, in order, at a time (now when not given)."""
        at = current_time or datetime.now(UTC)
        if self._function is not None:
            return list(self._function.call(at).keys.keys)
        keys = self.key_space(at)
        return list(keys.slice(0, len(keys)))

    def get_partition(self, name: str, current_time: datetime | None = None) -> Partition:
        """Return the partition of a key.

        Raises:
            NotFound: The set has no such partition; the nearest are named.
        """
        return self._partition(name, current_time or datetime.now(UTC))

    def key_space(self, current_time: datetime) -> KeySpace:
        """Return the keys at a time, computed where they can be."""
        if self.partitions_def is not None:
            return self.partitions_def.key_space(current_time)
        return self._listing(current_time).keys

    def partitions(self, keys: Sequence[str], at: datetime) -> Iterator[Partition]:
        """Yield the partition of each key, which must be keys of the set at that time."""
        if self.partitions_def is None:
            listing = self._listing(at)
            for key in keys:
                index = listing.keys.index_of(key)
                if index is None:
                    raise self._unknown(key, listing.keys)
                yield listing.partitions[index]
            return
        space = self.key_space(at)
        for key in keys:
            yield _computed(space, key)

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
        """Return the tags that the set's function gives a partition; none without a function."""
        if self._tags_fn is None:
            return {}
        what = f'The tags function of set "{self.name}" for partition "{partition.name}"'
        facts = {"partition_set": self.name, "partition": partition.name}
        tags = call_user(what, self._tags_fn, partition, **facts)
        if tags is None:
            return {}
        if problem := tags_problem(tags):
            raise UserCodeError(f"{what} {problem}.", **facts)
        return dict(tags)

    def _listing(self, at: datetime) -> Listing:
        assert self._function is not None
        return self._function.listing(at)

    def _resolved(self, partition: Partition | str, at: datetime | None) -> Partition:
        if isinstance(partition, Partition):
            return partition
        return self._partition(partition, at or datetime.now(UTC))

    def _partition(self, key: str, at: datetime) -> Partition:
        keys = self.key_space(at)
        if keys.index_of(key) is None:
            raise self._unknown(key, keys)
        return next(self.partitions([key], at))

    def _unknown(self, key: str, keys: KeySpace) -> NotFound:
        near = " or ".join(f'"{name}"' for name in keys.nearest(key))
        meant = f" Did you mean {near}?" if near else ""
        return NotFound(
            f'Partition set "{self.name}" has no partition "{key}".{meant} '
            f"It has {len(keys)} partitions{_ends(keys)}.",
            partition_set=self.name,
            partition=key,
        )

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
        if isinstance(given, str) or not all(isinstance(step, str) for step in given):
            raise DefinitionError(
                f'The step selection of set "{self.name}" must be a list of step names, '
                f"not {shown(given)}."
            )
        return tuple(given)

    def _optional(
        self, argument: str, function: Callable[[Partition], Any] | None
    ) -> Callable[[Partition], Any] | None:
        if function is not None and not callable(function):
            raise DefinitionError(
                f'{argument} of set "{self.name}" must be a function, not {shown(function)}.'
            )
        return function


def _checked_name(name: object) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise DefinitionError(
            f"{shown(name)} cannot name a partition set: use letters, digits and underscores."
        )
    return name


def _computed(keys: KeySpace, key: str) -> Partition:
    window = keys.window_of(key)
    return Partition(key if window is None else window, key, time_window=window)


def _ends(keys: KeySpace) -> str:
    return f', "{keys.key_at(0)}" to "{keys.key_at(len(keys) - 1)}"' if len(keys) else ""
