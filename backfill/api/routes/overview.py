"""The overview of a Run Matrix: a whole set, or a range of it, in buckets."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query

from backfill.api.context import Api, Context, NamePath
from backfill.errors import Invalid, NotFound
from backfill.lifecycle.rollup import steps_of
from backfill.schemas.overview import Overview, OverviewBucket
from backfill.storage.queries.counting import counted
from backfill.storage.queries.matrix import matrix_page
from backfill.storage.queries.overview import (
    BLOCK,
    DIRECT,
    RUN_ROW,
    Bucket,
    bucketed_blocks,
    spans,
)

router = APIRouter(prefix="/partition-sets/{name}", tags=["matrix"])

Bound = Annotated[str | None, Query(max_length=1024, description="A key; inclusive.")]


@router.get("/overview")
def get_overview(
    api: Api,
    name: NamePath,
    buckets: Annotated[int, Query(ge=1, le=2000, description="At most so many.")] = 100,
    first: Bound = None,
    last: Bound = None,
) -> Overview:
    """Return how many partitions show which status, by step, in buckets over the set's order.

    Ranges of more than 2,000 partitions are summed from blocks of 1,000 that follow what happens
    within a few seconds; their buckets begin and end with blocks.
    """
    at = api.clock()
    steps = steps_of(api.definitions, name)
    start, stop = place_range(api, name, first, last, at)
    if stop - start <= DIRECT:
        found = _direct(api, name, steps, spans(start, stop, buckets), at)
    else:
        whole = (start // BLOCK * BLOCK, min(-(-stop // BLOCK) * BLOCK, _count(api, name, at)))
        with api.db.read() as conn:
            found = bucketed_blocks(api.db, conn, name, steps, spans(*whole, buckets, grain=BLOCK))
    return Overview(
        partition_set=name,
        steps=steps,
        count=stop - start,
        buckets=[_shown(bucket) for bucket in found],
    )


def _count(api: Context, name: str, at: datetime) -> int:
    return api.definitions.count(name, at)


def place_range(
    api: Context, name: str, first: str | None, last: str | None, at: datetime
) -> tuple[int, int]:
    """Return the places [start, stop) between two keys."""
    keys = [key for key in (first, last) if key is not None]
    places = dict(zip(keys, api.definitions.index_of(name, keys, at), strict=True))
    unknown = next((key for key, place in places.items() if place is None), None)
    if unknown is not None:
        raise NotFound(f'Partition set "{name}" has no partition "{unknown}".')
    start = 0 if first is None else places[first] or 0
    stop = _count(api, name, at) if last is None else (places[last] or 0) + 1
    if start >= stop and first is not None and last is not None:
        raise Invalid(f'"{first}" comes after "{last}" in "{name}".')
    return start, stop


def _direct(
    api: Context, name: str, steps: list[str], wanted: list[tuple[int, int]], at: datetime
) -> list[Bucket]:
    if not wanted:
        return []
    start, stop = wanted[0][0], wanted[-1][1]
    keys = api.definitions.page(name, start, stop, at)
    with api.db.read() as conn:
        rows = matrix_page(api.db, conn, name, keys, steps)
    return [Bucket(a, b, counted(rows[a - start : b - start])) for a, b in wanted]


def _shown(bucket: Bucket) -> OverviewBucket:
    return OverviewBucket(
        start=bucket.start,
        stop=bucket.stop,
        runs=dict(bucket.counts.get(RUN_ROW, {})),
        steps={step: dict(c) for step, c in bucket.counts.items() if step != RUN_ROW},
    )
