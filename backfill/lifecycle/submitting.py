"""Submitting: a selection is frozen and a backfill requested; the coordinator does the rest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from backfill.definitions.calls import Definitions, SelectionResult
from backfill.errors import Conflict, Invalid
from backfill.lifecycle import moves
from backfill.lifecycle.names import pipeline_id, set_id
from backfill.lifecycle.telling import note_event
from backfill.storage.database import Database
from backfill.storage.models import backfill_ranges

QUEUE_TAG = "queue"


@dataclass(frozen=True)
class BackfillRequest:
    """What a person asks for. `run_config` is merged over every partition's own."""

    partition_set: str
    selection: str
    max_active_runs: int | None = None
    priority: int = 0
    ordering: str = "oldest"
    max_failures: int = 0
    tags: Mapping[str, str] = field(default_factory=dict)
    run_config: Mapping[str, Any] | None = None
    steps: Sequence[str] | None = None
    note: str | None = None
    created_by: str | None = None
    idempotency_key: str | None = None

    def fingerprint(self) -> str:
        """Return a hash of what is asked, to tell a repeated request from another one."""
        asked = {k: v for k, v in self.__dict__.items() if k not in {"created_by"}}
        return hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest()


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
        ConfigInvalid: The override does not fit the pipeline.
        Conflict: The idempotency key was used for another request.
    """
    _check(request)
    known = _known_key(db, request)
    if known is not None:
        return known
    catalog = definitions.catalog()
    pipeline_name = catalog.partition_set(request.partition_set).pipeline
    pipeline = catalog.pipeline(pipeline_name)
    unknown = [s for s in request.steps or () if s not in {x.name for x in pipeline.steps}]
    if unknown:
        raise Invalid(
            f'Pipeline "{pipeline_name}" has no step "{unknown[0]}". '
            f"It has: {', '.join(s.name for s in pipeline.steps)}."
        )
    chosen = definitions.select(request.partition_set, request.selection, at, limit=limit)
    tags = {**pipeline.tags, **request.tags}
    try:
        submitted = db.transact(
            lambda conn: _insert(db, conn, request, pipeline_name, tags, chosen, at)
        )
    except IntegrityError:
        known = _known_key(db, request)  # somebody with the same key was faster
        if known is None:
            raise
        return known
    db.notify()
    return submitted


def _check(request: BackfillRequest) -> None:
    if request.max_active_runs is not None and request.max_active_runs < 1:
        raise Invalid("max_active_runs must be at least 1; leave it out for no limit.")
    if request.ordering not in {"oldest", "newest"}:
        raise Invalid(f'Order "{request.ordering}" is not known; use oldest or newest.')
    if request.max_failures < 0:
        raise Invalid("max_failures must be 0 or more.")


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
    pipeline_name: str,
    tags: Mapping[str, str],
    chosen: SelectionResult,
    at: datetime,
) -> Submitted:
    backfill_id = moves.create_backfill(
        db,
        conn,
        {
            "set_id": set_id(db, conn, request.partition_set),
            "pipeline_id": pipeline_id(db, conn, pipeline_name),
            "selection": request.selection,
            "selected_at": int(at.timestamp() * 1e6),
            "total": chosen.count,
            "max_active_runs": request.max_active_runs,
            "priority": request.priority,
            "ordering": request.ordering,
            "max_failures": request.max_failures,
            "queue": tags.get(QUEUE_TAG),
            "tags": dict(tags),
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
