"""Blocks: partitions that nothing runs until an operator unblocks them.

Submits, launches and ticks leave them out; a run that was made before is skipped where admission
takes the hold of its partition, in the same statement, so none slips through. What is queued or
running already finishes.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from backfill.definitions.calls import Definitions
from backfill.definitions.text import storable
from backfill.errors import Conflict, Invalid, NotFound
from backfill.lifecycle.names import set_id
from backfill.lifecycle.naming import chunks, named, tell_touched
from backfill.lifecycle.telling import note_event
from backfill.storage.database import Database, to_json
from backfill.storage.queries.blocks import BlockView, blocks_of, list_blocks

SHOWN = 3


def block(
    db: Database,
    definitions: Definitions,
    set_name: str,
    selection: str,
    *,
    reason: str,
    at: datetime,
    actor: str | None = None,
) -> BlockView:
    """Block partitions with a reason; one that is blocked already gets the new reason.

    Raises:
        NotFound: No such partition set.
        SelectionInvalid: It cannot be read, names unknown keys, or selects none or too many.
        Invalid: There is no reason.
    """
    if not reason.strip():
        raise Invalid("Say why: a block needs a reason, which is shown wherever it holds.")
    chosen = named(db, definitions, set_name, selection, at=at)

    def work(conn: Connection) -> BlockView:
        of = set_id(db, conn, set_name)
        made = conn.execute(
            db.sql(
                "INSERT INTO blocks (set_id, selection, reason, created_at, created_by) "
                "VALUES (:set, :selection, :reason, {now}, :actor) RETURNING id"
            ),
            {
                "set": of,
                "selection": storable(selection),
                "reason": storable(reason),
                "actor": actor,
            },
        ).scalar_one()
        for chunk in chunks(sorted(chosen.keys)):
            _write(db, conn, of, made, chunk)
        _forget_empty(db, conn, of)
        _note(db, conn, set_name, "blocked", selection, len(chosen.keys), reason, actor)
        tell_touched(db, conn, of, chosen.ranges)
        return list_blocks(db, conn, block_id=made, limit=1).items[0]

    blocked = db.transact(work)
    db.notify()
    return blocked


def unblock(
    db: Database,
    definitions: Definitions,
    set_name: str,
    selection: str,
    *,
    at: datetime,
    note: str | None = None,
    actor: str | None = None,
) -> int:
    """Let partitions run again; those that are not blocked are passed over. Return how many were.

    Raises:
        NotFound: No such partition set.
        SelectionInvalid: It cannot be read, names unknown keys, or selects none or too many.
    """
    chosen = named(db, definitions, set_name, selection, at=at)

    def work(conn: Connection) -> int:
        of = set_id(db, conn, set_name)
        freed = sum(_remove(db, conn, of, chunk) for chunk in chunks(chosen.keys))
        _forget_empty(db, conn, of)
        if freed:
            _note(db, conn, set_name, "unblocked", selection, freed, note, actor)
            tell_touched(db, conn, of, chosen.ranges)
        return freed

    freed = db.transact(work)
    db.notify()
    return freed


def unblock_all(
    db: Database,
    block_id: int,
    *,
    set_name: str,
    note: str | None = None,
    actor: str | None = None,
) -> int:
    """Take one block back, also of partitions that have left their set. Return how many it had.

    Raises:
        NotFound: There is no such block (any more).
    """

    def work(conn: Connection) -> int:
        found = list_blocks(db, conn, block_id=block_id, limit=1).items
        if not found or found[0].partition_set != set_name:
            raise NotFound(
                f'No block {block_id} of set "{set_name}". `backfill blocks` shows those there are.'
            )
        view = found[0]
        rows = conn.execute(
            db.sql("DELETE FROM blocked_partitions WHERE block_id = :id RETURNING partition"),
            {"id": block_id},
        ).all()
        conn.execute(db.sql("DELETE FROM blocks WHERE id = :id"), {"id": block_id})
        keys = [row.partition for row in rows]
        _note(db, conn, view.partition_set, "unblocked", view.selection, len(keys), note, actor)
        if keys:
            of = set_id(db, conn, view.partition_set)
            tell_touched(db, conn, of, [(key, key) for key in keys])
        return len(keys)

    freed = db.transact(work)
    db.notify()
    return freed


def refuse_blocked(db: Database, set_name: str, keys: Sequence[str]) -> None:
    """Raise Conflict when one of these partitions is blocked; says which and why."""
    with db.read() as conn:
        found = blocks_of(db, conn, set_name, keys)
    if found:
        told = ", ".join(f'"{key}" ({why})' for key, why in list(found.items())[:SHOWN])
        raise Conflict(
            f"Blocked: {told}. Unblock it first: backfill unblock {set_name} --partitions KEY.",
            blocked=dict(list(found.items())[:100]),
        )


def _write(db: Database, conn: Connection, of: int, block_id: int, keys: Sequence[str]) -> None:
    conn.execute(
        db.sql(
            "INSERT INTO blocked_partitions (set_id, partition, block_id) "
            f"SELECT :set, k.key, :block FROM {db.records('k', {'key': 'text'})} WHERE true "
            "ON CONFLICT (set_id, partition) DO UPDATE SET block_id = excluded.block_id"
        ),
        {"set": of, "block": block_id, "k": to_json([{"key": key} for key in keys])},
    )


def _remove(db: Database, conn: Connection, of: int, keys: Sequence[str]) -> int:
    result = conn.execute(
        db.sql(
            "DELETE FROM blocked_partitions WHERE set_id = :set "
            f"AND {db.one_of_texts('partition', 'keys')}"
        ),
        {"set": of, "keys": db.texts(keys)},
    )
    return int(result.rowcount)


def _forget_empty(db: Database, conn: Connection, of: int) -> None:
    conn.execute(
        db.sql(
            "DELETE FROM blocks WHERE set_id = :set AND NOT EXISTS "
            "(SELECT 1 FROM blocked_partitions b WHERE b.block_id = blocks.id)"
        ),
        {"set": of},
    )


def _note(
    db: Database,
    conn: Connection,
    set_name: str,
    verb: str,
    selection: str,
    count: int,
    why: str | None,
    actor: str | None,
) -> None:
    told = f": {why}" if why else ""
    note_event(
        db,
        conn,
        kind=f"partitions.{verb}",
        message=f"{count:,} partitions of {set_name} {verb}{told}",
        actor=actor,
        facts={"partition_set": set_name, "selection": selection, "count": count},
    )
