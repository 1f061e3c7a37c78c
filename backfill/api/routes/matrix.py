"""The Run Matrix: pages of partitions x steps, and the history of a box."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from backfill.api.context import Api, Context, Cursor, KeyQuery, Limit, NamePath, StartQuery
from backfill.api.cursors import decode_ints, encode
from backfill.api.keys import Order, OrderQuery, key_page, require_key
from backfill.api.presenting import present_row
from backfill.errors import NotFound, did_you_mean
from backfill.schemas.base import Page
from backfill.schemas.matrix import BoxRun, MatrixPage
from backfill.storage.queries.matrix import box_history, matrix_page

router = APIRouter(prefix="/partition-sets/{name}", tags=["matrix"])


@router.get("/matrix")
def get_matrix(
    api: Api,
    name: NamePath,
    order: OrderQuery = Order.NEWEST,
    start: StartQuery = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> MatrixPage:
    """Return the status of every step for a page of partitions."""
    pipeline, steps = _steps(api, name)
    page = key_page(
        api.definitions,
        name,
        at=api.clock(),
        order=order,
        limit=limit,
        cursor=cursor,
        start=start,
    )
    with api.db.read() as conn:
        rows = matrix_page(api.db, conn, name, page.keys, steps)
    return MatrixPage(
        items=[present_row(row, steps) for row in rows],
        next=page.next,
        partition_set=name,
        pipeline=pipeline,
        steps=steps,
        count=page.count,
        order=order.value,
    )


@router.get("/box")
def get_box(
    api: Api,
    name: NamePath,
    partition: KeyQuery,
    step: Annotated[str, Query(min_length=1, max_length=200, description="A step's name.")],
    cursor: Cursor = None,
    limit: Limit = 20,
) -> Page[BoxRun]:
    """Return every run and attempt of one step of one partition, newest first."""
    _, steps = _steps(api, name)
    if step not in steps:
        raise NotFound(f'Set "{name}" has no step "{step}".{did_you_mean(step, steps)}')
    before = None
    if cursor is not None:
        created_at, run_id = decode_ints(cursor, 2)
        before = (created_at, run_id)
    with api.db.read() as conn:
        page = box_history(
            api.db, conn, name, require_key(partition), step, limit=limit, before=before
        )
    last = page.items[-1] if page.more else None
    return Page[BoxRun](
        items=[BoxRun.model_validate(run) for run in page.items],
        next=encode(last.created_at, last.run_id) if last is not None else None,
    )


def _steps(api: Context, set_name: str) -> tuple[str, list[str]]:
    """Return a set's pipeline and the steps that its runs execute."""
    catalog = api.definitions.catalog()
    found = catalog.partition_set(set_name)
    steps = [step.name for step in catalog.pipeline(found.pipeline).steps]
    if found.step_selection is not None:
        steps = [step for step in steps if step in found.step_selection]
    return found.pipeline, steps
