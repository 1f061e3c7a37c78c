"""Blocks: which partitions nothing runs, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row

from backfill.storage.database import Database
from backfill.storage.queries.paging import Page, Where, read_page


@dataclass(frozen=True)
class BlockView:
    """One block.

    Attributes:
        selection: What was blocked, as it was asked for.
        count: How many partitions are still blocked by it.
    """

    id: int
    partition_set: str
    selection: str
    reason: str
    count: int
    created_at: int
    created_by: str | None


def blocked_keys(db: Database, conn: Connection, set_name: str) -> list[str]:
    """Return the blocked partitions of a set, in the order of their text."""
    rows = conn.execute(
        db.sql(
            "SELECT partition FROM blocked_partitions "
            "WHERE set_id = (SELECT id FROM partition_sets WHERE name = :set)"
        ),
        {"set": set_name},
    )
    return sorted(rows.scalars())


def blocks_of(db: Database, conn: Connection, set_name: str, keys: Sequence[str]) -> dict[str, str]:
    """Return why each of these partitions is blocked; the others are left out."""
    rows = conn.execute(
        db.sql(
            "SELECT b.partition, k.reason FROM blocked_partitions b "
            "JOIN blocks k ON k.id = b.block_id "
            "WHERE b.set_id = (SELECT id FROM partition_sets WHERE name = :set) "
            f"AND {db.one_of_texts('b.partition', 'keys')}"
        ),
        {"set": set_name, "keys": db.texts(keys)},
    )
    return {row.partition: row.reason for row in rows}


def list_blocks(
    db: Database,
    conn: Connection,
    *,
    set_name: str | None = None,
    block_id: int | None = None,
    limit: int,
    before: int | None = None,
) -> Page[BlockView]:
    """Return blocks, newest first; `before` is the id of the last one already seen."""
    where = Where()
    where.named("k.set_id", "partition_sets", set_name, "set")
    if block_id is not None:
        where.add("k.id = :block", block=block_id)
    if before is not None:
        where.add("k.id < :before", before=before)
    statement = (
        "SELECT k.*, s.name AS set_name, (SELECT count(*) FROM blocked_partitions b "
        "WHERE b.block_id = k.id) AS n FROM blocks k JOIN partition_sets s ON s.id = k.set_id "
        f"WHERE {where} ORDER BY k.id DESC"
    )
    return read_page(db, conn, statement, where.params, _view, limit=limit)


def _view(row: Row[Any]) -> BlockView:
    return BlockView(
        id=row.id,
        partition_set=row.set_name,
        selection=row.selection,
        reason=row.reason,
        count=row.n,
        created_at=row.created_at,
        created_by=row.created_by,
    )
