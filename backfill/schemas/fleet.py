"""The fleet: workers, queues, the coordinator, and whether the API is well."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from backfill.schemas.base import Document, Id, Time


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


class Coordinator(Document):
    """Who leads, or led last."""

    holder: str
    epoch: int
    leading: bool
    beat_at: Time
    expires_at: Time
    facts: dict[str, Any]


class Fleet(Document):
    """Everything that does the work."""

    workers: list[Worker]
    queues: list[Queue]
    coordinator: Coordinator | None = Field(description="Null when none ever ran.")


class Health(Document):
    """Whether this API can do its work."""

    status: str
    version: str
