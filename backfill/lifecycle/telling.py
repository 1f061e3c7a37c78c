"""Events: what an operator did or must know, kept for ever; ordinary moves are times on rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from backfill.definitions.text import storable
from backfill.storage.database import Database, to_json


def note_event(
    db: Database,
    conn: Connection,
    *,
    kind: str,
    message: str,
    backfill_id: int | None = None,
    run_id: int | None = None,
    actor: str | None = None,
    facts: Mapping[str, Any] | None = None,
) -> None:
    """Keep one event with the transaction that made it."""
    as_json = "CAST(:facts AS json)" if db.postgres else ":facts"
    conn.execute(
        db.sql(
            "INSERT INTO events (at, kind, message, backfill_id, run_id, actor, facts) "
            f"VALUES ({{now}}, :kind, :message, :backfill, :run, :actor, {as_json})"
        ),
        {
            "kind": kind,
            "message": storable(message),
            "backfill": backfill_id,
            "run": run_id,
            "actor": None if actor is None else storable(actor),
            "facts": to_json(facts) if facts is not None else None,
        },
    )
