"""Why something stands where it stands."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from backfill.schemas.base import Document, Id


class Reason(Document):
    """One thing that is so."""

    code: str = Field(
        description="A stable machine-readable name.", examples=["waiting_for_partition"]
    )
    sentence: str = Field(
        description="The same for people.",
        examples=['Partition "2020-05-05" is held by run 17, which is running.'],
    )
    facts: dict[str, Any] = Field(description="What the sentence is made of.")


class Why(Reason):
    """Why a run or a backfill stands where it stands: what decides first, then what holds too."""

    kind: Literal["run", "backfill"]
    id: Id
    state: str
    also: list[Reason]
