"""Reasons: why something stands where it stands, as one sentence and its facts; pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from backfill.lifecycle.waiting import (
    IsBlocked,
    Waiting,
    WaitsForExpansion,
    WaitsForPool,
    WaitsForPrevious,
    WaitsForTagLimit,
    WaitsForTurn,
    WaitsForWindow,
)

LAG_SECONDS = 10


@dataclass(frozen=True)
class Reason:
    """One thing that is so: a name for machines, a sentence for people, the facts in it."""

    code: str
    sentence: str
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Why:
    """Why a run or a backfill stands where it stands.

    Attributes:
        reasons: The one that decides first; the others hold as well.
    """

    kind: Literal["run", "backfill"]
    id: int
    state: str
    reasons: Sequence[Reason]

    @property
    def code(self) -> str:
        return self.reasons[0].code

    @property
    def sentence(self) -> str:
        return self.reasons[0].sentence

    @property
    def facts(self) -> Mapping[str, Any]:
        return self.reasons[0].facts

    @property
    def also(self) -> Sequence[Reason]:
        return self.reasons[1:]


def moment(us: int) -> str:
    """Return a time as sentences have it."""
    return datetime.fromtimestamp(us // 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def ago(now: int, us: int) -> str:
    """Return how long a time is past."""
    seconds = max(0, (now - us) // 1_000_000)
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7200 else f"{seconds // 3600} h"


def counted(n: int, most: int, noun: str) -> str:
    """Return `1 run`, `7 runs`, `more than 10,000 runs`."""
    if n >= most:
        return f"more than {most:,} {noun}s"
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def listed(names: Sequence[object], most: int = 3) -> str:
    """Return `1, 2, 3 and 4 more`."""
    shown = ", ".join(str(name) for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


# -- the machinery --------------------------------------------------------------------------------


def of_coordinator(leader: Any) -> Reason | None:
    """Say what is wrong with the coordinator."""
    if leader is None:
        return Reason(
            "no_coordinator", "No coordinator has run yet: start one with `backfill coordinator`."
        )
    if not leader.leading:
        return Reason(
            "no_coordinator",
            f"No coordinator leads: {leader.holder} was heard of last "
            f"{ago(leader.now, leader.beat_at)} ago. Start one with `backfill coordinator`.",
            {"holder": leader.holder, "beat_at": moment(leader.beat_at)},
        )
    behind = 0 if leader.oldest is None else (leader.now - leader.oldest) // 1_000_000
    if behind > LAG_SECONDS:
        return Reason(
            "coordinator_lagging",
            f"The coordinator {leader.holder} lags: what happened {behind} s ago is not counted "
            "yet.",
            {"holder": leader.holder, "behind_seconds": behind},
        )
    return None


def of_broker(answer: Any) -> Reason | None:
    """Say that the broker did not answer."""
    if answer is None or answer.depth is not None:
        return None
    return Reason(
        "broker_unreachable",
        f"The broker could not be reached at {moment(answer.seen_at)}; runs are sent when it can "
        "be.",
        {"asked_at": moment(answer.seen_at)},
    )


def of_workers(workers: Sequence[Mapping[str, Any]], queue: str) -> Reason | None:
    """Say that nobody would take a run of this queue."""
    listening = [worker for worker in workers if queue in worker["queues"]]
    if not listening:
        others = sorted({name for worker in workers for name in worker["queues"]})
        there = f" Workers listen on: {', '.join(others)}." if others else " No worker lives."
        return Reason(
            "no_worker",
            f'No worker listens on queue "{queue}".{there}',
            {"queue": queue, "queues_listened_on": others},
        )
    broken = [worker for worker in listening if worker["load_error"]]
    if len(broken) == len(listening):
        error = str(broken[0]["load_error"]).splitlines()[0][:300]
        return Reason(
            "workers_without_code",
            f'The workers of queue "{queue}" cannot load the definitions: {error}',
            {"queue": queue, "workers": [worker["name"] for worker in broken], "error": error},
        )
    return None


def versions_of(workers: Sequence[Mapping[str, Any]], queue: str) -> list[str]:
    """Return the code versions of the workers of a queue."""
    found = {w["code_version"] for w in workers if queue in w["queues"] and w["code_version"]}
    return sorted(found)


# -- what admission waits for ---------------------------------------------------------------------


def of_waiting(fact: Waiting, *, of_run: bool = True) -> Reason:
    """Say what keeps a run, or else the next run of a backfill, from being admitted."""
    code, told = _WAITING[type(fact)]
    sentence = told(fact)
    if not of_run:
        sentence = sentence.replace("Its backfill", "It").replace("its backfill", "it")
    facts = {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in vars(fact).items()
    }
    return Reason(code, sentence, facts)


def _of_pool(fact: WaitsForPool) -> str:
    if fact.slots == 0:
        return f'It waits for pool "{fact.pool}", which is closed: it has no slots.'
    needs = "a slot" if fact.needed == 1 else f"{fact.needed} slots"
    return (
        f'It waits for {needs} of pool "{fact.pool}": {fact.used} of {fact.slots} are taken'
        f"{_held_by(fact.held_by)}."
    )


def _of_tag_limit(fact: WaitsForTagLimit) -> str:
    return (
        f"It waits for the limit of tag {fact.key}={fact.value}: {fact.active} of {fact.limit} "
        f"run{_held_by(fact.held_by)}."
    )


def _of_window(fact: WaitsForWindow) -> str:
    if fact.until is None:
        return "It is outside the hours its backfill may run in, and those never come."
    until = moment(int(fact.until.timestamp() * 1e6))
    return f"It is outside the hours its backfill may run in; they begin at {until}."


def _of_previous(fact: WaitsForPrevious) -> str:
    which = f'the partition before it, "{fact.partition}"'
    if not fact.stopped:
        at = f" (run {fact.run_id} is {fact.state})" if fact.run_id is not None else ""
        return f"It waits for {which}{at}."
    unlaunched = fact.run_id is None
    ended = "has no run on its way" if unlaunched else f"{fact.state} in run {fact.run_id}"
    return f"The line stops here: {which}, {ended}. Retry that one, or pass over it."


def _of_turn(fact: WaitsForTurn) -> str:
    return (
        f"Its backfill runs one partition at a time: run {fact.run_id} ({fact.partition}) is "
        f"{fact.state}."
    )


def _of_expansion(fact: WaitsForExpansion) -> str:
    how = "goes by weight" if fact.by == "weight" else "runs several partitions at once"
    return (
        f"Its backfill {how} and begins when all of its runs are made: {fact.expanded:,} "
        f"of {fact.total:,} so far."
    )


def _held_by(runs: Sequence[int]) -> str:
    return f", by run {listed(runs)}" if runs else ""


def _of_blocked(fact: IsBlocked) -> str:
    return f"Its partition is blocked, and it will be skipped when its turn comes: {fact.reason}"


_WAITING: Mapping[type, tuple[str, Callable[[Any], str]]] = {
    IsBlocked: ("blocked", _of_blocked),
    WaitsForPool: ("waiting_for_pool", _of_pool),
    WaitsForTagLimit: ("waiting_for_tag_limit", _of_tag_limit),
    WaitsForWindow: ("outside_window", _of_window),
    WaitsForPrevious: ("waiting_for_previous", _of_previous),
    WaitsForTurn: ("waiting_for_turn", _of_turn),
    WaitsForExpansion: ("waiting_for_expansion", _of_expansion),
}
