"""The coordinator's teller of hooks: in a thread of its own, so that nothing waits for it.

Rows, not leadership, keep a telling from being lost; one that is told twice has the same key.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import structlog
from sqlalchemy.exc import DBAPIError

from backfill.coordinator.posting import Refused, post
from backfill.definitions.calls import Definitions
from backfill.errors import BackfillError, NotFound, Unavailable
from backfill.lifecycle import outbox
from backfill.lifecycle.outbox import Delivery
from backfill.settings import Settings
from backfill.storage.database import Database

log = structlog.get_logger(__name__)

AT_ONCE = 4
TAKEN = 16


class Teller:
    """Delivers what is due, turn by turn."""

    def __init__(self, db: Database, definitions: Definitions, settings: Settings) -> None:
        self._db = db
        self._definitions = definitions
        self._settings = settings
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def tell(self) -> bool:
        """Begin a turn, unless one is still under way; never says that there is more to do."""
        if not self._closed.is_set() and (self._thread is None or not self._thread.is_alive()):
            self._thread = threading.Thread(target=self._turn, name="hooks", daemon=True)
            self._thread.start()
        return False

    def close(self) -> None:
        """Begin nothing more; what is under way is told again if it does not end in time."""
        self._closed.set()
        if self._thread is not None:
            self._thread.join(self._settings.webhook_seconds)

    def tell_due(self) -> int:
        """Tell what is due once; return how much that was."""
        found = self._db.transact(lambda conn: outbox.due(self._db, conn, limit=TAKEN))
        if len(found) == 1:
            self._tell(found[0])
        elif found:
            self._tell_all(found)
        return len(found)

    def _turn(self) -> None:
        try:
            while not self._closed.is_set() and self.tell_due():
                pass
        except (DBAPIError, Unavailable) as error:
            log.warning("hooks.database_lost", error=str(error)[:300])
        except Exception:
            log.exception("hooks.turn_failed")

    def _tell_all(self, found: Sequence[Delivery]) -> None:
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="hook") as pool:
            for told in [pool.submit(self._tell, delivery) for delivery in found]:
                told.result()

    def _tell(self, delivery: Delivery) -> None:
        """Tell one; what goes wrong is noted and tried again later, and hurts nothing."""
        try:
            status = self._told(delivery)
        except Refused as error:
            self._failed(delivery, str(error), status=error.status, final=error.final)
        except NotFound as error:
            self._failed(delivery, error.detail, final=True)
        except BackfillError as error:
            self._failed(delivery, error.detail)
        else:
            outbox.delivered(self._db, delivery, status=status)
            log.info("hook.told", delivery=delivery.id, hook=delivery.hook, told=delivery.event)

    def _told(self, delivery: Delivery) -> int | None:
        if delivery.kind == "python":
            told = {**delivery.facts, "delivery": delivery.key}
            self._definitions.tell_hook(told["partition_set"], delivery.hook, told)
            return None
        if delivery.url is None:
            raise Refused("its webhook was removed", final=True)
        with self._db.read() as conn:
            now = self._db.clock(conn) // 1_000_000
        return post(self._settings, delivery, now=now)

    def _failed(
        self, delivery: Delivery, error: str, *, status: int | None = None, final: bool = False
    ) -> None:
        given_up = outbox.failed(self._db, delivery, error, status=status, final=final)
        log.warning(
            "hook.failed",
            delivery=delivery.id,
            hook=delivery.hook,
            tries=delivery.tries,
            given_up=given_up,
            error=error[:300],
        )
