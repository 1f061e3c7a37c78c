"""Partition functions that list a range of dates."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import NoReturn

from backfill.definitions.partition import Partition
from backfill.definitions.partitions.zones import load_zone
from backfill.errors import DefinitionError

_FIXED = {
    "seconds": timedelta(seconds=1),
    "minutes": timedelta(minutes=1),
    "hours": timedelta(hours=1),
}
_BY_CALENDAR = {"days": (0, 1), "weeks": (0, 7), "months": (1, 0), "years": (12, 0)}


def date_partition_range(
    start: datetime,
    end: datetime | None = None,
    delta_range: str = "days",
    fmt: str = "%Y-%m-%d",
    inclusive: bool = False,
    timezone: str | None = None,
) -> Callable[[datetime | None], list[Partition]]:
    """Return a partition function that lists the time from `start` in equal steps.

    The value of a partition is the time at which its step begins, in the zone. A step by days,
    weeks, months or years keeps the time of day, one by months or years also the day of the month
    (the last day where there are fewer).

    Args:
        end: Only steps that end by then are listed; the current time when not given.
        delta_range: `hours`, `days`, `weeks`, `months` or `years` (also `minutes`, `seconds`).
        inclusive: Whether a step that has begun by the end is listed, too.
        timezone: IANA name; UTC when not given. Naive times are of this zone.

    Raises:
        DefinitionError: The end is before the start, the unit is unknown, or (when called) the
            format gives two steps the same key.
    """
    zone = load_zone(timezone or "UTC")
    if delta_range not in _FIXED and delta_range not in _BY_CALENDAR:
        units = ", ".join([*_FIXED, *_BY_CALENDAR])
        raise DefinitionError(f'delta_range "{delta_range}" is not one of {units}.')

    def in_zone(time: datetime) -> datetime:
        return time.astimezone(zone) if time.tzinfo else time.replace(tzinfo=zone)

    first = in_zone(start)
    last = None if end is None else in_zone(end)
    if last is not None and last.timestamp() < first.timestamp():
        raise DefinitionError(f"The range ends at {last}, before it starts at {first}.")

    def partitions(current_time: datetime | None = None) -> list[Partition]:
        bound = (last or in_zone(current_time or datetime.now(UTC))).timestamp()
        listed: dict[str, Partition] = {}
        begin = first
        for following in _steps(first, delta_range):
            if (begin if inclusive else following).timestamp() > bound:
                return list(listed.values())
            key = begin.strftime(fmt)
            if key in listed and begin.fold and "%z" not in fmt:
                key = begin.strftime(fmt + "%z")
            if key in listed:
                _too_coarse(fmt, delta_range, key)
            listed[key] = Partition(begin, key)
            begin = following
        raise AssertionError("steps never end")

    return partitions


def _steps(first: datetime, unit: str) -> Iterator[datetime]:
    """Yield the time after one step, after two, and so on."""
    zone = first.tzinfo
    for n in count(1):
        if unit in _FIXED:
            yield (first.astimezone(UTC) + n * _FIXED[unit]).astimezone(zone)
        else:
            months, days = _BY_CALENDAR[unit]
            wall = _months_later(first, n * months) + timedelta(days=n * days)
            yield wall.astimezone(UTC).astimezone(zone)  # a time that is skipped moves on


def _months_later(time: datetime, months: int) -> datetime:
    year, month = divmod(time.year * 12 + time.month - 1 + months, 12)
    for day in range(time.day, 27, -1):
        try:
            return time.replace(year=year, month=month + 1, day=day)
        except ValueError:
            continue
    return time.replace(year=year, month=month + 1)


def _too_coarse(fmt: str, unit: str, key: str) -> NoReturn:
    raise DefinitionError(
        f'The format "{fmt}" is too coarse for steps by {unit}: '
        f'"{key}" would be the key of several.'
    )
