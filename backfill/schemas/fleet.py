"""The fleet: workers, queues, the coordinator, and whether the API is well."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from backfill.schemas.base import Document, Id, Time


def _seconds(value: object) -> object:
    """Take microseconds, as measured, beside seconds."""
    return round(value / 1e6, 3) if isinstance(value, int) else value


Seconds = Annotated[float, BeforeValidator(_seconds)]


class Worker(Document):
    """A worker: a Celery node with some processes."""

    id: Id
    name: str
    host: str
    pid: int
    slots: int
    queues: list[str]
    running: int = Field(description="Runs it executes now.")
    alive: bool
    code_version: str | None
    load_error: str | None
    started_at: Time
    beat_at: Time
    stopped_at: Time | None


class Queue(Document):
    """A Celery queue: runs queued for it, and messages the broker said it holds."""

    name: str
    queued: int
    slots: int = Field(description="Processes of living workers that listen on it.")
    depth: int | None
    seen_at: Time | None


class Lag(Document):
    """How late the coordinators' work is, in seconds; 0 where nothing waits."""

    silence: Seconds = Field(description="Since the leader was last heard of.")
    expanding: Seconds = Field(
        description="Since the oldest backfill was requested that has no run yet."
    )
    publishing: Seconds = Field(description="How overdue the sending of a queued run is.")
    reaping: Seconds = Field(description="How long ago a lease ended that is not taken away yet.")
    counting: Seconds = Field(description="How old the oldest move is that no count shows yet.")


class Coordinator(Document):
    """Who leads, or led last, and how late the work is."""

    holder: str
    epoch: int
    leading: bool
    beat_at: Time
    expires_at: Time
    facts: dict[str, Any]
    lag: Lag


class Fleet(Document):
    """Everything that does the work."""

    workers: list[Worker]
    queues: list[Queue]
    coordinator: Coordinator | None = Field(description="Null when none ever ran.")


class Health(Document):
    """Whether this API can do its work."""

    status: str
    version: str
