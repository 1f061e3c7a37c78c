"""Steering: the moves of backfills."""

from __future__ import annotations

from sqlalchemy import Connection

from backfill.definitions.text import storable
from backfill.lifecycle.moves.feed import Moved, tell
from backfill.states import BackfillMove
from backfill.storage.database import Database


def move_backfill(
    db: Database,
    conn: Connection,
    backfill_id: int,
    move: BackfillMove,
    *,
    pause_reason: str | None = None,
) -> bool:
    """Do one named move of a backfill; return whether it was in a state that allows it."""
    sources = ", ".join(f"'{s.value}'" for s in sorted(move.sources))
    finished = "{now}" if move.name.startswith("SETTLE") else "NULL"
    goes = move in (BackfillMove.START, BackfillMove.RESUME)
    started = ", started_at = coalesce(started_at, {now})" if goes else ""
    row = conn.execute(
        db.sql(
            f"UPDATE backfills SET state = :target, pause_reason = :reason, "
            f"finished_at = {finished}{started} "
            f"WHERE id = :id AND state IN ({sources}) RETURNING id"
        ),
        {
            "target": move.target.value,
            "reason": None if pause_reason is None else storable(pause_reason),
            "id": backfill_id,
        },
    ).first()
    if row is None:
        return False
    moved = Moved()
    moved.backfills.append([backfill_id, move.target.value])
    tell(db, conn, moved)
    return True
