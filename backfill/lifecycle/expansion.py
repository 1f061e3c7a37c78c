"""Expansion: a backfill's frozen key ranges made into runs, chunk by chunk, resumable anywhere.

The cursor moves in the transaction that makes the runs, under the backfill's lock. It is a place,
counted as when the selection was frozen; where the set has changed since, places no longer tell
which partitions have their runs, and `drift` goes through them by key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from sqlalchemy import Connection, Row
from sqlalchemy.exc import DBAPIError

from backfill.definitions.calls import Definitions, Expansion
from backfill.errors import BackfillError, Unavailable
from backfill.lifecycle import moves
from backfill.lifecycle.ahead import Ahead
from backfill.lifecycle.canaries import make_canary
from backfill.lifecycle.drift import Sweep, current_sweep, sweep_chunk
from backfill.lifecycle.frozen import (
    EXPANDABLE,
    Frozen,
    expanding,
    frozen,
    having_runs,
    new_run,
)
from backfill.lifecycle.guards import CanaryState, canary_keys
from backfill.lifecycle.spanning import with_spans
from backfill.lifecycle.submitting import Submitted
from backfill.states import BackfillMove, BackfillState
from backfill.storage.database import Database

SMALL = 100  # partitions, which take about as long to expand as to submit


class _GivenUp(Exception):
    """Nothing is to be made after all; what was made is rolled back."""


def expandable(db: Database, conn: Connection) -> list[int]:
    """Return the backfills that still have partitions to expand, oldest first."""
    rows = conn.execute(
        db.sql(f"SELECT id FROM backfills WHERE {EXPANDABLE} ORDER BY priority DESC, id")
    )
    return [row.id for row in rows]


def expand_chunk(
    db: Database,
    definitions: Definitions,
    backfill_id: int,
    *,
    limit: int,
    ahead: Ahead | None = None,
) -> int | None:
    """Make the next runs of a backfill; return how many, or None when it needs no expansion.

    The keys are asked of the user's code before the transaction, which then checks under the row
    lock that the cursor still stands where they were asked for.

    Args:
        ahead: Asks for the keys of the next chunk while this one is written.
    """
    with db.read() as conn:
        backfill = expanding(db, conn, backfill_id)
        if backfill is None:
            return None
        selected = frozen(db, conn, backfill)
    if backfill.canary_state == CanaryState.WAITING:
        made = make_canary(db, definitions, selected)
        db.notify()
        return made
    sweep = current_sweep(backfill)
    chunk = None if sweep is not None else _next_chunk(db, definitions, selected, limit, ahead)
    if chunk is None:
        made = sweep_chunk(db, definitions, selected, sweep or Sweep(), limit=limit)
    else:
        if ahead is not None:
            ahead.ask(selected, backfill.expanded + len(chunk.keys))
        previous = selected.previous(definitions, chunk.keys)
        made = _written(db, backfill, chunk, previous)
    db.notify()
    return made


def expand_small(db: Database, definitions: Definitions, submitted: Submitted) -> None:
    """Make the runs of a small backfill right after its submit, without waiting for anybody.

    Nothing is lost when this fails or its process dies: the coordinator does the same, sees that
    it was done, or says why it cannot be.
    """
    if not submitted.created or submitted.total > SMALL:
        return
    with suppress(DBAPIError, Unavailable):
        try:
            expand_chunk(db, definitions, submitted.backfill_id, limit=SMALL)
        except BackfillError:
            db.notify()


def _next_chunk(
    db: Database, definitions: Definitions, selected: Frozen, limit: int, ahead: Ahead | None
) -> Expansion | None:
    """Return the next partitions in the order of admission, or None when the set has changed.

    One partition more than needed is asked for: the last one made before. When it is found where
    it was, the places before the cursor still mean what was made of them.
    """
    backfill = selected.backfill
    known = 1 if backfill.expanded else 0
    start, stop = selected.stretch(backfill.expanded, limit)
    if ahead is not None:
        found = ahead.take(selected, start, stop)
    else:
        found = selected.take(db, definitions, start, stop)
    if found.drifted or found.vanished or len(found.keys) != stop - start:
        return None
    if backfill.ordering == "newest":
        found = found.reversed()
    if known:
        two = found.keys[:2]
        with db.read() as conn:
            canary = set(canary_keys(db, conn, backfill.id)) if backfill.canary else set[str]()
            if having_runs(db, conn, backfill, two) - canary != {two[0]} - canary:
                return None
    return found.without_first(known)


def _written(
    db: Database, seen: Row[Any], chunk: Expansion, previous: Mapping[str, str]
) -> int | None:
    try:
        return db.transact(lambda conn: _write_chunk(db, conn, seen, chunk, previous))
    except _GivenUp:
        return None


def _write_chunk(
    db: Database,
    conn: Connection,
    seen: Row[Any],
    chunk: Expansion,
    previous: Mapping[str, str],
) -> int:
    """Make the runs and move the cursor, beside whatever only counts or admits runs meanwhile.

    Runs take long to write, and admission and folding must not wait for that. They take no full
    row lock, so this one keeps out only those who do: who edits, cancels or settles. What else
    moves the backfill, such as a breaker, is seen by the last statement.

    Raises:
        _GivenUp: Another expander was faster, or it is not to be expanded any more.
    """
    db.alone(conn, "expand", seen.id)
    locked = expanding(db, conn, seen.id, lock=db.for_key_share)
    if locked is None or locked.expanded != seen.expanded:
        raise _GivenUp
    now = locked.now
    made = len(chunk.keys)
    places = range(locked.expanded, locked.expanded + made)
    if locked.ordering == "newest":
        last = locked.total - 1
        places = range(last - places.start, last - places.stop, -1)
    if _is_plain(locked) and not chunk.tags:
        moves.create_plain_runs(db, conn, locked, chunk.keys, places, now)
    else:
        _create_runs(db, conn, locked, chunk, places, previous, now)
    done = locked.expanded + made >= locked.total
    moved = conn.execute(
        db.sql(
            "UPDATE backfills SET expanded = expanded + :made, expanded_at = :at "
            f"WHERE id = :id AND {EXPANDABLE}"
        ),
        {"made": made, "at": now if done else None, "id": seen.id},
    )
    if moved.rowcount != 1:
        raise _GivenUp
    if locked.state == BackfillState.REQUESTED:
        moves.move_backfill(db, conn, seen.id, BackfillMove.START)
    return made


def _is_plain(backfill: Row[Any]) -> bool:
    """Say whether a run of it is its partition and its place, unless that has tags."""
    return (
        backfill.ordering in {"oldest", "newest", "listed"}
        and not backfill.canary
        and not backfill.depends_on_previous
        and backfill.partitions_per_run is None
    )


def _create_runs(
    db: Database,
    conn: Connection,
    backfill: Row[Any],
    chunk: Expansion,
    places: Sequence[int],
    previous: Mapping[str, str],
    now: int,
) -> None:
    canary = canary_keys(db, conn, backfill.id) if backfill.canary else {}
    new = [
        new_run(partition, place=place, ordering=backfill.ordering, previous=previous)
        for place, partition in zip(places, chunk.partitions, strict=True)
        if partition.key not in canary
    ]
    if new:
        moves.create_backfill_runs(db, conn, backfill, with_spans(db, conn, backfill, new), now)
