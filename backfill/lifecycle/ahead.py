"""Ahead: a backfill's next partitions asked of the user's code while those before are written."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

from backfill.definitions.calls import Definitions, Expansion
from backfill.lifecycle.frozen import Frozen
from backfill.storage.database import Database

FRESH_SECONDS = 5.0  # what is older is asked for again: its backfill was paused, or others came


class _Asked(NamedTuple):
    start: int
    stop: int
    at: float
    found: Future[Expansion]


class Ahead:
    """Asks for the next chunk of each backfill; called by one thread.

    What it finds is about as old as what is found right before a chunk is written, and checked in
    the same ways.

    Args:
        limit: How many partitions a chunk has.
    """

    def __init__(self, db: Database, definitions: Definitions, *, limit: int) -> None:
        self._db = db
        self._definitions = definitions
        self._limit = limit
        self._pool = ThreadPoolExecutor(1, "ahead")
        self._asked: dict[int, _Asked] = {}

    def ask(self, selected: Frozen, expanded: int) -> None:
        """Begin to ask for what comes after the first so many partitions."""
        now = time.monotonic()
        for backfill_id in [i for i, asked in self._asked.items() if _is_old(asked, now)]:
            del self._asked[backfill_id]
        if expanded < selected.size:
            start, stop = selected.stretch(expanded, self._limit)
            found = self._pool.submit(selected.take, self._db, self._definitions, start, stop)
            self._asked[selected.backfill.id] = _Asked(start, stop, now, found)

    def take(self, selected: Frozen, start: int, stop: int) -> Expansion:
        """Do as `Frozen.take`, which may have been asked for already."""
        asked = self._asked.pop(selected.backfill.id, None)
        if asked is None or _is_old(asked, time.monotonic()) or asked[:2] != (start, stop):
            return selected.take(self._db, self._definitions, start, stop)
        return asked.found.result()

    def close(self) -> None:
        """Ask for nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _is_old(asked: _Asked, now: float) -> bool:
    return now > asked.at + FRESH_SECONDS
