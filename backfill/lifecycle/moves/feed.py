"""The feed: one row per transaction saying what moved; counts and live events follow it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row

from backfill.states import RunState
from backfill.storage.batch import Batch
from backfill.storage.database import Database, to_json

FEED_LIST_LIMIT = 1000  # a bigger move is told as counts only; listeners read again
ROW = "id, attempt, backfill_id, set_id, partition"
RUN_ROW = "runs.id, runs.attempt, runs.backfill_id, runs.set_id, runs.partition"


@dataclass
class Moved:
    """What a transaction moved, gathered for its feed row.

    Attributes:
        touched: Set, first and last partition of ranges whose boxes show something else now,
            though no run of them moved.
    """

    counts: dict[int, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    runs: list[list[Any]] = field(default_factory=list)
    steps: list[list[Any]] = field(default_factory=list)
    work: dict[int, list[int]] = field(default_factory=dict)
    backfills: list[list[Any]] = field(default_factory=list)
    logs: list[int] = field(default_factory=list)
    touched: list[list[Any]] = field(default_factory=list)

    def run(
        self,
        row: Row[Any],
        source: RunState | None,
        target: RunState,
        *,
        attempt: int | None = None,
    ) -> None:
        """Note that a run moved; `row` has id, attempt, backfill_id, set_id, partition."""
        if row.backfill_id is not None:
            counts = self.counts[row.backfill_id]
            if source is not None:
                counts[source.value] -= 1
            counts[target.value] += 1
        self.runs.append(
            [
                row.id,
                target.value,
                row.attempt if attempt is None else attempt,
                row.backfill_id,
                row.set_id,
                row.partition,
            ]
        )

    def created(self, backfill_id: int, count: int) -> None:
        """Note that `count` pending runs came into being."""
        self.counts[backfill_id][RunState.PENDING.value] += count

    def executed(self, pipeline_id: int, microseconds: int) -> None:
        """Note one executed run, for the mean that sizes messages."""
        entry = self.work.setdefault(pipeline_id, [0, 0])
        entry[0] += 1
        entry[1] += microseconds

    def body(self) -> str | None:
        """Return the JSON of the feed row, or None when nothing moved."""
        body: dict[str, Any] = {}
        if self.counts:
            counts = {str(b): {s: n for s, n in c.items() if n} for b, c in self.counts.items()}
            body["counts"] = counts
        if len(self.runs) <= FEED_LIST_LIMIT and self.runs:
            body["runs"] = self.runs
        if len(self.steps) <= FEED_LIST_LIMIT * 10 and self.steps:
            body["steps"] = self.steps
        if self.work:
            body["work"] = {str(p): w for p, w in self.work.items()}
        if self.backfills:
            body["backfills"] = self.backfills
        if self.logs:
            body["logs"] = self.logs
        if self.touched:
            body["touched"] = self.touched
        return to_json(body) if body else None


def tell(db: Database, conn: Connection, moved: Moved) -> None:
    """Write the feed row of a transaction; call last."""
    batch = Batch(db, conn)
    add_told(batch, moved)
    batch.run()


def add_told(batch: Batch, moved: Moved) -> None:
    """Write the feed row together with the other writes of a batch."""
    body = moved.body()
    if body is not None:
        batch.add(
            f"INSERT INTO feed (xid, at, body) VALUES ({batch.db.feed_xid}, {{now}}, :feed_body)",
            {"feed_body": body},
        )


def move_and_tell(
    db: Database,
    conn: Connection,
    update: str,
    params: Mapping[str, Any],
    *,
    source: RunState,
    target: RunState,
) -> Sequence[Row[Any]]:
    """Do one UPDATE of runs from one state to another and write its feed row.

    Args:
        update: Returns at least `ROW`. On PostgreSQL both are one statement, one round trip.
    """
    if db.postgres:
        told = db.told_of("moved", source.value, target.value)
        statement = f"WITH moved AS ({update}), told AS ({told}) SELECT * FROM moved"
        return conn.execute(db.sql(statement), params).all()
    rows = conn.execute(db.sql(update), params).all()
    moved = Moved()
    for row in rows:
        moved.run(row, source, target)
    tell(db, conn, moved)
    return rows


def in_states(states: Iterable[RunState]) -> str:
    """Render `state` being one of these."""
    return "state IN (" + ", ".join(f"'{s.value}'" for s in sorted(states)) + ")"
