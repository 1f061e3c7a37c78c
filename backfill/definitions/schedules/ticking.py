"""Which ticks are due, and which of them were missed. Nothing here asks users' code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from backfill.definitions.schedules.catch_up import CatchUp
from backfill.definitions.schedules.timetable import Timetable, utc, whole

ON_TIME = timedelta(minutes=5)
"""A tick handled within this long is on time, and no catch-up policy leaves it out."""

_MISSED_AT_ONCE = 1000


@dataclass(frozen=True)
class DueTicks:
    """The ticks in a stretch of time, sorted by a catch-up policy.

    Attributes:
        evaluate: To be handled now, oldest first.
        missed: Left out by the policy; all are older.
        until: Everything up to here is in the two; None when there was no tick.
    """

    evaluate: Sequence[datetime]
    missed: Sequence[datetime] = ()

    @property
    def until(self) -> datetime | None:
        told = (*self.missed, *self.evaluate)
        return told[-1] if told else None


def due_ticks(
    timetable: Timetable, catch_up: CatchUp, since: datetime, until: datetime, *, limit: int
) -> DueTicks:
    """Sort the ticks with since < tick <= until by a catch-up policy.

    A tick older than five minutes at `until` was missed; of those the policy keeps the newest.
    Long stretches come in parts: ask again from `until` of the answer on.

    Args:
        limit: At most so many are to be evaluated at once.
    """
    ticks = timetable.ticks_after(since)
    total = ticks.count_before(whole(until) + 1)
    late = ticks.count_before(whole(until - ON_TIME))
    kept = catch_up.limit
    first_kept = 0 if kept is None else max(late - kept, 0)
    missed = range(min(first_kept, _MISSED_AT_ONCE))
    evaluate = range(first_kept, total) if len(missed) == first_kept else range(0)
    return DueTicks(
        evaluate=[utc(ticks.nth(n)) for n in islice(evaluate, limit)],
        missed=[utc(ticks.nth(n)) for n in missed],
    )
