"""Backfills: requests, plans, and how one stands."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from backfill.schemas.base import (
    Body,
    Document,
    Id,
    Key,
    Name,
    Problem,
    RunConfig,
    Tags,
    Text,
    Time,
)
from backfill.schemas.definitions import ConfigError, ResolvedConfig
from backfill.schemas.guards import Breaker, ConflictPolicy
from backfill.states import BackfillState

MAX_INT = 2**31 - 1
YEAR = 366 * 24 * 3600.0

OrderingName = Literal["oldest", "newest", "listed", "weight"]
DayName = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
ClockTime = Annotated[str, Field(pattern=r"^\d{1,2}:\d{2}$", examples=["20:00"])]
ReprocessName = Literal["missing", "failed", "all", "stale"]


class Window(Body):
    """Hours of days of the week in which runs may start."""

    days: list[DayName] = Field(
        default=["mon", "tue", "wed", "thu", "fri", "sat", "sun"],
        min_length=1,
        description="Those on which it begins.",
    )
    start: ClockTime = "00:00"
    end: ClockTime = Field(
        default="24:00", description="Of the next day, unless it comes after the start."
    )
    zone: Name = Field(default="UTC", examples=["Europe/Zurich"])


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
    ordering: OrderingName = Field(
        default="oldest",
        description="`oldest` or `newest` first, `listed`: as the selection names them, or "
        "`weight`: the heaviest first.",
    )
    sequential: bool = Field(
        default=False, description="One partition at a time, in order; a retry keeps its place."
    )
    depends_on_previous: bool = Field(
        default=False,
        description="Each partition also waits until the one before it in the set succeeded.",
    )
    windows: Annotated[list[Window], Field(max_length=50)] | None = Field(
        default=None, description="When its runs may start; null: at any time."
    )
    max_failures: int = Field(
        default=0, ge=0, le=1000, description="How often a failed run is tried again."
    )
    tags: Tags = Field(default_factory=dict)
    run_config: RunConfig | None = Field(
        default=None, description="Merged over every partition's own run config."
    )
    steps: list[Name] | None = Field(
        default=None,
        description="Only these steps: `load`, `*load` with all upstream, `load*` with all "
        "downstream, `+load` and `load+` with one level of it. Null: all.",
    )
    note: Text | None = None
    reprocess: ReprocessName | None = Field(
        default=None,
        description="Which of the selected partitions run: `missing` (all but those that "
        "succeeded), `failed`, `all`, or `stale` (last succeeded with another version). Null: "
        "`all` where the selection names statuses or steps are chosen, else `missing`.",
    )
    run_timeout_seconds: float | None = Field(
        default=None, gt=0, le=YEAR, description="How long an attempt of one of its runs may take."
    )
    timeout_seconds: float | None = Field(
        default=None, gt=0, le=YEAR, description="How long it may take as a whole."
    )
    on_timeout: Literal["cancel", "pause"] = Field(
        default="cancel", description="What becomes of what is left when its time is over."
    )
    canary: int | None = Field(
        default=None,
        ge=1,
        le=1000,
        description="So many partitions, spread over the selection, run first and alone; the rest "
        "starts when they succeeded. Of a sequential backfill they are the first ones.",
    )
    canary_percent: int = Field(
        default=100, ge=1, le=100, description="At least this share of the canary must succeed."
    )
    canary_only: bool = Field(default=False, description="Run nothing but the canary.")
    breaker: Breaker | None = Field(
        default=None, description="After which failures it is paused; a resume arms it anew."
    )
    on_conflict: ConflictPolicy = Field(
        default="wait",
        description="When another run has a partition: `wait` for it, `skip` the partition, or "
        "`refuse` the submit; what becomes active only later is then skipped.",
    )
    limit: int | None = Field(
        default=None, ge=1, le=MAX_INT, description="Only so many partitions: those first in order."
    )
    sample: int | None = Field(
        default=None,
        ge=1,
        le=100_000,
        description="Only so many partitions, spread over the selection; always the same ones.",
    )
    quiet: bool = Field(default=False, description="Call no hooks of its steps.")
    partitions_per_run: int | None = Field(
        default=None,
        ge=0,
        le=4_000,
        description="So many neighbouring partitions are run together, in one execution of the "
        "pipeline; 0: all that are neighbours. Null: as the set's backfill policy says, else 1.",
    )
    planned: Annotated[dict[Name, int], Field(max_length=1000)] | None = Field(
        default=None,
        description="The `counts` of a plan: the answer to a submit says what changed since.",
    )


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


class PlanGroup(Document):
    """Selected partitions with which the same would happen for the same reason."""

    name: str = Field(examples=["run:failed", "skip:succeeded", "wait:in_flight:7"])
    action: Literal["run", "wait", "skip"]
    reason: str
    sentence: str = Field(description="The reason for people.")
    count: int
    first: str
    last: str
    backfill_id: Id | None = Field(description="The backfill that those who wait wait for.")


class Estimate(Document):
    """How long it would take, by past runs of these steps and the workers that are alive."""

    concurrency: int | None = Field(description="Runs at a time; null: no worker listens.")
    run_seconds: float | None = Field(description="What one run takes; null: not known yet.")
    based_on: int = Field(description="Past runs that this is the mean of.")
    seconds: float | None
    finish_at: Time | None
    low_seconds: float | None = Field(description="Four times of five it takes longer than this,")
    high_seconds: float | None = Field(description="and less than this.")
    unknown: str | None = Field(description="Why there is no estimate.")


class Plan(Document):
    """What submitting the same request would do."""

    partition_set: str
    pipeline: str
    selection: str
    reprocess: ReprocessName
    selected: int = Field(description="Partitions that the selection names.")
    count: int = Field(description="How many of them would run, now or after another run.")
    first: str = Field(description="The first of the selected.")
    last: str
    groups: list[PlanGroup] = Field(description="Every selected partition is in one of them.")
    counts: dict[str, int] = Field(description="The groups' sizes by name; see `planned`.")
    ranges: list[Span] = Field(description="The first of the ranges that would run.")
    range_count: int
    tags: dict[str, str]
    estimate: Estimate
    config: ResolvedConfig | None = Field(
        description="What the run of the first partition, or of the one asked for, would get; "
        "null when its function fails."
    )
    checked: int = Field(description="Partitions whose run config was validated in the time given.")
    invalid: int = Field(description="How many of those could not run.")
    problems: list[PartitionProblem]


class Validated(Document):
    """How far the validation of a request's run configs is; a line of its stream."""

    checked: int
    of: int = Field(description="Partitions that would run.")
    invalid: int = Field(description="How many of the checked ones could not run.")
    problems: list[PartitionProblem] = Field(description="The first of those.")
    error: Problem | None = Field(description="Why it ended early.")


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


