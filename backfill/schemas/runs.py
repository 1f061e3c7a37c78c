"""Runs: launching one, how one stands, and what happened inside."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import Field

from backfill.schemas.base import Body, Document, Id, Key, Name, Page, RunConfig, Tags, Time
from backfill.schemas.guards import ConflictPolicy
from backfill.states import AttemptEnd, ReexecutionMode, RunState, StepState


class ConfigMode(StrEnum):
    """How a run config is put over that of the partition."""

    MERGE = "merge"
    EXACT = "exact"


class RunRequest(Body):
    """One run to launch: of a pipeline, for a partition of a set or for none."""

    pipeline: Name = Field(examples=["my_data_pipeline"])
    partition_set: Name | None = Field(default=None, examples=["date_partition_set"])
    partition: Key | None = Field(default=None, examples=["2020-05-05"])
    run_config: RunConfig | None = Field(
        default=None, description="The run config; with a partition, put over its own."
    )
    config_mode: ConfigMode = Field(
        default=ConfigMode.MERGE,
        description="How: `merge` it over the partition's at every depth, or `exact`: it is the "
        "whole config; secrets that were taken out of it stay the partition's.",
    )
    tags: Tags = Field(default_factory=dict)
    steps: list[Name] | None = Field(default=None, description="Only these steps; null: all.")
    priority: int = Field(default=0, ge=-1000, le=1000, description="Higher goes first.")
    max_failures: int = Field(default=0, ge=0, le=1000)
    on_conflict: ConflictPolicy = Field(
        default="wait",
        description="When another run has the partition: `wait` for it, `skip` this run, or "
        "`refuse` to launch it.",
    )


class Run(Document):
    """One execution of a pipeline, for a partition or for none."""

    id: Id
    backfill_id: Id | None
    generation: int
    partition_set: str | None
    partition: str | None
    pipeline: str
    state: RunState
    attempt: int = Field(description="The newest attempt; 0 before a worker had it.")
    failures: int
    crashes: int
    max_failures: int
    waiting_run: Id | None = Field(description="The run whose partition it waits for.")
    available_at: Time
    cancel_requested_at: Time | None
    queue: str | None
    tags: dict[str, str]
    run_config: dict[str, Any] | None = Field(
        description="Null in lists; else the override, or what was really used once it ran."
    )
    steps: list[str] | None
    parent_id: Id | None = Field(description="The run that it re-executes.")
    root_id: Id | None = Field(description="The first run of its lineage; null: itself.")
    mode: ReexecutionMode | None = Field(
        description="Of a re-execution: which steps it executes; null: it is none."
    )
    timeout_seconds: float | None = Field(
        description="How long an attempt may take, where the run says so itself."
    )
    version: str | None
    reason: str | None
    failed_step: str | None
    error_type: str | None
    error_message: str | None
    worker: str | None
    message_id: str | None = Field(description="The Celery task id of the message that carries it.")
    flower_url: str | None = Field(description="Its Celery task in Flower, where one is set.")
    created_at: Time
    queued_at: Time | None
    started_at: Time | None
    finished_at: Time | None


class StepError(Document):
    """A failed try of a step, or of the run itself (`step` is empty)."""

    attempt: int
    step: str
    tries: int
    at: Time
    type: str
    message: str
    traceback: str
    causes: list[dict[str, str]] = Field(description="What it was raised from, nearest first.")


class StepOutcome(Document):
    """The outcome of one step in one attempt."""

    run_id: Id
    attempt: int
    step: str
    state: StepState
    tries: int
    started_at: Time | None
    finished_at: Time | None
    reason: str | None
    metadata: dict[str, Any]
    outputs: dict[str, str] = Field(description="Where each output is kept.")
    errors: list[StepError]


class Attempt(Document):
    """One try of a run; `ending` is null while it runs."""

    attempt: int
    ending: AttemptEnd | None
    worker: str | None
    message_id: str | None
    started_at: Time | None
    ended_at: Time | None
    reason: str | None


class RunSteps(Document):
    """What happened inside a run, attempt by attempt."""

    attempts: list[Attempt]
    steps: list[StepOutcome]
    errors: list[StepError] = Field(description="Errors of the run itself, outside its steps.")


class LogLine(Document):
    """One line of a run's log; `step` is null for lines of the run itself."""

    id: Id
    attempt: int
    step: str | None
    at: Time
    level: str
    message: str


class LogPage(Page[LogLine]):
    """Some lines of a log. `next` is always set: ask again with it to follow the log."""

    ended: bool = Field(description="The run is final and these are its last lines.")
