"""Time limits of backfills; those of runs are kept by their workers.

The deadline of a backfill is a moment on its row. When it has passed, the coordinator cancels or
pauses what is left of it, with the reason; one that is resumed afterwards has no deadline any more.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row

from backfill.errors import Conflict
from backfill.lifecycle import backfills
from backfill.storage.database import Database


def overdue(db: Database, conn: Connection) -> list[Row[Any]]:
    """Return the open backfills whose time is over: id, on_timeout, timeout_seconds."""
    return list(
        conn.execute(
            db.sql(
                "SELECT id, on_timeout, timeout_seconds FROM backfills "
                "WHERE state IN ('requested', 'running', 'paused') AND deadline_at <= {now} "
                "ORDER BY id"
            )
        )
    )


def end_overdue(db: Database, backfill: Row[Any]) -> bool:
    """Cancel or pause a backfill whose time is over; return whether it was left to do."""
    reason = f"its time is over: it took longer than its timeout of {backfill.timeout_seconds:g} s"
    try:
        if backfill.on_timeout == "pause":
            backfills.pause(db, backfill.id, reason=reason)
        else:
            backfills.cancel(db, backfill.id, reason=reason)
    except Conflict:  # it ended, or an operator was faster
        done = False
    else:
        done = True
    db.transact(
        lambda conn: conn.execute(
            db.sql(
                "UPDATE backfills SET deadline_at = NULL WHERE id = :id AND deadline_at <= {now}"
            ),
            {"id": backfill.id},
        )
    )
    return done
