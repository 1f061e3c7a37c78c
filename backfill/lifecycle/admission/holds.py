"""Holds: a partition is run by one run at a time, whoever started it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row

from backfill.lifecycle import moves
from backfill.lifecycle.admission.lanes import WAIT, Lane
from backfill.storage.database import Database, to_json

HOLD_CHECK_US = 60_000_000
_SHAPE = {"set_id": "bigint", "partition": "text", "run_id": "bigint"}


def take_holds(db: Database, conn: Connection, lane: Lane, rows: Sequence[Row[Any]]) -> set[int]:
    """Take the partition hold of every run; park or skip those that cannot have it."""
    free = {row.id for row in rows if row.partition is None}
    needing = [row for row in rows if row.partition is not None]
    if not needing:
        return free
    wanted = [
        {"place": n, "set_id": r.set_id, "partition": r.partition, "run_id": r.id}
        for n, r in enumerate(needing)
    ]
    taken = conn.execute(
        db.sql(
            "INSERT INTO partition_holds (set_id, partition, run_id) "
            "SELECT h.set_id, h.partition, h.run_id "
            f"FROM {db.records('h', {'place': 'int', **_SHAPE})} "
            "WHERE NOT EXISTS (SELECT 1 FROM blocked_partitions b "
            "WHERE b.set_id = h.set_id AND b.partition = h.partition) ORDER BY h.place "
            "ON CONFLICT DO NOTHING RETURNING run_id"
        ),
        {"h": to_json(wanted)},
    ).all()
    held = free | {row.run_id for row in taken}
    if len(held) == len(rows):
        return held
    return held | _sort_out(db, conn, lane, [r for r in needing if r.id not in held])


def take_holds_of_all(
    db: Database, conn: Connection, lane: Lane, rows: Sequence[Row[Any]]
) -> list[Row[Any]]:
    """Take the holds of runs that are executed together, all or none of them.

    Where one waits for another run's partition they all do. Those that were left out for their
    partition are not waited for.

    Returns:
        The runs that go; empty when they wait.
    """
    held = take_holds(db, conn, lane, rows)
    rest = [row.id for row in rows if row.id not in held]
    if not rest:
        return list(rows)
    waits_for = conn.execute(
        db.sql(
            f"SELECT waiting_run FROM runs WHERE {db.one_of('id', 'ids')} "
            "AND state = 'pending' AND waiting_run IS NOT NULL LIMIT 1"
        ),
        {"ids": db.ints(rest)},
    ).scalar()
    if waits_for is None:
        return [row for row in rows if row.id in held]
    moves.free_holds(db, conn, sorted(held))
    moves.park_behind(
        db, conn, [(run, int(waits_for)) for run in held], check_again_us=HOLD_CHECK_US
    )
    return []


def _sort_out(db: Database, conn: Connection, lane: Lane, rest: Sequence[Row[Any]]) -> set[int]:
    """Say which of the rest hold their partitions from an earlier attempt.

    The others wait behind the holder, or are skipped: their partition is blocked, or that is what
    was asked for when another run holds it.
    """
    runs = {run.id: run for run in rest}
    own: set[int] = set()
    waiting: list[tuple[int, int]] = []
    skipped: list[tuple[int, str]] = []
    for found in _obstacles(db, conn, rest):
        run = runs[found.run_id]
        if found.reason is not None:
            skipped.append((run.id, f"its partition is blocked: {found.reason}"))
        elif found.holder == run.id:
            own.add(run.id)
        elif found.holder is None:
            continue  # freed just now: it is a candidate again next time
        elif (lane.on_conflict if lane.id is not None else run.on_conflict or WAIT) == WAIT:
            waiting.append((run.id, found.holder))
        else:
            skipped.append((run.id, f"its partition is held by run {found.holder}"))
    if waiting:
        moves.park_behind(db, conn, waiting, check_again_us=HOLD_CHECK_US)
    moves.skip_each(db, conn, skipped)
    return own


def _obstacles(db: Database, conn: Connection, rest: Sequence[Row[Any]]) -> Sequence[Row[Any]]:
    """Return who holds the partition of each run, and why it is blocked, if it is."""
    wanted = [{"set_id": r.set_id, "partition": r.partition, "run_id": r.id} for r in rest]
    return conn.execute(
        db.sql(
            "SELECT w.run_id, h.run_id AS holder, k.reason "
            f"FROM {db.records('w', _SHAPE)} LEFT JOIN partition_holds h "
            "ON h.set_id = w.set_id AND h.partition = w.partition "
            "LEFT JOIN blocked_partitions b "
            "ON b.set_id = w.set_id AND b.partition = w.partition "
            "LEFT JOIN blocks k ON k.id = b.block_id"
        ),
        {"w": to_json(wanted)},
    ).all()
