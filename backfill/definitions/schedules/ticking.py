"""When a schedule ticks: which ticks are due, which were missed, which come next."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import islice

from backfill.definitions.calls import DueTicks
from backfill.definitions.schedules.definition import ScheduleDefinition
from backfill.definitions.schedules.timetable import Timetable, utc, whole

ON_TIME = timedelta(minutes=5)
"""A tick handled within this long is on time, and no catch-up policy leaves it out."""

_MISSED_AT_ONCE = 1000


def ticks_between(
    schedule: ScheduleDefinition, after: datetime, until: datetime
) -> Sequence[datetime]:
    """Return the ticks with after < tick <= until, in UTC."""
    return _timetable(schedule).between(after, until)


def next_ticks(schedule: ScheduleDefinition, since: datetime, count: int) -> Sequence[datetime]:
    """Return the next `count` ticks after a time, in UTC."""
    return _timetable(schedule).following(since, count)


def previous_tick(schedule: ScheduleDefinition, tick_at: datetime) -> datetime:
    """Return the last tick before a tick."""
    return _timetable(schedule).latest(tick_at - timedelta(seconds=1))


def due_ticks(
    schedule: ScheduleDefinition, since: datetime, until: datetime, *, limit: int
) -> DueTicks:
    """Sort the ticks with since < tick <= until by the schedule's catch-up policy.

    A tick older than five minutes at `until` was missed; of those the policy keeps the newest.
    Long stretches come in parts: ask again from `until` of the answer on.

    Args:
        limit: At most so many are to be evaluated at once.
    """
    ticks = _timetable(schedule).ticks_after(since)
    total = ticks.count_before(whole(until) + 1)
    late = ticks.count_before(whole(until - ON_TIME))
    kept = schedule.catch_up.limit
    first_kept = 0 if kept is None else max(late - kept, 0)
    missed = range(min(first_kept, _MISSED_AT_ONCE))
    evaluate = range(first_kept, total) if len(missed) == first_kept else range(0)
    to_evaluate = [utc(ticks.nth(n)) for n in islice(evaluate, limit)]
    left_out = [utc(ticks.nth(n)) for n in missed]
    told = (*left_out, *to_evaluate)
    return DueTicks(
        evaluate=to_evaluate,
        missed=left_out,
        until=told[-1] if told else None,
        policy=str(schedule.catch_up),
    )


def _timetable(schedule: ScheduleDefinition) -> Timetable:
    return Timetable(schedule.cron_schedule, schedule.execution_timezone)
