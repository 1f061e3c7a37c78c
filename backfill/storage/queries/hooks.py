"""Webhooks and deliveries, as they are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Connection, Row

from backfill.storage.database import Database, decoded
from backfill.storage.queries.paging import Page, Where, read_page


@dataclass(frozen=True)
class WebhookView:
    """A webhook; of its URL, which may hold a secret, only the host."""

    id: int
    name: str
    host: str
    format: str
    events: Sequence[str]
    partition_set: str | None
    backfill_id: int | None
    created_at: int
    created_by: str | None


@dataclass(frozen=True)
class DeliveryView:
    """One telling of an event.

    Attributes:
        standing: `delivered`, `given_up`, `retrying` or `due`.
    """

    id: int
    key: str
    backfill_id: int
    event: str
    kind: str
    hook: str
    standing: str
    tries: int
    created_at: int
    next_try_at: int | None
    delivered_at: int | None
    given_up_at: int | None
    status: int | None
    error: str | None


_STANDINGS = {
    "delivered": "delivered_at IS NOT NULL",
    "given_up": "given_up_at IS NOT NULL",
    "retrying": "next_try_at IS NOT NULL AND tries > 0",
    "due": "next_try_at IS NOT NULL AND tries = 0",
}


def list_webhooks(db: Database, conn: Connection) -> list[WebhookView]:
    """Return every webhook, by name."""
    rows = conn.execute(db.sql("SELECT * FROM webhooks ORDER BY name"))
    return [
        WebhookView(
            id=row.id,
            name=row.name,
            host=urlsplit(row.url).hostname or "",
            format=row.format,
            events=decoded(row.events),
            partition_set=row.partition_set,
            backfill_id=row.backfill_id,
            created_at=row.created_at,
            created_by=row.created_by,
        )
        for row in rows
    ]


def list_deliveries(
    db: Database,
    conn: Connection,
    *,
    limit: int,
    backfill_id: int | None = None,
    standing: str | None = None,
    before: int | None = None,
) -> Page[DeliveryView]:
    """Return deliveries, newest first."""
    where = Where()
    if backfill_id is not None:
        where.add("backfill_id = :backfill", backfill=backfill_id)
    if standing is not None:
        where.add(_STANDINGS[standing])
    if before is not None:
        where.add("id < :before", before=before)
    statement = f"SELECT * FROM deliveries WHERE {where} ORDER BY id DESC"
    return read_page(db, conn, statement, where.params, _view, limit=limit)


def get_delivery(db: Database, conn: Connection, delivery_id: int) -> DeliveryView | None:
    """Return a delivery, or None."""
    row = conn.execute(
        db.sql("SELECT * FROM deliveries WHERE id = :id"), {"id": delivery_id}
    ).first()
    return None if row is None else _view(row)


def _view(row: Row[Any]) -> DeliveryView:
    return DeliveryView(
        id=row.id,
        key=row.key,
        backfill_id=row.backfill_id,
        event=row.event,
        kind=row.kind,
        hook=row.hook,
        standing=_standing(row),
        tries=row.tries,
        created_at=row.created_at,
        next_try_at=row.next_try_at,
        delivered_at=row.delivered_at,
        given_up_at=row.given_up_at,
        status=row.status,
        error=row.error,
    )


def _standing(row: Row[Any]) -> str:
    if row.delivered_at is not None:
        return "delivered"
    if row.given_up_at is not None:
        return "given_up"
    return "retrying" if row.tries else "due"
