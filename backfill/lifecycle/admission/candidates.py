"""Candidates: the first ready runs of a lane that no limit keeps back, locked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row

from backfill.lifecycle.admission.lanes import Lane, lane_order
from backfill.lifecycle.admission.ledger import Ledger
from backfill.lifecycle.guards import GATE
from backfill.storage.database import Database

LOOK_AHEAD = 2_000  # runs looked at for some that need nothing of what is short
_COLUMNS = (
    "id, set_id, partition, pipeline_id, queue, alone, on_conflict, pools, tags, sort, previous"
)


def read_candidates(
    db: Database, conn: Connection, lane: Lane, ledger: Ledger, *, limit: int
) -> Sequence[Row[Any]]:
    """Return up to `limit` ready runs of a lane, in its order.

    Runs whose own pools or tags are short by now are passed over, so that they do not stop those
    behind them which need no such thing, as far as the first LOOK_AHEAD ones go.
    """
    in_order = lane_order(newest_first=lane.newest_first)
    of_lane, params = _of_lane(lane)
    where = f"state = 'pending' AND ready AND {of_lane}"
    conditions = [*_free_pools(db, lane, ledger), *_free_tags(db, lane, ledger)]
    if conditions:
        first = f"SELECT id FROM runs WHERE {where} {in_order} LIMIT {LOOK_AHEAD}"
        where = f"id IN (SELECT id FROM ({first}) AS first) AND state = 'pending' AND ready"
        for condition, more in conditions:
            where += f" AND {condition}"
            params |= more
    return conn.execute(
        db.sql(
            f"SELECT {_COLUMNS} FROM runs WHERE {where} {in_order} LIMIT :limit{db.skip_locked}"
        ),
        {**params, "limit": limit},
    ).all()


def read_span(db: Database, conn: Connection, lane: Lane) -> Sequence[Row[Any]]:
    """Return the ready runs of the first span of a lane, in the order of their places.

    While others of it are due but not woken yet, it is not taken: it would be torn apart.
    """
    of_lane, params = _of_lane(lane)
    first = conn.execute(
        db.sql(
            f"SELECT id, span, generation FROM runs WHERE state = 'pending' AND ready AND {of_lane}"
            f" {lane_order(newest_first=lane.newest_first)} LIMIT 1"
        ),
        params,
    ).first()
    if first is None:
        return ()
    if first.span is None:
        of_span, params = "id = :id", {"id": first.id}
    else:
        of_span = "backfill_id = :lane AND span = :span AND generation = :generation"
        params = {"lane": lane.id, "span": first.span, "generation": first.generation}
    late = conn.execute(
        db.sql(
            "SELECT EXISTS (SELECT 1 FROM runs WHERE state = 'pending' AND NOT ready "
            f"AND waiting_run IS NULL AND available_at < {{now}} + 5000000 AND {of_span})"
        ),
        params,
    ).scalar_one()
    if late:
        return ()
    return conn.execute(
        db.sql(
            f"SELECT {_COLUMNS} FROM runs WHERE state = 'pending' AND ready AND {of_span} "
            f"ORDER BY sort, id{db.skip_locked}"
        ),
        params,
    ).all()


def _of_lane(lane: Lane) -> tuple[str, dict[str, Any]]:
    if lane.id is None:
        return "backfill_id IS NULL AND sort = :sort", {"sort": -lane.priority}
    gate = f" AND sort < {GATE}" if lane.gated else ""
    return f"backfill_id = :lane{gate}", {"lane": lane.id}


def _free_pools(db: Database, lane: Lane, ledger: Ledger) -> Sequence[tuple[str, dict[str, Any]]]:
    """Leave out launches that need a pool of which nothing is left; a backfill's runs are alike."""
    short = ledger.short_pools() if lane.id is None else []
    if not short:
        return ()
    entries = db.json_entries("runs.pools")
    taken = f"SELECT 1 FROM {entries} AS e WHERE {db.one_of_texts('e.key', 'short')}"
    return ((f"NOT EXISTS ({taken})", {"short": db.texts(short)}),)


def _free_tags(db: Database, lane: Lane, ledger: Ledger) -> Sequence[tuple[str, dict[str, Any]]]:
    """Leave out runs with a tag of which no more may be active; their own tag goes first."""
    found: list[tuple[str, dict[str, Any]]] = []
    for n, key in enumerate(sorted(ledger.keys)):
        short = ledger.short_values(key)
        if not short:
            continue
        own = f"(SELECT e.value FROM {db.json_entries('runs.tags')} AS e WHERE e.key = :key{n})"
        value = f"coalesce({own}, CAST(:lane_value{n} AS text))"
        found.append(
            (
                f"NOT coalesce({db.one_of_texts(value, f'short{n}')}, false)",
                {
                    f"key{n}": key,
                    f"lane_value{n}": lane.tags.get(key),
                    f"short{n}": db.texts(short),
                },
            )
        )
    return found
