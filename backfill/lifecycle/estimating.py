"""Estimating: how long a backfill will take, from past runs of its steps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection

from backfill.lifecycle.admission import living_slots
from backfill.lifecycle.forecasting import Sample, span
from backfill.settings import Settings
from backfill.storage.database import Database
from backfill.storage.queries.durations import pipeline_durations, pipeline_pace, step_means


@dataclass(frozen=True)
class Estimate:
    """How long so many runs take; what is not known is None, and `unknown` says why.

    Attributes:
        concurrency: Runs at a time: slots of living workers, and the backfill's own limit.
        run_seconds: What one run takes on average.
        based_on: How many past runs that is the mean of, the newest weighing most.
        finish_at: When it would be done if it began now and had the workers to itself.
        low_seconds: Four times of five it is done between this and `high_seconds`.
    """

    runs: int
    concurrency: int | None
    run_seconds: float | None
    based_on: int
    seconds: float | None = None
    finish_at: datetime | None = None
    unknown: str | None = None
    low_seconds: float | None = None
    high_seconds: float | None = None


def estimate(
    db: Database,
    conn: Connection,
    settings: Settings,
    *,
    pipeline: str,
    steps: Sequence[str] | None,
    runs: int,
    max_active: int | None,
    queue: str,
) -> Estimate:
    """Estimate the duration of `runs` runs of a pipeline or of some of its steps."""
    slots = living_slots(db, conn, settings).get(queue, 0)
    concurrency = min(slots, max_active or slots) or None
    pace = pipeline_pace(db, conn, pipeline)
    if pace is None:
        unknown = f'no run of pipeline "{pipeline}" has ended yet'
        return Estimate(runs, concurrency, None, 0, unknown=unknown)
    share = _share(db, conn, pace.pipeline_id, steps)
    run_seconds = pace.mean_us / 1e6 * share
    if concurrency is None:
        unknown = f'no worker listens on queue "{queue}"'
        return Estimate(runs, None, run_seconds, pace.runs, unknown=unknown)
    seconds = math.ceil(runs / concurrency) * run_seconds
    finish = datetime.fromtimestamp(db.clock(conn) / 1e6 + seconds, UTC)
    lately = pipeline_durations(db, conn, pipeline) or [pace.mean_us]
    sample = Sample("pipeline", [us / 1e6 * share for us in lately])
    low, likely, high = span(sample, runs, concurrency, None)
    return Estimate(
        runs,
        concurrency,
        run_seconds,
        pace.runs,
        seconds,
        finish,
        low_seconds=round(min(seconds, low), 3),
        high_seconds=round(max(seconds, high, likely), 3),
    )


def _share(db: Database, conn: Connection, pipeline_id: int, steps: Sequence[str] | None) -> float:
    """Return which share of a run's time the chosen steps took in the newest runs."""
    if not steps:
        return 1.0
    means = step_means(db, conn, pipeline_id)
    total = sum(means.values())
    return sum(means.get(step, 0.0) for step in steps) / total if total else 1.0
