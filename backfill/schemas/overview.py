"""The overview of a Run Matrix."""

from __future__ import annotations

from pydantic import Field

from backfill.schemas.base import Document


class OverviewBucket(Document):
    """Consecutive partitions, and how many of them show which status."""

    start: int = Field(description="Place of the first in the set's order, from 0.")
    stop: int = Field(description="Place behind the last.")
    runs: dict[str, int] = Field(description="Status of the newest run -> how many partitions.")
    steps: dict[str, dict[str, int]] = Field(description="Step -> status -> how many partitions.")


class Overview(Document):
    """A set, or a range of it, in buckets."""

    partition_set: str
    steps: list[str]
    count: int = Field(description="How many partitions were asked for.")
    buckets: list[OverviewBucket]
