"""Hours: on which days and between which wall-clock times something may run, in a time zone.

`mon-fri 20:00-06:00 Europe/Zurich` begins on those days at 20:00 and ends at 06:00 of the next day.
Changes of the clock are heeded: where a time is skipped, the hours begin or end when the clock
jumps; where it comes twice, they begin at the first and end at the second.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from typing import Any

from backfill.definitions.partitions.zones import load_zone
from backfill.errors import Invalid

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
FULL_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
DAY_MINUTES = 24 * 60
HORIZON_DAYS = 9  # a week, and a day on both sides for zones and hours past midnight
GRAMMAR = 'such as "mon-fri 20:00-06:00 Europe/Zurich", "sat,sun" or "01:00-05:00"'

_TIME = re.compile(r"(\d{1,2}):(\d{2})")
_HOURS = re.compile(r"(\d{1,2}:\d{2})\s*-\s*(\d{1,2}:\d{2})")


@dataclass(frozen=True)
class Hours:
    """Hours of some days of the week.

    Attributes:
        days: Those on which they begin; 0 is Monday.
        start: Minutes after midnight.
        end: The same, up to 1440; of the next day unless it comes after the start.
        zone: An IANA name.
    """

    days: tuple[int, ...]
    start: int
    end: int
    zone: str

    def __str__(self) -> str:
        days = _told_days(self.days)
        return f"{days} {_clock(self.start)}-{_clock(self.end)} {self.zone}"

    def packed(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "days": [DAYS[day] for day in self.days],
            "start": _clock(self.start),
            "end": _clock(self.end),
            "zone": self.zone,
        }

    @classmethod
    def unpacked(cls, data: Mapping[str, Any]) -> Hours:
        """Return what JSON says.

        Raises:
            Invalid: It has no such days, times or zone.
        """
        days = tuple(sorted({_day(name) for name in data.get("days") or DAYS}))
        start = _minutes(data.get("start") or "00:00")
        end = _minutes(data.get("end") or "24:00")
        if start == DAY_MINUTES:
            raise Invalid("A window cannot start at 24:00; start it at 00:00 of the next day.")
        return cls(days, start, end, _zone(data.get("zone") or "UTC"))

    def around(self, at: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Yield when they begin and end, in UTC, for every day near a time."""
        zone = load_zone(self.zone)
        today = at.astimezone(zone).date()
        for offset in range(-2, HORIZON_DAYS):
            day = today + timedelta(days=offset)
            if day.weekday() in self.days:
                next_day = self.end <= self.start
                ends = day + timedelta(days=1) if next_day else day
                begin = _instant(day, self.start, zone, second=False)
                end = _instant(ends, self.end, zone, second=True)
                if begin < end:
                    yield begin, end


def parse_hours(text: str) -> Hours:
    """Read `[DAYS] [HH:MM-HH:MM] [ZONE]`: every day, all day and UTC where left out.

    Raises:
        Invalid: It says something else.
    """
    found = _HOURS.search(text)
    before, after = (text[: found.start()], text[found.end() :]) if found else (text, "")
    words = [*before.split(), *after.split()]
    days = [word for word in words if _is_days(word)]
    zones = [word for word in words if not _is_days(word)]
    if not text.strip() or len(days) > 1 or len(zones) > 1:
        raise Invalid(f'"{text}" is not a window. Write days, hours and a zone, {GRAMMAR}.')
    if not days and not found:
        raise Invalid(f'"{text}" names neither days nor hours. Write a window {GRAMMAR}.')
    return Hours.unpacked(
        {
            "days": _listed_days(days[0]) if days else None,
            "start": found[1] if found else None,
            "end": found[2] if found else None,
            "zone": zones[0] if zones else None,
        }
    )


@dataclass(frozen=True)
class Opening:
    """Whether it is within some hours, and until when that stays so; None: for ever."""

    is_open: bool
    until: datetime | None


def opening(hours: Sequence[Hours], at: datetime) -> Opening:
    """Say whether a time lies within any of these hours; always, when there are none."""
    if not hours:
        return Opening(True, None)
    merged = _merged(span for one in hours for span in one.around(at))
    for begin, end in merged:
        if begin <= at < end:
            endless = end - at > timedelta(days=HORIZON_DAYS - 3)
            return Opening(True, None if endless else end)
        if at < begin:
            return Opening(False, begin)
    return Opening(False, None)


@lru_cache(maxsize=256)
def unpacked(packed: str) -> tuple[Hours, ...]:
    """Return the hours of a JSON text, as stored."""
    return tuple(Hours.unpacked(data) for data in json.loads(packed))


def _merged(spans: Iterator[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    merged: list[tuple[datetime, datetime]] = []
    for begin, end in sorted(spans):
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((begin, end))
    return merged


def _instant(day: date, minutes: int, zone: tzinfo, *, second: bool) -> datetime:
    """Return when a clock shows a time, the second of two; where it jumps over it, the jump."""
    if minutes == DAY_MINUTES:
        day, minutes = day + timedelta(days=1), 0
    wall = datetime.combine(day, time(minutes // 60, minutes % 60))
    local = wall.replace(tzinfo=zone, fold=int(second))
    instant = local.astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == wall:
        return instant
    early, late = sorted(
        wall.replace(tzinfo=zone, fold=fold).astimezone(UTC).replace(second=0) for fold in (0, 1)
    )
    while late - early > timedelta(minutes=1):
        middle = early + timedelta(minutes=(late - early) // timedelta(minutes=2))
        jumped = middle.astimezone(zone).replace(tzinfo=None) > wall
        early, late = (early, middle) if jumped else (middle, late)
    return late


def _is_days(word: str) -> bool:
    parts = re.split(r"[,-]", word.lower())
    return word.lower() in {"daily", "everyday"} or all(
        part in (*DAYS, *FULL_DAYS) for part in parts
    )


def _listed_days(word: str) -> list[str]:
    if word.lower() in {"daily", "everyday"}:
        return list(DAYS)
    days: list[str] = []
    for part in word.split(","):
        first, dash, last = part.partition("-")
        start = _day(first)
        stop = _day(last) if dash else start
        days += [DAYS[(start + n) % 7] for n in range((stop - start) % 7 + 1)]
    return days


def _day(name: str) -> int:
    wanted = name.strip().lower()
    for number, known in enumerate(zip(DAYS, FULL_DAYS, strict=True)):
        if wanted in known:
            return number
    raise Invalid(f'"{name}" is no day of the week; use {", ".join(DAYS)}.')


def _minutes(text: str) -> int:
    found = _TIME.fullmatch(text.strip())
    minutes = int(found[1]) * 60 + int(found[2]) if found else -1
    if not found or int(found[2]) > 59 or minutes > DAY_MINUTES:
        raise Invalid(f'"{text}" is no time of the day; write HH:MM, from 00:00 to 24:00.')
    return minutes


def _zone(name: str) -> str:
    load_zone(name)
    return name


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _told_days(days: Sequence[int]) -> str:
    if len(days) == 7:
        return "daily"
    if len(days) > 2 and days[-1] - days[0] == len(days) - 1:
        return f"{DAYS[days[0]]}-{DAYS[days[-1]]}"
    return ",".join(DAYS[day] for day in days)
