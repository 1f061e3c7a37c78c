"""Time zones: their offsets and the moments at which these change."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from functools import cache, lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from backfill.errors import DefinitionError, did_you_mean

DAY_SECONDS = 86_400
FIRST_CHANGE_YEAR = 1800  # before it, no zone ever changed its offset
_STEP = 3 * DAY_SECONDS  # no zone has ever changed its offset and back in less than four days
FIRST_YEAR = 1_000  # before it, years have fewer digits
LAST_YEAR = 9_990  # leaves room for the arithmetic at the end of the calendar


class Transition(NamedTuple):
    """A change of a zone's offset; all in seconds, offsets east of Greenwich."""

    at: int
    before: int
    after: int


@cache
def load_zone(name: str) -> tzinfo:
    """Return the zone of an IANA name.

    Raises:
        DefinitionError: There is no such zone.
    """
    if name in ("UTC", "utc"):
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError) as error:
        hint = did_you_mean(name, available_timezones())
        raise DefinitionError(f'There is no time zone "{name}".{hint}') from error


def offset_at(zone: tzinfo, instant: int) -> int:
    """Return the offset in seconds that is in force at `instant` (seconds since the epoch)."""
    offset = datetime.fromtimestamp(instant, zone).utcoffset()
    assert offset is not None
    return offset.days * DAY_SECONDS + offset.seconds


def year_start(year: int) -> int:
    """Return the instant at which a year begins in UTC."""
    return int(datetime(year, 1, 1, tzinfo=UTC).timestamp())


@lru_cache(maxsize=16_384)
def transitions(name: str, year: int) -> tuple[Transition, ...]:
    """Return the changes of a zone's offset within a UTC year, in order."""
    zone = load_zone(name)
    if zone is UTC or year < FIRST_CHANGE_YEAR:
        return ()
    found = []
    left = year_start(year) - 1
    before = datetime.fromtimestamp(left, zone).utcoffset()
    last = year_start(year + 1) - 1
    for right in range(left + _STEP, last + _STEP, _STEP):
        end = min(right, last)
        after = datetime.fromtimestamp(end, zone).utcoffset()
        if after != before:
            found.append(_locate(zone, left, end))
        left, before = end, after
    return tuple(found)


def _locate(zone: tzinfo, left: int, right: int) -> Transition:
    """Return the change between two instants with different offsets."""
    before, after = offset_at(zone, left), offset_at(zone, right)
    while right - left > 1:
        middle = (left + right) // 2
        if offset_at(zone, middle) == before:
            left = middle
        else:
            right = middle
    return Transition(right, before, after)
