"""Retargeting: a backfill brought up to date with a set that changed since it was submitted.

What joined the set and is selected gets its run; pending runs of partitions that left it are
skipped. Every step of it may be repeated, so that nothing is lost by a crash in its middle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection, Row

from backfill.definitions.calls import Definitions, ExpandedPartition
from backfill.errors import Conflict
from backfill.lifecycle import moves
from backfill.lifecycle.comparing import CHUNK, Comparison, GoneRun, compare
from backfill.lifecycle.frozen import having_runs, new_run
from backfill.lifecycle.ordering import previous_keys
from backfill.lifecycle.telling import note_event
from backfill.states import BACKFILL_FINAL, BackfillState
from backfill.storage.database import Database

MOST_ADDED = 100_000


@dataclass(frozen=True)
class Retargeted:
    """What retargeting did.

    Attributes:
        left: Partitions still to adopt: so many are taken at once, and the next call takes more.
        problem: Why nothing could join: the backfill's selection does not fit the set any more.
    """

    added: int
    skipped: int
    left: int
    problem: str | None = None


def retarget(
    db: Database,
    definitions: Definitions,
    backfill_id: int,
    *,
    at: datetime,
    limit: int,
    selection: str | None = None,
    actor: str | None = None,
) -> Retargeted:
    """Adopt what joined the set, and skip the pending runs of what left it.

    Args:
        at: The moment the set is looked at.
        limit: A selection of more partitions is refused.
        selection: The backfill's from now on, where partitions were renamed.

    Raises:
        NotFound: No such backfill, or its partition set is gone.
        SelectionInvalid: The selection given does not fit the set.
        Conflict: The backfill is over, given up, or not yet fully expanded.
    """
    found = compare(db, definitions, backfill_id, at=at, limit=limit, selection=selection)
    _require_open(found.backfill)
    skipped = 0
    for start in range(0, len(found.gone), CHUNK):
        chunk = found.gone[start : start + CHUNK]
        skipped += db.transact(partial(_skip, db, found, chunk))
    joined = found.joined.count if found.joined else 0
    added = _adopt(db, definitions, found, at)
    done = Retargeted(added, skipped, max(joined - MOST_ADDED, 0), found.problem)
    db.transact(partial(_conclude, db, found, selection, done, actor))
    db.notify()
    return done


def _skip(db: Database, found: Comparison, gone: Sequence[GoneRun], conn: Connection) -> int:
    _lock(db, conn, found.backfill.id)
    reason = f'its partition left the set "{found.backfill.set_name}"'
    return len(moves.skip_pending(db, conn, [run.run_id for run in gone], reason=reason))


def _adopt(db: Database, definitions: Definitions, found: Comparison, at: datetime) -> int:
    """Make the runs of what joined, chunk by chunk."""
    if found.joined is None:
        return 0
    added = offset = 0
    stop = min(found.joined.count, MOST_ADDED)
    while offset < stop:
        told = definitions.expand(
            found.backfill.set_name,
            found.joined.key_ranges,
            offset=offset,
            limit=min(CHUNK, stop - offset),
            at=at,
        )
        previous = _previous(db, definitions, found, told.partitions, at)
        added += db.transact(partial(_add, db, found.backfill.id, told.partitions, previous, at))
        if told.next_offset <= offset:
            break
        offset = told.next_offset
    return added


def _previous(
    db: Database,
    definitions: Definitions,
    found: Comparison,
    partitions: Sequence[ExpandedPartition],
    at: datetime,
) -> Mapping[str, str]:
    """Return what the new runs of a line that depends on the previous partition wait for."""
    with db.read() as conn:
        depends = conn.execute(
            db.sql("SELECT depends_on_previous FROM backfills WHERE id = :id"),
            {"id": found.backfill.id},
        ).scalar_one()
    if not depends:
        return {}
    return previous_keys(definitions, found.backfill.set_name, [p.key for p in partitions], at)


def _add(
    db: Database,
    backfill_id: int,
    partitions: Sequence[ExpandedPartition],
    previous: Mapping[str, str],
    at: datetime,
    conn: Connection,
) -> int:
    backfill = _lock(db, conn, backfill_id)
    existing = having_runs(db, conn, backfill, [p.key for p in partitions])
    missing = [p for p in partitions if p.key not in existing]
    new = [
        new_run(p, place=place, ordering=backfill.ordering, previous=previous)
        for place, p in enumerate(missing, start=backfill.total)
    ]
    if not new:
        return 0
    moves.create_backfill_runs(db, conn, backfill, new, db.clock(conn))
    conn.execute(
        db.sql(
            "UPDATE backfills SET total = total + :made, expanded = expanded + :made, "
            "selected_at = CASE WHEN selected_at < :at THEN :at ELSE selected_at END WHERE id = :id"
        ),
        {"made": len(new), "at": int(at.timestamp() * 1e6), "id": backfill_id},
    )
    return len(new)


def _conclude(
    db: Database,
    found: Comparison,
    selection: str | None,
    done: Retargeted,
    actor: str | None,
    conn: Connection,
) -> None:
    """Keep what the backfill selects from now on, and say what was done."""
    backfill_id = found.backfill.id
    conn.execute(
        db.sql("UPDATE backfills SET selection = :selection, code_version = :code WHERE id = :id"),
        {
            "selection": selection or found.backfill.selection,
            "code": found.code_version,
            "id": backfill_id,
        },
    )
    note_event(
        db,
        conn,
        kind="backfill.retargeted",
        message=f"joined the set and run now: {done.added}; left it and skipped: {done.skipped}",
        backfill_id=backfill_id,
        actor=actor,
        facts={
            "added": done.added,
            "skipped": done.skipped,
            "left": done.left,
            "partitions": [run.partition for run in found.gone[:100]],
        },
    )


def _lock(db: Database, conn: Connection, backfill_id: int) -> Row[Any]:
    """Lock the backfill as its first generation, which the runs of new partitions belong to."""
    row = conn.execute(
        db.sql(
            "SELECT id, state, set_id, pipeline_id, total, expanded_at, 0 AS generation, "
            f"max_failures, queue, ordering FROM backfills WHERE id = :id{db.for_update}"
        ),
        {"id": backfill_id},
    ).one()
    _require_open(row)
    return row


def _require_open(backfill: Row[Any]) -> None:
    state = BackfillState(backfill.state)
    if state in BACKFILL_FINAL or state is BackfillState.CANCELING:
        raise Conflict(
            f"Backfill {backfill.id} cannot be retargeted: it is {state}. Submit a new one for "
            "what joined the set.",
            state=state.value,
        )
    if backfill.expanded_at is None:
        raise Conflict(
            f"Backfill {backfill.id} cannot be retargeted yet: its first runs are still being "
            "made. Try again in a moment.",
            state=state.value,
        )
