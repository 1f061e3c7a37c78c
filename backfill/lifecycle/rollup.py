"""The rollup behind the matrix overview: counts by step and status for blocks of partitions.

Blocks are counted by the rules that draw a page of the matrix, so the two never disagree. The feed
says which blocks something moved in; marks and the feed's cursor are one transaction, so a crash
forgets none. A hot block is recomputed at most every few seconds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from backfill.definitions.calls import Definitions
from backfill.errors import BackfillError
from backfill.storage.database import Database, to_json
from backfill.storage.queries.counting import Counts, count_page
from backfill.storage.queries.feed import body_of
from backfill.storage.queries.overview import BLOCK, DIRECT

CURSOR = "matrix"
FEED_ROWS = 1_000
REST_US = 2_000_000  # a block is left alone this long after it was computed


# -- marking ------------------------------------------------------------------------------------


def mark(db: Database, definitions: Definitions, at: datetime) -> int:
    """Mark the blocks that the next feed rows moved something in; return how many rows."""
    with db.read() as conn:
        rows = _next_rows(db, conn)
        if not rows:
            return 0
        sets = _set_names(db, conn)
        keys, whole, ranges = _touched(rows)
        ranges += _ranges(db, conn, whole)
    dirty = {
        (set_id, block)
        for set_id, touched in keys.items()
        for block in _blocks_of(definitions, sets.get(set_id), touched, at)
    }
    for set_id, first, last in ranges:
        blocks = sorted(_blocks_of(definitions, sets.get(set_id), (first, last), at))
        dirty |= {(set_id, b) for b in range(blocks[0], blocks[-1] + 1)} if blocks else set()
    db.transact(lambda conn: _write_marks(db, conn, dirty, rows[-1]))
    return len(rows)


def _next_rows(db: Database, conn: Connection) -> Sequence[Row[Any]]:
    cursor = conn.execute(
        db.sql("SELECT xid, id FROM cursors WHERE name = :name"), {"name": CURSOR}
    ).first()
    return conn.execute(
        db.sql(
            "SELECT xid, id, body FROM feed WHERE (xid, id) > (:xid, :id) "
            f"AND {db.feed_settled} ORDER BY xid, id LIMIT :limit"
        ),
        {"xid": cursor.xid if cursor else 0, "id": cursor.id if cursor else 0, "limit": FEED_ROWS},
    ).all()


def _touched(
    rows: Iterable[Row[Any]],
) -> tuple[dict[int, set[str]], set[int], list[tuple[int, str, str]]]:
    """Return what moved: partitions by set, backfills of too much to be listed, and ranges.

    Ranges are of what operators blocked or marked: set, first and last partition.
    """
    keys: dict[int, set[str]] = defaultdict(set)
    whole: set[int] = set()
    ranges: list[tuple[int, str, str]] = []
    for row in rows:
        body = body_of(row.body)
        ranges += [(of, first, last) for of, first, last in body.get("touched") or ()]
        listed = body.get("runs") or ()
        for run in listed:
            if run[4] is not None:
                keys[run[4]].add(run[5])
        if not listed:
            whole.update(int(backfill) for backfill in body.get("counts") or ())
    return keys, whole, ranges


def _ranges(db: Database, conn: Connection, backfills: set[int]) -> list[tuple[int, str, str]]:
    """Return (set, first key, last key) of everything these backfills have."""
    if not backfills:
        return []
    rows = conn.execute(
        db.sql(
            "SELECT b.set_id, r.first_key, r.last_key FROM backfill_ranges r "
            f"JOIN backfills b ON b.id = r.backfill_id WHERE {db.one_of('b.id', 'ids')}"
        ),
        {"ids": db.ints(backfills)},
    )
    return [(row.set_id, row.first_key, row.last_key) for row in rows]


def _blocks_of(
    definitions: Definitions, set_name: str | None, keys: Iterable[str], at: datetime
) -> set[int]:
    """Return the blocks of keys; none for a small set, or one that cannot be asked."""
    if set_name is None:
        return set()
    try:
        if definitions.count(set_name, at) <= DIRECT:
            return set()
        places = definitions.index_of(set_name, list(keys), at)
    except BackfillError:
        return set()
    return {place // BLOCK for place in places if place is not None}


def _write_marks(
    db: Database, conn: Connection, dirty: set[tuple[int, int]], last: Row[Any]
) -> None:
    if dirty:
        shape = {"set_id": "bigint", "block": "bigint"}
        conn.execute(
            db.sql(
                "INSERT INTO matrix_marks (set_id, block, marked_at) "
                f"SELECT m.set_id, m.block, {{now}} FROM {db.records('m', shape)} WHERE true "
                "ON CONFLICT (set_id, block) DO UPDATE SET marked_at = excluded.marked_at"
            ),
            {"m": to_json([{"set_id": s, "block": b} for s, b in sorted(dirty)])},
        )
    conn.execute(
        db.sql(
            "INSERT INTO cursors (name, xid, id) VALUES (:name, :xid, :id) "
            "ON CONFLICT (name) DO UPDATE SET xid = excluded.xid, id = excluded.id"
        ),
        {"name": CURSOR, "xid": last.xid, "id": last.id},
    )


# -- computing ----------------------------------------------------------------------------------


def compute(db: Database, definitions: Definitions, at: datetime, *, limit: int) -> int:
    """Recompute the blocks marked longest that have rested; return how many."""
    with db.read() as conn:
        marks = conn.execute(
            db.sql(
                "SELECT m.set_id, m.block, m.marked_at, s.name, {now} AS at FROM matrix_marks m "
                "JOIN partition_sets s ON s.id = m.set_id "
                "LEFT JOIN matrix_blocks b ON b.set_id = m.set_id AND b.block = m.block "
                "WHERE b.computed_at IS NULL OR b.computed_at < {now} - :rest "
                "ORDER BY m.marked_at LIMIT :limit"
            ),
            {"rest": REST_US, "limit": limit},
        ).all()
    for found in marks:
        _compute_one(db, definitions, found, at)
    return len(marks)


def _compute_one(db: Database, definitions: Definitions, found: Row[Any], at: datetime) -> None:
    start = found.block * BLOCK
    try:
        keys = definitions.page(found.name, start, start + BLOCK, at)
        steps = steps_of(definitions, found.name)
    except BackfillError:
        keys, steps = [], []
    with db.read() as conn:
        counts = count_page(db, conn, found.name, keys, steps) if keys else {}
    db.transact(lambda conn: _write_block(db, conn, found, keys, counts))


def steps_of(definitions: Definitions, set_name: str) -> list[str]:
    """Return the steps of a set's pipeline, in graph order."""
    catalog = definitions.catalog()
    return [s.name for s in catalog.pipeline(catalog.partition_set(set_name).pipeline).steps]


