"""Drift: how the set of a backfill changed since, and the backfill brought up to date with it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from backfill.api.context import Actor, Api, IdPath
from backfill.lifecycle.comparing import drift_of
from backfill.lifecycle.retargeting import retarget
from backfill.schemas.partitions import Drift, Retargeted, RetargetRequest

router = APIRouter(prefix="/backfills/{backfill_id}", tags=["backfills"])

SelectionQuery = Annotated[
    str | None,
    Query(
        min_length=1, max_length=10_000, description="Asked instead of the backfill's selection."
    ),
]


@router.get("/drift")
def get_drift(api: Api, backfill_id: IdPath, selection: SelectionQuery = None) -> Drift:
    """Say what joined and what left the set since the backfill was submitted."""
    found = drift_of(
        api.db,
        api.definitions,
        backfill_id,
        at=api.clock(),
        limit=api.settings.max_partitions,
        selection=selection,
    )
    return Drift.model_validate(found)


@router.post("/retarget")
def retarget_backfill(
    api: Api, actor: Actor, backfill_id: IdPath, body: RetargetRequest | None = None
) -> Retargeted:
    """Adopt the selected partitions that joined the set, and skip runs of those that left it.

    Statuses in the selection, and what was left out for them, stay as they were at submit.
    """
    done = retarget(
        api.db,
        api.definitions,
        backfill_id,
        at=api.clock(),
        limit=api.settings.max_partitions,
        selection=body.selection if body is not None else None,
        actor=actor,
    )
    return Retargeted.model_validate(done)
