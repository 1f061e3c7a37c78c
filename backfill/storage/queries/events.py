"""Events: what operators did and must know, newest first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row

from backfill.storage.database import Database, decoded
from backfill.storage.queries.paging import Page, Where, read_page


@dataclass(frozen=True)
class EventView:
    """One event."""

    id: int
    at: int
    kind: str
    message: str
    backfill_id: int | None
    run_id: int | None
    actor: str | None
    facts: Mapping[str, Any]


def list_events(
    db: Database,
    conn: Connection,
    *,
    limit: int,
    backfill_id: int | None = None,
    run_id: int | None = None,
    before: int | None = None,
) -> Page[EventView]:
    """Return events, newest first, of a backfill or a run if given."""
    where = Where()
    if backfill_id is not None:
        where.add("backfill_id = :backfill", backfill=backfill_id)
    if run_id is not None:
        where.add("run_id = :run", run=run_id)
    if before is not None:
        where.add("id < :before", before=before)
    statement = f"SELECT * FROM events WHERE {where} ORDER BY id DESC"
    return read_page(db, conn, statement, where.params, _view, limit=limit)


def _view(row: Row[Any]) -> EventView:
    return EventView(
        id=row.id,
        at=row.at,
        kind=row.kind,
        message=row.message,
        backfill_id=row.backfill_id,
        run_id=row.run_id,
        actor=row.actor,
        facts=decoded(row.facts) or {},
    )
