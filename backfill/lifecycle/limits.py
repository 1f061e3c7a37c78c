"""The time limits a request asks for, checked and stored; `limiting` keeps those of backfills."""

from __future__ import annotations

import math
from typing import Any, Protocol

from backfill.errors import Invalid

ON_TIMEOUT = ("cancel", "pause")
LONGEST_SECONDS = 366 * 24 * 3600.0


class Limited(Protocol):
    """What of a request concerns time limits; see `BackfillRequest`."""

    @property
    def run_timeout_seconds(self) -> float | None: ...
    @property
    def timeout_seconds(self) -> float | None: ...
    @property
    def on_timeout(self) -> str: ...


def check_limits(request: Limited) -> None:
    """Raise Invalid for a time limit that makes no sense."""
    check_seconds("run_timeout_seconds", request.run_timeout_seconds)
    check_seconds("timeout_seconds", request.timeout_seconds)
    check_on_timeout(request.on_timeout)


def check_seconds(name: str, value: float | None) -> None:
    """Raise Invalid unless a limit is a time from a moment to a year, or None."""
    if value is not None and not (math.isfinite(value) and 0 < value <= LONGEST_SECONDS):
        raise Invalid(f"{name} is a number of seconds above 0 and at most a year.")


def check_on_timeout(value: str | None) -> None:
    """Raise Invalid for an unknown way to end a backfill whose time is over."""
    if value not in ON_TIMEOUT:
        raise Invalid(f'When its time is over a backfill is canceled or paused, not "{value}".')


def limit_columns(request: Limited, at_us: int) -> dict[str, Any]:
    """Return the columns of a backfill that its time limits fill.

    Args:
        at_us: When it is submitted: its time runs from then.
    """
    seconds = request.timeout_seconds
    return {
        "run_timeout_seconds": request.run_timeout_seconds,
        "timeout_seconds": seconds,
        "on_timeout": request.on_timeout if seconds is not None else None,
        "deadline_at": None if seconds is None else at_us + int(seconds * 1e6),
    }
