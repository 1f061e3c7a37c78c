"""Births: how runs and backfills come into being, in their first state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, insert

from backfill.lifecycle.moves.feed import Moved, tell
from backfill.states import BackfillState, RunState
from backfill.storage.database import Database, to_json
from backfill.storage.models import backfills as backfills_table
from backfill.storage.models import runs as runs_table
from backfill.storage.tags import keep_tags

NEW_RUN_COLUMNS: tuple[str, ...] = (
    "backfill_id",
    "generation",
    "set_id",
    "partition",
    "pipeline_id",
    "state",
    "ready",
    "sort",
    "available_at",
    "max_failures",
    "queue",
    "tags",
    "created_at",
)


@dataclass(frozen=True)
class NewRun:
    """A run of a backfill about to be made; `tags` are the partition's own.

    Attributes:
        previous: The partition that must have succeeded before it starts.
        span: Executed together with those of the same.
    """

    partition: str
    sort: int
    tags: dict[str, str] | None = None
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
    rows: Iterable[tuple[Any, ...]] = (
        (
            backfill.id,
            backfill.generation,
            backfill.set_id,
            run.partition,
            backfill.pipeline_id,
            RunState.PENDING.value,
            True,
            run.sort,
            at,
            backfill.max_failures,
            run.queue or backfill.queue,
            to_json(run.tags) if run.tags else None,
            at,
        )
        for run in new
    )
    columns = NEW_RUN_COLUMNS
    if any(run.tags for run in new):  # their ids are needed, which a bulk insert does not tell
        ids = _fresh_ids(db, conn, len(new))
        keep_tags(db, conn, ((i, r.tags) for i, r in zip(ids, new, strict=True) if r.tags))
        rows = ((i, *row) for i, row in zip(ids, rows, strict=True))
        columns = ("id", *columns)
    if any(run.previous for run in new):
        rows = ((*row, run.previous) for row, run in zip(rows, new, strict=True))
        columns = (*columns, "previous")
    if any(run.span is not None for run in new):
        rows = ((*row, run.span) for row, run in zip(rows, new, strict=True))
        columns = (*columns, "span")
    db.bulk_insert(conn, runs_table, columns, rows)
    moved = Moved()
    moved.created(backfill.id, len(new))
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
