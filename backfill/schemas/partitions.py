"""Keys of dynamic partitions, and how a set drifted from what a backfill took of it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from backfill.schemas.base import Body, Document, Key, Name, Time


class DynamicPartition(Document):
    """A key that was added at run time."""

    key: str
    added_at: Time
    added_by: str | None


class KeysRequest(Body):
    """Keys to add or to remove."""

    keys: Annotated[list[Key], Field(min_length=1, max_length=100_000)] = Field(
        examples=[["acme", "globex"]]
    )
    definition: Name | None = Field(
        default=None, description="Which dynamic definition, where the set has several."
    )


class KeysChanged(Document):
    """What adding or removing keys came to."""

    definition: str
    changed: list[str] = Field(description="The keys that were added, or removed.")
    unchanged: int = Field(description="How many were there, or gone, already.")


class Drift(Document):
    """How a set differs from what a backfill took of it."""

    gone: int = Field(description="Pending runs whose partition left the set.")
    gone_keys: list[str] = Field(description="The first of their partitions.")
    joined: int = Field(description="Partitions it would take now and has no run of.")
    joined_keys: list[str] = Field(description="The first of them.")
    vanished: int = Field(description="Partitions that left the set before their run was made.")
    code_changed: bool = Field(
        description="Whether the definitions are others than those it was submitted with."
    )
    problem: str | None = Field(
        description="Why its selection does not fit the set any more; then nothing can join."
    )


class RetargetRequest(Body):
    """How to bring a backfill up to date with its set."""

    selection: Annotated[str, Field(min_length=1, max_length=1_000_000)] | None = Field(
        default=None,
        description="The backfill's from now on; null: its own, evaluated anew.",
        examples=["[2020-05-01...2020-05-31]"],
    )


class Retargeted(Document):
    """What retargeting did."""

    added: int = Field(description="Partitions that joined and have a run now.")
    skipped: int = Field(description="Pending runs of partitions that left the set.")
    left: int = Field(description="Partitions still to adopt: ask again.")
    problem: str | None
