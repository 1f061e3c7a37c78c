"""Forecasting: when a backfill will be done, as a range, from what its runs take."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import fmean, stdev

from sqlalchemy import Connection

from backfill.definitions.hours import Hours, opening, unpacked
from backfill.lifecycle.admission import living_slots
from backfill.settings import Settings
from backfill.states import BACKFILL_FINAL, BackfillState
from backfill.storage.database import Database, to_json
from backfill.storage.queries.backfills import BackfillView
from backfill.storage.queries.durations import (
    backfill_durations,
    partition_durations,
    pipeline_durations,
    pipeline_pace,
    rivals,
)

ENOUGH = 8  # runs that tell more of a backfill than older ones of its partitions or pipeline
EIGHT_IN_TEN = 1.28  # deviations on both sides that hold four fifths of what happens
RATE_SECONDS = 60
MOST_HOURS = 2_000  # nights and days looked at, about three years
GUESSED_SPREAD = 0.5  # of one single duration, as a part of it
_STANDING = {
    BackfillState.PAUSED: "it is paused",
    BackfillState.CANCELING: "it is being canceled",
}


@dataclass(frozen=True)
class Forecast:
    """When a backfill will be done; what is not known is None, and `unknown` says why.

    Attributes:
        work_seconds: What its runs that have not ended take, one after another.
        concurrency: Runs at a time: its share of the slots, and its own limit.
        run_seconds: What one run takes on average.
        based_on: How many ended runs that is the mean of.
        source: Which runs those were: `backfill`, `partitions` (the same ones, earlier) or
            `pipeline`.
        low_seconds: Four times of five it is done between this and `high_seconds`.
    """

    runs: int
    work_seconds: float | None = None
    concurrency: int | None = None
    run_seconds: float | None = None
    based_on: int = 0
    source: str | None = None
    low_seconds: float | None = None
    likely_seconds: float | None = None
    high_seconds: float | None = None
    finish_at: datetime | None = None
    unknown: str | None = None


@dataclass(frozen=True)
class Sample:
    """Durations of ended runs, in seconds."""

    source: str
    seconds: Sequence[float]

    @property
    def mean(self) -> float:
        return fmean(self.seconds)

    @property
    def spread(self) -> float:
        """The standard deviation; guessed where there is only one."""
        if len(self.seconds) < 2:
            return GUESSED_SPREAD * self.mean
        return stdev(self.seconds)

    def quantile(self, share: float) -> float:
        """Return the duration that this share of the runs stayed below."""
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def span(
    sample: Sample, runs: int, at_a_time: int, rate: float | None
) -> tuple[float, float, float]:
    """Return how long so many runs take: low, likely and high, in seconds.

    Args:
        at_a_time: How many of them run side by side.
        rate: Runs that ended per second lately, when that is known: it knows of everything that
            slows them down, durations know only of themselves.
    """
    mean, spread = sample.mean, sample.spread
    tail = max(0.0, sample.quantile(0.9) - mean)
    if rate:
        likely = runs / rate
        seen = max(rate * RATE_SECONDS, 1.0)
        varies = spread / mean if mean else 0.0
        off = EIGHT_IN_TEN * math.sqrt((1 + varies**2) / seen) * likely
    else:
        lanes = max(1, min(at_a_time, runs))
        likely = max(runs * mean / lanes, mean)
        unsure_of_mean = runs * spread / math.sqrt(len(sample.seconds))
        off = EIGHT_IN_TEN * math.hypot(spread * math.sqrt(runs), unsure_of_mean) / lanes
    shortest = min(likely, sample.quantile(0.1))
    return max(shortest, likely - off), likely, likely + off + tail


def stretched(hours: Sequence[Hours], start: datetime, seconds: float) -> float | None:
    """Return how long so many seconds of work take within hours; None: for ever, or for years."""
    at, left = start, seconds
    for _ in range(MOST_HOURS):
        stands = opening(hours, at)
        if stands.is_open and (stands.until is None or left <= (stands.until - at).total_seconds()):
            return (at - start).total_seconds() + left
        if stands.until is None:
            return None
        if stands.is_open:
            left -= (stands.until - at).total_seconds()
        at = stands.until
    return None


def forecast(
    db: Database,
    conn: Connection,
    settings: Settings,
    view: BackfillView,
    *,
    rate: float | None,
) -> Forecast | None:
    """Say when a backfill will be done; None once it is.

    Args:
        rate: Its runs that ended per second lately; None: none did.
    """
    if view.state in BACKFILL_FINAL:
        return None
    counts = view.counts
    runs = counts.pending + counts.queued + counts.running
    sample = _sample(db, conn, view)
    if sample is None:
        return Forecast(runs, unknown=f'no run of pipeline "{view.pipeline}" has ended yet')
    known = Forecast(
        runs,
        work_seconds=round(runs * sample.mean, 3),
        run_seconds=round(sample.mean, 6),
        based_on=len(sample.seconds),
        source=sample.source,
    )
    if view.state in _STANDING:
        return _unknown(known, _STANDING[view.state])
    queue = view.queue or settings.default_queue
    slots = living_slots(db, conn, settings).get(queue, 0)
    if not slots:
        return _unknown(known, f'no worker listens on queue "{queue}"')
    others = rivals(db, conn, view.id, queue, settings.default_queue, view.priority)
    share = max(1, slots // (1 + others))
    at_a_time = min(share, view.max_active_runs or share)
    working = span(sample, runs, at_a_time, rate) if runs else (0.0, 0.0, 0.0)
    now = datetime.fromtimestamp(view.now / 1e6, UTC)
    hours = unpacked(to_json(view.windows)) if view.windows else ()
    low, likely, high = (stretched(hours, now, seconds) for seconds in working)
    if low is None or likely is None or high is None:
        return _unknown(known, "its hours are too few for it")
    return Forecast(
        runs,
        known.work_seconds,
        at_a_time,
        known.run_seconds,
        known.based_on,
        known.source,
        round(low, 3),
        round(likely, 3),
        round(high, 3),
        now + timedelta(seconds=likely),
    )


def _unknown(known: Forecast, why: str) -> Forecast:
    return Forecast(
        known.runs,
        work_seconds=known.work_seconds,
        run_seconds=known.run_seconds,
        based_on=known.based_on,
        source=known.source,
        unknown=why,
    )


def _sample(db: Database, conn: Connection, view: BackfillView) -> Sample | None:
    """Return the best durations there are: its own, those of its partitions, of its pipeline."""
    own = Sample("backfill", _seconds(backfill_durations(db, conn, view.id)))
    if len(own.seconds) >= ENOUGH:
        return own
    whole = view.steps is None  # else earlier runs of its partitions did something else
    same = Sample("partitions", _seconds(partition_durations(db, conn, view.id)) if whole else [])
    if len(same.seconds) >= ENOUGH or (same.seconds and not own.seconds):
        return same
    if own.seconds:
        return own
    lately = _seconds(pipeline_durations(db, conn, view.pipeline))
    if not lately and (pace := pipeline_pace(db, conn, view.pipeline)) is not None:
        lately = [pace.mean_us / 1e6]
    return Sample("pipeline", lately) if lately else None


def _seconds(durations: Sequence[int]) -> list[float]:
    return [us / 1e6 for us in durations]
