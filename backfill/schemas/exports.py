"""What an export holds, a line each, and what canceling many runs did."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from backfill.schemas.base import Body, Document, Id, Key, Name, Tags, Text, Time
from backfill.states import RunState, StepState


class ExportedOutcome(Document):
    """The outcome of one step in one attempt of one run."""

    run_id: Id
    backfill_id: Id | None
    partition_set: str | None
    partition: str | None
    pipeline: str
    run_state: RunState
    attempt: int
    step: str
    state: StepState
    tries: int
    started_at: Time | None
    finished_at: Time | None
    reason: str | None
    error_type: str | None
    error_message: str | None


class RunsToCancel(Body):
    """Which runs to cancel: all that fit, newest first. At least one field must narrow them."""

    backfill: int | None = Field(default=None, ge=1, le=2**63 - 1, description="A backfill's id.")
    partition_set: Name | None = Field(default=None, examples=["date_partition_set"])
    partition: Key | None = None
    pipeline: Name | None = Field(default=None, examples=["my_data_pipeline"])
    state: list[RunState] | None = Field(
        default=None,
        min_length=1,
        description="`pending`, `queued` or `running`; null: any of them.",
        examples=[["pending", "queued"]],
    )
    tags: Tags = Field(
        default_factory=dict,
        max_length=10,
        description="All of these, the run's own or its backfill's.",
        examples=[{"team": "sales"}],
    )
    schedule: Name | None = Field(default=None, description="Made by ticks of this schedule.")
    created_after: datetime | None = Field(default=None, description="Made at this time or later.")
    created_before: datetime | None = Field(default=None, description="Made before this time.")
    limit: int = Field(default=1_000, ge=1, le=10_000, description="At most so many runs.")
    note: Text | None = Field(default=None, description="Why; kept with the event.")


class RunsCanceled(Document):
    """What canceling did."""

    canceled: int = Field(description="Runs that are canceled now.")
    told: int = Field(description="Running ones whose workers were told to stop.")
    more: bool = Field(description="Others fit as well: ask again.")
