"""The coordinator: one loop of ticks, woken by commits, led by one process at a time.

Everything a tick decides is checked again by the statement that writes it, so a coordinator that
slept through losing its lead does no harm. A slow poll remains as the safety net.
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
import time

import structlog
from sqlalchemy.exc import DBAPIError

from backfill.coordinator.broker import Publisher
from backfill.coordinator.ticks import Ticks
from backfill.definitions.calls import Definitions
from backfill.errors import Unavailable
from backfill.lifecycle import fleet
from backfill.settings import Settings
from backfill.storage.database import Database

log = structlog.get_logger(__name__)

IDLE_SECONDS = 1.0
LEAD_SECONDS = 10.0
BREATH_SECONDS = 0.04


class Coordinator:
    """Expands, admits, publishes, reaps and settles until told to stop."""

    def __init__(self, db: Database, definitions: Definitions, settings: Settings) -> None:
        self._db = db
        self._stop = threading.Event()
        self._bell = db.bell()
        self.holder = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"
        self._publisher = Publisher(settings, wake=db.notify)
        self._ticks = Ticks(
            db, definitions, settings, self._publisher, self.holder, expand_beside=True
        )
        self._epoch: int | None = None
        self._lead_until = 0.0

    def run(self) -> None:
        """Loop until `stop`; survives outages of the database and of the broker."""
        log.info("coordinator.started", holder=self.holder)
        woken = True
        while not self._stop.is_set():
            try:
                wait = self._turn(woken=woken)
            except (DBAPIError, Unavailable) as error:
                log.warning("coordinator.database_lost", error=str(error)[:300])
                self._ticks.database_was_lost()
                self._lead_until = 0.0
                wait = IDLE_SECONDS
                self._stop.wait(wait)
                woken = True
                continue
            woken = wait <= 0 or self._rest(wait)
        self._close()

    def stop(self) -> None:
        """End the loop after the current turn."""
        self._stop.set()
        try:
            self._db.notify()
        except DBAPIError:
            log.warning("coordinator.stopping_without_database")

    def _rest(self, seconds: float) -> bool:
        """Wait for a commit; return whether there was one.

        Out of idleness it is heeded at once, and so is what a person did; one turn serves a burst
        of what workers did.
        """
        if self._stop.is_set():
            return False
        ended = time.monotonic()
        rang = self._bell.wait(seconds)
        if rang:
            self._bell.gather(ended + BREATH_SECONDS - time.monotonic())
        return rang

    def _turn(self, *, woken: bool) -> float:
        """Do what is due; return how long nothing will be, 0 when there is more to do now."""
        if time.monotonic() > self._lead_until - LEAD_SECONDS / 2:
            self._seek_lead()
        if self._epoch is None:
            return IDLE_SECONDS
        busy = self._ticks.turn(self._epoch, woken=woken)
        if self._ticks.deposed:
            log.warning("coordinator.deposed", holder=self.holder)
            self._ticks.lost_lead()
            self._epoch, self._lead_until = None, 0.0
        return 0.0 if busy else self._ticks.next_due()

    def _seek_lead(self) -> None:
        asked = time.monotonic()
        epoch = self._db.transact(
            lambda conn: fleet.lead(self._db, conn, self.holder, int(LEAD_SECONDS * 1e6))
        )
        if epoch is not None and epoch != self._epoch:
            log.info("coordinator.leading", holder=self.holder, epoch=epoch)
            self._ticks.took_lead()
        if epoch is None:
            self._ticks.lost_lead()
        self._epoch = epoch
        self._lead_until = asked + LEAD_SECONDS if epoch is not None else 0.0

    def _close(self) -> None:
        self._ticks.close()
        try:
            fleet.resign(self._db, self.holder)
        except (DBAPIError, Unavailable):
            log.warning("coordinator.could_not_resign", holder=self.holder)
        self._publisher.close()
        self._bell.close()
        self._db.dispose()
        log.info("coordinator.stopped", holder=self.holder)
