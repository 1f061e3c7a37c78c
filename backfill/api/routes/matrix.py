"""The Run Matrix: pages of partitions x steps, and the history of a box."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import Annotated

from fastapi import APIRouter, Query, Response

from backfill.api.columns import Columns, ColumnsWanted, Paging, chosen, column_page
from backfill.api.context import Api, Context, Cursor, KeyQuery, Limit, NamePath, StartQuery
from backfill.api.cursors import MAX_INT, decode_ints, encode
from backfill.api.keys import Order, OrderQuery, require_key
from backfill.api.writing import answer, row_text
from backfill.errors import NotFound, did_you_mean
from backfill.schemas.base import Page
from backfill.schemas.matrix import BoxRun, MatrixPage, PlaceRange, Places
from backfill.storage.queries.box_history import box_history
from backfill.storage.queries.matrix import matrix_page

router = APIRouter(prefix="/partition-sets/{name}", tags=["matrix"])

MAX_RANGES = 500


@router.get("/matrix", response_model=MatrixPage)
def get_matrix(
    api: Api,
    name: NamePath,
    wanted: ColumnsWanted,
    order: OrderQuery = Order.NEWEST,
    start: StartQuery = None,
    place: Annotated[
        int | None,
        Query(ge=0, le=MAX_INT, description="Begin at this place among what is shown, from 0."),
    ] = None,
    previous: Annotated[
        bool, Query(description="Say also what each box showed before its run.")
    ] = False,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """Return the status of every step for a page of partitions.

    `select` narrows to the partitions of a selection, `backfill` and `tag` to those with such
    runs; boxes then show what these runs did. What is narrowed follows within a few seconds.
    Partitions of a backfill or a tag that have left the set come before all others, as removed.
    """
    pipeline, steps = _steps(api, name)
    paging = Paging(order, limit, place, start, cursor)
    page, first = column_page(api, name, replace(wanted, removed=True), paging)
    with api.db.read() as conn:
        rows = matrix_page(
            api.db,
            conn,
            name,
            page.keys,
            steps,
            only=wanted.runs,
            previous=previous,
            removed=page.removed,
        )
    shown = zip(rows, page.places, strict=True)
    told = {
        "next": page.next,
        "partition_set": name,
        "pipeline": pipeline,
        "steps": steps,
        "count": page.count,
        "place": first,
        "order": order,
    }
    return answer("items", [row_text(row, steps, index) for row, (index, _) in shown], after=told)


@router.get("/places")
def get_places(
    api: Api,
    name: NamePath,
    select: Annotated[str, Query(min_length=1, max_length=10_000, description="A selection.")],
    limit: Annotated[int, Query(ge=1, le=MAX_RANGES, description="Ranges at most.")] = 200,
) -> Places:
    """Return where in the set's order the partitions of a selection are; none is no error.

    Statuses in the selection follow what happens within a few seconds.
    """
    at = api.clock()
    found = chosen(api, name, Columns(select), at)
    ranges = list(islice(found.places.ranges, limit))
    return Places(
        count=len(found),
        range_count=found.places.range_count(),
        ranges=[_place_range(api, name, part, at) for part in ranges],
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


def _place_range(api: Context, name: str, part: range, at: datetime) -> PlaceRange:
    first = api.definitions.page(name, part.start, part.start + 1, at)
    last = api.definitions.page(name, part.stop - 1, part.stop, at)
    return PlaceRange(start=part.start, stop=part.stop, first=first[0], last=last[0])


def _steps(api: Context, set_name: str) -> tuple[str, list[str]]:
    """Return a set's pipeline and the steps that its runs execute."""
    catalog = api.definitions.catalog()
    found = catalog.partition_set(set_name)
    steps = [step.name for step in catalog.pipeline(found.pipeline).steps]
    if found.step_selection is not None:
        steps = [step for step in steps if step in found.step_selection]
    return found.pipeline, steps
