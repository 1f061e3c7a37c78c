"""The coordinator's schedules, in a thread of their own: a selector may take its whole time limit.

Rows, not leadership, keep ticks from being handled twice, so a turn that outlives the lead does no
harm.
"""

from __future__ import annotations

import threading

import structlog
from sqlalchemy.exc import DBAPIError

from backfill.definitions.calls import Definitions
from backfill.errors import DefinitionsUnavailable, Unavailable
from backfill.lifecycle.schedules import tick_all
from backfill.lifecycle.ticks import Handled
from backfill.storage.database import Database

log = structlog.get_logger(__name__)


class Scheduler:
    """Handles the ticks that are due, turn by turn."""

    def __init__(self, db: Database, definitions: Definitions) -> None:
        self._db = db
        self._definitions = definitions
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self._waiting_for: str | None = None

    def turn(self) -> bool:
        """Begin a turn, unless one is still under way; never says that there is more to do."""
        if not self._closed.is_set() and (self._thread is None or not self._thread.is_alive()):
            self._thread = threading.Thread(target=self._turn, name="schedules", daemon=True)
            self._thread.start()
        return False

    def close(self) -> None:
        """Begin no tick any more."""
        self._closed.set()

    def _turn(self) -> None:
        try:
            while self._handle_due():
                pass
            self._waiting_for = None
        except DefinitionsUnavailable as error:
            self._tell_once(error)
        except (DBAPIError, Unavailable) as error:
            log.warning("schedules.database_lost", error=str(error)[:300])
        except Exception:
            log.exception("schedules.failed")

    def _handle_due(self) -> bool:
        """Handle what is due now; return whether it was anything."""
        anything = False
        for handled in tick_all(self._db, self._definitions):
            anything = True
            _tell(handled)
            if self._closed.is_set():
                return False
        return anything

    def _tell_once(self, error: DefinitionsUnavailable) -> None:
        if self._waiting_for != error.detail and not self._closed.is_set():
            log.warning("schedules.waiting", error=error.detail[:300])
        self._waiting_for = error.detail


def _tell(handled: Handled) -> None:
    log.info(
        "schedule.ticked",
        schedule=handled.schedule,
        tick=handled.tick_at.isoformat(),
        state=handled.state.value,
        runs=len(handled.run_ids),
        reason=handled.reason,
    )
