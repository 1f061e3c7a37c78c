"""The Run Matrix: pages of partitions x steps, and the history of a box."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from backfill.schemas.base import Document, Id, Page, Time
from backfill.schemas.runs import Attempt, StepOutcome
from backfill.states import BoxStatus, RunState


class Box(Document):
    """One partition x step; null where no run says anything of it."""

    status: BoxStatus
    run_id: Id | None
    attempt: int | None
    started_at: Time | None
    finished_at: Time | None
    previous: BoxStatus | None = Field(
        default=None, description="What it showed before this run, where that was asked for."
    )
    marked: bool = Field(default=False, description="An operator gave it this status.")


class RowMark(Document):
    """What an operator said of a whole partition."""

    status: Literal["succeeded", "missing"]
    at: Time
    note: str | None
    by: str | None


class MatrixRow(Document):
    """One partition: its newest run, and a box per step in the order of `steps`."""

    key: str
    index: int | None = Field(
        description="Its place in the set's order, from 0; null once it has left the set."
    )
    boxes: list[Box]
    runs: int = Field(description="How many runs of it there are.")
    run_id: Id | None
    state: RunState | None
    backfill_id: Id | None
    started_at: Time | None
    finished_at: Time | None
    blocked: str | None = Field(description="Why nothing runs it; null when it is not blocked.")
    mark: RowMark | None = Field(
        description="What an operator said of it, unless a later run overrules that."
    )


class MatrixPage(Page[MatrixRow]):
    """Some partitions of a set with the status of their steps."""

    partition_set: str
    pipeline: str
    steps: list[str]
    count: int = Field(description="How many partitions the set has, or the filter leaves.")
    place: int = Field(description="Place of the first item among those, from 0; 0 without any.")
    order: str


class PlaceRange(Document):
    """Consecutive places of a set's order: from `start` to before `stop`, and both end keys."""

    start: int
    stop: int
    first: str
    last: str


class Places(Document):
    """Where in a set's order the partitions of a selection are."""

    count: int = Field(description="How many partitions the selection chooses.")
    range_count: int
    ranges: list[PlaceRange] = Field(description="The first of the ranges, in the set's order.")


class BoxRun(Document):
    """One run in the history of a box."""

    run_id: Id
    backfill_id: Id | None
    state: RunState
    version: str | None
    created_at: Time
    attempts: list[Attempt]
    outcomes: list[StepOutcome]
