"""Cron expressions of five fields, as sets of minutes, hours and matching days."""

from __future__ import annotations

import calendar
from dataclasses import dataclass, field
from functools import lru_cache

from backfill.errors import DefinitionError

_MONTH_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_MONTHS = {name.lower(): number for number, name in enumerate(calendar.month_abbr) if name}
_WEEKDAYS = {"sun": 0, "mon": 1, "tue": 2, "wed": 3, "thu": 4, "fri": 5, "sat": 6}
_ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}


@dataclass(frozen=True)
class Cron:
    """A parsed cron expression.

    Attributes:
        times: Seconds after midnight at which it ticks on a matching day, ascending.
        every_hour: The hour field allows every hour. Such a cron follows the clock through a
            change of the clocks; any other cron ticks once per named time.
        every_day: Every day of the calendar matches.
    """

    expression: str = field(compare=False)
    times: tuple[int, ...]
    every_hour: bool
    days: frozenset[int]
    last_day: bool
    months: frozenset[int]
    weekdays: frozenset[int]
    nth_weekdays: frozenset[tuple[int, int]]  # (weekday, 1..5, or -1 for the last)
    either_day: bool  # day of month and weekday are both restricted: one of them is enough

    @property
    def every_day(self) -> bool:
        full = len(self.days) == 31 and len(self.weekdays) == 7 and len(self.months) == 12
        return full and not self.last_day and not self.nth_weekdays

    def days_of_year(self, *, leap: bool, first_weekday: int) -> list[int]:
        """Return the matching days of a year of that shape, counted from 0 = January 1.

        Args:
            first_weekday: Cron weekday (0 = Sunday) of January 1.
        """
        matching = []
        day_of_year = 0
        for month, length in enumerate(_MONTH_DAYS, start=1):
            if leap and month == 2:
                length += 1
            if month in self.months:
                for day in range(1, length + 1):
                    weekday = (first_weekday + day_of_year + day - 1) % 7
                    if self._matches(day, weekday, length):
                        matching.append(day_of_year + day - 1)
            day_of_year += length
        return matching

    def _matches(self, day: int, weekday: int, month_length: int) -> bool:
        by_day = day in self.days or (self.last_day and day == month_length)
        by_weekday = (
            weekday in self.weekdays
            or (weekday, (day + 6) // 7) in self.nth_weekdays
            or ((weekday, -1) in self.nth_weekdays and day + 7 > month_length)
        )
        return (by_day or by_weekday) if self.either_day else (by_day and by_weekday)


@lru_cache(maxsize=1024)
def parse_cron(expression: str) -> Cron:
    """Parse a cron expression of five fields, or an alias such as `@daily`.

    Names (`mon`, `jan`), lists, ranges (also around the end: `fri-mon`), steps, `L` (last day of
    the month), `5L` or `L5` (last Friday) and `fri#2` (second Friday) are understood. When day of
    month and weekday are both restricted, a day that matches one of them matches.

    Raises:
        DefinitionError: It is not a cron expression, or it never ticks.
    """
    fields = _ALIASES.get(expression.strip().lower(), expression.lower()).split()
    if len(fields) != 5:
        raise DefinitionError(
            f'"{expression}" is not a cron schedule: it needs five fields '
            "(minute, hour, day of month, month, day of week)."
        )
    try:
        cron = _build(expression, *fields)
    except ValueError as error:
        raise DefinitionError(f'"{expression}" is not a cron schedule: {error}.') from error
    if not any(
        cron.days_of_year(leap=leap, first_weekday=w) for leap in (False, True) for w in range(7)
    ):
        raise DefinitionError(f'The cron schedule "{expression}" never ticks.')
    return cron


def _build(expression: str, minute: str, hour: str, day: str, month: str, weekday: str) -> Cron:
    minutes = _numbers(minute, "minute", 0, 59)
    hours = _numbers(hour, "hour", 0, 23)
    days, last_day = _days(day)
    weekdays, nth = _weekdays(weekday)
    any_day = day in "*?" or (len(days) == 31 and "*" in weekday)
    any_weekday = weekday in "*?" or (len(weekdays) == 7 and "*" in day)
    return Cron(
        expression=expression,
        times=tuple(h * 3600 + m * 60 for h in sorted(hours) for m in sorted(minutes)),
        every_hour=len(hours) == 24,
        days=days,
        last_day=last_day,
        months=frozenset(_numbers(month, "month", 1, 12, _MONTHS)),
        weekdays=weekdays,
        nth_weekdays=nth,
        either_day=not any_day and not any_weekday,
    )


def _days(text: str) -> tuple[frozenset[int], bool]:
    if text == "?":
        text = "*"
    parts = text.split(",")
    plain = [part for part in parts if part != "l"]
    days = _numbers(",".join(plain), "day of month", 1, 31) if plain else set()
    return frozenset(days), len(plain) < len(parts)


def _weekdays(text: str) -> tuple[frozenset[int], frozenset[tuple[int, int]]]:
    weekdays: set[int] = set()
    nth: set[tuple[int, int]] = set()
    for part in ("*" if text == "?" else text).split(","):
        if "#" in part:
            day, _, which = part.partition("#")
            if which not in {"1", "2", "3", "4", "5"}:
                raise ValueError(f'"{part}" does not name the first to fifth weekday of a month')
            nth |= {(d % 7, int(which)) for d in _numbers(day, "day of week", 0, 7, _WEEKDAYS)}
        elif len(part) > 1 and (part[0] == "l" or part[-1] == "l"):
            last = _numbers(part.strip("l"), "day of week", 0, 7, _WEEKDAYS)
            nth |= {(d % 7, -1) for d in last}
        else:
            weekdays |= {d % 7 for d in _numbers(part, "day of week", 0, 7, _WEEKDAYS)}
    return frozenset(weekdays), frozenset(nth)


def _numbers(
    text: str, name: str, low: int, high: int, names: dict[str, int] | None = None
) -> set[int]:
    numbers: set[int] = set()
    for part in text.split(","):
        span, slash, step_text = part.partition("/")
        if slash and (not step_text.isascii() or not step_text.isdigit() or int(step_text) == 0):
            raise ValueError(f'the step "{step_text}" of the {name} is not a positive number')
        first, last = _span(span, name, low, high, names, open_ended=bool(slash))
        step = int(step_text) if slash else 1
        if first <= last:
            numbers.update(range(first, last + 1, step))
        else:
            cycle = 7 if name == "day of week" else high - low + 1
            numbers.update(
                low + (value - low) % cycle for value in range(first, last + cycle + 1, step)
            )
    return numbers


def _span(
    text: str, name: str, low: int, high: int, names: dict[str, int] | None, *, open_ended: bool
) -> tuple[int, int]:
    if text == "*":
        return low, high if name != "day of week" else 6
    first_text, dash, last_text = text.partition("-")
    first = _number(first_text, name, low, high, names)
    if dash:
        return first, _number(last_text, name, low, high, names)
    return first, high if open_ended else first


def _number(text: str, name: str, low: int, high: int, names: dict[str, int] | None) -> int:
    if names and text in names:
        return names[text]
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f'"{text}" is not a {name}')
    if not low <= int(text[:9]) <= high:
        raise ValueError(f"{name} {text} is not between {low} and {high}")
    return int(text)
