"""The overview of a Run Matrix: a whole set, or a range of it, in buckets."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Annotated

from fastapi import APIRouter, Query, Response

from backfill.api.context import Api, Context, NamePath
from backfill.api.writing import answer, bucket_text, counts_text
from backfill.errors import Invalid, NotFound
from backfill.lifecycle.rollup import steps_of
from backfill.schemas.overview import Overview
from backfill.storage.queries.counting import counted
from backfill.storage.queries.matrix import matrix_page
from backfill.storage.queries.overview import BLOCK, DIRECT, spans, stretches, summed

router = APIRouter(prefix="/partition-sets/{name}", tags=["matrix"])

REMEMBERED = 5_000  # buckets: a few overviews, of the largest two and a half

Bound = Annotated[str | None, Query(max_length=1024, description="A key; inclusive.")]


@router.get("/overview", response_model=Overview)
def get_overview(
    api: Api,
    name: NamePath,
    buckets: Annotated[int, Query(ge=1, le=2000, description="At most so many.")] = 100,
    first: Bound = None,
    last: Bound = None,
) -> Response:
    """Return how many partitions show which status, by step, in buckets over the set's order.

    Ranges of more than 2,000 partitions are summed from blocks of 1,000 that follow what happens
    within a few seconds; their buckets begin and end with blocks.
    """
    at = api.clock()
    steps = tuple(steps_of(api.definitions, name))
    count = api.definitions.count(name, at)
    start, stop = place_range(api, name, first, last, at, count)
    if stop - start <= DIRECT:
        found = _direct(api, name, steps, spans(start, stop, buckets), at)
    else:
        whole = (start // BLOCK * BLOCK, min(-(-stop // BLOCK) * BLOCK, count))
        found = _summed(api, name, steps, spans(*whole, buckets, grain=BLOCK))
    told = {"partition_set": name, "steps": steps, "count": stop - start}
    return answer("buckets", found, before=told)


def place_range(
    api: Context, name: str, first: str | None, last: str | None, at: datetime, count: int
) -> tuple[int, int]:
    """Return the places [start, stop) between two keys; without them, of the whole set.

    Args:
        count: How many partitions the set has.
    """
    keys = [key for key in (first, last) if key is not None]
    found = api.definitions.index_of(name, keys, at) if keys else ()
    places = dict(zip(keys, found, strict=True))
    unknown = next((key for key, place in places.items() if place is None), None)
    if unknown is not None:
        raise NotFound(f'Partition set "{name}" has no partition "{unknown}".')
    start = 0 if first is None else places[first] or 0
    stop = count if last is None else (places[last] or 0) + 1
    if start >= stop and first is not None and last is not None:
        raise Invalid(f'"{first}" comes after "{last}" in "{name}".')
    return start, stop


def _direct(
    api: Context,
    name: str,
    steps: tuple[str, ...],
    wanted: Sequence[tuple[int, int]],
    at: datetime,
) -> list[str]:
    """Return the buckets counted from their partitions."""
    if not wanted:
        return []
    start, stop = wanted[0][0], wanted[-1][1]
    keys = api.definitions.page(name, start, stop, at)
    with api.db.read() as conn:
        rows = matrix_page(api.db, conn, name, keys, steps)
    return [
        bucket_text(a, b, counts_text(counted(rows[a - start : b - start]), steps))
        for a, b in wanted
    ]


def _summed(
    api: Context, name: str, steps: tuple[str, ...], wanted: Sequence[tuple[int, int]]
) -> list[str]:
    """Return the buckets summed from the rollup's blocks."""
    with api.db.read() as conn:
        found = stretches(api.db, conn, name, wanted)
    return [
        bucket_text(start, stop, _told_by(blocks, stop - start, steps))
        for start, stop, blocks in found
    ]


@lru_cache(maxsize=REMEMBERED)
def _told_by(blocks: tuple[str, ...], size: int, steps: tuple[str, ...]) -> str:
    """Return the counts of blocks. Most are what they were when somebody asked last."""
    return counts_text(summed(blocks, size, steps), steps)
