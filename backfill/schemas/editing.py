"""Changing a live backfill: its fields, its partitions; and asking for the same again."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from backfill.schemas.backfills import MAX_INT, YEAR, Backfill, ReprocessName
from backfill.schemas.base import Body, Document, RunConfig, Tags, Text
from backfill.schemas.guards import Breaker

SelectionText = Annotated[str, Field(min_length=1, max_length=1_000_000)]


class BackfillEdit(Body):
    """What of a backfill to change: only what is given; null empties what can be empty."""

    note: Text | None = None
    tags: Tags | None = None
    max_active_runs: int | None = Field(default=None, ge=1, le=MAX_INT, examples=[4])
    priority: int | None = Field(default=None, ge=-1000, le=1000, examples=[10])
    ordering: Literal["oldest", "newest"] | None = None
    max_failures: int | None = Field(default=None, ge=0, le=1000)
    windows: list[str | dict[str, Any]] | None = Field(
        default=None, max_length=50, description="When its runs may start; null: at any time."
    )
    breaker: Breaker | None = None
    canary: int | None = Field(
        default=None, ge=1, le=1000, description="Null gives up one that is not decided yet."
    )
    canary_percent: int | None = Field(default=None, ge=1, le=100)
    run_timeout_seconds: float | None = Field(default=None, gt=0, le=YEAR)
    timeout_seconds: float | None = Field(
        default=None, gt=0, le=YEAR, description="Its time then runs from now; null: no limit."
    )
    on_timeout: Literal["cancel", "pause"] | None = None

    def changes(self) -> dict[str, Any]:
        """Return new values of what was given."""
        return self.model_dump(include=self.model_fields_set)


class FieldChange(Document):
    """One field that is different now."""

    field: str
    old: Any
    new: Any


class BackfillEdited(Backfill):
    """A backfill as it was edited."""

    edited: list[FieldChange] = Field(description="What is different now.")


class PartitionsToAdd(Body):
    """Which partitions to give a backfill."""

    selection: SelectionText = Field(examples=["[2020-06-01...2020-06-30]"])
    reprocess: ReprocessName | None = Field(
        default=None, description="Which of them run, as at submit; null: all."
    )
    note: Text | None = Field(default=None, description="Why; kept with the event.")


class PartitionsAdded(Document):
    """How many partitions a backfill was given."""

    added: int
    left_out: dict[str, int] = Field(
        description="Selected ones that it was not given, by reason.",
        examples=[{"already in it": 3}],
    )


class PartitionsToRemove(Body):
    """Which partitions to take out of a backfill."""

    selection: SelectionText = Field(examples=["[2020-06-01...2020-06-30]"])
    cancel_running: bool = Field(
        default=False, description="Runs that have begun are told to stop, too."
    )
    note: Text | None = Field(default=None, description="Why; kept with the event.")


class PartitionsRemoved(Document):
    """What became of partitions that were taken out."""

    skipped: int = Field(description="Their runs had not begun, and will not.")
    told: int = Field(description="Their runs were told to stop.")
    running: int = Field(description="Their runs go on.")
    ended: int = Field(description="Their runs had ended before.")


class BackfillClone(Body):
    """What is different in a request that is asked again."""

    changes: RunConfig = Field(
        default_factory=dict,
        max_length=100,
        description="Fields of a request to submit a backfill, with new values.",
        examples=[{"selection": "[2020-06-01...2020-06-30]", "max_active_runs": 4}],
    )


__all__ = [
    "BackfillClone",
    "BackfillEdit",
    "BackfillEdited",
    "FieldChange",
    "PartitionsAdded",
    "PartitionsRemoved",
    "PartitionsToAdd",
    "PartitionsToRemove",
]
