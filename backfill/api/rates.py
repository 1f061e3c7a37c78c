"""How fast backfills go: finishes counted per second over the last minute, in this process."""

from __future__ import annotations

import threading
from collections import defaultdict, deque

WINDOW_SECONDS = 60
FORGET_SECONDS = 600


class Rates:
    """Counts finished runs per backfill; fed with what the feed tells, in the database's time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._finished: dict[int, deque[tuple[int, int]]] = defaultdict(deque)

    def add(self, backfill_id: int, second: int, finished: int) -> None:
        """Count runs of a backfill that finished in a second of the database's time."""
        with self._lock:
            buckets = self._finished[backfill_id]
            if buckets and buckets[-1][0] == second:
                buckets[-1] = (second, buckets[-1][1] + finished)
            else:
                buckets.append((second, finished))
            while buckets[0][0] < second - WINDOW_SECONDS:
                buckets.popleft()
            if len(self._finished) > 1_000:
                self._forget(second)

    def per_second(self, backfill_id: int, now: int) -> float | None:
        """Return finished runs per second over the last minute; None when none is known.

        Args:
            now: The database's time in seconds.
        """
        with self._lock:
            buckets = [
                b for b in self._finished.get(backfill_id, ()) if b[0] > now - WINDOW_SECONDS
            ]
        if not buckets:
            return None
        return sum(n for _, n in buckets) / max(now - buckets[0][0], 1)

    def _forget(self, second: int) -> None:
        for backfill_id in list(self._finished):
            if self._finished[backfill_id][-1][0] < second - FORGET_SECONDS:
                del self._finished[backfill_id]
