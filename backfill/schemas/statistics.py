"""How the steps of a set do: how often they fail, how long they take, partition by partition."""

from __future__ import annotations

from pydantic import Field

from backfill.schemas.base import Document, Id, Time
from backfill.states import BoxStatus


class Durations(Document):
    """How long a step took where it succeeded, in seconds."""

    count: int
    mean: float
    p50: float
    p90: float
    p99: float
    longest: float


class StepPoint(Document):
    """One partition in the graph of a step."""

    partition: str
    status: BoxStatus
    run_id: Id | None
    seconds: float | None = Field(description="Null while it is not over, or never began.")


class StepStatistics(Document):
    """One step over the partitions that were asked for."""

    step: str
    ended: int = Field(description="How often it succeeded or failed, over all runs and attempts.")
    failed: int = Field(description="How often of those it failed.")
    failure_percent: float | None = Field(description="Null when it never ended.")
    durations: Durations | None = Field(description="Null when it never succeeded.")
    series: list[StepPoint] = Field(description="A point per partition, in the set's order.")


class Statistics(Document):
    """The steps of a set over its newest partitions, or over a range of keys."""

    partition_set: str
    pipeline: str
    first: str | None = Field(description="The first partition looked at; null for none.")
    last: str | None
    count: int = Field(description="How many partitions were looked at.")
    steps: list[StepStatistics]


class VersionCount(Document):
    """How many partitions last succeeded with a version of their pipeline."""

    version: str | None = Field(description="Null: not recorded.")
    partitions: int
    newest: Time = Field(description="When the last of them succeeded.")


class Staleness(Document):
    """How many partitions of a set are of which code."""

    partition_set: str
    pipeline: str
    version: str = Field(description="The pipeline's version now.")
    of: int = Field(description="Partitions of the set.")
    current: int = Field(description="Last succeeded with this version, or were marked so.")
    stale: int = Field(description="Last succeeded with another; `reprocess: stale` runs them.")
    never: int = Field(description="Never succeeded.")
    versions: list[VersionCount] = Field(
        description="Of the last successes, newest first; those of partitions that left the set "
        "are among them."
    )
