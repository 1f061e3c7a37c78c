"""Upkeep: work that only follows what moved, in a thread of its own beside the coordinator's turns.

Counting a block of the overview takes tens of milliseconds, and whoever launches an urgent run
should not wait for it. Nothing here decides what runs: two coordinators may do it at once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import structlog

from backfill.definitions.calls import Definitions
from backfill.lifecycle import folding, rollup
from backfill.lifecycle.outbox import prune_deliveries
from backfill.storage.database import Database

log = structlog.get_logger(__name__)

ROLLUP_BLOCKS = 1  # at a time, so that the thread soon hears that it is to stop
FEED_KEPT_US = 15 * 60 * 1_000_000
PRUNED_AT_ONCE = 5_000
QUIET_SECONDS = 1.0
AGAIN_AFTER_FAILURE_SECONDS = 5.0
CLOSE_SECONDS = 5.0


@dataclass
class Chore:
    """Work that needs no waking: due every so many seconds.

    Attributes:
        work: Does some of it; returns whether there is more right now.
        share: At most this part of the time goes to it, unless nothing moves.
        follows: It follows what moves: when nothing does it is due as seldom as the others.
    """

    every: float
    work: Callable[[], bool]
    share: float = 1.0
    follows: bool = False
    due: float = 0.0

    def run(self, *, quiet: bool) -> bool:
        """Do it if it is due; return whether there is more."""
        began = time.monotonic()
        if began < self.due:
            return False
        pause = QUIET_SECONDS if quiet and self.follows else self.every
        self.due = began + pause  # so it is if it fails
        busy = self.work()
        took = time.monotonic() - began
        self.due = began + max(0.0 if busy else pause, took if quiet else took / self.share)
        return busy


class Upkeep:
    """Keeps overviews up to date and forgets what is old, while it is told to."""

    def __init__(self, db: Database, definitions: Definitions) -> None:
        self._db = db
        self._definitions = definitions
        self._chores = [
            Chore(0.1, self.rollup, share=0.33, follows=True),
            Chore(60.0, self.rollup_drift),
            Chore(30.0, self.prune),
        ]
        self._wanted = threading.Event()
        self._closing = threading.Event()
        self._quiet = False
        self._thread: threading.Thread | None = None

    def go_on(self, *, quiet: bool) -> None:
        """Work from now on, or still.

        Args:
            quiet: Nothing has moved for a while.
        """
        self._quiet = quiet
        self._wanted.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="upkeep", daemon=True)
            self._thread.start()

    def rest(self) -> None:
        """Begin nothing until told to go on."""
        self._wanted.clear()

    def close(self) -> None:
        """End the thread."""
        self._closing.set()
        self._wanted.set()
        if self._thread is not None:
            self._thread.join(CLOSE_SECONDS)

    def _work(self) -> None:
        while self._wanted.wait() and not self._closing.is_set():
            due = run_chores(self._chores, quiet=self._quiet)
            self._closing.wait(max(0.001, due - time.monotonic()))

    # -- the chores -------------------------------------------------------------------------------

    def rollup(self) -> bool:
        """Keep the matrix overview up to date, a few blocks at a time."""
        at = self._time()
        read = rollup.mark(self._db, self._definitions, at)
        counted = rollup.compute(self._db, self._definitions, at, limit=ROLLUP_BLOCKS)
        # While things move, a block counted now would soon be counted again.
        return read == rollup.FEED_ROWS or (self._quiet and counted == ROLLUP_BLOCKS)

    def rollup_drift(self) -> bool:
        """Mark the blocks of the overview that a changed definition moved."""
        rollup.mark_moved(self._db, self._definitions, self._time())
        return False

    def prune(self) -> bool:
        """Forget old feed rows and deliveries."""
        forget = partial(folding.prune_feed, self._db, older_than_us=FEED_KEPT_US)
        pruned = self._db.transact(forget)
        self._db.transact(lambda conn: prune_deliveries(self._db, conn))
        return pruned >= PRUNED_AT_ONCE

    def _time(self) -> datetime:
        """Return the database's time."""
        with self._db.read() as conn:
            return datetime.fromtimestamp(self._db.clock(conn) / 1e6, UTC)


def run_chores(chores: Sequence[Chore], *, quiet: bool) -> float:
    """Run what is due, each whatever becomes of the others; return when the next one is."""
    for chore in chores:
        try:
            chore.run(quiet=quiet)
        except Exception as error:
            log.warning("upkeep.failed", chore=chore.work.__name__, error=str(error)[:300])
            chore.due = time.monotonic() + AGAIN_AFTER_FAILURE_SECONDS
    return min(chore.due for chore in chores)
