"""Births: how runs and backfills come into being, in their first state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, insert

from backfill.lifecycle.moves.feed import Moved, tell
from backfill.states import BackfillState, RunState
from backfill.storage.database import Database, to_json
from backfill.storage.models import backfills as backfills_table
from backfill.storage.models import runs as runs_table
from backfill.storage.tags import keep_tags

# What the table says by itself: every field of a million rows counts.
_BY_DEFAULT = {("generation", 0), ("max_failures", 0), ("queue", None)}


class NewRun(NamedTuple):
    """A run of a backfill about to be made; `tags` are the partition's own.

    Attributes:
        previous: The partition that must have succeeded before it starts.
        span: Executed together with those of the same.
    """

    partition: str
    sort: int
    tags: Mapping[str, str] | None = None
    queue: str | None = None
    previous: str | None = None
    span: int | None = None


def create_backfill_runs(
    db: Database, conn: Connection, backfill: Row[Any], new: Sequence[NewRun], at: int
) -> None:
    """Bring the next runs of a backfill into being, pending and ready.

    The caller holds the backfill's row lock and moves its cursor in the same transaction, so a
    crash anywhere makes neither a gap nor a duplicate.
    """
    columns: dict[str, Sequence[Any]] = {
        "partition": [run.partition for run in new],
        "sort": [run.sort for run in new],
    }
    if any(run.queue for run in new):
        columns["queue"] = [run.queue or backfill.queue for run in new]
    if any(run.tags for run in new):  # their ids are needed, which a bulk insert does not tell
        columns["tags"] = [to_json(run.tags) if run.tags else None for run in new]
        ids = columns["id"] = _fresh_ids(db, conn, len(new))
        keep_tags(db, conn, ((i, r.tags) for i, r in zip(ids, new, strict=True) if r.tags))
    if any(run.previous for run in new):
        columns["previous"] = [run.previous for run in new]
    if any(run.span is not None for run in new):
        columns["span"] = [run.span for run in new]
    _create(db, conn, backfill, columns, at)


def create_plain_runs(
    db: Database,
    conn: Connection,
    backfill: Row[Any],
    partitions: Sequence[str],
    sorts: Sequence[int],
    at: int,
) -> None:
    """Do as `create_backfill_runs` where a run has nothing but its partition and its place.

    Nothing is made per run but its line: big backfills are of these.
    """
    _create(db, conn, backfill, {"partition": partitions, "sort": sorts}, at)


def _create(
    db: Database,
    conn: Connection,
    backfill: Row[Any],
    columns: Mapping[str, Sequence[Any]],
    at: int,
) -> None:
    alike = {
        "backfill_id": backfill.id,
        "generation": backfill.generation,
        "set_id": backfill.set_id,
        "pipeline_id": backfill.pipeline_id,
        "state": RunState.PENDING.value,
        "ready": True,
        "available_at": at,
        "max_failures": backfill.max_failures,
        "queue": backfill.queue,
        "created_at": at,
    }
    constants = {
        name: value
        for name, value in alike.items()
        if name not in columns and (name, value) not in _BY_DEFAULT
    }
    db.bulk_insert(conn, runs_table, columns, constants)
    moved = Moved()
    moved.created(backfill.id, len(columns["partition"]))
    tell(db, conn, moved)


def _fresh_ids(db: Database, conn: Connection, count: int) -> Sequence[int]:
    """Return ids for new runs, ascending; on SQLite they are these while the transaction lasts."""
    if not db.postgres:
        newest = conn.execute(db.sql("SELECT coalesce(max(id), 0) FROM runs")).scalar_one()
        return range(newest + 1, newest + 1 + count)
    drawn = conn.execute(
        db.sql(
            "SELECT nextval(pg_get_serial_sequence('runs', 'id')) FROM generate_series(1, :count)"
        ),
        {"count": count},
    )
    return sorted(drawn.scalars())


def create_run(db: Database, conn: Connection, values: Mapping[str, Any]) -> int:
    """Bring one run outside a backfill into being, pending and ready. Return its id.

    Args:
        values: Columns of `runs` but for its state and times.
    """
    return create_runs(db, conn, [values])[0]


def create_runs(db: Database, conn: Connection, new: Sequence[Mapping[str, Any]]) -> list[int]:
    """Bring runs outside a backfill into being, pending and ready. Return their ids, in order.

    Args:
        new: Of each the columns of `runs` but for its state and times; the same columns of all.
    """
    now = db.clock(conn)
    born = {"state": RunState.PENDING.value, "ready": True, "available_at": now, "created_at": now}
    r = runs_table.c
    told = (r.id, r.attempt, r.backfill_id, r.set_id, r.partition)
    rows = conn.execute(
        insert(runs_table).returning(*told, sort_by_parameter_order=True),
        [{**born, **values} for values in new],
    ).all()
    moved = Moved()
    for row in rows:
        moved.run(row, None, RunState.PENDING)
    tell(db, conn, moved)
    ids = [int(row.id) for row in rows]
    keep_tags(db, conn, ((i, v["tags"]) for i, v in zip(ids, new, strict=True) if v.get("tags")))
    return ids


def create_retries(
    db: Database,
    conn: Connection,
    backfill_id: int,
    new: Sequence[Mapping[str, Any]],
    instead_of: Sequence[str],
) -> list[int]:
    """Bring the next generation of runs of a backfill into being; return their ids.

    The counts of a backfill tell of each partition's newest run: the older ones leave them.

    Args:
        new: As `create_runs` takes.
        instead_of: The states of the runs that these take the place of.
    """
    ids = create_runs(db, conn, new)
    moved = Moved()
    for state in instead_of:
        moved.counts[backfill_id][state] -= 1
    tell(db, conn, moved)
    return ids


def create_backfill(db: Database, conn: Connection, values: Mapping[str, Any]) -> int:
    """Bring a backfill into being, requested. Return its id.

    Args:
        values: Columns of `backfills` but for its state and times.
    """
    backfill_id = conn.execute(
        insert(backfills_table)
        .values(state=BackfillState.REQUESTED.value, created_at=db.clock(conn), **values)
        .returning(backfills_table.c.id)
    ).scalar_one()
    moved = Moved()
    moved.backfills.append([backfill_id, BackfillState.REQUESTED.value])
    tell(db, conn, moved)
    return int(backfill_id)
