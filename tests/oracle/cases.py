"""Random partition definitions, as plain data that both sides understand."""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

ZONES = (
    "UTC",
    "America/New_York",
    "America/Los_Angeles",
    "America/St_Johns",
    "America/Sao_Paulo",
    "America/Havana",
    "America/Santiago",
    "America/Caracas",
    "Europe/London",
    "Europe/Berlin",
    "Europe/Dublin",
    "Europe/Moscow",
    "Africa/Casablanca",
    "Africa/Cairo",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Asia/Tehran",
    "Asia/Beirut",
    "Asia/Tokyo",
    "Australia/Adelaide",
    "Australia/Lord_Howe",
    "Australia/Sydney",
    "Pacific/Apia",
    "Pacific/Auckland",
    "Pacific/Chatham",
    "Pacific/Kiritimati",
)
_MINUTES = "%Y-%m-%d-%H:%M"
_DAYS = "%Y-%m-%d"


@dataclass(frozen=True)
class Case:
    """One definition and the questions asked of it; times are naive ISO texts in its zone.

    Attributes:
        arguments: What the definition is built with; `now` and `moments` are UTC timestamps.
    """

    kind: str
    arguments: dict[str, Any]
    now: float
    moments: list[float]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def random_case(rng: random.Random) -> Case:
    """Return one random definition whose keys number at most a few thousand."""
    kind, span_days, arguments = _shape(rng)
    start = datetime(rng.randint(1995, 2030), rng.randint(1, 12), rng.randint(1, 28))  # noqa: DTZ001
    if rng.random() < 0.4:
        start += timedelta(minutes=rng.randrange(1440))
    arguments["timezone"] = rng.choice(ZONES)
    name = "start" if kind == "TimeWindow" else "start_date"
    arguments[name] = start.isoformat()
    length = timedelta(days=span_days * rng.random())
    if rng.random() < 0.4:
        end = "end" if kind == "TimeWindow" else "end_date"
        arguments[end] = (start + length * (0.2 + rng.random())).isoformat()
    if rng.random() < 0.4:
        arguments["end_offset"] = rng.randint(-4, 4)
    if rng.random() < 0.35:
        arguments["exclusions"] = _exclusions(rng, start, span_days)
    now = (start + length).replace(tzinfo=UTC)
    if rng.random() < 0.1:  # before or at the very beginning
        now = (start + timedelta(hours=rng.randint(-72, 72))).replace(tzinfo=UTC)
    at = now.timestamp()
    moments = [at - rng.random() * length.total_seconds() * 0.9 for _ in range(8)]
    return Case(kind, arguments, at, moments)


def _shape(rng: random.Random) -> tuple[str, int, dict[str, Any]]:
    minute, hour = rng.choice((0, 0, 15, 30, 59)), rng.choice((0, 0, 1, 2, 3, 12, 23))
    match rng.randrange(9):
        case 0:
            return "Hourly", 120, {"minute_offset": minute}
        case 1:
            return "Daily", 1500, {"minute_offset": minute, "hour_offset": hour}
        case 2:
            day = rng.randrange(7)
            return "Weekly", 4000, {"minute_offset": minute, "hour_offset": hour, "day_offset": day}
        case 3:
            day = rng.choice((1, 1, 15, 28, 29, 30, 31))
            return (
                "Monthly",
                5000,
                {"minute_offset": minute, "hour_offset": hour, "day_offset": day},
            )
        case 4:
            step = rng.choice((5, 7, 10, 15, 20, 30))
            return _window(f"*/{step} * * * *", 25, _MINUTES)
        case 5:
            minutes = rng.choice(("0,30", "5,25,45", "10-14", "3"))
            hours = rng.choice(("*", "*/2", "*/6", "0-5", "1,2,3", "9-17", "22-23"))
            return _window(f"{minutes} {hours} * * *", 60, _MINUTES)
        case 6:
            days = rng.choice(("1-5", "mon-fri", "sat,sun", "0,3", "2#1", "5", "6-7"))
            return _window(f"{minute} {hour} * * {days}", 1200, _DAYS)
        case 7:
            days = rng.choice(("1,15", "L", "29", "30", "31", "10-20", "*/10"))
            months = rng.choice(("*", "*", "jan-mar", "2", "6,12"))
            days = "1" if months == "2" and days in ("30", "31") else days
            return _window(f"{minute} {hour} {days} {months} *", 6000, _DAYS)
        case _:
            return _window(
                f"{minute} {hour} {rng.randint(1, 28)} * {rng.randrange(7)}", 1500, _DAYS
            )


def _window(cron: str, span_days: int, fmt: str) -> tuple[str, int, dict[str, Any]]:
    return "TimeWindow", span_days, {"cron_schedule": cron, "fmt": fmt}


def _exclusions(rng: random.Random, start: datetime, span_days: int) -> list[dict[str, str]]:
    crons = ("0 0 * * 0", "0 0 1 * *", "0 0 * 12 *", "15 3 * * *", "30 2 * * *", "0 1,3 * * 1-5")
    chosen = [{"cron": rng.choice(crons)}] if rng.random() < 0.7 else []
    for _ in range(rng.randint(0 if chosen else 1, 3)):
        day = start.replace(hour=0, minute=0) + timedelta(
            days=rng.randint(0, max(span_days // 2, 1))
        )
        chosen.append({"at": day.isoformat()})
    return chosen
