"""The runs of a canary: made before all others of their backfill, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from backfill.definitions.calls import Definitions, ExpandedPartition
from backfill.definitions.facts import spread
from backfill.lifecycle import moves
from backfill.lifecycle.frozen import Frozen, expanding, new_run
from backfill.lifecycle.guards import (
    CANARY_SORT,
    CanaryState,
    canary_keys,
    keep_canary,
)
from backfill.states import BackfillMove
from backfill.storage.database import Database


def make_canary(db: Database, definitions: Definitions, selected: Frozen) -> int | None:
    """Make the runs of a canary; return how many.

    Its places are spread over the selection; of a line, whose runs need those before them, they
    are the first ones.

    Returns:
        None when another coordinator was faster, or the backfill was given up.
    """
    found: dict[str, tuple[ExpandedPartition, int]] = {}
    for place in _places(selected):
        for partition in selected.take(db, definitions, place, place + 1).partitions[:1]:
            found.setdefault(partition.key, (partition, place))
    previous = selected.previous(definitions, list(found))

    def work(conn: Connection) -> int | None:
        backfill = expanding(db, conn, selected.backfill.id, lock=db.for_update)
        if backfill is None or backfill.canary_state != CanaryState.WAITING:
            return None
        keep_canary(db, conn, backfill.id, [(key, place) for key, (_, place) in found.items()])
        new = [
            new_run(partition, place=place, previous=previous)._replace(sort=CANARY_SORT + place)
            for partition, place in found.values()
        ]
        if new:
            moves.create_backfill_runs(db, conn, backfill, new, db.clock(conn))
        moves.move_backfill(db, conn, backfill.id, BackfillMove.START)
        return len(new)

    return db.transact(work)


def _places(selected: Frozen) -> Sequence[int]:
    backfill, size = selected.backfill, selected.size
    if backfill.sequential or backfill.depends_on_previous:
        few = min(backfill.canary, size)
        return range(size - few, size) if backfill.ordering == "newest" else range(few)
    return spread(size, backfill.canary)


def uncounted(db: Database, conn: Connection, backfill_id: int, *, upto: int, newest: bool) -> int:
    """Return how many canary runs were made of places that the cursor has not come to.

    Args:
        upto: The cursor: how many places were passed, from the last one on when `newest`.
    """
    keys = canary_keys(db, conn, backfill_id)
    if not keys:
        return 0
    size = conn.execute(
        db.sql('SELECT sum("count") FROM backfill_ranges WHERE backfill_id = :id'),
        {"id": backfill_id},
    ).scalar_one()
    last = int(size) - 1
    return sum((last - place if newest else place) >= upto for place in keys.values())
