"""Submitting: a selection is frozen and a backfill requested; the coordinator does the rest."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from backfill.definitions.calls import Definitions
from backfill.errors import Conflict
from backfill.lifecycle import moves
from backfill.lifecycle.names import pipeline_id, set_id
from backfill.lifecycle.planning import BackfillRequest, Choice, choose, require_configs
from backfill.lifecycle.telling import note_event
from backfill.storage.database import Database
from backfill.storage.models import backfill_ranges

QUEUE_TAG = "queue"


@dataclass(frozen=True)
class Submitted:
    """The answer to a submit: `created` is False when the same request came before."""

    backfill_id: int
    total: int
    created: bool


def submit(
    db: Database,
    definitions: Definitions,
    request: BackfillRequest,
    *,
    at: datetime,
    limit: int,
) -> Submitted:
    """Freeze the selection and request the backfill; runs are made by the coordinator.

    Args:
        at: The moment the set is looked at, timezone-aware.
        limit: A selection of more partitions is refused.

    Raises:
        NotFound: No such partition set.
        SelectionInvalid: The selection does not parse, names unknown keys or is empty.
        ConfigInvalid: The config of its first or last partitions does not fit the pipeline.
        Conflict: The idempotency key was used for another request.
    """
    known = _known_key(db, request)
    if known is not None:
        return known
    choice = choose(definitions, request, at=at, limit=limit)
    require_configs(definitions, request, choice, at)
    # With a key of its own, an insert that is repeated because its answer was lost is noticed.
    keyed = replace(request, idempotency_key=request.idempotency_key or secrets.token_hex(16))
    try:
        submitted = db.transact(lambda conn: _insert(db, conn, keyed, choice, at))
    except IntegrityError:
        known = _known_key(db, keyed)  # somebody with the same key was faster
        if known is None:
            raise
        return known if request.idempotency_key else replace(known, created=True)
    db.notify()
    return submitted


def _known_key(db: Database, request: BackfillRequest) -> Submitted | None:
    if request.idempotency_key is None:
        return None
    with db.read() as conn:
        row = conn.execute(
            db.sql("SELECT id, total, request_hash FROM backfills WHERE idempotency_key = :key"),
            {"key": request.idempotency_key},
        ).first()
    if row is None:
        return None
    if row.request_hash != request.fingerprint():
        raise Conflict(
            f"Idempotency key {request.idempotency_key!r} was used for backfill {row.id} with "
            "another request. Use a new key for a new backfill."
        )
    return Submitted(row.id, row.total, created=False)


def _insert(
    db: Database,
    conn: Connection,
    request: BackfillRequest,
    choice: Choice,
    at: datetime,
) -> Submitted:
    chosen = choice.selected
    backfill_id = moves.create_backfill(
        db,
        conn,
        {
            "set_id": set_id(db, conn, request.partition_set),
            "pipeline_id": pipeline_id(db, conn, choice.pipeline.name),
            "selection": request.selection,
            "selected_at": int(at.timestamp() * 1e6),
            "total": chosen.count,
            "max_active_runs": request.max_active_runs,
            "priority": request.priority,
            "ordering": request.ordering,
            "max_failures": request.max_failures,
            "queue": choice.tags.get(QUEUE_TAG),
            "tags": dict(choice.tags),
            "run_config": request.run_config,
            "steps": list(request.steps) if request.steps else None,
            "note": request.note,
            "created_by": request.created_by,
            "idempotency_key": request.idempotency_key,
            "request_hash": request.fingerprint(),
        },
    )
    first = 0
    ranges = []
    for first_key, last_key, count in chosen.key_ranges:
        ranges.append((backfill_id, first, first_key, last_key, count))
        first += count
    columns = ("backfill_id", "first_index", "first_key", "last_key", "count")
    db.bulk_insert(conn, backfill_ranges, columns, ranges)
    note_event(
        db,
        conn,
        kind="backfill.submitted",
        message=f"{chosen.count} partitions of {request.partition_set} requested",
        backfill_id=backfill_id,
        actor=request.created_by,
    )
    return Submitted(backfill_id, chosen.count, created=True)