class Forecast(Document):
    """When a backfill will be done, by what its runs, or earlier ones like them, take."""

    runs: int = Field(description="Runs that have not ended.")
    work_seconds: float | None = Field(description="What those take, one after another.")
    concurrency: int | None = Field(
        description="Runs at a time: its share of the workers' slots, and its own limit."
    )
    run_seconds: float | None = Field(description="What one run takes on average.")
    based_on: int = Field(description="Ended runs that this is the mean of.")
    source: Literal["backfill", "partitions", "pipeline"] | None = Field(
        description="Which those are: its own, earlier ones of its partitions, of its pipeline."
    )
    low_seconds: float | None = Field(description="Four times of five it takes longer than this,")
    likely_seconds: float | None
    high_seconds: float | None = Field(description="and less than this.")
    finish_at: Time | None = Field(description="When it is likely done.")
    unknown: str | None = Field(description="Why it is not known when.")


class Progress(Document):
    """How far a backfill is."""

    finished: int
    of: int
    fraction: float
    runs_per_second: float | None = Field(description="Runs finished lately; null: not known.")
    seconds_left: float | None = Field(description="Likely; null: not known.")
    forecast: Forecast | None = Field(
        default=None, description="With its range; null in lists, and once it has ended."
    )


class Backfill(Document):
    """A backfill and how it stands."""

    id: Id
    partition_set: str
    pipeline: str
    state: BackfillState
    selection: str
    reprocess: ReprocessName
    left_out: dict[str, int] = Field(
        description="Selected partitions that it does not run, by reason.",
        examples=[{"succeeded": 12}],
    )
    total: int = Field(description="Partitions that it runs.")
    vanished: int = Field(description="Partitions that left the set before their run was made.")
    generation: int
    counts: Counts
    progress: Progress
    max_active_runs: int | None
    priority: int
    ordering: OrderingName
    sequential: bool
    depends_on_previous: bool
    stopped_by: str | None = Field(
        description="The partition that did not succeed, for which those behind it wait: run it "
        "again, or skip it."
    )
    pools: dict[str, int] = Field(description="Slots that each of its runs takes, by pool.")
    windows: list[Window] = Field(description="When its runs may start; empty: at any time.")
    opens_at: Time | None = Field(
        description="When its next window begins, while it is outside of them."
    )
    max_failures: int
    queue: str | None
    tags: dict[str, str]
    run_config: dict[str, Any] | None = Field(description="The override, without its secrets.")
    steps: list[str] | None
    quiet: bool = Field(description="No hooks of its steps are called.")
    note: str | None
    created_by: str | None
    pause_reason: str | None
    pause_facts: dict[str, Any] | None = Field(
        description="What a guard paused it for: `by` canary or breaker, and the `error` that most "
        "failures have in common."
    )
    canary: int | None = Field(description="So many of its partitions run first, alone.")
    canary_percent: int
    canary_state: Literal["waiting", "running", "passed", "failed", "waived"] | None
    breaker: Breaker | None
    on_conflict: ConflictPolicy
    narrowed: dict[str, int] | None = Field(
        description="How few partitions of the selection were asked for: by `limit`, `sample` or "
        "`canary_only`."
    )
    retrying: bool = Field(description="The runs of a retry are still being made.")
    cloned_from: Id | None
    partitions_per_run: int | None = Field(
        description="So many neighbours are run together, 0: all; null: one each."
    )
    run_timeout_seconds: float | None
    timeout_seconds: float | None
    on_timeout: str | None
    deadline_at: Time | None = Field(description="When its time is over.")
    created_at: Time
    started_at: Time | None
    finished_at: Time | None


class Change(Document):
    """A group of a plan that is not as large as it was planned to be."""

    group: str
    planned: int
    now: int


class Submitted(Backfill):
    """A backfill as it was submitted."""

    changes: list[Change] = Field(description="What is not as it was `planned`.")


class Skip(Body):
    """A partition of a line to go on without, and why."""

    partition: Key
    note: Text | None = Field(default=None, examples=["the shop was closed that day"])


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
    "Change",
    "Counts",
    "Estimate",
    "Event",
    "Key",
    "Note",
    "PartitionProblem",
    "Plan",
    "PlanGroup",
    "Progress",
    "ReprocessName",
    "Skip",
    "Span",
    "Submitted",
    "Validated",
    "Window",
]
