"""Step statistics: failures, durations and a series per step for graphs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query

from backfill.api.context import Api, Context, NamePath
from backfill.api.routes.overview import Bound, place_range
from backfill.errors import Invalid
from backfill.lifecycle.rollup import steps_of
from backfill.lifecycle.staleness import staleness
from backfill.schemas import statistics as shown
from backfill.schemas.statistics import Durations, Statistics, StepPoint, StepStatistics
from backfill.states import BoxStatus
from backfill.storage.queries.matrix import Box, PartitionRow, matrix_page
from backfill.storage.queries.statistics import Endings, step_endings

router = APIRouter(prefix="/partition-sets/{name}", tags=["matrix"])

MOST = 1_000  # partitions per answer


@router.get("/staleness")
def get_staleness(api: Api, name: NamePath) -> shown.Staleness:
    """Return how many partitions of a set last succeeded with older code."""
    found = staleness(
        api.db, api.definitions, name, at=api.clock(), limit=api.settings.max_partitions
    )
    return shown.Staleness.model_validate(found)


@router.get("/step-statistics")
def get_step_statistics(
    api: Api,
    name: NamePath,
    newest: Annotated[
        int, Query(ge=1, le=MOST, description="Without keys: so many of the newest partitions.")
    ] = 100,
    first: Bound = None,
    last: Bound = None,
) -> Statistics:
    """Return how often each step failed, how long it took, and a series of it per partition.

    Looks at the newest partitions of a set, or at those from `first` to `last`: at most 1,000.
    Failures are counted over all attempts; series and durations are those the matrix shows.
    """
    at = api.clock()
    steps = steps_of(api.definitions, name)
    keys = _keys(api, name, newest, first, last, at)
    with api.db.read() as conn:
        rows = matrix_page(api.db, conn, name, keys, steps)
        endings = step_endings(api.db, conn, name, keys)
    return Statistics(
        partition_set=name,
        pipeline=api.definitions.catalog().partition_set(name).pipeline,
        first=keys[0] if keys else None,
        last=keys[-1] if keys else None,
        count=len(keys),
        steps=[_of_step(step, rows, endings.get(step, Endings())) for step in steps],
    )


def _keys(
    api: Context, name: str, newest: int, first: str | None, last: str | None, at: datetime
) -> Sequence[str]:
    count = api.definitions.count(name, at)
    start, stop = place_range(api, name, first, last, at, count)
    if first is None and last is None:
        start = max(start, stop - newest)
    if stop - start > MOST:
        raise Invalid(
            f"The range holds {stop - start} partitions; statistics look at {MOST} at most."
        )
    return api.definitions.page(name, start, stop, at) if start < stop else ()


def _of_step(step: str, rows: Sequence[PartitionRow], endings: Endings) -> StepStatistics:
    boxes = [(row.key, row.boxes[step]) for row in rows]
    took = sorted(
        seconds
        for _, box in boxes
        if box.status is BoxStatus.SUCCEEDED and (seconds := _seconds(box)) is not None
    )
    percent = round(100 * endings.failed / endings.ended, 3) if endings.ended else None
    return StepStatistics(
        step=step,
        ended=endings.ended,
        failed=endings.failed,
        failure_percent=percent,
        durations=_durations(took),
        series=[
            StepPoint(partition=key, status=box.status, run_id=_id(box), seconds=_seconds(box))
            for key, box in boxes
        ],
    )


def _durations(took: Sequence[float]) -> Durations | None:
    """Return what sorted durations come to, or None without any."""
    if not took:
        return None
    return Durations(
        count=len(took),
        mean=round(sum(took) / len(took), 6),
        p50=_percentile(took, 50),
        p90=_percentile(took, 90),
        p99=_percentile(took, 99),
        longest=took[-1],
    )


def _percentile(took: Sequence[float], percent: int) -> float:
    """Return the nearest-rank percentile: the least that covers so many percent."""
    rank = -(-percent * len(took) // 100)
    return took[max(rank, 1) - 1]


def _seconds(box: Box) -> float | None:
    if box.started_at is None or box.finished_at is None:
        return None
    return (box.finished_at - box.started_at) / 1e6


def _id(box: Box) -> str | None:
    return None if box.run_id is None else str(box.run_id)
