"""Pools and limits of tags: named limits across everything."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from backfill.definitions.pools import MOST_SLOTS
from backfill.schemas.base import Body, Document, Name


class Pool(Document):
    """A pool and how much of it is taken."""

    name: str
    slots: int = Field(description="How many there are; 0: it is closed.")
    configured: bool = Field(description="Somebody said how many; else it is the default.")
    used: int = Field(description="Slots that queued and running runs take.")


class Pools(Document):
    """Every pool that was ever named, by name."""

    items: list[Pool]


class PoolSlots(Body):
    """How many slots a pool has."""

    slots: Annotated[int, Field(ge=0, le=MOST_SLOTS)] | None = Field(
        description="0 closes the pool; null makes it the default again.", examples=[4]
    )


class TagLimit(Document):
    """How many runs with a tag may be active, and how many are."""

    key: str
    value: str | None = Field(description="Null: so many of each value.")
    max_active_runs: int
    active: int = Field(description="Of a limit of each value, the runs of all values.")


class TagLimits(Document):
    """Every limit of a tag, by key and value."""

    items: list[TagLimit]


class TagLimitRequest(Body):
    """A limit to set or to take away."""

    key: Name = Field(examples=["customer"])
    value: Name | None = Field(default=None, description="Null: each value has the limit.")
    max_active_runs: Annotated[int, Field(ge=0, le=MOST_SLOTS)] | None = Field(
        description="Null takes the limit away.", examples=[2]
    )
