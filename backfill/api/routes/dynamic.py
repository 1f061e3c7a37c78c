"""Dynamic partitions: keys listed, added and removed."""

from __future__ import annotations

from fastapi import APIRouter

from backfill.api.context import Actor, Api, Cursor, Limit, NamePath, NameQuery
from backfill.api.cursors import decode_ints, encode
from backfill.lifecycle import dynamic
from backfill.schemas.base import Page
from backfill.schemas.partitions import DynamicPartition, KeysChanged, KeysRequest
from backfill.storage.queries.dynamic import list_keys

router = APIRouter(prefix="/partition-sets/{name}/dynamic-partitions", tags=["definitions"])


@router.get("")
def list_dynamic_partitions(
    api: Api,
    name: NamePath,
    definition: NameQuery = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[DynamicPartition]:
    """Return the keys of a set's dynamic partitions, in the order they were added."""
    known = dynamic.definition_of(api.definitions.catalog().partition_set(name), definition)
    after = None if cursor is None else decode_ints(cursor, 1)[0]
    with api.db.read() as conn:
        page = list_keys(api.db, conn, known, limit=limit, after=after)
    items = [DynamicPartition.model_validate(view) for view in page.items]
    return Page[DynamicPartition](
        items=items, next=encode(page.items[-1].id) if page.more else None
    )


@router.post("")
def add_partitions(api: Api, actor: Actor, name: NamePath, body: KeysRequest) -> KeysChanged:
    """Add keys; those that are there already stay where they are."""
    changed = dynamic.add_keys(
        api.db, api.definitions, name, body.keys, definition=body.definition, actor=actor
    )
    return KeysChanged.model_validate(changed)


@router.post("/remove")
def remove_partitions(api: Api, actor: Actor, name: NamePath, body: KeysRequest) -> KeysChanged:
    """Remove keys. What ran of them stays in the history; what is on its way is skipped."""
    changed = dynamic.remove_keys(
        api.db, api.definitions, name, body.keys, definition=body.definition, actor=actor
    )
    return KeysChanged.model_validate(changed)
