"""Claiming: a worker's lease on runs, taken, found again and renewed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row

from backfill.lifecycle.moves.feed import ROW, in_states, move_and_tell
from backfill.states import RunMove, RunState
from backfill.storage.database import Database

_CLAIMED = (
    f"{ROW}, pipeline_id, tags, run_config, steps, parent_id, mode, timeout_seconds, failures, "
    "started_at, span, sort, generation, {now} AS at"
)


def claim(
    db: Database,
    conn: Connection,
    run_ids: Sequence[int],
    *,
    worker_id: int,
    token: int,
    lease_us: int,
) -> Sequence[Row[Any]]:
    """CLAIM: queued -> running under a fresh lease token. Only this raises `attempt`.

    A message that was packed and comes late may find its runs marked to travel alone: they share
    this lease all the same, and `message_size` must say so, or a crash would be charged to each.

    Returns:
        A row per claimed run, in id order, with `at`, the database's time of the claim.
    """
    rows = move_and_tell(
        db,
        conn,
        "UPDATE runs SET state = 'running', attempt = attempt + 1, token = :token, "
        "worker_id = :worker, lease_expires_at = {now} + :lease, next_publish_at = NULL, "
        "started_at = {now}, "
        "message_size = CASE WHEN message_size < :together THEN :together ELSE message_size END "
        f"WHERE {db.one_of('id', 'ids')} AND {db.checked(in_states(RunMove.CLAIM.sources))} "
        f"RETURNING {_CLAIMED}",
        {
            "token": token,
            "worker": worker_id,
            "lease": lease_us,
            "ids": db.ints(run_ids),
            "together": len(run_ids),
        },
        source=RunState.QUEUED,
        target=RunMove.CLAIM.target,
    )
    return sorted(rows, key=lambda row: int(row.id))


def claimed_already(
    db: Database, conn: Connection, run_ids: Sequence[int], token: int
) -> Sequence[Row[Any]]:
    """Return the runs this token holds: the answer to a claim whose reply was lost."""
    running = in_states([RunState.RUNNING])
    return conn.execute(
        db.sql(
            f"SELECT {_CLAIMED} FROM runs WHERE {db.one_of('id', 'ids')} AND token = :token "
            f"AND {db.checked(running)} ORDER BY id"
        ),
        {"ids": db.ints(run_ids), "token": token},
    ).all()


def renew(
    db: Database, conn: Connection, tokens: Sequence[int], lease_us: int
) -> Sequence[Row[Any]]:
    """Extend the leases held by `tokens`; return rows of id, token, cancel_requested_at.

    Rows are locked in the order of their ids, as recording does, so that neither waits for the
    other in a circle.
    """
    held = f"state = 'running' AND {db.one_of('token', 'tokens')}"
    return conn.execute(
        db.sql(
            "WITH held AS MATERIALIZED ("
            f"SELECT id FROM runs WHERE {held} ORDER BY id{db.for_update}) "
            "UPDATE runs SET lease_expires_at = {now} + :lease "
            f"WHERE id IN (SELECT id FROM held) AND {held} "
            "RETURNING id, token, cancel_requested_at"
        ),
        {"lease": lease_us, "tokens": db.ints(tokens)},
    ).all()
