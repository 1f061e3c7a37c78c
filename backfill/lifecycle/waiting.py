"""Waiting: what keeps a pending run or a backfill from going on, as typed facts.

`admission.waiting` finds them; sentences are made of them elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal


@dataclass(frozen=True)
class WaitsForPool:
    """A pool has too few free slots.

    Attributes:
        slots: All of the pool's; 0 closes it.
        used: Slots that queued and running runs take.
        needed: Slots that the run takes; never more than the pool has.
        held_by: Some of the runs that take them, oldest first.
    """

    pool: str
    slots: int
    used: int
    needed: int
    held_by: Sequence[int] = ()


@dataclass(frozen=True)
class WaitsForTagLimit:
    """So many runs with this tag are active as are allowed."""

    key: str
    value: str
    limit: int
    active: int
    held_by: Sequence[int] = ()


@dataclass(frozen=True)
class WaitsForWindow:
    """It is outside the hours in which its backfill may run.

    Attributes:
        until: When they begin again; None: never (a window that no day has).
    """

    until: datetime | None


@dataclass(frozen=True)
class WaitsForPrevious:
    """The partition before it has not succeeded.

    Attributes:
        run_id: The newest run of that partition; None: nothing runs it and nothing did.
        state: That run's state.
        stopped: Nothing is on its way that could make it succeed: somebody must act.
    """

    partition: str
    run_id: int | None
    state: str | None
    stopped: bool


@dataclass(frozen=True)
class WaitsForTurn:
    """Its backfill runs one partition at a time, and this run's is before it."""

    run_id: int
    partition: str | None
    state: str


@dataclass(frozen=True)
class WaitsForExpansion:
    """Its backfill goes by weight or over ranges: it begins when all of its runs are made."""

    expanded: int
    total: int
    by: Literal["weight", "ranges"] = "weight"


@dataclass(frozen=True)
class IsBlocked:
    """An operator blocked its partition: it is skipped when its turn comes."""

    partition: str
    reason: str


Waiting = (
    IsBlocked
    | WaitsForPool
    | WaitsForTagLimit
    | WaitsForWindow
    | WaitsForPrevious
    | WaitsForTurn
    | WaitsForExpansion
)
