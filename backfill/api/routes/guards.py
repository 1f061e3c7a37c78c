"""Guards: failures by error, blocked partitions, and outcomes marked by hand."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from backfill.api.context import Actor, Api, Cursor, IdPath, Limit, NamePath, NameQuery
from backfill.api.cursors import decode_ints, decode_named, encode
from backfill.errors import Invalid
from backfill.lifecycle import blocks, marking
from backfill.lifecycle.failures import failures
from backfill.schemas.base import Page
from backfill.schemas.guards import (
    Block,
    BlockRequest,
    FailureGroup,
    Failures,
    Mark,
    MarkRequest,
    PartitionsChanged,
    UnblockRequest,
    UnmarkRequest,
)
from backfill.states import BoxStatus
from backfill.storage.queries.blocks import list_blocks
from backfill.storage.queries.marks import list_marks

router = APIRouter(tags=["guards"])

Groups = Annotated[int, Query(ge=1, le=200, description="At most so many groups.")]


@router.get("/backfills/{backfill_id}/failures")
def get_failures(api: Api, backfill_id: IdPath, limit: Groups = 20) -> Failures:
    """Return the failed runs of a backfill by error, the largest group first.

    Errors are alike when they differ in numbers, ids, quoted values and the partition only. A
    partition that the backfill tried again counts by its newest run alone.
    """
    found = failures(api.db, api.definitions, backfill_id, at=api.clock(), limit=limit)
    items = [
        FailureGroup.model_validate({**vars(item.group), "selection": item.selection})
        for item in found.items
    ]
    return Failures(items=items, groups=found.groups, count=found.count)


@router.get("/blocks")
def get_blocks(
    api: Api, partition_set: NameQuery = None, cursor: Cursor = None, limit: Limit = 50
) -> Page[Block]:
    """Return the blocks that hold partitions, newest first."""
    before = None if cursor is None else decode_ints(cursor, 1)[0]
    with api.db.read() as conn:
        page = list_blocks(api.db, conn, set_name=partition_set, limit=limit, before=before)
    after = encode(page.items[-1].id) if page.more else None
    return Page[Block](items=[Block.model_validate(view) for view in page.items], next=after)


@router.post("/partition-sets/{name}/block", status_code=201)
def block_partitions(api: Api, actor: Actor, name: NamePath, body: BlockRequest) -> Block:
    """Block partitions: backfills, launches and schedules leave them out until they are unblocked.

    What is pending is skipped when its turn comes; what is queued or running finishes.
    """
    made = blocks.block(
        api.db,
        api.definitions,
        name,
        body.selection,
        reason=body.reason,
        at=api.clock(),
        actor=actor,
    )
    return Block.model_validate(made)


@router.post("/partition-sets/{name}/unblock")
def unblock_partitions(
    api: Api, actor: Actor, name: NamePath, body: UnblockRequest
) -> PartitionsChanged:
    """Let blocked partitions run again; those that are not blocked are passed over."""
    if (body.selection is None) == (body.block_id is None):
        raise Invalid("Say what to unblock in one way: a selection, or a block_id.")
    if body.block_id is not None:
        count = blocks.unblock_all(
            api.db, int(body.block_id), set_name=name, note=body.note, actor=actor
        )
    else:
        assert body.selection is not None
        count = blocks.unblock(
            api.db,
            api.definitions,
            name,
            body.selection,
            at=api.clock(),
            note=body.note,
            actor=actor,
        )
    return PartitionsChanged(count=count)


@router.get("/partition-sets/{name}/marks")
def get_marks(api: Api, name: NamePath, cursor: Cursor = None, limit: Limit = 100) -> Page[Mark]:
    """Return what operators marked of a set, newest first."""
    api.definitions.catalog().partition_set(name)
    before = None if cursor is None else decode_named(cursor)
    with api.db.read() as conn:
        page = list_marks(api.db, conn, name, limit=limit, before=before)
    last = page.items[-1] if page.more else None
    after = None if last is None else encode(last.marked_at, last.partition, last.step or "")
    return Page[Mark](items=[Mark.model_validate(view) for view in page.items], next=after)


@router.post("/partition-sets/{name}/mark")
def mark_partitions(api: Api, actor: Actor, name: NamePath, body: MarkRequest) -> PartitionsChanged:
    """Say that partitions, or steps of them, succeeded or are missing, whatever was recorded.

    The mark stands until a run that ends later has an outcome of its own.
    """
    count = marking.mark(
        api.db,
        api.definitions,
        name,
        body.selection,
        status=BoxStatus(body.status),
        steps=body.steps,
        at=api.clock(),
        note=body.note,
        actor=actor,
    )
    return PartitionsChanged(count=count)


@router.post("/partition-sets/{name}/unmark")
def unmark_partitions(
    api: Api, actor: Actor, name: NamePath, body: UnmarkRequest
) -> PartitionsChanged:
    """Take marks back: what was recorded counts again. The answer counts marks."""
    count = marking.unmark(
        api.db,
        api.definitions,
        name,
        body.selection,
        steps=body.steps,
        at=api.clock(),
        note=body.note,
        actor=actor,
    )
    return PartitionsChanged(count=count)
