"""What the definitions of a project are, as plain data that crosses processes and becomes JSON."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeVar

from backfill.definitions.hooks import HookInfo
from backfill.definitions.pools import slots_needed
from backfill.errors import DefinitionsUnavailable, NotFound, did_you_mean


@dataclass(frozen=True)
class StepInfo:
    """One step of a pipeline.

    Attributes:
        upstream: The steps of the same pipeline that it waits for.
        inputs: Its inputs' names, and whether each is a constant.
        place: File and line of its function.
        pools: Slots that runs of it take, by named limit.
    """

    name: str
    upstream: Sequence[str] = ()
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    place: str = ""
    pools: Mapping[str, int] = field(default_factory=dict)
    timeout_seconds: float | None = None
    max_retries: int = 0
    inputs: Sequence[Mapping[str, Any]] = ()
    outputs: Sequence[str] = ()
    resources: Sequence[str] = ()


@dataclass(frozen=True)
class PipelineInfo:
    """One pipeline.

    Attributes:
        steps: In an order in which each comes after what it waits for.
        edges: from_step, from_output, to_step, to_input of each arrow.
        version: Given by its author, or a hash of its steps' source.
        run_config_schema: The JSON Schema of its run config.
        run_config_sample: A run config with only what must be given, sample values in place.
        pools: The names of all that a run of it may take slots of.
        own_pools: Slots by name that its runs take whatever their steps.
    """

    name: str
    steps: Sequence[StepInfo]
    version: str
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    place: str = ""
    pools: Sequence[str] = ()
    own_pools: Mapping[str, int] = field(default_factory=dict)
    max_parallel_steps: int = 1
    timeout_seconds: float | None = None
    resources: Sequence[Mapping[str, Any]] = ()
    edges: Sequence[Mapping[str, Any]] = ()
    run_config_schema: Mapping[str, Any] = field(default_factory=dict)
    run_config_sample: Mapping[str, Any] = field(default_factory=dict)

    def slots_needed(self, steps: Collection[str] | None) -> dict[str, int]:
        """Return the slots by pool that a run of these steps takes; of all when None."""
        chosen = [step.pools for step in self.steps if steps is None or step.name in steps]
        return slots_needed(self.own_pools, chosen, at_once=self.max_parallel_steps)


@dataclass(frozen=True)
class PartitionSetInfo:
    """One partition set.

    Attributes:
        kind: `function` when a function lists it, else the kind of its definition.
        has_tags_fn: Whether its runs may carry tags of their own.
        step_selection: The steps its runs execute; None for all.
        hooks: Those of its backfills: the set's own and its pipeline's.
        dynamic: The names of the dynamic definitions whose keys it has, or a dimension of it.
        partitions_per_run: How many neighbours a backfill runs together; 0: all.
        takes_ranges: Whether it can tell the run config of several partitions.
    """

    name: str
    pipeline: str
    kind: str
    description: str | None = None
    has_tags_fn: bool = False
    step_selection: Sequence[str] | None = None
    place: str = ""
    dynamic: Sequence[str] = ()
    hooks: Sequence[HookInfo] = ()
    partitions_per_run: int = 1
    takes_ranges: bool = True


@dataclass(frozen=True)
class ScheduleInfo:
    """One schedule; `partition_set` is None for one that is of a pipeline alone.

    Attributes:
        when_busy: `wait` or `skip`: what a tick does when another run is on its way for its
            partition.
        catch_up: What becomes of ticks missed: `none`, `last`, `all` or how many at most.
        step_selection: The steps its runs execute; None for all, or for those of its set.
        default_status: `running` or `stopped`: whether it ticks before anybody started it.
    """

    name: str
    pipeline: str
    cron: str
    partition_set: str | None = None
    timezone: str = "UTC"
    description: str | None = None
    when_busy: str = "wait"
    catch_up: str = "last"
    step_selection: Sequence[str] | None = None
    max_failures: int = 0
    default_status: str = "stopped"
    place: str = ""


@dataclass(frozen=True)
class LoadProblem:
    """Something of the definitions that does not work; the rest does.

    Attributes:
        partition_set: The set it concerns; None when the code could not be loaded.
        traceback: The user's own, where there is one.
    """

    code: str
    detail: str
    partition_set: str | None = None
    traceback: str | None = None


class _Named(Protocol):
    @property
    def name(self) -> str: ...


_Item = TypeVar("_Item", bound=_Named)


@dataclass(frozen=True)
class Catalog:
    """Every definition, each kind sorted by name.

    Attributes:
        version: The code version, equal wherever the code is.
        loaded_at: When this code was loaded; None when none could be yet.
        problems: What does not work: sets whose partitions cannot be listed, and newer code
            that cannot be loaded, so that this older one is still served.
    """

    sources: Sequence[str]
    pipelines: Sequence[PipelineInfo] = ()
    partition_sets: Sequence[PartitionSetInfo] = ()
    schedules: Sequence[ScheduleInfo] = ()
    version: str = ""
    loaded_at: datetime | None = None
    problems: Sequence[LoadProblem] = ()

    def pipeline(self, name: str) -> PipelineInfo:
        """Return a pipeline, else raise NotFound, or why nothing is loaded."""
        return self._get("pipeline", self.pipelines, name)

    def partition_set(self, name: str) -> PartitionSetInfo:
        """Return a partition set, else raise NotFound, or why nothing is loaded."""
        return self._get("partition set", self.partition_sets, name)

    def schedule(self, name: str) -> ScheduleInfo:
        """Return a schedule, else raise NotFound, or why nothing is loaded."""
        return self._get("schedule", self.schedules, name)

    def _get(self, kind: str, items: Iterable[_Item], name: str) -> _Item:
        known = {item.name: item for item in items}
        if name in known:
            return known[name]
        if self.loaded_at is None and self.problems:
            problem = self.problems[-1]
            raise DefinitionsUnavailable(problem.detail, traceback=problem.traceback)
        raise unknown_definition(kind, name, known, self.sources)


def unknown_definition(
    kind: str, name: str, known: Iterable[str], sources: Iterable[str]
) -> NotFound:
    """Return the error for a name that nothing of a kind has."""
    return NotFound(
        f'No {kind} named "{name}".{did_you_mean(name, known)} Loaded from: {", ".join(sources)}',
        kind=kind,
        name=name,
    )
