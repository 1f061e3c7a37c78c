"""The feed: what moved, in the order in which it became visible.

A row's place is (xid, id). Only rows that no concurrent transaction can still come before are
read, so a reader that remembers its last place misses nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row

from backfill.storage.database import Database


class Place(NamedTuple):
    """Where a row stands in the feed."""

    xid: int
    id: int


START = Place(0, 0)


@dataclass(frozen=True)
class FeedRow:
    """What one transaction moved; see `lifecycle.moves` for the body."""

    place: Place
    at: int
    body: Mapping[str, Any]


class RunPlace(NamedTuple):
    """What a run belongs to."""

    backfill_id: int | None
    set_id: int | None
    partition: str | None


def newest_place(db: Database, conn: Connection) -> Place:
    """Return the place of the newest row that can be read; the start for an empty feed."""
    row = conn.execute(
        db.sql(
            f"SELECT xid, id FROM feed WHERE {db.feed_settled} ORDER BY xid DESC, id DESC LIMIT 1"
        )
    ).first()
    return START if row is None else Place(row.xid, row.id)


def reaches_back(db: Database, conn: Connection, place: Place) -> bool:
    """Say whether the feed still holds everything after a place: nothing of it was pruned."""
    return bool(
        conn.execute(
            db.sql("SELECT EXISTS (SELECT 1 FROM feed WHERE (xid, id) <= (:xid, :id))"),
            place._asdict(),
        ).scalar_one()
    )


def rows_after(
    db: Database, conn: Connection, place: Place, *, limit: int, until: Place | None = None
) -> Sequence[FeedRow]:
    """Return the rows after a place, in order, up to another if given."""
    bound = " AND (xid, id) <= (:last_xid, :last_id)" if until is not None else ""
    params: dict[str, int] = {**place._asdict(), "limit": limit}
    if until is not None:
        params |= {"last_xid": until.xid, "last_id": until.id}
    rows = conn.execute(
        db.sql(
            "SELECT xid, id, at, body FROM feed WHERE (xid, id) > (:xid, :id) "
            f"AND {db.feed_settled}{bound} ORDER BY xid, id LIMIT :limit"
        ),
        params,
    )
    return [_row(row) for row in rows]


def counts_of_last(db: Database, conn: Connection, microseconds: int) -> Sequence[FeedRow]:
    """Return the rows of the last while with nothing but their counts; reads the whole feed."""
    body = "CAST(body AS json)" if db.postgres else "body"
    rows = conn.execute(
        db.sql(
            f"SELECT xid, id, at, {db.json_text(body, 'counts')} AS counts FROM feed "
            f"WHERE at > {{now}} - :ago AND {db.feed_settled} ORDER BY xid, id"
        ),
        {"ago": microseconds, "counts": "counts"},
    )
    return [
        FeedRow(Place(row.xid, row.id), row.at, {"counts": json.loads(row.counts)})
        for row in rows
        if row.counts is not None
    ]


def run_places(db: Database, conn: Connection, run_ids: Sequence[int]) -> Mapping[int, RunPlace]:
    """Return what runs belong to."""
    rows = conn.execute(
        db.sql(
            f"SELECT id, backfill_id, set_id, partition FROM runs WHERE {db.one_of('id', 'ids')}"
        ),
        {"ids": db.ints(run_ids)},
    )
    return {row.id: RunPlace(row.backfill_id, row.set_id, row.partition) for row in rows}


def sets_of_backfills(
    db: Database, conn: Connection, backfill_ids: Sequence[int]
) -> Mapping[int, int]:
    """Return the set ids of backfills."""
    rows = conn.execute(
        db.sql(f"SELECT id, set_id FROM backfills WHERE {db.one_of('id', 'ids')}"),
        {"ids": db.ints(backfill_ids)},
    )
    return {row.id: row.set_id for row in rows}


def set_names(db: Database, conn: Connection) -> Mapping[int, str]:
    """Return the names of all partition sets that ran, by id."""
    return {row.id: row.name for row in conn.execute(db.sql("SELECT id, name FROM partition_sets"))}


def _row(row: Row[Any]) -> FeedRow:
    return FeedRow(Place(row.xid, row.id), row.at, json.loads(row.body))


@lru_cache(maxsize=32)
def body_of(body: str) -> Mapping[str, Any]:
    """Return what a feed row tells; decoded once for all who read it, and changed by none."""
    decoded: Mapping[str, Any] = json.loads(body)
    return decoded
