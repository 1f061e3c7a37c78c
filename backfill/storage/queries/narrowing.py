"""What narrows the Run Matrix: the key ranges of a backfill, and the partitions of some runs."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection

from backfill.storage.database import Database
from backfill.storage.queries.run_search import RunFilter, newest_ids


class FrozenRange(NamedTuple):
    """A range of a backfill's keys, as it was when they were selected; both ends are in it."""

    first: str
    last: str
    size: int


def backfill_ranges(
    db: Database, conn: Connection, set_name: str, backfill_id: int
) -> tuple[list[FrozenRange], int] | None:
    """Return the key ranges of a set's backfill, and of how many partitions it is by now.

    None when the set has no such backfill.
    """
    params = {"set": set_name, "id": backfill_id}
    total = conn.execute(
        db.sql(
            "SELECT total FROM backfills WHERE id = :id "
            "AND set_id = (SELECT id FROM partition_sets WHERE name = :set)"
        ),
        params,
    ).scalar()
    if total is None:
        return None
    rows = conn.execute(
        db.sql(
            'SELECT first_key, last_key, "count" AS size FROM backfill_ranges '
            "WHERE backfill_id = :id ORDER BY first_index"
        ),
        params,
    )
    return [FrozenRange(row.first_key, row.last_key, row.size) for row in rows], int(total)


def partitions_of_runs(
    db: Database, conn: Connection, wanted: RunFilter, *, most: int
) -> list[str]:
    """Return the partitions of the newest runs, at most so many, that a filter lets through."""
    found = newest_ids(db, wanted, before=None)
    rows = conn.execute(
        db.sql(
            f"SELECT DISTINCT r.partition FROM runs r WHERE {found} AND r.partition IS NOT NULL"
        ),
        {**found.params, "page_limit": most},
    )
    return [row.partition for row in rows]