def _write_block(
    db: Database,
    conn: Connection,
    found: Row[Any],
    keys: Sequence[str],
    counts: Counts,
) -> None:
    """Write what was counted, unless somebody counted later and has written already."""
    key = {"set": found.set_id, "block": found.block}
    if keys:
        as_json = "CAST(:counts AS json)" if db.postgres else ":counts"
        conn.execute(
            db.sql(
                "INSERT INTO matrix_blocks (set_id, block, first_key, counts, computed_at) "
                f"VALUES (:set, :block, :first, {as_json}, :read) "
                "ON CONFLICT (set_id, block) DO UPDATE SET first_key = excluded.first_key, "
                "counts = excluded.counts, computed_at = excluded.computed_at "
                "WHERE matrix_blocks.computed_at <= excluded.computed_at"
            ),
            {**key, "first": keys[0], "counts": to_json(counts), "read": found.at},
        )
    else:
        conn.execute(
            db.sql("DELETE FROM matrix_blocks WHERE set_id = :set AND block = :block"), key
        )
    conn.execute(
        db.sql(
            "DELETE FROM matrix_marks WHERE set_id = :set AND block = :block AND marked_at <= :at"
        ),
        {**key, "at": found.marked_at},
    )


# -- drift --------------------------------------------------------------------------------------


def mark_moved(db: Database, definitions: Definitions, at: datetime) -> int:
    """Mark blocks whose partitions stand elsewhere now, because a definition changed."""
    with db.read() as conn:
        rows = conn.execute(
            db.sql(
                "SELECT b.set_id, b.block, b.first_key, s.name FROM matrix_blocks b "
                "JOIN partition_sets s ON s.id = b.set_id ORDER BY b.set_id, b.block"
            )
        ).all()
    by_set: dict[str, list[Row[Any]]] = defaultdict(list)
    for row in rows:
        by_set[row.name].append(row)
    moved = [
        (row.set_id, row.block)
        for name, blocks in by_set.items()
        for row, place in _places(definitions, name, blocks, at)
        if place != row.block * BLOCK
    ]
    if moved:
        db.transact(lambda conn: _write_again(db, conn, moved))
    return len(moved)


def _places(
    definitions: Definitions, name: str, blocks: Sequence[Row[Any]], at: datetime
) -> Iterable[tuple[Row[Any], int | None]]:
    try:
        found = definitions.index_of(name, [row.first_key for row in blocks], at)
    except BackfillError:
        return ()
    return zip(blocks, found, strict=True)


def _write_again(db: Database, conn: Connection, moved: Sequence[tuple[int, int]]) -> None:
    conn.execute(
        db.sql(
            "INSERT INTO matrix_marks (set_id, block, marked_at) VALUES (:set, :block, {now}) "
            "ON CONFLICT (set_id, block) DO UPDATE SET marked_at = excluded.marked_at"
        ),
        [{"set": set_id, "block": block} for set_id, block in moved],
    )


def _set_names(db: Database, conn: Connection) -> dict[int, str]:
    return {row.id: row.name for row in conn.execute(db.sql("SELECT id, name FROM partition_sets"))}
