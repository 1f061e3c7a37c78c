"""Queueing: pending runs on their way to the broker, back from it, or parked.

A limited choice of rows is a materialized WITH query: as a plain subquery PostgreSQL may run it
once per row, and with SKIP LOCKED it then chooses others every time, however small the limit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row

from backfill.lifecycle.moves.feed import ROW, RUN_ROW, Moved, in_states, move_and_tell, tell
from backfill.states import RunMove, RunState
from backfill.storage.batch import Batch
from backfill.storage.database import Database, to_json


@dataclass(frozen=True)
class Admission:
    """One run on its way to the broker, and the message that carries it.

    Attributes:
        pools: Slots by pool that it takes until it ends or is recalled; None for none.
    """

    run_id: int
    message_id: str
    message_size: int
    pools: Mapping[str, int] | None = None


def admit(
    db: Database, conn: Connection, admissions: Sequence[Admission], *, publish_again_us: int
) -> set[int]:
    """ADMIT: pending and ready -> queued, with a finite next publish time. Return the moved ids."""
    if not admissions:
        return set()
    shape = {"id": "bigint", "message_id": "text", "message_size": "int"}
    records = [
        {"id": a.run_id, "message_id": a.message_id, "message_size": a.message_size}
        for a in admissions
    ]
    takes = ""
    if any(a.pools for a in admissions):
        shape["pools"] = "json" if db.postgres else "text"
        takes = ", pools = a.pools"
        for record, admission in zip(records, admissions, strict=True):
            record["pools"] = dict(admission.pools) if admission.pools else None
    pending = in_states(RunMove.ADMIT.sources)
    rows = move_and_tell(
        db,
        conn,
        "UPDATE runs SET state = 'queued', ready = false, waiting_run = NULL, "
        "queued_at = {now}, next_publish_at = {now} + :again, publish_count = 1, "
        f"message_id = a.message_id, message_size = a.message_size{takes} "
        f"FROM {db.records('a', shape)} "
        f"WHERE runs.id = a.id AND {db.checked('runs.' + pending)} AND runs.ready "
        f"RETURNING {RUN_ROW}",
        {"again": publish_again_us, "a": to_json(records)},
        source=RunState.PENDING,
        target=RunMove.ADMIT.target,
    )
    return {row.id for row in rows}


def mark_published_again(
    db: Database, conn: Connection, *, limit: int, again_us: int, hurry_after_us: int | None = None
) -> Sequence[Row[Any]]:
    """Move the next publish time of due queued runs on, doubling up to 10 minutes.

    Args:
        hurry_after_us: When given, also take runs not due yet that were queued this long ago
            and published once: the broker's queue was seen empty.

    Returns:
        Rows of id, message_id, message_size, queue, pipeline_id, priority: what to send after
        the commit.
    """
    due = "next_publish_at <= {now}"
    if hurry_after_us is not None:
        due = f"({due} OR (publish_count = 1 AND queued_at <= {{now}} - :hurry))"
    return conn.execute(
        db.sql(
            f"WITH chosen AS MATERIALIZED (SELECT id FROM runs WHERE state = 'queued' AND {due} "
            f"ORDER BY next_publish_at LIMIT :limit{db.skip_locked}) "
            "UPDATE runs SET publish_count = publish_count + 1, next_publish_at = {now} + "
            "CASE WHEN publish_count > 4 THEN 600000000 ELSE :again * (1 << publish_count) END "
            "WHERE id IN (SELECT id FROM chosen) AND state = 'queued' "
            "RETURNING id, message_id, message_size, queue, pipeline_id, coalesce((SELECT "
            "b.priority FROM backfills b WHERE b.id = runs.backfill_id), -sort) AS priority"
        ),
        {"again": again_us, "limit": limit}
        | ({} if hurry_after_us is None else {"hurry": hurry_after_us}),
    ).all()


def publish_soon(db: Database, conn: Connection, message_ids: Sequence[str], in_us: int) -> None:
    """Bring the next publish time of messages forward: sending them failed."""
    conn.execute(
        db.sql(
            "UPDATE runs SET next_publish_at = {now} + :soon "
            f"FROM {db.records('m', {'message_id': 'text'})} "
            "WHERE runs.message_id = m.message_id AND runs.state = 'queued'"
        ),
        {"soon": in_us, "m": to_json([{"message_id": m} for m in message_ids])},
    )


def recall(db: Database, conn: Connection, backfill_id: int) -> int:
    """RECALL: the queued runs of a backfill -> pending, their holds freed. Return how many."""
    return _recall(db, conn, "backfill_id = :backfill", {"backfill": backfill_id})


def recall_runs(db: Database, conn: Connection, run_ids: Sequence[int]) -> int:
    """RECALL the queued ones among these runs. Return how many."""
    return _recall(db, conn, db.one_of("id", "ids"), {"ids": db.ints(run_ids)})


def _recall(db: Database, conn: Connection, where: str, params: dict[str, Any]) -> int:
    rows = conn.execute(
        db.sql(
            "UPDATE runs SET state = 'pending', ready = true, next_publish_at = NULL, "
            "message_id = NULL, queued_at = NULL "
            f"WHERE {where} AND {in_states(RunMove.RECALL.sources)} RETURNING {ROW}"
        ),
        params,
    ).all()
    free_holds(db, conn, [row.id for row in rows])
    moved = Moved()
    for row in rows:
        moved.run(row, RunState.QUEUED, RunState.PENDING)
    tell(db, conn, moved)
    return len(rows)


def wake_due(db: Database, conn: Connection, limit: int) -> int:
    """Make parked pending runs ready whose time has come. Return how many."""
    woken = conn.execute(
        db.sql(
            "WITH chosen AS MATERIALIZED (SELECT id FROM runs WHERE state = 'pending' "
            "AND NOT ready AND available_at <= {now} ORDER BY available_at "
            f"LIMIT :limit{db.skip_locked}) "
            "UPDATE runs SET ready = true, waiting_run = NULL "
            "WHERE id IN (SELECT id FROM chosen) AND state = 'pending' RETURNING id"
        ),
        {"limit": limit},
    ).all()
    return len(woken)


def wake_waiting(db: Database, conn: Connection, finished: Sequence[int]) -> int:
    """Make runs ready that were parked behind the holds of `finished` runs."""
    pending = in_states([RunState.PENDING])
    result = conn.execute(
        db.sql(
            "UPDATE runs SET ready = true, waiting_run = NULL "
            f"WHERE {db.one_of('waiting_run', 'ids')} AND {db.checked(pending)}"
        ),
        {"ids": db.ints(finished)},
    )
    return int(result.rowcount)


def park_behind(
    db: Database, conn: Connection, blocked: Sequence[tuple[int, int]], *, check_again_us: int
) -> None:
    """Park ready runs behind the runs that hold their partitions: (run, holder) pairs."""
    shape = {"id": "bigint", "holder": "bigint"}
    conn.execute(
        db.sql(
            "UPDATE runs SET ready = false, waiting_run = b.holder, "
            "available_at = {now} + :again "
            f"FROM {db.records('b', shape)} "
            "WHERE runs.id = b.id AND runs.state = 'pending' AND runs.ready"
        ),
        {
            "again": check_again_us,
            "b": to_json([{"id": run, "holder": holder} for run, holder in blocked]),
        },
    )


def free_holds(db: Database, conn: Connection, run_ids: Sequence[int]) -> None:
    """Free the partition holds of runs that are final or were recalled."""
    batch = Batch(db, conn)
    add_freed_holds(batch, run_ids)
    batch.run()


def add_freed_holds(batch: Batch, run_ids: Sequence[int]) -> None:
    """Free holds together with the other writes of a batch."""
    if run_ids:
        batch.add(
            f"DELETE FROM partition_holds WHERE {batch.db.one_of('run_id', 'freed')}",
            {"freed": batch.db.ints(run_ids)},
        )
