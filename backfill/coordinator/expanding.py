"""The coordinator's expander: in a thread of its own, so that nobody's launch waits for it.

A chunk takes tens of milliseconds, and users' code that hangs takes its whole time limit. It needs
no lead: a backfill's cursor moves under its row lock, so two expanders share the work.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress

import structlog
from sqlalchemy.exc import DBAPIError

from backfill.definitions.calls import Definitions
from backfill.errors import BackfillError, Conflict, DefinitionsUnavailable, Unavailable
from backfill.lifecycle import backfills, fleet
from backfill.lifecycle.ahead import Ahead
from backfill.settings import Settings
from backfill.storage.database import Database, is_transient

log = structlog.get_logger(__name__)

FIRST_CHUNK = 1_000
AGAIN_WITHOUT_CODE_SECONDS = 5.0
AGAIN_AFTER_FAILURE_SECONDS = 30.0
AFTER_OUTAGE_SECONDS = 1.0
CLOSE_SECONDS = 5.0


class Expander:
    """Makes the runs of backfills, chunk by chunk.

    Args:
        holder: Who leads; beside its lead stands what cannot be expanded.
        beside: Work in a thread; otherwise whoever calls `go_on` does one chunk of each backfill.
    """

    def __init__(
        self,
        db: Database,
        definitions: Definitions,
        settings: Settings,
        holder: str,
        *,
        beside: bool = False,
    ) -> None:
        self._db = db
        self._definitions = definitions
        self._settings = settings
        self._holder = holder
        self._ahead = Ahead(db, definitions, limit=settings.expand_chunk) if beside else None
        self._served: dict[int, float] = {}
        self._not_before: dict[int, float] = {}
        self._stuck: dict[int, str] = {}
        self._news = threading.Event()
        self._leading = threading.Event()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def go_on(self) -> bool:
        """Look for what there is to expand; return whether the caller should come back for more."""
        if self._ahead is None:
            return any([self._expand(backfill_id) for backfill_id in self._due()])
        self._leading.set()
        self._news.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="expander", daemon=True)
            self._thread.start()
        return False

    def rest(self) -> None:
        """Begin nothing until told to go on."""
        self._leading.clear()

    def close(self) -> None:
        """End the thread, after the chunk that it is at."""
        self._closing.set()
        self._news.set()
        if self._thread is not None:
            self._thread.join(CLOSE_SECONDS)
        if self._ahead is not None:
            self._ahead.close()

    def _work(self) -> None:
        while self._news.wait() and not self._closing.is_set():
            self._news.clear()
            try:
                while self._may_work() and self._next():
                    pass
            except (DBAPIError, Unavailable) as error:
                log.warning("expand.database_lost", error=str(error)[:300])
                self._closing.wait(AFTER_OUTAGE_SECONDS)
            except Exception:
                log.exception("expand.failed")
                self._closing.wait(AGAIN_WITHOUT_CODE_SECONDS)

    def _may_work(self) -> bool:
        return self._leading.is_set() and not self._closing.is_set()

    def _next(self) -> bool:
        """Expand who waits longest, newcomers first; return whether there may be more to do."""
        due = self._due()
        if due:
            self._expand(min(due, key=lambda i: self._served.get(i, 0.0)))
        return bool(due)

    def _due(self) -> list[int]:
        """Return what can be expanded now, by priority."""
        with self._db.read() as conn:
            ids = backfills.expandable(self._db, conn)
        for known in (self._served, self._not_before):
            for gone in known.keys() - set(ids):
                del known[gone]
        for gone in self._stuck.keys() - set(ids):
            self._tell_stuck(gone, None)
        now = time.monotonic()
        return [i for i in ids if now >= self._not_before.get(i, 0.0)]

    def _expand(self, backfill_id: int) -> bool:
        """Make the next chunk of a backfill's runs; return whether there may be more of them."""
        limit = self._settings.expand_chunk if backfill_id in self._served else FIRST_CHUNK
        self._served[backfill_id] = time.monotonic()
        try:
            made = backfills.expand_chunk(
                self._db, self._definitions, backfill_id, limit=limit, ahead=self._ahead
            )
        except Unavailable:
            raise
        except DefinitionsUnavailable as error:
            log.warning("expand.waiting", backfill=backfill_id, error=error.detail[:300])
            self._not_before[backfill_id] = time.monotonic() + AGAIN_WITHOUT_CODE_SECONDS
            self._tell_stuck(backfill_id, error.detail[:300])
            return False
        except BackfillError as error:
            self._hold_back(backfill_id, error.detail)
            return False
        except DBAPIError as error:
            if is_transient(error):
                raise
            self._hold_back(backfill_id, str(error.orig))
            return False
        self._tell_stuck(backfill_id, None)
        if made is not None:
            log.info("backfill.expanded", backfill=backfill_id, runs=made)
        return made is not None

    def _tell_stuck(self, backfill_id: int, error: str | None) -> None:
        """Say beside the lead why a backfill cannot be expanded yet, so that others can tell."""
        if self._stuck.get(backfill_id) == error:
            return
        if error is None:
            del self._stuck[backfill_id]
        else:
            self._stuck[backfill_id] = error
        facts = {"cannot_expand": {str(i): told for i, told in self._stuck.items()}}
        self._db.transact(lambda conn: fleet.note_facts(self._db, conn, self._holder, facts))

    def _hold_back(self, backfill_id: int, error: str) -> None:
        """Pause a backfill that cannot be expanded; it is tried again later all the same."""
        log.error("expand.failed", backfill=backfill_id, error=error[:300])
        self._not_before[backfill_id] = time.monotonic() + AGAIN_AFTER_FAILURE_SECONDS
        reason = f"Its partitions could not be expanded: {error}"
        with suppress(Conflict):  # it is paused already, or was given up meanwhile
            backfills.pause(self._db, backfill_id, reason=reason)
