"""Backfills: plan, submit, look, and the verbs that steer one."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Query, Response

from backfill.api.asking import as_request
from backfill.api.context import Actor, Api, Context, Cursor, IdPath, KeyHeader, Limit, NameQuery
from backfill.api.cursors import decode_ints, encode
from backfill.api.door import needs
from backfill.api.filtering import TagQuery, tags_of
from backfill.api.links import OF_BACKFILL
from backfill.api.presenting import present_backfill, present_plan, present_run, recent_rate
from backfill.errors import no_backfill
from backfill.lifecycle import backfills, planning
from backfill.lifecycle.explaining import why_backfill
from backfill.lifecycle.forecasting import forecast
from backfill.lifecycle.passing import skip_partition
from backfill.roles import Role
from backfill.schemas.backfills import (
    Backfill,
    BackfillRequest,
    Event,
    Note,
    Plan,
    Skip,
    Submitted,
)
from backfill.schemas.base import Key, Page
from backfill.schemas.runs import Run
from backfill.schemas.why import Why
from backfill.states import BackfillState, RunState
from backfill.storage.queries.backfills import BackfillFilter, get_backfill, list_backfills
from backfill.storage.queries.events import list_events
from backfill.storage.queries.runs import RunFilter, list_runs

router = APIRouter(prefix="/backfills", tags=["backfills"])


@router.post("/plan")
@needs(Role.VIEWER)
def plan_backfill(
    api: Api,
    body: BackfillRequest,
    partition: Annotated[
        Key | None, Query(description="Show the run config of this one instead of the first.")
    ] = None,
) -> Plan:
    """Say what submitting the same body would do, and why; nothing is kept."""
    plan = planning.plan(
        api.db,
        api.definitions,
        as_request(body),
        at=api.clock(),
        settings=api.settings,
        partition=partition,
    )
    return present_plan(body.partition_set, body.selection, plan)


@router.post(
    "",
    status_code=201,
    responses={
        200: {"description": "It was submitted before.", "links": OF_BACKFILL},
        201: {"links": OF_BACKFILL},
    },
)
def submit_backfill(
    api: Api,
    actor: Actor,
    body: BackfillRequest,
    response: Response,
    afterwards: BackgroundTasks,
    idempotency_key: KeyHeader = None,
) -> Submitted:
    """Submit a backfill: its selection is frozen. Its runs are made after the answer."""
    submitted = backfills.submit(
        api.db,
        api.definitions,
        as_request(body, created_by=actor, idempotency_key=idempotency_key),
        at=api.clock(),
        limit=api.settings.max_partitions,
        planned=body.planned,
        wake_above=backfills.SMALL,
    )
    afterwards.add_task(backfills.expand_small, api.db, api.definitions, submitted)
    response.status_code = 201 if submitted.created else 200
    shown = _shown(api, submitted.backfill_id)
    return Submitted.model_validate({**dict(shown), "changes": submitted.changes})


@router.get("")
def get_backfills(
    api: Api,
    state: Annotated[list[BackfillState] | None, Query(description="Any of these.")] = None,
    partition_set: NameQuery = None,
    pipeline: NameQuery = None,
    created_by: NameQuery = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[Backfill]:
    """Return backfills, newest first."""
    wanted = BackfillFilter(state, partition_set, pipeline, created_by)
    with api.db.read() as conn:
        page = list_backfills(api.db, conn, wanted, limit=limit, before=_before(cursor))
    after = encode(page.items[-1].id) if page.more else None
    return Page[Backfill](items=[present_backfill(api, view) for view in page.items], next=after)


@router.get("/{backfill_id}")
def get_one_backfill(api: Api, backfill_id: IdPath) -> Backfill:
    """Return a backfill: counts, progress, rate and time left."""
    return _shown(api, backfill_id)


@router.get("/{backfill_id}/runs")
def get_runs_of_backfill(
    api: Api,
    backfill_id: IdPath,
    state: Annotated[list[RunState] | None, Query(description="Any of these.")] = None,
    tag: TagQuery = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[Run]:
    """Return the runs of a backfill, newest first."""
    _shown(api, backfill_id)
    wanted = RunFilter(backfill_id=backfill_id, states=state, tags=tags_of(tag))
    with api.db.read() as conn:
        page = list_runs(api.db, conn, wanted, limit=limit, before=_before(cursor))
    after = encode(page.items[-1].id) if page.more else None
    return Page[Run](items=[present_run(api, view) for view in page.items], next=after)


@router.get("/{backfill_id}/events")
def get_events_of_backfill(
    api: Api, backfill_id: IdPath, cursor: Cursor = None, limit: Limit = 50
) -> Page[Event]:
    """Return what operators did with a backfill and must know of it, newest first."""
    _shown(api, backfill_id)
    with api.db.read() as conn:
        page = list_events(
            api.db, conn, backfill_id=backfill_id, limit=limit, before=_before(cursor)
        )
    after = encode(page.items[-1].id) if page.more else None
    return Page[Event](items=[Event.model_validate(view) for view in page.items], next=after)


@router.get("/{backfill_id}/why")
def get_why_of_backfill(api: Api, backfill_id: IdPath) -> Why:
    """Say in a sentence, with its facts, why a backfill stands where it stands."""
    return Why.model_validate(why_backfill(api.db, api.settings, backfill_id))


@router.post("/{backfill_id}/pause")
def pause_backfill(
    api: Api, actor: Actor, backfill_id: IdPath, body: Note | None = None
) -> Backfill:
    """Stop admitting runs and recall the queued ones; what runs goes on."""
    reason = _note(body) or f"paused by {actor}"
    backfills.pause(api.db, backfill_id, reason=reason, actor=actor)
    return _shown(api, backfill_id)


@router.post("/{backfill_id}/resume")
def resume_backfill(
    api: Api, actor: Actor, backfill_id: IdPath, body: Note | None = None
) -> Backfill:
    """Let a paused backfill go on."""
    backfills.resume(api.db, backfill_id, note=_note(body), actor=actor)
    return _shown(api, backfill_id)


@router.post("/{backfill_id}/cancel")
def cancel_backfill(
    api: Api, actor: Actor, backfill_id: IdPath, body: Note | None = None
) -> Backfill:
    """Give a backfill up: nothing of it starts any more, and running steps are told."""
    backfills.cancel(api.db, backfill_id, reason=_note(body), actor=actor)
    return _shown(api, backfill_id)


@router.post("/{backfill_id}/skip")
def skip_partition_of_backfill(api: Api, actor: Actor, backfill_id: IdPath, body: Skip) -> Backfill:
    """Let a line whose partitions depend on the previous one go on without a partition.

    Its run is skipped if it has not started; one that failed or was canceled stays so.
    """
    skip_partition(api.db, backfill_id, body.partition, note=body.note, actor=actor)
    return _shown(api, backfill_id)


def _shown(api: Context, backfill_id: int) -> Backfill:
    with api.db.read() as conn:
        view = get_backfill(api.db, conn, backfill_id)
        if view is None:
            raise no_backfill(backfill_id)
        told = forecast(api.db, conn, api.settings, view, rate=recent_rate(api, view))
    return present_backfill(api, view, told)


def _before(cursor: str | None) -> int | None:
    return None if cursor is None else decode_ints(cursor, 1)[0]


def _note(body: Note | None) -> str | None:
    return body.note if body is not None and body.note else None
