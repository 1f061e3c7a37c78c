"""The arguments of a time-window definition, checked and made into plain values."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time
from enum import Enum

from backfill.definitions.partitions.cron import parse_cron
from backfill.definitions.partitions.formats import KeyFormat
from backfill.definitions.partitions.zones import FIRST_YEAR, LAST_YEAR, load_zone, year_start
from backfill.errors import DefinitionError


class ScheduleType(Enum):
    """How often the windows of a set come around."""

    HOURLY = "HOURLY"
    DAILY = "DAILY"
    WEEKLY = "WEEKLY"
    MONTHLY = "MONTHLY"


def schedule_of(
    schedule_type: ScheduleType | None,
    minute_offset: int | None,
    hour_offset: int | None,
    day_offset: int | None,
) -> str:
    minute, hour = minute_offset or 0, hour_offset or 0
    match schedule_type:
        case ScheduleType.HOURLY:
            return f"{minute} * * * *"
        case ScheduleType.DAILY:
            return f"{minute} {hour} * * *"
        case ScheduleType.WEEKLY:
            return f"{minute} {hour} * * {day_offset or 0}"
        case ScheduleType.MONTHLY:
            return f"{minute} {hour} {day_offset or 1} * *"
        case None:
            raise DefinitionError("A time-window definition needs a cron_schedule.")


def instant_of(
    value: datetime | date | str, argument: str, key_format: KeyFormat, zone_name: str
) -> int:
    """Return the first whole second at or after a time given as an argument."""
    if isinstance(value, str):
        instant = key_format.read(value)
        if instant is None:
            raise DefinitionError(
                f'{argument} "{value}" does not have the format "{key_format.fmt}" of the keys.'
            )
    elif FIRST_YEAR <= value.year <= LAST_YEAR:
        local = datetime.combine(value, time()) if type(value) is date else value
        assert isinstance(local, datetime)
        instant = -int(-local.replace(tzinfo=load_zone(zone_name)).timestamp() // 1)
    else:
        instant = year_start(1)
    if not year_start(FIRST_YEAR) <= instant < year_start(LAST_YEAR):
        raise DefinitionError(
            f"{argument} {value} is not within the years {FIRST_YEAR} to {LAST_YEAR}."
        )
    return instant


def exclusions_of(
    exclusions: Sequence[str | datetime | date], zone_name: str
) -> dict[str, tuple[str, ...] | tuple[int, ...] | tuple[date, ...]]:
    crons: list[str] = []
    instants: list[int] = []
    dates: list[date] = []
    for exclusion in exclusions:
        if isinstance(exclusion, str):
            parse_cron(exclusion)
            crons.append(exclusion)
        elif isinstance(exclusion, datetime):
            local = exclusion.replace(tzinfo=load_zone(zone_name))
            if local.microsecond == 0:
                instants.append(int(local.timestamp()))
        elif isinstance(exclusion, date):
            dates.append(exclusion)
        else:
            raise DefinitionError(
                f"An exclusion is a cron schedule, a datetime or a date, not {exclusion!r}."
            )
    return {
        "excluded_crons": tuple(sorted(set(crons))),
        "excluded_instants": tuple(sorted(set(instants))),
        "excluded_dates": tuple(sorted(set(dates))),
    }
