"""Steering: the moves of backfills."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from backfill.definitions.text import storable
from backfill.lifecycle.moves.feed import Moved, tell
from backfill.lifecycle.outbox import event_of, tell_hooks
from backfill.states import BackfillMove
from backfill.storage.database import Database, to_json


def move_backfill(
    db: Database,
    conn: Connection,
    backfill_id: int,
    move: BackfillMove,
    *,
    pause_reason: str | None = None,
    pause_facts: Mapping[str, Any] | None = None,
) -> bool:
    """Do one named move of a backfill; return whether it was in a state that allows it."""
    sources = ", ".join(f"'{s.value}'" for s in sorted(move.sources))
    finished = "{now}" if move.name.startswith("SETTLE") else "NULL"
    goes = move in (BackfillMove.START, BackfillMove.RESUME)
    started = ", started_at = coalesce(started_at, {now})" if goes else ""
    as_json = "CAST(:facts AS json)" if db.postgres else ":facts"
    first_start = move is BackfillMove.RESUME and _never_started(db, conn, backfill_id)
    row = conn.execute(
        db.sql(
            f"UPDATE backfills SET state = :target, pause_reason = :reason, "
            f"pause_facts = {as_json}, "
            f"finished_at = {finished}{started} "
            f"WHERE id = :id AND state IN ({sources}) RETURNING id"
        ),
        {
            "target": move.target.value,
            "reason": None if pause_reason is None else storable(pause_reason),
            "facts": None if pause_facts is None else to_json(pause_facts),
            "id": backfill_id,
        },
    ).first()
    if row is None:
        return False
    moved = Moved()
    moved.backfills.append([backfill_id, move.target.value])
    tell(db, conn, moved)
    event = event_of(move, pause_facts, first_start=first_start)
    if event is not None:
        tell_hooks(db, conn, backfill_id, event)
    return True


def _never_started(db: Database, conn: Connection, backfill_id: int) -> bool:
    return bool(
        conn.execute(
            db.sql("SELECT started_at IS NULL FROM backfills WHERE id = :id"), {"id": backfill_id}
        ).scalar()
    )
