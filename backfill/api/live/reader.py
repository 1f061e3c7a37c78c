"""The reader: the one thread of this process that follows the feed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import structlog
from sqlalchemy.exc import DBAPIError

from backfill.api.live.batches import batch_of
from backfill.api.live.directory import Directory
from backfill.api.live.hub import Hub
from backfill.api.rates import WINDOW_SECONDS, Rates
from backfill.lifecycle.access import Holder
from backfill.states import RUN_FINAL
from backfill.storage.database import Bell, Database
from backfill.storage.queries.feed import (
    FeedRow,
    Place,
    counts_of_last,
    newest_place,
    reaches_back,
    rows_after,
)

log = structlog.get_logger(__name__)

ROWS_AT_ONCE = 500
GATHER_SECONDS = 0.05  # moves of this long travel in one event
PIECE_SECONDS = 0.2
LISTENED_PIECES = 2  # the longest nap while somebody listens
IDLE_PIECES = 10
LOST_SECONDS = 1.0
WELCOME_SECONDS = 5.0  # how long a stream may outlive its token


class Reader:
    """Follows the feed from where it stands at the start; feeds the hub and the rates."""

    def __init__(
        self,
        db: Database,
        hub: Hub,
        directory: Directory,
        rates: Rates,
        still_welcome: Callable[[set[Holder]], set[Holder]],
    ) -> None:
        self._db = db
        self._hub = hub
        self._directory = directory
        self._rates = rates
        self._still_welcome = still_welcome
        self._looked_at = 0.0
        self._place: Place | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="feed", daemon=True)

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def stop(self) -> None:
        """Stop following and wait for the thread."""
        self._stop.set()
        self._thread.join(10)

    def turn(self) -> bool:
        """Read once; return whether there may be more to read right now."""
        if self._place is None:
            self._begin()
            return True
        with self._db.read() as conn:
            rows = rows_after(self._db, conn, self._place, limit=ROWS_AT_ONCE)
            if not rows:
                return False
            self._directory.learn(conn, rows)
        self._publish(rows)
        return len(rows) == ROWS_AT_ONCE

    def _begin(self) -> None:
        with self._db.read() as conn:
            self._place = newest_place(self._db, conn)
            recent = counts_of_last(self._db, conn, WINDOW_SECONDS * 1_000_000)
        self._count([row for row in recent if row.place <= self._place])
        self._hub.begin(self._place)

    def _publish(self, rows: Sequence[FeedRow]) -> None:
        self._place = rows[-1].place
        self._count(rows)
        self._hub.publish(batch_of(rows, self._directory))

    def _count(self, rows: Sequence[FeedRow]) -> None:
        for row in rows:
            for backfill_id, moved in row.body.get("counts", {}).items():
                finished = sum(moved.get(state.value, 0) for state in RUN_FINAL)
                if finished > 0:
                    self._rates.add(int(backfill_id), row.at // 1_000_000, finished)

    def _work(self) -> None:
        bell: Bell | None = None
        while not self._stop.is_set():
            try:
                bell = bell or self._db.bell()
                if not self.turn():
                    self._nap(bell)
                self._dismiss()
                self._stop.wait(GATHER_SECONDS)
            except DBAPIError as error:
                log.warning("feed.database_lost", error=str(error)[:300])
                self._stop.wait(LOST_SECONDS)
            except Exception:
                log.exception("feed.failed")
                self._stop.wait(LOST_SECONDS)
        if bell is not None:
            bell.close()

    def _dismiss(self) -> None:
        """End, now and then, the streams of those whose token was revoked or has expired."""
        if time.monotonic() >= self._looked_at + WELCOME_SECONDS:
            self._hub.dismiss(self._still_welcome)
            self._looked_at = time.monotonic()

    def _nap(self, bell: Bell) -> None:
        """Wait for the bell in short pieces, so that a stop need not wait for it."""
        for _ in range(LISTENED_PIECES if self._hub.size else IDLE_PIECES):
            if bell.wait(PIECE_SECONDS) or self._stop.is_set():
                return


def missed(
    db: Database, directory: Directory, after: Place, until: Place
) -> Sequence[FeedRow] | None:
    """Return the next rows between two places, or None when some were forgotten already."""
    with db.read() as conn:
        if not reaches_back(db, conn, after):
            return None
        rows = rows_after(db, conn, after, limit=ROWS_AT_ONCE, until=until)
        directory.learn(conn, rows)
    return rows
