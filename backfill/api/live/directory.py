"""What runs and backfills belong to, remembered; asked of the database only when not known."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import TypeVar

from sqlalchemy import Connection

from backfill.storage.database import Database
from backfill.storage.queries.feed import (
    FeedRow,
    RunPlace,
    run_places,
    set_names,
    sets_of_backfills,
)

REMEMBERED = 20_000
NOWHERE = RunPlace(None, None, None)

K = TypeVar("K")
V = TypeVar("V")


class Directory:
    """Runs -> what they belong to, backfills -> sets, sets -> names."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._lock = threading.Lock()
        self._runs: OrderedDict[int, RunPlace] = OrderedDict()
        self._backfills: OrderedDict[int, int] = OrderedDict()
        self._names: dict[int, str] = {}

    def learn(self, conn: Connection, rows: Sequence[FeedRow]) -> None:
        """Make sure that everything these rows name is known; three statements at most."""
        with self._lock:
            sets = self._learn_runs(conn, rows) | self._learn_backfills(conn, rows)
            if not sets <= self._names.keys():
                self._names.update(set_names(self._db, conn))

    def run(self, run_id: int) -> RunPlace:
        """Return what a run belongs to."""
        return self._runs.get(run_id, NOWHERE)

    def set_of(self, backfill_id: int) -> str | None:
        """Return the name of a backfill's set."""
        return self.name(self._backfills.get(backfill_id))

    def name(self, set_id: int | None) -> str | None:
        """Return the name of a set."""
        return None if set_id is None else self._names.get(set_id)

    def _learn_runs(self, conn: Connection, rows: Sequence[FeedRow]) -> set[int]:
        """Return the ids of the sets that the runs are of."""
        named: set[int] = set()
        sets: set[int] = set()
        for row in rows:
            for run_id, _, _, backfill_id, set_id, partition in row.body.get("runs", ()):
                if run_id not in self._runs:
                    _remember(self._runs, run_id, RunPlace(backfill_id, set_id, partition))
                if set_id is not None:
                    sets.add(set_id)
            named.update(step[0] for step in row.body.get("steps", ()))
            named.update(row.body.get("logs", ()))
        if unknown := named - self._runs.keys():
            for run_id, place in run_places(self._db, conn, sorted(unknown)).items():
                _remember(self._runs, run_id, place)
        return sets | {s for run_id in named if (s := self.run(run_id).set_id) is not None}

    def _learn_backfills(self, conn: Connection, rows: Sequence[FeedRow]) -> set[int]:
        """Return the ids of the sets that the backfills are of."""
        named: set[int] = set()
        for row in rows:
            named.update(int(backfill_id) for backfill_id in row.body.get("counts", ()))
            named.update(backfill_id for backfill_id, _ in row.body.get("backfills", ()))
        if unknown := named - self._backfills.keys():
            for backfill_id, set_id in sets_of_backfills(self._db, conn, sorted(unknown)).items():
                _remember(self._backfills, backfill_id, set_id)
        return {s for b in named if (s := self._backfills.get(b)) is not None}


def _remember(known: OrderedDict[K, V], key: K, value: V) -> None:
    """Keep a value, forgetting the oldest when there are too many.

    A plain dict finds its oldest key only past the places of all those that went before.
    """
    known[key] = value
    known.move_to_end(key)
    if len(known) > REMEMBERED:
        known.popitem(last=False)
