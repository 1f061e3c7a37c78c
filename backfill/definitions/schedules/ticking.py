"""When a schedule ticks: which ticks are due, which were missed, which come next."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice

from backfill.definitions.calls import DueTicks
from backfill.definitions.partitions.cron import parse_cron
from backfill.definitions.partitions.ticks import Ticks
from backfill.definitions.schedules.definition import ScheduleDefinition

ON_TIME = timedelta(minutes=5)
"""A tick handled within this long is on time, and no catch-up policy leaves it out."""

_MISSED_AT_ONCE = 1000


def ticks_between(
    schedule: ScheduleDefinition, after: datetime, until: datetime
) -> Sequence[datetime]:
    """Return the ticks with after < tick <= until, in UTC."""
    ticks = _ticks_after(schedule, after)
    return [_utc(tick) for tick in ticks.between(_whole(after) + 1, _whole(until) + 1)]


def next_ticks(schedule: ScheduleDefinition, since: datetime, count: int) -> Sequence[datetime]:
    """Return the next `count` ticks after a time, in UTC."""
    ticks = _ticks_after(schedule, since)
    return [_utc(ticks.nth(n)) for n in range(count)]


def previous_tick(schedule: ScheduleDefinition, tick_at: datetime) -> datetime:
    """Return the last tick before a tick."""
    days = 2
    while True:
        start = _whole(tick_at) - days * 86_400
        ticks = _ticks_after(schedule, _utc(start))
        before = ticks.count_before(_whole(tick_at))
        if before:
            return _utc(ticks.nth(before - 1))
        days *= 8  # some schedules tick once in four years


def due_ticks(
    schedule: ScheduleDefinition, since: datetime, until: datetime, *, limit: int
) -> DueTicks:
    """Sort the ticks with since < tick <= until by the schedule's catch-up policy.

    A tick older than five minutes at `until` was missed; of those the policy keeps the newest.
    Long stretches come in parts: ask again from `until` of the answer on.

    Args:
        limit: At most so many are to be evaluated at once.
    """
    ticks = _ticks_after(schedule, since)
    total = ticks.count_before(_whole(until) + 1)
    late = ticks.count_before(_whole(until - ON_TIME))
    kept = schedule.catch_up.limit
    first_kept = 0 if kept is None else max(late - kept, 0)
    missed = range(min(first_kept, _MISSED_AT_ONCE))
    evaluate = range(first_kept, total) if len(missed) == first_kept else range(0)
    to_evaluate = [_utc(ticks.nth(n)) for n in islice(evaluate, limit)]
    left_out = [_utc(ticks.nth(n)) for n in missed]
    told = (*left_out, *to_evaluate)
    return DueTicks(
        evaluate=to_evaluate,
        missed=left_out,
        until=told[-1] if told else None,
        policy=str(schedule.catch_up),
    )


def _ticks_after(schedule: ScheduleDefinition, after: datetime) -> Ticks:
    cron = parse_cron(schedule.cron_schedule)
    return Ticks(cron, (), schedule.execution_timezone, _whole(after) + 1)


def _whole(time: datetime) -> int:
    return int(time.timestamp() // 1)


def _utc(instant: int) -> datetime:
    return datetime.fromtimestamp(instant, UTC)
