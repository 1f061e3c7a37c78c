"""Doing again: runs re-executed, one or many, backfills retried, and lineage."""

from __future__ import annotations

from dataclasses import replace

from fastapi import APIRouter

from backfill.api.context import Actor, Api, Context, IdPath
from backfill.api.filtering import filter_of
from backfill.api.links import OF_RUN
from backfill.api.presenting import present_backfill, present_run
from backfill.errors import no_run
from backfill.lifecycle import retrying
from backfill.lifecycle.reexecuting import Again, reexecute, reexecute_runs
from backfill.lifecycle.retrying import RetryRequest, statuses_of
from backfill.schemas.backfills import Backfill
from backfill.schemas.reexecution import (
    BackfillRetry,
    Lineage,
    RunAgain,
    RunsReexecuted,
    RunsToReexecute,
)
from backfill.schemas.runs import Run
from backfill.states import RUN_FINAL, RunState
from backfill.storage.queries.backfills import get_backfill
from backfill.storage.queries.lineage import lineage_of
from backfill.storage.queries.runs import get_run

router = APIRouter(tags=["re-execution"])

_AGAIN = {RunState.FAILED, RunState.CANCELED}


@router.post("/runs/re-execute")
def reexecute_many_runs(api: Api, actor: Actor, body: RunsToReexecute) -> RunsReexecuted:
    """Re-execute runs that ended, newest first: at most `limit` per call, each in a new run.

    One that was re-executed before is left out, so that a call that is repeated goes on.
    """
    asked = filter_of(body)
    states = [state for state in asked.states or _AGAIN if state in RUN_FINAL]
    done = reexecute_runs(
        api.db,
        api.definitions,
        replace(asked, states=sorted(states)),
        Again(body.mode, body.steps, body.from_step, priority=body.priority),
        limit=body.limit,
        note=body.note,
        actor=actor,
    )
    return RunsReexecuted.model_validate(done)


@router.post("/runs/{run_id}/re-execute", status_code=201, responses={201: {"links": OF_RUN}})
def reexecute_run(api: Api, actor: Actor, run_id: IdPath, body: RunAgain | None = None) -> Run:
    """Make a new run from one that ended: from its failure, of some of its steps, or whole.

    Steps that are not executed are not lost: where another step takes their outputs, the newest
    ones of the partition are loaded; one that is gone is computed again.
    """
    asked = body or RunAgain()
    again = Again(**asked.model_dump(exclude={"note"}))
    made = reexecute(
        api.db, api.definitions, run_id, again, at=api.clock(), note=asked.note, actor=actor
    )
    with api.db.read() as conn:
        view = get_run(api.db, conn, made)
    assert view is not None
    return present_run(api, view)


@router.get("/runs/{run_id}/lineage")
def get_lineage_of_run(api: Api, run_id: IdPath) -> Lineage:
    """Return a run with what it re-executes and what re-executes it, oldest first."""
    with api.db.read() as conn:
        found = lineage_of(api.db, conn, run_id)
    if found is None:
        raise no_run(run_id)
    return Lineage(root=str(found.root), runs=[present_run(api, view) for view in found.runs])


@router.post("/backfills/{backfill_id}/retry")
def retry_backfill(
    api: Api, actor: Actor, backfill_id: IdPath, body: BackfillRetry | None = None
) -> Backfill:
    """Try what failed, was canceled or never launched of a backfill again, within it.

    A backfill that is over goes on; while it runs or is paused, what failed so far is tried again.
    """
    asked = body or BackfillRetry()
    request = RetryRequest(
        statuses_of(asked.statuses), Again(asked.mode, asked.steps, asked.from_step)
    )
    retrying.retry(api.db, api.definitions, backfill_id, request, note=asked.note, actor=actor)
    return _shown(api, backfill_id)


def _shown(api: Context, backfill_id: int) -> Backfill:
    with api.db.read() as conn:
        view = get_backfill(api.db, conn, backfill_id)
    assert view is not None
    return present_backfill(api, view)
