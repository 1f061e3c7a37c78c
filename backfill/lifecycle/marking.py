"""Marking: an operator says that partitions, or boxes of them, succeeded or are missing.

Nothing that was recorded is changed. A mark is laid over it, with who said so and why, and stands
until a run that ends later has an outcome of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from backfill.definitions.calls import Definitions
from backfill.definitions.text import storable
from backfill.errors import Invalid
from backfill.lifecycle.choosing import check_steps
from backfill.lifecycle.names import set_id
from backfill.lifecycle.naming import Named, chunks, named, tell_touched
from backfill.lifecycle.telling import note_event
from backfill.states import BoxStatus
from backfill.storage.database import Database, to_json
from backfill.storage.queries.marks import WHOLE

MARKABLE = (BoxStatus.SUCCEEDED, BoxStatus.MISSING)


def mark(
    db: Database,
    definitions: Definitions,
    set_name: str,
    selection: str,
    *,
    status: BoxStatus,
    at: datetime,
    steps: Sequence[str] | None = None,
    note: str | None = None,
    actor: str | None = None,
) -> int:
    """Mark partitions, or chosen steps of them, succeeded or missing. Return how many partitions.

    A mark on what is marked already takes its place.

    Raises:
        NotFound: No such partition set.
        SelectionInvalid: It cannot be read, names unknown keys, or selects none or too many.
        Invalid: The status cannot be given by hand, or a step is not of the pipeline.
    """
    if status not in MARKABLE:
        raise Invalid(f"Only succeeded and missing can be given by hand, not {status}.")
    chosen = named(db, definitions, set_name, selection, at=at)
    check_steps(chosen.pipeline, steps)

    def work(conn: Connection) -> int:
        of = set_id(db, conn, set_name)
        for step in steps or (WHOLE,):
            for keys in chunks(sorted(chosen.keys)):
                _write(db, conn, of, keys, step, status, note, actor)
        _note(db, conn, set_name, f"marked {status}", selection, chosen, steps, note, actor)
        tell_touched(db, conn, of, chosen.ranges)
        return len(chosen.keys)

    count = db.transact(work)
    db.notify()
    return count


def unmark(
    db: Database,
    definitions: Definitions,
    set_name: str,
    selection: str,
    *,
    at: datetime,
    steps: Sequence[str] | None = None,
    note: str | None = None,
    actor: str | None = None,
) -> int:
    """Take marks back, of partitions with all their steps or of chosen steps. Return how many.

    Raises:
        NotFound: No such partition set.
        SelectionInvalid: It cannot be read, names unknown keys, or selects none or too many.
        Invalid: A step is not of the pipeline.
    """
    chosen = named(db, definitions, set_name, selection, at=at)
    check_steps(chosen.pipeline, steps)

    def work(conn: Connection) -> int:
        of = set_id(db, conn, set_name)
        taken = sum(_remove(db, conn, of, keys, steps) for keys in chunks(chosen.keys))
        if taken:
            _note(db, conn, set_name, "unmarked", selection, chosen, steps, note, actor)
            tell_touched(db, conn, of, chosen.ranges)
        return taken

    taken = db.transact(work)
    db.notify()
    return taken


def _write(
    db: Database,
    conn: Connection,
    of: int,
    keys: Sequence[str],
    step: str,
    status: BoxStatus,
    note: str | None,
    actor: str | None,
) -> None:
    conn.execute(
        db.sql(
            "INSERT INTO outcome_marks (set_id, partition, step, status, marked_at, marked_by, "
            "note) SELECT :set, k.key, :step, :status, {now}, :actor, :note "
            f"FROM {db.records('k', {'key': 'text'})} WHERE true "
            "ON CONFLICT (set_id, partition, step) DO UPDATE SET status = excluded.status, "
            "marked_at = excluded.marked_at, marked_by = excluded.marked_by, note = excluded.note"
        ),
        {
            "set": of,
            "k": to_json([{"key": key} for key in keys]),
            "step": step,
            "status": status.value,
            "actor": actor,
            "note": None if note is None else storable(note),
        },
    )


def _remove(
    db: Database, conn: Connection, of: int, keys: Sequence[str], steps: Sequence[str] | None
) -> int:
    of_steps = f" AND {db.one_of_texts('step', 'steps')}" if steps else ""
    result = conn.execute(
        db.sql(
            "DELETE FROM outcome_marks WHERE set_id = :set "
            f"AND {db.one_of_texts('partition', 'keys')}{of_steps}"
        ),
        {"set": of, "keys": db.texts(keys)} | ({"steps": db.texts(steps)} if steps else {}),
    )
    return int(result.rowcount)


def _note(
    db: Database,
    conn: Connection,
    set_name: str,
    done: str,
    selection: str,
    chosen: Named,
    steps: Sequence[str] | None,
    note: str | None,
    actor: str | None,
) -> None:
    of = f"steps {', '.join(steps)} of " if steps else ""
    count = len(chosen.keys)
    note_event(
        db,
        conn,
        kind="partitions.unmarked" if done == "unmarked" else "partitions.marked",
        message=f"{of}{count:,} partitions of {set_name} {done}" + (f": {note}" if note else ""),
        actor=actor,
        facts={
            "partition_set": set_name,
            "selection": selection,
            "steps": list(steps) if steps else None,
            "count": count,
        },
    )
