"""Doing again: runs re-executed, backfills retried, and the lineage that keeps them together."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from backfill.schemas.base import Body, Document, Id, Name, RunConfig, Tags, Text
from backfill.schemas.exports import RunsToCancel
from backfill.schemas.runs import Run
from backfill.states import ReexecutionMode, RunState

Steps = Annotated[list[Name], Field(max_length=1_000)]
_MODE_HELP = (
    "`from_failure`: what succeeded before is not executed again, its outputs are loaded; "
    "`steps`: those named by `steps` or `from_step`; `all`: every step."
)
_STEPS_HELP = (
    "A step selection: `load`, `*load` with everything upstream, `load*` with everything "
    "downstream, `+load` and `load+` with one level of it."
)
_FROM_STEP_HELP = "This step and everything downstream of it; in place of `steps`."


class RunAgain(Body):
    """How to re-execute a run."""

    mode: ReexecutionMode = Field(default=ReexecutionMode.FROM_FAILURE, description=_MODE_HELP)
    steps: Steps | None = Field(default=None, description=_STEPS_HELP, examples=[["load*"]])
    from_step: Name | None = Field(default=None, description=_FROM_STEP_HELP)
    run_config: RunConfig | None = Field(
        default=None, description="In place of what was given at the run's launch; null: the same."
    )
    priority: int = Field(default=0, ge=-1000, le=1000, description="Higher goes first.")
    max_failures: int | None = Field(
        default=None, ge=0, le=1000, description="Null: as the run had."
    )
    tags: Tags = Field(default_factory=dict, description="Over those the run had.")
    note: Text | None = Field(default=None, description="Why; kept with the event.")


class RunsToReexecute(RunsToCancel):
    """Which runs to re-execute, and how: all that ended and were never re-executed, newest first.

    At least one field must narrow them.
    """

    state: list[RunState] | None = Field(
        default=None,
        min_length=1,
        description="Null: `failed` and `canceled`.",
        examples=[["failed"]],
    )
    mode: ReexecutionMode = Field(default=ReexecutionMode.FROM_FAILURE, description=_MODE_HELP)
    steps: Steps | None = Field(default=None, description=_STEPS_HELP, examples=[["load*"]])
    from_step: Name | None = Field(default=None, description=_FROM_STEP_HELP)
    priority: int = Field(default=0, ge=-1000, le=1000, description="Higher goes first.")


class RunsReexecuted(Document):
    """What re-executing many runs did."""

    made: int = Field(description="New runs.")
    run_ids: list[Id] = Field(description="The first of them.")
    more: bool = Field(description="Others fit as well: ask again.")


class Lineage(Document):
    """A run's family: what it re-executes and what re-executes it, oldest first."""

    root: Id
    runs: list[Run]


class BackfillRetry(Body):
    """What of a backfill to try again, and how."""

    statuses: list[Literal["failed", "canceled", "missing"]] | None = Field(
        default=None,
        min_length=1,
        description="`missing`: never launched, given up before. Null: all three.",
        examples=[["failed"]],
    )
    mode: ReexecutionMode = Field(default=ReexecutionMode.FROM_FAILURE, description=_MODE_HELP)
    steps: Steps | None = Field(default=None, description=_STEPS_HELP, examples=[["load*"]])
    from_step: Name | None = Field(default=None, description=_FROM_STEP_HELP)
    note: Text | None = Field(default=None, description="Why; kept with the event.")


__all__ = [
    "BackfillRetry",
    "Lineage",
    "RunAgain",
    "RunsReexecuted",
    "RunsToReexecute",
]
