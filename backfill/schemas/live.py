"""Live events: what moved, as it is streamed."""

from __future__ import annotations

from pydantic import Field

from backfill.schemas.base import Document, Id, Time
from backfill.states import BackfillState, RunState, StepState


class BackfillMoved(Document):
    """A backfill that moved, or whose runs did."""

    id: Id
    partition_set: str | None
    state: BackfillState | None = Field(description="Its new state; null when that stayed.")
    counts: dict[str, int] = Field(description="How its counts of runs by state changed.")


class RunMoved(Document):
    """A run that moved."""

    id: Id
    state: RunState
    attempt: int
    backfill_id: Id | None
    partition_set: str | None
    partition: str | None


class StepMoved(Document):
    """A step of a run that moved."""

    run_id: Id
    step: str
    state: StepState
    backfill_id: Id | None
    partition_set: str | None
    partition: str | None


class Moves(Document):
    """What moved in a short while, each kind in the order it happened."""

    at: Time
    backfills: list[BackfillMoved]
    runs: list[RunMoved]
    steps: list[StepMoved]
    logs: list[Id] = Field(description="Runs with new log lines.")
    more: bool = Field(description="Some moves were too many to be told one by one.")


class LiveEvent(Document):
    """One event of the stream: `ready`, `moves` or `reset`."""

    id: str = Field(description="Hand it back to go on behind this event.")
    name: str
    moves: Moves | None = None
