"""Definitions: pipelines, partition sets, schedules, partitions and resolved configs."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from backfill.schemas.base import Body, Document, Page, RunConfig, Time
from backfill.states import ScheduleState


class Step(Document):
    """One step of a pipeline; `upstream` names the steps it waits for."""

    name: str
    upstream: list[str]
    description: str
    tags: dict[str, str]
    place: str = Field(description="File and line of its function.")
    pools: dict[str, int] = Field(description="Slots that runs of it take, by pool.")
    timeout_seconds: float | None
    max_retries: int
    inputs: list[dict[str, Any]]
    outputs: list[str]
    resources: list[str]


class Pipeline(Document):
    """One pipeline, its steps in an order in which each comes after what it waits for."""

    name: str
    steps: list[Step]
    edges: list[dict[str, Any]] = Field(
        description="Arrows of the graph: from_step, from_output, to_step, to_input."
    )
    version: str
    description: str
    tags: dict[str, str]
    place: str
    pools: list[str]
    max_parallel_steps: int
    timeout_seconds: float | None
    resources: list[dict[str, Any]]
    run_config_schema: dict[str, Any] = Field(description="JSON Schema of its run config.")
    run_config_sample: dict[str, Any] = Field(
        description="A run config with only what must be given."
    )


class Hook(Document):
    """A function that is told of the backfills over a set."""

    name: str
    events: list[str] = Field(examples=[["paused", "finished"]])


class PartitionSet(Document):
    """One partition set."""

    name: str
    pipeline: str
    kind: str = Field(description="`function`, or the kind of its partitions definition.")
    description: str | None
    has_tags_fn: bool
    step_selection: list[str] | None = Field(description="The steps its runs execute; null: all.")
    place: str
    dynamic: list[str] = Field(
        description="Dynamic definitions whose keys it has: these are added and removed."
    )
    hooks: list[Hook] = Field(description="Its own and its pipeline's.")
    partitions_per_run: int = Field(
        description="How many neighbouring partitions a backfill runs together; 0: all."
    )


class Schedule(Document):
    """One schedule."""

    name: str
    pipeline: str
    cron: str = Field(examples=["0 6 * * *"])
    partition_set: str | None = Field(description="Null: it is of a pipeline alone.")
    timezone: str = Field(examples=["America/New_York"])
    description: str | None
    when_busy: str = Field(
        description="`wait` or `skip`: what a tick does with a partition that another run is on "
        "its way for."
    )
    catch_up: str = Field(
        description="What becomes of missed ticks: `none`, `last`, `all`, or how many of the "
        "newest are made up for."
    )
    max_failures: int = Field(description="How often a failed run of it is tried again.")
    default_status: ScheduleState = Field(
        description="Whether it ticks before anybody started or stopped it."
    )
    step_selection: list[str] | None = Field(
        description="The steps its runs execute; null: all, or those of its partition set."
    )
    place: str


class LoadProblem(Document):
    """Something of the definitions that does not work; the rest does."""

    code: str
    detail: str
    partition_set: str | None
    traceback: str | None


class Definitions(Document):
    """Everything that is defined."""

    sources: list[str]
    version: str = Field(description="The code version, equal wherever the code is.")
    loaded_at: Time | None
    pipelines: list[Pipeline]
    partition_sets: list[PartitionSet]
    schedules: list[Schedule]
    problems: list[LoadProblem]


class Partition(Document):
    """One partition and its place in the set's order, counted from 0."""

    key: str
    index: int


class PartitionPage(Page[Partition]):
    """Some partitions of a set."""

    count: int = Field(description="How many partitions fit.")


class ConfigError(Document):
    """One thing that is wrong with a run config."""

    kind: str = ""
    path: str
    message: str
    value: Any = None
    expected: str = ""
    sample: Any = None


class ResolvedConfig(Document):
    """The run config and the tags of a partition's run; `errors` is empty when it fits."""

    partition: str
    config: dict[str, Any]
    tags: dict[str, str]
    errors: list[ConfigError]


class ValidateConfig(Body):
    """A run config to validate."""

    run_config: RunConfig = Field(examples=[{"steps": {"load": {"config": {"day": "2020-05-05"}}}}])


class ConfigValidation(Document):
    """Whether a run config fits."""

    valid: bool
    errors: list[ConfigError]
