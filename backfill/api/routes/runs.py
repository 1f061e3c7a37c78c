"""Runs: launch, look, follow the log, cancel."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Query, Response

from backfill.api.asking import as_launch
from backfill.api.context import Actor, Api, Context, Cursor, IdPath, KeyHeader, Limit, NameQuery
from backfill.api.cursors import decode_ints, encode
from backfill.api.filtering import RunsWanted, filter_of
from backfill.api.links import OF_RUN
from backfill.api.presenting import present_run, present_steps
from backfill.errors import no_run
from backfill.lifecycle import runs
from backfill.lifecycle.bulk import cancel_runs, stoppable_states
from backfill.lifecycle.explaining import why_run
from backfill.lifecycle.launching import launch_checked
from backfill.schemas.backfills import Event, Note
from backfill.schemas.base import Page
from backfill.schemas.exports import RunsCanceled, RunsToCancel
from backfill.schemas.runs import Attempt, LogLine, LogPage, Run, RunRequest, RunSteps, StepError
from backfill.schemas.why import Why
from backfill.states import RUN_FINAL
from backfill.storage.queries.attempts import attempts_of, errors_of, steps_of
from backfill.storage.queries.events import list_events
from backfill.storage.queries.logs import LogPlace, log_lines
from backfill.storage.queries.runs import RunView, get_run, list_runs

router = APIRouter(prefix="/runs", tags=["runs"])


@router.post(
    "",
    status_code=201,
    responses={
        200: {"description": "It was launched before.", "links": OF_RUN},
        201: {"links": OF_RUN},
    },
)
def launch_run(
    api: Api,
    actor: Actor,
    body: RunRequest,
    response: Response,
    idempotency_key: KeyHeader = None,
) -> Run:
    """Launch one run: of a pipeline, for a partition of a set or for none."""
    request = as_launch(body, created_by=actor, idempotency_key=idempotency_key)
    launched = launch_checked(api.db, api.definitions, request, at=api.clock())
    response.status_code = 201 if launched.created else 200
    return _shown(api, launched.run_id)


@router.get("")
def get_runs(
    api: Api,
    wanted: RunsWanted,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[Run]:
    """Return runs, newest first."""
    before = None if cursor is None else decode_ints(cursor, 1)[0]
    with api.db.read() as conn:
        page = list_runs(api.db, conn, wanted, limit=limit, before=before)
    after = encode(page.items[-1].id) if page.more else None
    return Page[Run](items=[present_run(api, view) for view in page.items], next=after)


@router.get("/{run_id}")
def get_one_run(api: Api, run_id: IdPath) -> Run:
    """Return a run with the config it really used, secrets taken out."""
    return _shown(api, run_id)


@router.get("/{run_id}/steps")
def get_steps_of_run(api: Api, run_id: IdPath) -> RunSteps:
    """Return the attempts of a run and the outcome of every step in each, with errors."""
    _found(api, run_id)
    with api.db.read() as conn:
        attempts = attempts_of(api.db, conn, [run_id]).get(run_id, ())
        steps = steps_of(api.db, conn, [run_id])
        errors = errors_of(api.db, conn, [run_id], step="")
    return RunSteps(
        attempts=[Attempt.model_validate(view) for view in attempts],
        steps=present_steps(steps),
        errors=[StepError.model_validate(view) for view in errors],
    )


@router.get("/{run_id}/logs")
def get_logs_of_run(
    api: Api,
    run_id: IdPath,
    step: NameQuery = None,
    attempt: Annotated[
        int | None, Query(ge=1, le=2**31 - 1, description="Only of this one.")
    ] = None,
    cursor: Cursor = None,
    limit: Limit = 500,
) -> LogPage:
    """Return log lines, oldest first; ask again with `next` to follow until `ended`."""
    place = LogPlace(*decode_ints(cursor, 2)) if cursor is not None else LogPlace(0, 0)
    run = _found(api, run_id)  # before its lines: a final run writes no more of them
    with api.db.read() as conn:
        page = log_lines(api.db, conn, run_id, limit=limit, after=place, step=step, attempt=attempt)
    return LogPage(
        items=[LogLine.model_validate(view) for view in page.items],
        next=encode(*(page.items[-1].place if page.items else place)),
        ended=run.state in RUN_FINAL and not page.more,
    )


@router.get("/{run_id}/events")
def get_events_of_run(
    api: Api, run_id: IdPath, cursor: Cursor = None, limit: Limit = 50
) -> Page[Event]:
    """Return what operators did with a run, newest first."""
    _found(api, run_id)
    before = None if cursor is None else decode_ints(cursor, 1)[0]
    with api.db.read() as conn:
        page = list_events(api.db, conn, run_id=run_id, limit=limit, before=before)
    after = encode(page.items[-1].id) if page.more else None
    return Page[Event](items=[Event.model_validate(view) for view in page.items], next=after)


@router.get("/{run_id}/why")
def get_why_of_run(api: Api, run_id: IdPath) -> Why:
    """Say in a sentence, with its facts, why a run stands where it stands."""
    return Why.model_validate(why_run(api.db, api.settings, run_id))


@router.post("/{run_id}/cancel")
def cancel_run(api: Api, actor: Actor, run_id: IdPath, body: Note | None = None) -> Run:
    """Cancel a run: at once when no worker has it, else its worker is told to stop."""
    runs.cancel_run(api.db, run_id, reason=body.note if body else None, actor=actor)
    return _shown(api, run_id)


@router.post("/cancel")
def cancel_many_runs(api: Api, actor: Actor, body: RunsToCancel) -> RunsCanceled:
    """Cancel unfinished runs, newest first: at most `limit` per call; `more` says to ask again.

    Runs that no worker has are canceled at once; the workers of running ones are told to stop.
    """
    asked = filter_of(body)
    wanted = replace(asked, states=stoppable_states(asked.states))
    done = cancel_runs(api.db, wanted, limit=body.limit, reason=body.note or None, actor=actor)
    return RunsCanceled.model_validate(done)


def _shown(api: Context, run_id: int) -> Run:
    return present_run(api, _found(api, run_id))


def _found(api: Context, run_id: int) -> RunView:
    with api.db.read() as conn:
        view = get_run(api.db, conn, run_id)
    if view is None:
        raise no_run(run_id)
    return view
