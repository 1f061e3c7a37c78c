"""Schedules: how each stands, its ticks, and what a tick would do."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from backfill.schemas.base import Body, Document, Id, Time
from backfill.schemas.definitions import Schedule
from backfill.states import ScheduleState, TickState


class Tick(Document):
    """One tick of a schedule, and what became of it."""

    id: Id
    schedule: str
    tick_at: Time
    state: TickState = Field(description="`started` while it is handled, or was interrupted.")
    reason: str | None = Field(examples=["The partition selector returned no partition."])
    error: str | None = Field(description="The traceback of a failure.")
    run_ids: list[Id] = Field(description="The runs it made.")
    by_hand: bool
    asked_by: str | None = Field(description="Who ticked by hand.")
    started_at: Time
    finished_at: Time | None


class ScheduleStatus(Document):
    """How a schedule stands."""

    name: str
    state: ScheduleState
    definition: Schedule | None = Field(
        description="Null when the code does not define it any more: then it does not tick."
    )
    next_ticks: list[Time] = Field(description="Its next ticks; none while it is stopped.")
    last_tick: Tick | None
    changed_at: Time | None = Field(description="When it was started or stopped last.")
    changed_by: str | None


class Schedules(Document):
    """Every schedule, by name."""

    items: list[ScheduleStatus]


class NextTicks(Document):
    """When a schedule ticks, or would tick if it were running."""

    schedule: str
    timezone: str
    items: list[Time]


class TickRequest(Body):
    """A tick to handle now."""

    at: datetime | None = Field(
        default=None,
        description="A time at which the schedule ticks, in its own time zone when none is given; "
        "null: its last tick.",
        examples=["2020-05-02T06:00:00-04:00"],
    )
    dry_run: bool = Field(
        default=False,
        description="Only say what it would do; times to come may be asked for, too.",
    )


class PlannedRun(Document):
    """A run that a tick would make."""

    run_key: str = Field(description="Tells the runs of one tick apart: the partition's key.")
    partition: str | None
    tags: dict[str, str]
    run_config: dict[str, Any] | None = Field(
        description="Null: made by the partition set's function when the run starts."
    )
    waits_for: Id | None = Field(
        description="Another run that is on its way for the partition, which it would wait for."
    )


class TickOutcome(Document):
    """What became of a tick, or would."""

    schedule: str
    tick_at: Time
    dry_run: bool
    state: TickState
    reason: str | None
    error: str | None
    run_ids: list[Id] = Field(description="The runs it made; none of a dry run.")
    runs: list[PlannedRun] = Field(description="Of a dry run: those it would make, up to 100.")
    run_count: int = Field(description="How many it made, or would.")
    handled: Tick | None = Field(
        description="Of a dry run: what became of this tick already; null when it was not handled."
    )
