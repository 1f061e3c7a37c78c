"""Canceling: what no worker has is canceled at once, what runs is told."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from backfill.lifecycle.moves.feed import ROW, Moved, tell
from backfill.lifecycle.moves.queueing import free_holds
from backfill.lifecycle.moves.steps import close_waiting, cut
from backfill.states import RunMove, RunState, StepState
from backfill.storage.database import Database


def cancel_queued(
    db: Database, conn: Connection, *, where: str, params: dict[str, Any], reason: str
) -> list[int]:
    """CANCEL the queued runs `where` names, their holds freed. Return their ids."""
    return _cancel(db, conn, RunState.QUEUED, where=where, params=params, reason=reason)


def cancel_pending(
    db: Database, conn: Connection, *, where: str, params: dict[str, Any], reason: str, limit: int
) -> list[int]:
    """CANCEL at most `limit` pending runs `where` names. Return their ids."""
    choosing = (
        f"WITH chosen AS MATERIALIZED (SELECT id FROM runs WHERE state = 'pending' AND {where} "
        f"ORDER BY id LIMIT :limit{db.skip_locked}) "
    )
    return _cancel(
        db,
        conn,
        RunState.PENDING,
        choosing=choosing,
        where="id IN (SELECT id FROM chosen)",
        params={**params, "limit": limit},
        reason=reason,
    )


def _cancel(
    db: Database,
    conn: Connection,
    source: RunState,
    *,
    choosing: str = "",
    where: str,
    params: dict[str, Any],
    reason: str,
) -> list[int]:
    assert source in RunMove.CANCEL.sources
    rows = conn.execute(
        db.sql(
            f"{choosing}UPDATE runs SET state = 'canceled', ready = false, waiting_run = NULL, "
            "next_publish_at = NULL, cancel_requested_at = {now}, finished_at = {now}, "
            f"reason = :reason WHERE state = '{source.value}' AND {where} RETURNING {ROW}"
        ),
        {**params, "reason": cut(reason)},
    ).all()
    ids = [row.id for row in rows]
    free_holds(db, conn, ids)
    tried = [row.id for row in rows if row.attempt]
    close_waiting(db, conn, tried, state=StepState.CANCELED)
    moved = Moved()
    for row in rows:
        moved.run(row, source, RunState.CANCELED)
    tell(db, conn, moved)
    return ids


def request_cancel(
    db: Database, conn: Connection, *, where: str, params: dict[str, Any], reason: str
) -> list[int]:
    """Ask the running runs `where` names to stop; their workers notice. Return their ids."""
    rows = conn.execute(
        db.sql(
            "UPDATE runs SET cancel_requested_at = {now}, reason = :reason "
            f"WHERE state = 'running' AND cancel_requested_at IS NULL AND {where} RETURNING id"
        ),
        {**params, "reason": cut(reason)},
    ).all()
    return [row.id for row in rows]
