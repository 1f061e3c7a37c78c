"""Changing a live backfill: its fields and its partitions; and cloning one."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Annotated, Any

from fastapi import APIRouter, BackgroundTasks, Header, Response
from pydantic import ValidationError

from backfill.api.asking import as_request
from backfill.api.context import Actor, Api, Context, IdPath
from backfill.api.links import OF_BACKFILL
from backfill.api.presenting import present_backfill
from backfill.errors import Invalid
from backfill.lifecycle import backfills
from backfill.lifecycle.cloning import cloned
from backfill.lifecycle.editing import edit
from backfill.lifecycle.repartitioning import add_partitions, remove_partitions
from backfill.lifecycle.requests import BackfillRequest
from backfill.schemas import backfills as schemas
from backfill.schemas.backfills import Backfill, Submitted
from backfill.schemas.editing import (
    BackfillClone,
    BackfillEdit,
    BackfillEdited,
    PartitionsAdded,
    PartitionsRemoved,
    PartitionsToAdd,
    PartitionsToRemove,
)
from backfill.storage.queries.backfills import get_backfill

router = APIRouter(prefix="/backfills/{backfill_id}", tags=["backfills"])


@router.patch("")
def edit_backfill(
    api: Api, actor: Actor, backfill_id: IdPath, body: BackfillEdit
) -> BackfillEdited:
    """Change fields of a backfill while it runs; limits and order act on queued runs as well."""
    done = edit(api.db, backfill_id, body.changes(), actor=actor)
    shown = _shown(api, backfill_id)
    changed = [{"field": name, "old": old, "new": new} for name, (old, new) in done.items()]
    return BackfillEdited.model_validate({**dict(shown), "edited": changed})


@router.post("/partitions/add")
def add_partitions_to_backfill(
    api: Api, actor: Actor, backfill_id: IdPath, body: PartitionsToAdd
) -> PartitionsAdded:
    """Give a backfill further partitions; one that is over goes on."""
    done = add_partitions(
        api.db,
        api.definitions,
        backfill_id,
        body.selection,
        at=api.clock(),
        limit=api.settings.max_partitions,
        reprocess=body.reprocess,
        note=body.note,
        actor=actor,
    )
    return PartitionsAdded.model_validate(done)


@router.post("/partitions/remove")
def remove_partitions_of_backfill(
    api: Api, actor: Actor, backfill_id: IdPath, body: PartitionsToRemove
) -> PartitionsRemoved:
    """Take partitions out of a backfill: what has not begun is skipped, what runs goes on."""
    done = remove_partitions(
        api.db,
        api.definitions,
        backfill_id,
        body.selection,
        at=api.clock(),
        limit=api.settings.max_partitions,
        cancel_running=body.cancel_running,
        note=body.note,
        actor=actor,
    )
    return PartitionsRemoved.model_validate(done)


@router.post(
    "/clone",
    status_code=201,
    responses={
        200: {"description": "It was cloned before.", "links": OF_BACKFILL},
        201: {"links": OF_BACKFILL},
    },
)
def clone_backfill(
    api: Api,
    actor: Actor,
    backfill_id: IdPath,
    response: Response,
    afterwards: BackgroundTasks,
    body: BackfillClone | None = None,
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=1,
            max_length=200,
            description="The same key with the same body gives the same backfill.",
        ),
    ] = None,
) -> Submitted:
    """Submit what a backfill was made from once more, with changes."""
    changes = dict(body.changes) if body is not None else {}
    partition_set = changes.get("partition_set")
    named = {"partition_set": partition_set} if isinstance(partition_set, str) else {}
    known = cloned(api.db, api.definitions, backfill_id, named)
    asked = as_request(_checked(known, changes), created_by=actor, idempotency_key=idempotency_key)
    submitted = backfills.submit(
        api.db,
        api.definitions,
        replace(asked, cloned_from=backfill_id),
        at=api.clock(),
        limit=api.settings.max_partitions,
        wake_above=backfills.SMALL,
    )
    afterwards.add_task(backfills.expand_small, api.db, api.definitions, submitted)
    response.status_code = 201 if submitted.created else 200
    shown = _shown(api, submitted.backfill_id)
    return Submitted.model_validate({**dict(shown), "changes": submitted.changes})


def _checked(known: BackfillRequest, changes: dict[str, Any]) -> schemas.BackfillRequest:
    """Return a request with changes, checked as one that is sent whole."""
    asked = {
        field.name: getattr(known, field.name)
        for field in fields(known)
        if field.name in schemas.BackfillRequest.model_fields
    }
    try:
        return schemas.BackfillRequest.model_validate({**asked, **changes})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Invalid(f"{where}: {first['msg']}.") from None


def _shown(api: Context, backfill_id: int) -> Backfill:
    with api.db.read() as conn:
        view = get_backfill(api.db, conn, backfill_id)
    assert view is not None
    return present_backfill(api, view)
