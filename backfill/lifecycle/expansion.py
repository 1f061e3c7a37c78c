"""Expansion: a backfill's frozen key ranges made into runs, chunk by chunk, resumable anywhere.

The cursor moves in the transaction that makes the runs, under the backfill's row lock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row

from backfill.definitions.calls import Definitions, ExpandedPartition, Expansion, KeyRange
from backfill.lifecycle import moves
from backfill.lifecycle.submitting import QUEUE_TAG
from backfill.lifecycle.telling import note_event
from backfill.states import BackfillMove
from backfill.storage.database import Database


def expandable(db: Database, conn: Connection) -> list[int]:
    """Return the backfills that still have partitions to expand, oldest first."""
    rows = conn.execute(
        db.sql(
            "SELECT id FROM backfills WHERE state IN ('requested', 'running', 'paused') "
            "AND expanded_at IS NULL ORDER BY priority DESC, id"
        )
    )
    return [row.id for row in rows]


def expand_chunk(
    db: Database, definitions: Definitions, backfill_id: int, *, limit: int
) -> int | None:
    """Make the next runs of a backfill; return how many, or None when it needs no expansion.

    The keys are asked of the user's code before the transaction, which then checks under the row
    lock that the cursor still stands where they were asked for.
    """
    with db.read() as conn:
        found = _expanding(db, conn, backfill_id, lock=False)
        if found is None:
            return None
        names = _names(db, conn, found)
        ranges = _ranges_from(db, conn, found, limit)
    at = datetime.fromtimestamp(found.selected_at / 1e6, UTC)
    wanted = min(limit, found.total - found.expanded)
    skip, key_ranges = _slice(found, ranges, wanted)
    chunk = _expand(definitions, names.set, key_ranges, skip, wanted, at)
    new = [
        moves.NewRun(
            partition=p.key,
            sort=_sort(found, n),
            tags=dict(p.tags) if p.tags else None,
            queue=p.tags.get(QUEUE_TAG) if p.tags else None,
        )
        for n, p in enumerate(_ordered(found, chunk.partitions), start=found.expanded)
    ]
    made = db.transact(
        lambda conn: _write_chunk(db, conn, found, new, wanted, list(chunk.vanished))
    )
    db.notify()
    return made


def _expand(
    definitions: Definitions,
    set_name: str,
    key_ranges: Sequence[KeyRange],
    skip: int,
    wanted: int,
    at: datetime,
) -> Expansion:
    """Ask for a whole chunk; a slow tags function answers it in pieces."""
    partitions: list[ExpandedPartition] = []
    vanished: list[str] = []
    offset, stop = skip, skip + wanted
    while True:
        piece = definitions.expand(set_name, key_ranges, offset=offset, limit=stop - offset, at=at)
        partitions += piece.partitions
        vanished += piece.vanished
        if piece.next_offset >= stop or piece.next_offset <= offset:
            return Expansion(partitions, piece.next_offset, vanished, piece.drifted)
        offset = piece.next_offset


def _ordered(backfill: Row[Any], partitions: Sequence[Any]) -> Sequence[Any]:
    return list(reversed(partitions)) if backfill.ordering == "newest" else partitions


def _sort(backfill: Row[Any], n: int) -> int:
    """Return a run's place in the set's order; newest first is expanded from the end."""
    return backfill.total - 1 - n if backfill.ordering == "newest" else n


def _expanding(db: Database, conn: Connection, backfill_id: int, *, lock: bool) -> Row[Any] | None:
    return conn.execute(
        db.sql(
            "SELECT id, state, set_id, pipeline_id, total, expanded, selected_at, generation, "
            "max_failures, queue, ordering FROM backfills "
            "WHERE id = :id AND expanded_at IS NULL AND state IN ('requested', 'running', "
            "'paused')" + (db.for_update if lock else "")
        ),
        {"id": backfill_id},
    ).first()


@dataclass(frozen=True)
class _Names:
    set: str
    pipeline: str


def _names(db: Database, conn: Connection, backfill: Row[Any]) -> _Names:
    row = conn.execute(
        db.sql(
            "SELECT s.name AS set_name, p.name AS pipeline_name FROM partition_sets s, pipelines p "
            "WHERE s.id = :set AND p.id = :pipeline"
        ),
        {"set": backfill.set_id, "pipeline": backfill.pipeline_id},
    ).one()
    return _Names(row.set_name, row.pipeline_name)


def _span(backfill: Row[Any], wanted: int) -> tuple[int, int]:
    """Return the [start, stop) of the next chunk, counted over the backfill's ranges."""
    if backfill.ordering == "newest":
        stop = backfill.total - backfill.expanded
        return stop - wanted, stop
    return backfill.expanded, backfill.expanded + wanted


def _ranges_from(
    db: Database, conn: Connection, backfill: Row[Any], limit: int
) -> Sequence[Row[Any]]:
    """Read the ranges that the next chunk touches."""
    start, stop = _span(backfill, min(limit, backfill.total - backfill.expanded))
    return conn.execute(
        db.sql(
            'SELECT first_index, first_key, last_key, "count" AS size FROM backfill_ranges '
            'WHERE backfill_id = :id AND first_index < :stop AND first_index + "count" > :start '
            "ORDER BY first_index"
        ),
        {"id": backfill.id, "start": start, "stop": stop},
    ).all()


def _slice(
    backfill: Row[Any], ranges: Sequence[Row[Any]], wanted: int
) -> tuple[int, list[KeyRange]]:
    start, _ = _span(backfill, wanted)
    skip = start - ranges[0].first_index if ranges else 0
    return skip, [KeyRange(r.first_key, r.last_key, r.size) for r in ranges]


def _write_chunk(
    db: Database,
    conn: Connection,
    seen: Row[Any],
    new: Sequence[moves.NewRun],
    covered: int,
    vanished: Sequence[str],
) -> int | None:
    locked = _expanding(db, conn, seen.id, lock=True)
    if locked is None or locked.expanded != seen.expanded:
        return None
    now = db.clock(conn)
    if new:
        moves.create_backfill_runs(db, conn, locked, new, now)
    done = locked.expanded + covered >= locked.total
    conn.execute(
        db.sql(
            "UPDATE backfills SET expanded = expanded + :covered, vanished = vanished + :gone, "
            f"expanded_at = {'{now}' if done else 'NULL'} WHERE id = :id"
        ),
        {"covered": covered, "gone": max(0, covered - len(new)), "id": seen.id},
    )
    if vanished:
        note_event(
            db,
            conn,
            kind="backfill.drift",
            message=f"{len(vanished)} partitions left the set before they were expanded",
            backfill_id=seen.id,
            facts={"partitions": list(vanished)[:100]},
        )
    moves.move_backfill(db, conn, seen.id, BackfillMove.START)
    return len(new)
