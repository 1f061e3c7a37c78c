"""What a pending run or a backfill waits for, as admission sees it; reads only, a few rows each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row

from backfill.definitions.hours import opening, unpacked
from backfill.lifecycle.admission.lanes import is_first, lane_order
from backfill.lifecycle.admission.ledger import OF_TAG, Ledger, read_ledger
from backfill.lifecycle.admission.lines import previous_of
from backfill.lifecycle.guards import GATED
from backfill.lifecycle.waiting import (
    IsBlocked,
    Waiting,
    WaitsForExpansion,
    WaitsForPool,
    WaitsForPrevious,
    WaitsForTagLimit,
    WaitsForTurn,
    WaitsForWindow,
)
from backfill.settings import Settings
from backfill.states import RunState
from backfill.storage.database import Database, decoded, to_json

HOLDERS_TOLD = 5


def waiting_for(
    db: Database, conn: Connection, settings: Settings, run_id: int
) -> Sequence[Waiting]:
    """Say what keeps a pending run from being admitted, beside room, its own limit and its hold.

    Returns:
        What decides first comes first; nothing for a run that is not pending.
    """
    run = conn.execute(
        db.sql(
            "SELECT id, state, backfill_id, set_id, partition, sort, ready, pools, tags, previous "
            "FROM runs WHERE id = :id"
        ),
        {"id": run_id},
    ).first()
    if run is None or run.state != RunState.PENDING:
        return ()
    found: list[Waiting] = _blocked(db, conn, run)
    backfill = None
    if run.backfill_id is not None:
        backfill = _backfill(db, conn, run.backfill_id)
        found += _of_backfill(backfill)
        found += _in_line(db, conn, backfill, run)
    return (*found, *_limits(db, conn, settings, backfill, run))


def backfill_waiting_for(
    db: Database, conn: Connection, settings: Settings, backfill_id: int
) -> Sequence[Waiting]:
    """Say what keeps the next run of a backfill from being admitted; see `waiting_for`."""
    backfill = _backfill(db, conn, backfill_id)
    if backfill is None:
        return ()
    head = first_pending(db, conn, backfill)
    if head is None:
        return tuple(_of_backfill(backfill))
    return waiting_for(db, conn, settings, head)


def first_pending(db: Database, conn: Connection, backfill: Row[Any]) -> int | None:
    """Return the ready run that a backfill would start next, else the first of those parked."""
    order = lane_order(newest_first=backfill.ordering == "newest")
    for ready in ("ready", "NOT ready"):
        found = conn.execute(
            db.sql(
                f"SELECT id FROM runs WHERE backfill_id = :id AND state = 'pending' AND {ready} "
                f"{order} LIMIT 1"
            ),
            {"id": backfill.id},
        ).scalar()
        if found is not None:
            return int(found)
    return None


def _backfill(db: Database, conn: Connection, backfill_id: int) -> Any:
    return conn.execute(
        db.sql("SELECT b.*, {now} AS now FROM backfills b WHERE id = :id"), {"id": backfill_id}
    ).first()


def _blocked(db: Database, conn: Connection, run: Row[Any]) -> list[Waiting]:
    reason = conn.execute(
        db.sql(
            "SELECT k.reason FROM blocked_partitions b JOIN blocks k ON k.id = b.block_id "
            "WHERE b.set_id = :set AND b.partition = :partition"
        ),
        {"set": run.set_id, "partition": run.partition},
    ).scalar()
    return [] if reason is None else [IsBlocked(run.partition, reason)]


def _of_backfill(backfill: Row[Any]) -> list[Waiting]:
    found: list[Waiting] = []
    windows = decoded(backfill.windows)
    if windows:
        now = datetime.fromtimestamp(backfill.now / 1e6, UTC)
        stands = opening(unpacked(to_json(windows)), now)
        if not stands.is_open:
            found.append(WaitsForWindow(stands.until))
    if backfill.expanded_at is not None or backfill.canary_state in GATED:
        return found
    if backfill.ordering == "weight":
        found.append(WaitsForExpansion(backfill.expanded, backfill.total))
    elif backfill.partitions_per_run is not None:
        found.append(WaitsForExpansion(backfill.expanded, backfill.total, by="ranges"))
    return found


def _in_line(db: Database, conn: Connection, backfill: Row[Any], run: Row[Any]) -> list[Waiting]:
    """Say which run of a line is before this one, or what the first of them depends on."""
    if not (backfill.sequential or backfill.depends_on_previous):
        return []
    before = _before(db, conn, backfill, run)
    if before is not None:
        turn: list[Waiting] = [WaitsForTurn(before.id, before.partition, before.state)]
        if before.state == RunState.PENDING:
            turn += _previous(db, conn, backfill, before)
        return turn
    return _previous(db, conn, backfill, run)


def _previous(db: Database, conn: Connection, backfill: Row[Any], run: Row[Any]) -> list[Waiting]:
    if not backfill.depends_on_previous:
        return []
    previous = previous_of(db, conn, backfill.id, run)
    if previous is None or previous.ok:
        return []
    return [WaitsForPrevious(previous.partition, previous.run_id, previous.state, previous.stopped)]


def _before(db: Database, conn: Connection, backfill: Row[Any], run: Row[Any]) -> Row[Any] | None:
    """Return the run of a line that runs, or goes before this one."""
    columns = "id, partition, state, sort, set_id, previous"
    active = conn.execute(
        db.sql(
            f"SELECT {columns} FROM runs WHERE backfill_id = :id "
            "AND state IN ('queued', 'running') ORDER BY sort, id LIMIT 1"
        ),
        {"id": backfill.id},
    ).first()
    if active is not None:
        return active
    newest = backfill.ordering == "newest"
    first = first_pending(db, conn, backfill)
    parked = conn.execute(
        db.sql(
            f"SELECT {columns} FROM runs WHERE backfill_id = :id AND state = 'pending' "
            f"AND (id = :first OR NOT ready) {lane_order(newest_first=newest)} LIMIT 1"
        ),
        {"id": backfill.id, "first": first},
    ).first()
    if parked is None or parked.id == run.id:
        return None
    return parked if is_first(parked, run, newest_first=newest) else None


def _limits(
    db: Database, conn: Connection, settings: Settings, backfill: Any, run: Row[Any]
) -> list[Waiting]:
    ledger = read_ledger(db, conn, default_slots=settings.pool_slots)
    own_pools, own_tags = decoded(run.pools) or {}, decoded(run.tags) or {}
    pools = own_pools if backfill is None else decoded(backfill.pools) or {}
    tags = own_tags if backfill is None else {**(decoded(backfill.tags) or {}), **own_tags}
    needs = ledger.needs(pools, tags)
    short = [name for name, n in needs.items() if ledger.slots(name) - ledger.used[name] < n]
    return [_limit(db, conn, ledger, name, needs) for name in sorted(short)]


def _limit(
    db: Database, conn: Connection, ledger: Ledger, name: str, needs: Mapping[str, int]
) -> Waiting:
    held_by = _holders(db, conn, name)
    if name.startswith(OF_TAG):
        key, _, value = name.removeprefix(OF_TAG).partition("=")
        return WaitsForTagLimit(key, value, ledger.slots(name), ledger.used[name], held_by)
    return WaitsForPool(name, ledger.slots(name), ledger.used[name], needs[name], held_by)


def _holders(db: Database, conn: Connection, name: str) -> tuple[int, ...]:
    """Return some of the runs that take slots under a name, those queued longest first."""
    rows = conn.execute(
        db.sql(
            "SELECT r.id FROM runs r WHERE r.state IN ('queued', 'running') "
            "AND r.pools IS NOT NULL AND EXISTS (SELECT 1 "
            f"FROM {db.json_entries('r.pools')} AS e WHERE e.key = :name) "
            "ORDER BY r.queued_at, r.id LIMIT :most"
        ),
        {"name": name, "most": HOLDERS_TOLD},
    )
    return tuple(row.id for row in rows)
