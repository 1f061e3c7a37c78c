"""A cron in a time zone: when something ticks. Nothing here asks users' code."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from backfill.definitions.partitions.cron import parse_cron
from backfill.definitions.partitions.ticks import Ticks

_DAY_SECONDS = 86_400


class Timetable(NamedTuple):
    """Ticks are whole seconds; those returned are in UTC."""

    cron: str
    timezone: str

    def between(self, after: datetime, until: datetime) -> list[datetime]:
        """Return the ticks with after < tick <= until."""
        ticks = self.ticks_after(after)
        return [utc(tick) for tick in ticks.between(whole(after) + 1, whole(until) + 1)]

    def following(self, since: datetime, count: int) -> list[datetime]:
        """Return the next `count` ticks after a time."""
        ticks = self.ticks_after(since)
        return [utc(ticks.nth(n)) for n in range(count)]

    def latest(self, until: datetime) -> datetime:
        """Return the last tick at or before a time."""
        days = 2
        while True:
            end = whole(until) + 1
            ticks = self.ticks_after(utc(end - days * _DAY_SECONDS))
            if found := ticks.count_before(end):
                return utc(ticks.nth(found - 1))
            days *= 8  # some crons tick once in four years, or in eight

    def has(self, time: datetime) -> bool:
        """Say whether a time is a tick."""
        at = time.astimezone(UTC)  # a repeated local time equals none of another zone
        return self.between(at - timedelta(seconds=1), at) == [at]

    def ticks_after(self, after: datetime) -> Ticks:
        """Return the ticks after a time, counted from 0."""
        return Ticks(parse_cron(self.cron), (), self.timezone, whole(after) + 1)


def whole(time: datetime) -> int:
    """Return the second that a time lies in, since the epoch."""
    return int(time.timestamp() // 1)


def utc(second: int) -> datetime:
    """Return a second since the epoch as a time."""
    return datetime.fromtimestamp(second, UTC)
