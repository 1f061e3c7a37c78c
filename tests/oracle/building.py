"""Builds a definition from plain data and asks it; runs against either package.

Must run where only one of the packages is installed, so it imports nothing but its argument.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any


def build(package: Any, kind: str, arguments: dict[str, Any]) -> Any:
    """Return the definition of a case, made of a package's own classes."""
    given = dict(arguments)
    for name in ("start", "end", "start_date", "end_date"):
        if name in given:
            given[name] = datetime.fromisoformat(given[name])
    if "exclusions" in given:
        given["exclusions"] = [
            part["cron"] if "cron" in part else datetime.fromisoformat(part["at"])
            for part in given["exclusions"]
        ]
    return getattr(package, f"{kind}PartitionsDefinition")(**given)


def answers(definition: Any, now: float, moments: list[float], ask: Any) -> dict[str, Any]:
    """Return keys, windows, counts and what key a few moments belong to.

    Args:
        ask: Calls a function with the current time set to `now`, in the package's own way.
    """
    at = datetime.fromtimestamp(now, UTC)
    keys = list(definition.get_partition_keys(current_time=at))
    sample = sorted({*range(0, len(keys), max(len(keys) // 60, 1)), *range(len(keys))[-3:]})
    windows = {}
    for index in sample:
        window = definition.time_window_for_partition_key(keys[index])
        windows[keys[index]] = [window.start.timestamp(), window.end.timestamp()]
    first = ask(definition.get_first_partition_key, at)
    last = ask(definition.get_last_partition_key, at)
    known = [
        ask(lambda *a, k=keys[i], **n: definition.has_partition_key(k, *a, **n), at)
        for i in sample[:20]
    ]
    return {
        "keys": keys,
        "windows": windows,
        "first": first,
        "last": last,
        "count": ask(definition.get_num_partitions, at),
        "known": known,
        "moments": [_key_for(definition, moment, keys, windows) for moment in moments],
    }


def _key_for(definition: Any, moment: float, keys: list[str], windows: dict[str, Any]) -> Any:
    if not keys or moment < min(start for start, _ in windows.values()):
        return None
    return definition.get_partition_key_for_timestamp(moment)
