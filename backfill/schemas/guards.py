"""Guards: breakers, failures by error, blocks and marks."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from backfill.schemas.base import Body, Document, Id, Name, Text, Time

ConflictPolicy = Literal["wait", "skip", "refuse"]

SelectionText = Annotated[str, Field(min_length=1, max_length=1_000_000)]


class Breaker(Body):
    """After which failures a backfill is paused; give at least one limit."""

    in_row: int | None = Field(
        default=None, ge=1, le=2**31 - 1, description="So many runs failed one after the other."
    )
    in_all: int | None = Field(default=None, ge=1, le=2**31 - 1, description="So many runs failed.")
    percent: int | None = Field(
        default=None, ge=1, le=100, description="At least this share of the `last` runs failed."
    )
    last: int | None = Field(
        default=None, ge=1, le=1000, description="Finished runs that the share is taken of."
    )


class FailureGroup(Document):
    """Failed runs whose errors differ in numbers, names and partitions only."""

    key: str = Field(
        description="What they have in common.", examples=["KeyError: no table '…' in <partition>"]
    )
    count: int
    steps: dict[str, int] = Field(description="How many failed at which step; the most first.")
    first_at: Time
    last_at: Time
    run_id: Id = Field(description="The last of them.")
    error_type: str | None = Field(description="Of that run, as is the message.")
    error_message: str | None
    selection: str | None = Field(
        description="Their partitions, ready to be selected; null when that would be too long.",
        examples=["[2020-05-01...2020-05-09], 2020-05-14"],
    )


class Failures(Document):
    """The failed runs of a backfill by error, the largest group first."""

    items: list[FailureGroup]
    groups: int = Field(description="Groups in all, shown or not.")
    count: int = Field(description="Failed runs in all; those tried again since do not count.")


class BlockRequest(Body):
    """Partitions that nothing runs until they are unblocked."""

    selection: SelectionText = Field(examples=["2020-02-30", "[2020-05-01...2020-05-31]"])
    reason: Annotated[Text, Field(min_length=1)] = Field(examples=["the source is being repaired"])


class UnblockRequest(Body):
    """Partitions that may run again: by a selection, or all that one block still holds."""

    selection: SelectionText | None = Field(default=None, examples=["2020-02-30"])
    block_id: Annotated[str, Field(pattern=r"^[0-9]{1,18}$")] | None = Field(
        default=None, description="A block, also of partitions that have left their set."
    )
    note: Text | None = None


class Block(Document):
    """Partitions that nothing runs."""

    id: Id
    partition_set: str
    selection: str = Field(description="What was blocked.")
    reason: str
    count: int = Field(description="How many partitions it still holds.")
    created_at: Time
    created_by: str | None


class MarkRequest(Body):
    """What partitions, or steps of them, are to count as from now on."""

    selection: SelectionText = Field(examples=["[2020-01-01...2020-01-31]"])
    status: Literal["succeeded", "missing"]
    steps: list[Name] | None = Field(default=None, description="Only these boxes; null: all.")
    note: Text | None = None


class UnmarkRequest(Body):
    """Partitions, or steps of them, whose marks are taken back."""

    selection: SelectionText = Field(examples=["2020-02-01"])
    steps: list[Name] | None = None
    note: Text | None = None


class PartitionsChanged(Document):
    """How many partitions, or marks, were changed."""

    count: int


class Mark(Document):
    """What an operator said of a partition or of one step of it."""

    partition_set: str
    partition: str
    step: str | None = Field(description="Null: the whole partition.")
    status: Literal["succeeded", "missing"]
    note: str | None
    marked_at: Time
    marked_by: str | None
