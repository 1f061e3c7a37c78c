"""The feed: one row per transaction saying what moved; counts and live events follow it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row

from backfill.states import RunState
from backfill.storage.database import Database, to_json

FEED_LIST_LIMIT = 1000  # a bigger move is told as counts only; listeners read again
ROW = "id, attempt, backfill_id, set_id, partition"
RUN_ROW = "runs.id, runs.attempt, runs.backfill_id, runs.set_id, runs.partition"


@dataclass
class Moved:
    """What a transaction moved, gathered for its feed row."""

    counts: dict[int, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    runs: list[list[Any]] = field(default_factory=list)
    steps: list[list[Any]] = field(default_factory=list)
    work: dict[int, list[int]] = field(default_factory=dict)
    backfills: list[list[Any]] = field(default_factory=list)
    logs: list[int] = field(default_factory=list)

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
        return to_json(body) if body else None


def tell(db: Database, conn: Connection, moved: Moved) -> None:
    """Write the feed row of a transaction; call last."""
    body = moved.body()
    if body is not None:
        conn.execute(
            db.sql(f"INSERT INTO feed (xid, at, body) VALUES ({db.feed_xid}, {{now}}, :body)"),
            {"body": body},
        )


def in_states(states: Iterable[RunState]) -> str:
    """Render `state` being one of these."""
    return "state IN (" + ", ".join(f"'{s.value}'" for s in sorted(states)) + ")"
