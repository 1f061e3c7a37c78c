"""Keys of dynamic partitions, by the name of their definition, in the order they were added."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from backfill.storage.database import Database
from backfill.storage.queries.paging import Page, read_page


@dataclass(frozen=True)
class DynamicView:
    """One key as it is shown; `id` tells the place in the order."""

    id: int
    key: str
    added_at: int
    added_by: str | None


def all_keys(db: Database, conn: Connection, definition: str) -> list[str]:
    """Return every key of a definition."""
    rows = conn.execute(
        db.sql("SELECT key FROM dynamic_partitions WHERE definition = :name ORDER BY id"),
        {"name": definition},
    )
    return [row.key for row in rows]


def keys_among(
    db: Database, conn: Connection, definition: str, candidates: Sequence[str]
) -> list[str]:
    """Return which of some keys a definition has."""
    rows = conn.execute(
        db.sql(
            "SELECT key FROM dynamic_partitions WHERE definition = :name "
            f"AND {db.one_of_texts('key', 'keys')} ORDER BY id"
        ),
        {"name": definition, "keys": db.texts(candidates)},
    )
    return [row.key for row in rows]


def list_keys(
    db: Database, conn: Connection, definition: str, *, limit: int, after: int | None = None
) -> Page[DynamicView]:
    """Return keys in the order they were added; `after` is the id of the last one already seen."""
    beyond = " AND id > :after" if after is not None else ""
    return read_page(
        db,
        conn,
        "SELECT id, key, added_at, added_by FROM dynamic_partitions "
        f"WHERE definition = :name{beyond} ORDER BY id",
        {"name": definition} | ({} if after is None else {"after": after}),
        lambda row: DynamicView(row.id, row.key, row.added_at, row.added_by),
        limit=limit,
    )
