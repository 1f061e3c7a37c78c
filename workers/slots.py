"""Shared memory between a worker's parent process and its children: who holds which leases.

The parent renews the leases of living children from here, so a step that holds the interpreter
lock does not look dead; it sees at once what a dead child held; and it tells children to hand
back or to look for cancels. Every field is eight bytes, stored in one go, and has one writer; when
the coordinator was rung for last any child may say.
"""

from __future__ import annotations

import mmap
import time
from collections.abc import Iterable, Iterator
from typing import NamedTuple

SLOTS = 512
TOKENS = 32
_PID, _RUN, _CANCEL_SEEN, _RELEASE, _DEADLINE = range(5)
_HEADER = 5
_WIDTH = _HEADER + TOKENS
_WORKER, _SURE_UNTIL, _RUNG = range(3)
_SHARED = 3


class Board:
    """The shared memory of one worker: the worker's id and a slot per child."""

    def __init__(self) -> None:
        self._cells = memoryview(mmap.mmap(-1, 8 * (_SHARED + SLOTS * _WIDTH))).cast("q")

    @property
    def worker_id(self) -> int:
        """The worker's row id; 0 until it is registered."""
        return self._cells[_WORKER]

    @worker_id.setter
    def worker_id(self, value: int) -> None:
        self._cells[_WORKER] = value

    def renewed(self, *, asked_at: float, lease_seconds: float) -> None:
        """Note that the leases were renewed by a request begun at `asked_at` (monotonic)."""
        self._cells[_SURE_UNTIL] = int((asked_at + lease_seconds) * 1e9)

    def slot(self, index: int) -> Slot:
        """Return the slot of the child with this index."""
        start = _SHARED + (index % SLOTS) * _WIDTH
        return Slot(self._cells[start : start + _WIDTH], self._cells[:_SHARED])

    def occupied(self) -> Iterator[Slot]:
        """Yield the slots that a child has taken."""
        for index in range(SLOTS):
            slot = self.slot(index)
            if slot.pid:
                yield slot


class Left(NamedTuple):
    """What a dead child held, and the run it died in, if it was in one."""

    tokens: list[int]
    run: int | None


class Slot:
    """One child's cells."""

    def __init__(self, cells: memoryview, shared: memoryview) -> None:
        self._cells = cells
        self._shared = shared
        self._owner = 0

    @property
    def pid(self) -> int:
        """The child's process id; 0 when nobody took the slot."""
        return int(self._cells[_PID])

    def take(self, pid: int) -> Left:
        """Take the slot for a new child; return what its predecessor left."""
        left = self.left()
        for i in range(TOKENS):
            self._cells[_HEADER + i] = 0
        self._cells[_RUN] = 0
        self._cells[_DEADLINE] = 0
        self._cells[_PID] = self._owner = pid
        return left

    def left(self) -> Left:
        """Return what a dead child left."""
        return Left(self.tokens(), self.run or None)

    def vacate(self, pid: int, tokens: Iterable[int]) -> None:
        """Give the slot of a dead child back, unless its successor has taken it already."""
        if self.pid == pid:
            self._cells[_RUN] = 0
            self._cells[_DEADLINE] = 0
            self._cells[_PID] = 0
        for token in tokens:
            self.drop(token)

    @property
    def run(self) -> int:
        """The run whose steps execute right now; 0 between runs."""
        return int(self._cells[_RUN])

    @run.setter
    def run(self, run_id: int) -> None:
        self._cells[_RUN] = run_id

    @property
    def deadline_ns(self) -> int:
        """When the time of that run, or of its step, is over (monotonic); 0: it has no limit."""
        return int(self._cells[_DEADLINE])

    @deadline_ns.setter
    def deadline_ns(self, value: int) -> None:
        self._cells[_DEADLINE] = value

    def tokens(self) -> list[int]:
        """Return the lease tokens this child holds."""
        return [t for t in self._cells[_HEADER:] if t]

    def hold(self, token: int) -> bool:
        """Note a token before claiming with it; False when too many are still unrecorded.

        The owner says again whose slot it is: the parent may have vacated it for its
        predecessor at the very moment it was taken.
        """
        self._cells[_PID] = self._owner
        for i in range(TOKENS):
            if not self._cells[_HEADER + i]:
                self._cells[_HEADER + i] = token
                return True
        return False

    def drop(self, token: int) -> None:
        """Forget a token whose every run is recorded."""
        for i in range(TOKENS):
            if self._cells[_HEADER + i] == token:
                self._cells[_HEADER + i] = 0

    @property
    def cancel_count(self) -> int:
        """Counts up whenever one of this child's runs was asked to cancel."""
        return int(self._cells[_CANCEL_SEEN])

    def ask_cancel(self) -> None:
        """Tell the child to look which of its runs are canceled."""
        self._cells[_CANCEL_SEEN] += 1

    @property
    def is_unsure(self) -> bool:
        """Whether no lease was renewed for so long that another worker may have the runs."""
        until = self._shared[_SURE_UNTIL]
        return bool(until) and time.monotonic_ns() > until

    @property
    def rung_ns(self) -> int:
        """When a child of this worker last began to wake the coordinator (monotonic)."""
        return int(self._shared[_RUNG])

    @rung_ns.setter
    def rung_ns(self, value: int) -> None:
        self._shared[_RUNG] = value

    @property
    def release(self) -> bool:
        """Whether the child should hand back what it holds."""
        return bool(self._cells[_RELEASE])

    @release.setter
    def release(self, value: bool) -> None:
        self._cells[_RELEASE] = int(value)
