"""The differences from Dagster 1.x that are kept on purpose; docs/decisions/partitions.md says why.

A difference between the answers counts as one of these only when what it is about is present in
the case; anything else is a fault.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from backfill.definitions.partitions.cron import parse_cron
from backfill.definitions.partitions.zones import Transition, transitions
from tests.oracle.cases import Case

Answers = dict[str, Any]

_USUAL_HOURS = (3600, 4 * 3600)
_REACH = 2 * 86_400


def explain(case: Case, schedule: str, ours: Answers, theirs: Answers) -> str | None:
    """Return the name of the kept difference that two different answers show, if it is one."""
    if "error" in theirs and ("error" not in ours or "leave no window" in ours["error"]):
        return "dagster-gives-no-answer"
    if "error" in ours:
        return None
    if not ours["keys"] and len(theirs["keys"]) == 1 and "end" in _plain_names(case):
        return "a-window-beyond-the-end"
    if _before_the_first(case, ours, theirs):
        return "a-window-before-its-time"
    zone = case.arguments["timezone"]
    if parse_cron(schedule).every_hour and _has_broken_hours(zone):
        return "hours-in-half-hour-zones"
    moments = list(_different_moments(ours, theirs))
    unusual = list(_unusual_changes(zone, moments))
    if moments and all(any(abs(m - t.at) < _REACH for t in unusual) for m in moments):
        return "unusual-clock-changes"
    return None


def _plain_names(case: Case) -> set[str]:
    return {name.removesuffix("_date") for name in case.arguments}


def _before_the_first(case: Case, ours: Answers, theirs: Answers) -> bool:
    starts = [window[0] for window in (*ours["windows"].values(), *theirs["windows"].values())]
    one_more = theirs["keys"][: len(ours["keys"])] == ours["keys"]
    offset = case.arguments.get("end_offset", 0)
    return bool(starts) and offset > 0 and case.now < min(starts) and one_more


def _has_broken_hours(zone: str) -> bool:
    years = (
        datetime(year, month, 1, tzinfo=ZoneInfo(zone))
        for year in range(1990, 2040)
        for month in (1, 7)
    )
    offsets = {moment.utcoffset() for moment in years}
    return len({offset.seconds % 3600 for offset in offsets if offset is not None}) > 1


def _different_moments(ours: Answers, theirs: Answers) -> Iterator[float]:
    """Yield where windows begin or end in one answer only, from what is sampled and from keys."""
    for key in ours["windows"].keys() & theirs["windows"].keys():
        yield from set(ours["windows"][key]) ^ set(theirs["windows"][key])
    for key in set(ours["keys"]) ^ set(theirs["keys"]):
        yield datetime.fromisoformat(key[:10]).replace(tzinfo=UTC).timestamp()


def _unusual_changes(zone: str, moments: list[float]) -> Iterator[Transition]:
    years = {datetime.fromtimestamp(moment, UTC).year for moment in moments}
    for year in sorted(years | {year - 1 for year in years}):
        for change in transitions(zone, year):
            if not _is_usual(zone, change):
                yield change


def _is_usual(zone: str, change: Transition) -> bool:
    """Tell whether it is an hour of summer time that begins or ends between 1 and 4 o'clock."""
    before = datetime.fromtimestamp(change.at - 1, ZoneInfo(zone)).dst()
    after = datetime.fromtimestamp(change.at, ZoneInfo(zone)).dst()
    shift = change.after - change.before
    if before is None or after is None or (after - before).total_seconds() != shift:
        return False
    if min(before, after):  # winter time counts as the exception, as in Dublin
        return False
    low, high = sorted((change.at + change.before, change.at + change.after))
    midnight = low // 86_400 * 86_400
    first, last = _USUAL_HOURS
    on_the_hour = abs(shift) == 3600 and low % 3600 == 0
    return on_the_hour and first <= low - midnight and high - midnight <= last
