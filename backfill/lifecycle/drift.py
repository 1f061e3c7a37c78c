"""Drift: expansion of a set that changed after it was selected, by key instead of by place.

The frozen ranges are gone through from their start, and every partition found there that has no
run yet gets one, until a whole pass finds none. So nothing is left out and nothing is made twice,
whatever joined or left the set before, between or during the chunks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row

from backfill.definitions.calls import Definitions, ExpandedPartition
from backfill.lifecycle import moves
from backfill.lifecycle.canaries import uncounted
from backfill.lifecycle.frozen import Frozen, expanding, having_runs, new_run
from backfill.lifecycle.spanning import with_spans
from backfill.lifecycle.telling import note_event
from backfill.states import BackfillMove
from backfill.storage.database import Database


@dataclass(frozen=True)
class Sweep:
    """How far a pass through the ranges has come, and how many runs it has made."""

    place: int = 0
    made: int = 0


def current_sweep(backfill: Row[Any]) -> Sweep | None:
    """Return where to go on, or None for a backfill that is expanded by place."""
    return None if backfill.swept_to is None else Sweep(backfill.swept_to, backfill.swept_new)


def sweep_chunk(
    db: Database, definitions: Definitions, selected: Frozen, sweep: Sweep, *, limit: int
) -> int | None:
    """Make the runs that are missing among the next places; return how many.

    Returns:
        None when the backfill needs no expansion any more, or another coordinator was faster.
    """
    stop = min(sweep.place + limit, selected.size)
    found = selected.take(db, definitions, sweep.place, stop)
    previous = selected.previous(definitions, found.keys)
    partitions = found.partitions
    return db.transact(lambda conn: _write(db, conn, selected, sweep, stop, partitions, previous))


def _write(
    db: Database,
    conn: Connection,
    selected: Frozen,
    sweep: Sweep,
    stop: int,
    partitions: Sequence[ExpandedPartition],
    previous: Mapping[str, str],
) -> int | None:
    backfill = expanding(db, conn, selected.backfill.id, lock=db.for_update)
    if backfill is None or (current_sweep(backfill) or Sweep()) != sweep:
        return None
    existing = having_runs(db, conn, backfill, [p.key for p in partitions])
    new = [
        new_run(partition, place=place, ordering=backfill.ordering, previous=previous)
        for place, partition in enumerate(partitions, start=sweep.place)
        if partition.key not in existing
    ]
    if new:
        spanned = with_spans(db, conn, backfill, new)
        moves.create_backfill_runs(db, conn, backfill, spanned, db.clock(conn))
    expanded = backfill.expanded + len(new)
    if backfill.canary and backfill.swept_to is None:
        newest = backfill.ordering == "newest"
        expanded += uncounted(db, conn, backfill.id, upto=backfill.expanded, newest=newest)
    total = max(backfill.total, expanded)
    conn.execute(
        db.sql("UPDATE backfills SET expanded = :expanded, total = :total WHERE id = :id"),
        {"expanded": expanded, "total": total, "id": backfill.id},
    )
    made = sweep.made + len(new)
    if stop < selected.size:
        _go_on(db, conn, backfill.id, Sweep(stop, made))
    elif made:
        _go_on(db, conn, backfill.id, Sweep())
    else:
        _finish(db, conn, backfill.id, gone=total - expanded, joined=total - selected.size)
    moves.move_backfill(db, conn, backfill.id, BackfillMove.START)
    return len(new)


def _go_on(db: Database, conn: Connection, backfill_id: int, sweep: Sweep) -> None:
    conn.execute(
        db.sql("UPDATE backfills SET swept_to = :place, swept_new = :made WHERE id = :id"),
        {"place": sweep.place, "made": sweep.made, "id": backfill_id},
    )


def _finish(db: Database, conn: Connection, backfill_id: int, *, gone: int, joined: int) -> None:
    conn.execute(
        db.sql(
            "UPDATE backfills SET expanded = total, vanished = :gone, expanded_at = {now}, "
            "swept_to = NULL, swept_new = NULL WHERE id = :id"
        ),
        {"gone": gone, "id": backfill_id},
    )
    if not gone and not joined:
        return
    note_event(
        db,
        conn,
        kind="backfill.drift",
        message=f"the set changed after it was selected: {gone} partitions left the set before "
        f"they were expanded, {joined} joined the selected ranges",
        backfill_id=backfill_id,
        facts={"gone": gone, "joined": joined},
    )
