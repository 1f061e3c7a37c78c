"""Backfills: requests, plans, and how one stands."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from backfill.schemas.base import Body, Document, Id, Key, Name, RunConfig, Tags, Text, Time
from backfill.schemas.definitions import ConfigError, ResolvedConfig
from backfill.states import BackfillState

MAX_INT = 2**31 - 1


class BackfillRequest(Body):
    """Which partitions of which set to run, and how."""

    partition_set: Name = Field(examples=["date_partition_set"])
    selection: Annotated[str, Field(min_length=1, max_length=1_000_000)] = Field(
        description="A selection: `all`, keys, inclusive ranges `[a...b]`, joined by commas.",
        examples=["[2020-05-01...2020-05-31]"],
    )
    max_active_runs: int | None = Field(
        default=None, ge=1, le=MAX_INT, description="At most so many runs at a time."
    )
    priority: int = Field(default=0, ge=-1000, le=1000, description="Higher goes first.")
    ordering: Literal["oldest", "newest"] = "oldest"
    max_failures: int = Field(
        default=0, ge=0, le=1000, description="How often a failed run is tried again."
    )
    tags: Tags = Field(default_factory=dict)
    run_config: RunConfig | None = Field(
        default=None, description="Merged over every partition's own run config."
    )
    steps: list[Name] | None = Field(default=None, description="Only these steps; null: all.")
    note: Text | None = None


class PartitionProblem(Document):
    """Why the run of a partition could not start."""

    partition: str
    detail: str
    errors: list[ConfigError]
    traceback: str | None


class Span(Document):
    """Consecutive partitions: both ends, inclusive, and how many they are."""

    first: str
    last: str
    count: int


class Plan(Document):
    """What submitting the same request would do."""

    partition_set: str
    pipeline: str
    selection: str
    count: int
    first: str
    last: str
    ranges: list[Span] = Field(description="The first of the selected ranges.")
    range_count: int
    tags: dict[str, str]
    first_config: ResolvedConfig | None = Field(
        description="What the first partition's run would get; null when its function fails."
    )
    checked: int = Field(description="Partitions whose run config was validated in the time given.")
    invalid: int = Field(description="How many of those could not run.")
    problems: list[PartitionProblem]


class Counts(Document):
    """How many runs are where; partitions that no run was made for yet are pending."""

    pending: int
    queued: int
    running: int
    succeeded: int
    failed: int
    canceled: int
    skipped: int
    unlaunched: int = Field(description="Partitions that no run will be made for: given up before.")


class Progress(Document):
    """How far a backfill is."""

    finished: int
    of: int
    fraction: float
    runs_per_second: float | None = Field(description="Runs finished lately; null: not known.")
    seconds_left: float | None = Field(description="At this rate; null: not known.")


class Backfill(Document):
    """A backfill and how it stands."""

    id: Id
    partition_set: str
    pipeline: str
    state: BackfillState
    selection: str
    total: int = Field(description="Selected partitions.")
    vanished: int = Field(description="Partitions that left the set before their run was made.")
    generation: int
    counts: Counts
    progress: Progress
    max_active_runs: int | None
    priority: int
    ordering: str
    max_failures: int
    queue: str | None
    tags: dict[str, str]
    run_config: dict[str, Any] | None = Field(description="The override, without its secrets.")
    steps: list[str] | None
    note: str | None
    created_by: str | None
    pause_reason: str | None
    created_at: Time
    started_at: Time | None
    finished_at: Time | None


class Note(Body):
    """Why an operator does something."""

    note: Text | None = Field(default=None, examples=["the warehouse is being repaired"])


class Event(Document):
    """What an operator did or must know."""

    id: Id
    at: Time
    kind: str
    message: str
    backfill_id: Id | None
    run_id: Id | None
    actor: str | None
    facts: dict[str, Any]


__all__ = [
    "Backfill",
    "BackfillRequest",
    "Counts",
    "Event",
    "Key",
    "Note",
    "PartitionProblem",
    "Plan",
    "Progress",
    "Span",
]
