"""Definitions answered in this process: what the definitions process, workers and tests use."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from backfill.definitions.calls import (
    Expansion,
    KeyRange,
    Listing,
    PartitionProblem,
    ResolvedConfig,
    SelectionResult,
    TickResult,
    Validation,
)
from backfill.definitions.catalog import Catalog, LoadProblem
from backfill.definitions.chunks import Chunk
from backfill.definitions.describing import describe_registry, hooks_of
from backfill.definitions.facts import NOT_TAKEN, Take, divide, group, located, taken
from backfill.definitions.hooks import HookedBackfill
from backfill.definitions.keys import KeySpace
from backfill.definitions.merging import merged
from backfill.definitions.partition import Partition
from backfill.definitions.partition_set import PartitionSetDefinition
from backfill.definitions.partitions import DynamicKeys
from backfill.definitions.ranges import freeze
from backfill.definitions.registry import Registry
from backfill.definitions.run_config import RunConfigSchema
from backfill.definitions.schedules import (
    ScheduleDefinition,
    evaluate_tick,
)
from backfill.definitions.selection import (
    IndexSet,
    as_listed,
    evaluate,
    parse,
    selected_keys,
)
from backfill.definitions.user_code import call_user
from backfill.errors import BackfillError, ConfigInvalid, NotFound, UserCodeError, did_you_mean

_PROBLEMS_TOLD = 100
FEW_KEYS = 1_000


class LocalDefinitions:
    """Calls users' functions right here: they may take any time, and crash the caller.

    Args:
        loaded_at: When the registry was loaded, for the catalog.
        dynamic_keys: Where definitions of dynamic partitions find their keys.
        budget_seconds: A chunk whose functions take longer than this ends early and says where.
    """

    def __init__(
        self,
        registry: Registry,
        *,
        loaded_at: datetime | None = None,
        dynamic_keys: DynamicKeys | None = None,
        budget_seconds: float = 5.0,
    ) -> None:
        self._registry = registry
        self._loaded_at = loaded_at
        self._dynamic_keys = dynamic_keys
        self._budget_seconds = budget_seconds
        self._catalog: Catalog | None = None

    def catalog(self) -> Catalog:
        if self._catalog is None or self._catalog.version != self._registry.version:
            self._catalog = describe_registry(self._registry, self._loaded_at)
        return self._catalog

    def check(self, set_name: str, at: datetime) -> LoadProblem | None:
        """List the partitions of a set and say what is wrong with that, or None."""
        try:
            self._keys(set_name, at)
        except BackfillError as error:
            return LoadProblem(error.code, error.detail, set_name, error.facts.get("traceback"))
        return None

    def count(self, set_name: str, at: datetime) -> int:
        return len(self._keys(set_name, at))

    def page(self, set_name: str, start: int, stop: int, at: datetime) -> Sequence[str]:
        return self._keys(set_name, at).slice(start, stop)

    def listing(
        self,
        set_name: str,
        at: datetime,
        *,
        limit: int,
        backward: bool,
        key: str | None = None,
        place: int | None = None,
        skip: bool = False,
    ) -> Listing:
        space = self._keys(set_name, at)
        count = len(space)
        found = None if key is None else space.index_of(key)
        if found is not None:
            first = found
        elif place is not None:
            first = place if skip else max(min(place, count - 1), 0)
        elif key is not None:
            return Listing(count, None, 0, ())
        else:
            first = count - 1 if backward else 0
        if backward:
            last = first - skip
            low, high = max(last - limit + 1, 0), min(last + 1, count)
        else:
            low = first + skip
            high = min(low + limit, count)
        return Listing(count, found, low, space.slice(low, high) if low < high else ())

    def index_of(self, set_name: str, keys: Sequence[str], at: datetime) -> Sequence[int | None]:
        space = self._keys(set_name, at)
        return [space.index_of(key) for key in keys]

    def select(
        self,
        set_name: str,
        selection: str,
        at: datetime,
        *,
        limit: int,
        statuses: Mapping[str, Sequence[str]] | None = None,
        leave_out: Mapping[str, Sequence[str]] | None = None,
        mark: Mapping[str, Sequence[str]] | None = None,
        take: Take | None = None,
        listed: bool = False,
    ) -> SelectionResult:
        parsed = parse(selection)
        keys = self._keys(set_name, at)
        known = located(keys, statuses or {}, at)
        found = evaluate(parsed, keys, now=at, statuses=known, limit=limit)
        left_out, asked = divide(keys, found, located(keys, leave_out or {}, at))

        def ordered(chosen: IndexSet) -> Iterator[range]:
            if not listed:
                return chosen.ranges
            return as_listed(parsed, keys, chosen, now=at, statuses=known, limit=limit)

        if take is not None and take[0] < len(asked):
            every, asked = asked, taken(asked, Take(*take), ordered(asked))
            left_out.append(group(NOT_TAKEN, keys, every - asked))
        marked, rest = divide(keys, asked, located(keys, mark or {}, at))
        ranges = [(part.start, part.stop - 1) for part in ordered(asked)]
        return SelectionResult(
            len(asked),
            ranges,
            freeze(keys, ranges),
            whole=group("selected", keys, found),
            left_out=left_out,
            marked=marked,
            unmarked=group("unmarked", keys, rest) if rest else None,
            keys=list(selected_keys(asked, keys)) if len(asked) <= FEW_KEYS else None,
        )

    def expand(
        self,
        set_name: str,
        key_ranges: Sequence[KeyRange],
        *,
        offset: int,
        limit: int,
        at: datetime,
        after: str | None = None,
    ) -> Expansion:
        partition_set = self._set(set_name)
        found = partition_set.partitions(at, dynamic_keys=self._dynamic_keys)
        chunk = Chunk(found, key_ranges, offset, limit, after)
        if not partition_set.has_tags_fn:
            keys = list(chunk.all_keys())
            return Expansion(keys, chunk.next_offset, chunk.vanished, chunk.drifted)
        keys, tags = [], {}
        for place, partition in enumerate(chunk.until(time.monotonic() + self._budget_seconds)):
            keys.append(partition.name)
            if own := partition_set.own_tags(partition):
                tags[place] = own
        return Expansion(keys, chunk.next_offset, chunk.vanished, chunk.drifted, tags)

    def run_config(
        self,
        set_name: str,
        key: str,
        at: datetime,
        *,
        override: Mapping[str, Any] | None = None,
    ) -> ResolvedConfig:
        partition_set = self._set(set_name)
        partition = partition_set.get_partition(key, at, dynamic_keys=self._dynamic_keys)
        config = merged(partition_set.run_config_for_partition(partition), override)
        tags = partition_set.tags_for_partition(partition)
        return ResolvedConfig(config, tags, _config_errors(self._schema(partition_set), config))

    def validate_config(
        self, pipeline: str, config: Mapping[str, Any]
    ) -> Sequence[Mapping[str, Any]]:
        return _config_errors(self._registry.pipeline(pipeline).config, config)

    def validate_partitions(
        self,
        set_name: str,
        key_ranges: Sequence[KeyRange],
        *,
        offset: int,
        limit: int,
        at: datetime,
        override: Mapping[str, Any] | None = None,
    ) -> Validation:
        partition_set = self._set(set_name)
        schema = self._schema(partition_set)
        found = partition_set.partitions(at, dynamic_keys=self._dynamic_keys)
        chunk = Chunk(found, key_ranges, offset, limit)
        checked = 0
        problems = []
        for partition in chunk.until(time.monotonic() + self._budget_seconds):
            checked += 1
            problem = _partition_problem(partition_set, partition, schema, override)
            if problem is not None:
                problems.append(problem)
        return Validation(checked, chunk.next_offset, len(problems), problems[:_PROBLEMS_TOLD])

    def tell_hook(self, set_name: str, hook: str, told: Mapping[str, Any]) -> None:
        hooks = {one.name: one for one in hooks_of(self._set(set_name), self._registry)}
        if hook not in hooks:
            raise NotFound(
                f'Partition set "{set_name}" has no hook "{hook}".{did_you_mean(hook, hooks)}'
            )
        call_user(f'Hook "{hook}"', hooks[hook].fn, HookedBackfill(**told), hook=hook)

    def evaluate_tick(self, schedule: str, tick_at: datetime) -> TickResult:
        return evaluate_tick(self._schedule(schedule), tick_at, dynamic_keys=self._dynamic_keys)

    def _schedule(self, name: str) -> ScheduleDefinition:
        return self._registry.schedule(name)

    def _set(self, name: str) -> PartitionSetDefinition:
        return self._registry.partition_set(name)

    def _keys(self, set_name: str, at: datetime) -> KeySpace:
        return self._set(set_name).key_space(at, dynamic_keys=self._dynamic_keys)

    def _schema(self, partition_set: PartitionSetDefinition) -> RunConfigSchema:
        pipeline = self._registry.pipeline(partition_set.pipeline_name)
        selected = partition_set.step_selection
        return pipeline.config if selected is None else pipeline.config_for(selected)


def _config_errors(schema: RunConfigSchema, config: Any) -> Sequence[Mapping[str, Any]]:
    try:
        schema.validate(config)
    except ConfigInvalid as error:
        errors: Sequence[Mapping[str, Any]] = error.facts["errors"]
        return errors
    return ()


def _partition_problem(
    partition_set: PartitionSetDefinition,
    partition: Partition,
    schema: RunConfigSchema,
    override: Mapping[str, Any] | None,
) -> PartitionProblem | None:
    """Say why the run of a partition could not start, or None."""
    try:
        config = partition_set.run_config_for_partition(partition)
        partition_set.own_tags(partition)
        schema.validate(merged(config, override))
    except UserCodeError as error:
        traceback = error.facts.get("traceback")
        return PartitionProblem(partition.name, error.detail, traceback=traceback)
    except ConfigInvalid as error:
        return PartitionProblem(partition.name, error.detail, error.facts["errors"])
    return None
