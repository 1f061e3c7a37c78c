"""Folding: the feed added up into counts, durations and wake-ups, each row exactly once.

The cursor moves in the transaction that adds the rows up, so a crash neither loses nor counts
twice. Only rows that no concurrent transaction can still come before are read.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row

from backfill.lifecycle import breaker, moves
from backfill.states import RUN_FINAL, RunState
from backfill.storage.database import Database
from backfill.storage.queries.feed import body_of

CURSOR = "counts"
STATES = tuple(state.value for state in RunState)
_FINAL = {state.value for state in RUN_FINAL} | {RunState.PENDING.value}
MEAN_WEIGHT = 64  # a batch of n runs weighs n / (n + 64) in the moving mean


@dataclass(frozen=True)
class Folded:
    """How many feed rows were added up, and whether runs may have room now."""

    rows: int
    woken: int


def fold(db: Database, conn: Connection, *, limit: int = 2000) -> Folded:
    """Add the next feed rows up."""
    cursor = _locked_cursor(db, conn)
    rows = conn.execute(
        db.sql(
            "SELECT xid, id, at, body FROM feed WHERE (xid, id) > (:xid, :id) "
            f"AND {db.feed_settled} ORDER BY xid, id LIMIT :limit"
        ),
        {"xid": cursor.xid, "id": cursor.id, "limit": limit},
    ).all()
    if not rows:
        return Folded(0, 0)
    counts: dict[int, Counter[str]] = defaultdict(Counter)
    work: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    ended: list[int] = []
    ends: dict[int, list[tuple[int, bool]]] = defaultdict(list)
    for row in rows:
        body = body_of(row.body)
        for backfill_id, told in breaker.ends_told(body, row.at).items():
            ends[backfill_id] += told
        for backfill_id, moved in body.get("counts", {}).items():
            counts[int(backfill_id)].update(moved)
        for pipeline_id, (n, us) in body.get("work", {}).items():
            entry = work[int(pipeline_id)]
            entry[0] += n
            entry[1] += us
        ended += [run[0] for run in body.get("runs", ()) if run[1] in _FINAL]
    _add_counts(db, conn, counts, ends)
    _add_work(db, conn, work)
    woken = moves.wake_waiting(db, conn, ended) if ended else 0
    conn.execute(
        db.sql("UPDATE cursors SET xid = :xid, id = :id WHERE name = :name"),
        {"xid": rows[-1].xid, "id": rows[-1].id, "name": CURSOR},
    )
    return Folded(len(rows), woken)


def _locked_cursor(db: Database, conn: Connection) -> Row[Any]:
    """Return how far was read; whoever comes second waits here and goes on behind the first."""
    find = db.sql(f"SELECT xid, id FROM cursors WHERE name = :name{db.for_update}")
    cursor = conn.execute(find, {"name": CURSOR}).first()
    if cursor is None:
        conn.execute(
            db.sql(
                "INSERT INTO cursors (name, xid, id) VALUES (:name, 0, 0) ON CONFLICT DO NOTHING"
            ),
            {"name": CURSOR},
        )
        cursor = conn.execute(find, {"name": CURSOR}).one()
    return cursor


def _add_counts(
    db: Database,
    conn: Connection,
    counts: dict[int, Counter[str]],
    ends: Mapping[int, Sequence[tuple[int, bool]]],
) -> None:
    sets = ", ".join(f"{state} = {state} + :{state}" for state in STATES)
    for backfill_id, delta in sorted(counts.items()):
        row = conn.execute(
            db.sql(f"UPDATE backfills SET {sets} WHERE id = :id RETURNING {breaker.COLUMNS}"),
            {state: delta.get(state, 0) for state in STATES} | {"id": backfill_id},
        ).first()
        if row is not None and row.breaker is not None and ends.get(backfill_id):
            breaker.heed(db, conn, row, ends[backfill_id])


def _add_work(db: Database, conn: Connection, work: dict[int, list[int]]) -> None:
    for pipeline_id, (n, us) in sorted(work.items()):
        conn.execute(
            db.sql(
                "UPDATE pipelines SET runs = runs + :n, mean_run_us = CAST(CASE "
                "WHEN mean_run_us IS NULL THEN :mean ELSE "
                "(mean_run_us * :weight + :us) / (:weight + :n) END AS bigint) WHERE id = :id"
            ),
            {"n": n, "us": us, "mean": us // max(n, 1), "weight": MEAN_WEIGHT, "id": pipeline_id},
        )


def prune_feed(db: Database, conn: Connection, *, older_than_us: int, limit: int = 5000) -> int:
    """Forget feed rows older than this that every cursor is past.

    Listeners that are further behind read everything anew.
    """
    result = conn.execute(
        db.sql(
            "DELETE FROM feed WHERE id IN (SELECT f.id FROM feed f WHERE f.at < {now} - :age "
            "AND EXISTS (SELECT 1 FROM cursors c WHERE c.name = :name) AND NOT EXISTS "
            "(SELECT 1 FROM cursors c WHERE (f.xid, f.id) > (c.xid, c.id)) "
            "ORDER BY f.id LIMIT :limit)"
        ),
        {"name": CURSOR, "age": older_than_us, "limit": limit},
    )
    return int(result.rowcount)
