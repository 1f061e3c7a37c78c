"""The guards that a request asks for: checked, stored, and what they take of a selection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

from backfill.definitions.facts import Take
from backfill.errors import Conflict, Invalid, did_you_mean
from backfill.lifecycle.breaker import Breaker
from backfill.lifecycle.guards import MOST_CANARIES, CanaryState
from backfill.lifecycle.reprocessing import Action, PlanGroup

ON_CONFLICT = ("wait", "skip", "refuse")
MOST_SAMPLED = 100_000


class Guarded(Protocol):
    """What of a request concerns guards; see `BackfillRequest`."""

    @property
    def ordering(self) -> str: ...
    @property
    def canary(self) -> int | None: ...
    @property
    def canary_percent(self) -> int: ...
    @property
    def canary_only(self) -> bool: ...
    @property
    def breaker(self) -> Mapping[str, int] | None: ...
    @property
    def on_conflict(self) -> str: ...
    @property
    def limit(self) -> int | None: ...
    @property
    def sample(self) -> int | None: ...


def check_guards(request: Guarded) -> None:
    """Raise Invalid for a guard that makes no sense, or for two that contradict each other."""
    _check_number("canary", request.canary, MOST_CANARIES)
    _check_number("sample", request.sample, MOST_SAMPLED)
    _check_number("limit", request.limit, None)
    if not 1 <= request.canary_percent <= 100:
        raise Invalid("canary_percent is a share of the canary: 1 to 100.")
    if request.canary_only and request.canary is None:
        raise Invalid("canary_only needs a canary: say how many partitions (--canary 5).")
    few = [name for name in ("canary_only", "limit", "sample") if getattr(request, name)]
    if len(few) > 1:
        raise Invalid(f"{' and '.join(few)} each choose a few partitions: give one of them.")
    check_conflict_policy(request.on_conflict)
    Breaker.of(request.breaker)


def check_conflict_policy(policy: str) -> None:
    """Raise Invalid for an unknown way to deal with a partition that another run has."""
    if policy not in ON_CONFLICT:
        raise Invalid(
            f'What to do on a conflict is wait, skip or refuse, not "{policy}".'
            f"{did_you_mean(policy, ON_CONFLICT)}"
        )


def take_of(request: Guarded) -> Take | None:
    """Return which few of the selected partitions a request runs; None for all."""
    if request.canary_only and request.canary is not None:
        return Take(request.canary, "spread")
    if request.sample is not None:
        return Take(request.sample, "spread")
    if request.limit is not None:
        how: Literal["first", "last"] = "last" if request.ordering == "newest" else "first"
        return Take(request.limit, how)
    return None


def guard_columns(request: Guarded) -> dict[str, Any]:
    """Return the columns of a backfill that a request's guards fill."""
    breaker = Breaker.of(request.breaker)
    canary = request.canary is not None and not request.canary_only
    few = {
        "canary_only": request.canary if request.canary_only else None,
        "limit": request.limit,
        "sample": request.sample,
    }
    return {
        "canary": request.canary if canary else None,
        "canary_percent": request.canary_percent,
        "canary_state": CanaryState.WAITING.value if canary else None,
        "breaker": breaker.kept() if breaker is not None else None,
        "on_conflict": request.on_conflict,
        "narrowed": {name: n for name, n in few.items() if n is not None} or None,
    }


def refuse_active(request: Guarded, groups: Sequence[PlanGroup]) -> None:
    """Raise Conflict when partitions have runs on their way and the request refuses that."""
    active = [group for group in groups if group.action is Action.WAIT]
    if request.on_conflict != "refuse" or not active:
        return
    told = ", ".join(_told(group) for group in active[:10])
    total = sum(group.count for group in active)
    raise Conflict(
        f"Refused, as asked on a conflict: {total:,} of the selected partitions have runs on "
        f"their way: {told}. Wait for them, leave them out, or submit with on_conflict wait.",
        active=[
            {"count": g.count, "first": g.first, "last": g.last, "backfill_id": g.backfill_id}
            for g in active[:100]
        ],
    )


def _told(group: PlanGroup) -> str:
    ends = group.first if group.count == 1 else f"{group.first} … {group.last} ({group.count:,})"
    where = f"backfill {group.backfill_id}" if group.backfill_id else "a run outside any backfill"
    return f"{ends} in {where}"


def _check_number(name: str, value: int | None, most: int | None) -> None:
    if value is not None and (value < 1 or (most is not None and value > most)):
        bound = f"1 to {most:,}" if most is not None else "at least 1"
        raise Invalid(f"{name} is a number of partitions: {bound}.")
