"""Backfills: submit, expand, pause, resume, cancel, settle.

Every verb locks the backfill's row first, so expansion, edits, cancel and settle see each other
whole. Submitting freezes the selection and answers; the coordinator does the rest.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row
from sqlalchemy.exc import IntegrityError

from backfill.definitions.calls import (
    Definitions,
    ExpandedPartition,
    Expansion,
    KeyRange,
    SelectionResult,
)
from backfill.errors import Conflict, Invalid, NotFound
from backfill.lifecycle import moves
from backfill.lifecycle.names import pipeline_id, set_id
from backfill.lifecycle.telling import note_event
from backfill.states import BackfillMove, BackfillState
from backfill.storage.database import Database
from backfill.storage.models import backfill_ranges

CANCEL_CHUNK = 5_000
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


# -- expansion ----------------------------------------------------------------------------------


def expand_chunk(
    db: Database, definitions: Definitions, backfill_id: int, *, limit: int
) -> int | None:
    """Make the next runs of a backfill; return how many, or None when it needs no expansion.

    The keys are asked of the user's code before the transaction, which then checks under the row
    lock that the cursor still stands where they were asked for.
    """
    with db.read() as conn:
        found = _expanding(db, conn, backfill_id, lock=False)
        if found is None:
            return None
        names = _names(db, conn, found)
        ranges = _ranges_from(db, conn, found, limit)
    at = datetime.fromtimestamp(found.selected_at / 1e6, UTC)
    wanted = min(limit, found.total - found.expanded)
    skip, key_ranges = _slice(found, ranges, wanted)
    chunk = _expand(definitions, names.set, key_ranges, skip, wanted, at)
    new = [
        moves.NewRun(
            partition=p.key,
            sort=_sort(found, n),
            tags=dict(p.tags) if p.tags else None,
            queue=p.tags.get(QUEUE_TAG) if p.tags else None,
        )
        for n, p in enumerate(_ordered(found, chunk.partitions), start=found.expanded)
    ]
    made = db.transact(
        lambda conn: _write_chunk(db, conn, found, new, wanted, list(chunk.vanished))
    )
    db.notify()
    return made


def _expand(
    definitions: Definitions,
    set_name: str,
    key_ranges: Sequence[KeyRange],
    skip: int,
    wanted: int,
    at: datetime,
) -> Expansion:
    """Ask for a whole chunk; a slow tags function answers it in pieces."""
    partitions: list[ExpandedPartition] = []
    vanished: list[str] = []
    offset, stop = skip, skip + wanted
    while True:
        piece = definitions.expand(set_name, key_ranges, offset=offset, limit=stop - offset, at=at)
        partitions += piece.partitions
        vanished += piece.vanished
        if piece.next_offset >= stop or piece.next_offset <= offset:
            return Expansion(partitions, piece.next_offset, vanished, piece.drifted)
        offset = piece.next_offset


def _ordered(backfill: Row[Any], partitions: Sequence[Any]) -> Sequence[Any]:
    return list(reversed(partitions)) if backfill.ordering == "newest" else partitions


def _sort(backfill: Row[Any], n: int) -> int:
    """Return a run's place in the set's order; newest first is expanded from the end."""
    return backfill.total - 1 - n if backfill.ordering == "newest" else n


def _expanding(db: Database, conn: Connection, backfill_id: int, *, lock: bool) -> Row[Any] | None:
    return conn.execute(
        db.sql(
            "SELECT id, state, set_id, pipeline_id, total, expanded, selected_at, generation, "
            "max_failures, queue, ordering FROM backfills "
            "WHERE id = :id AND expanded_at IS NULL AND state IN ('requested', 'running', "
            "'paused')" + (db.for_update if lock else "")
        ),
        {"id": backfill_id},
    ).first()


@dataclass(frozen=True)
class _Names:
    set: str
    pipeline: str


def _names(db: Database, conn: Connection, backfill: Row[Any]) -> _Names:
    row = conn.execute(
        db.sql(
            "SELECT s.name AS set_name, p.name AS pipeline_name FROM partition_sets s, pipelines p "
            "WHERE s.id = :set AND p.id = :pipeline"
        ),
        {"set": backfill.set_id, "pipeline": backfill.pipeline_id},
    ).one()
    return _Names(row.set_name, row.pipeline_name)


def _span(backfill: Row[Any], wanted: int) -> tuple[int, int]:
    """Return the [start, stop) of the next chunk, counted over the backfill's ranges."""
    if backfill.ordering == "newest":
        stop = backfill.total - backfill.expanded
        return stop - wanted, stop
    return backfill.expanded, backfill.expanded + wanted


def _ranges_from(
    db: Database, conn: Connection, backfill: Row[Any], limit: int
) -> Sequence[Row[Any]]:
    """Read the ranges that the next chunk touches."""
    start, stop = _span(backfill, min(limit, backfill.total - backfill.expanded))
    return conn.execute(
        db.sql(
            'SELECT first_index, first_key, last_key, "count" FROM backfill_ranges '
            'WHERE backfill_id = :id AND first_index < :stop AND first_index + "count" > :start '
            "ORDER BY first_index"
        ),
        {"id": backfill.id, "start": start, "stop": stop},
    ).all()


def _slice(
    backfill: Row[Any], ranges: Sequence[Row[Any]], wanted: int
) -> tuple[int, list[KeyRange]]:
    start, _ = _span(backfill, wanted)
    skip = start - ranges[0].first_index if ranges else 0
    return skip, [KeyRange(r[1], r[2], r[3]) for r in ranges]


def _write_chunk(
    db: Database,
    conn: Connection,
    seen: Row[Any],
    new: Sequence[moves.NewRun],
    covered: int,
    vanished: Sequence[str],
) -> int | None:
    locked = _expanding(db, conn, seen.id, lock=True)
    if locked is None or locked.expanded != seen.expanded:
        return None
    now = db.clock(conn)
    if new:
        moves.create_backfill_runs(db, conn, locked, new, now)
    done = locked.expanded + covered >= locked.total
    conn.execute(
        db.sql(
            "UPDATE backfills SET expanded = expanded + :covered, vanished = vanished + :gone, "
            f"expanded_at = {'{now}' if done else 'NULL'} WHERE id = :id"
        ),
        {"covered": covered, "gone": covered - len(new), "id": seen.id},
    )
    if vanished:
        note_event(
            db,
            conn,
            kind="backfill.drift",
            message=f"{len(vanished)} partitions left the set before they were expanded",
            backfill_id=seen.id,
            facts={"partitions": list(vanished)[:100]},
        )
    moves.move_backfill(db, conn, seen.id, BackfillMove.START)
    return len(new)


# -- verbs --------------------------------------------------------------------------------------


def pause(db: Database, backfill_id: int, *, reason: str, actor: str | None = None) -> None:
    """Stop admission and recall what is queued; what runs goes on."""

    def work(conn: Connection) -> None:
        _lock(db, conn, backfill_id)
        if not moves.move_backfill(db, conn, backfill_id, BackfillMove.PAUSE, pause_reason=reason):
            raise _wrong_state(db, conn, backfill_id, "paused", BackfillState.PAUSED)
        moves.recall(db, conn, backfill_id)
        note_event(
            db, conn, kind="backfill.paused", message=reason, backfill_id=backfill_id, actor=actor
        )

    _verb(db, work)


def resume(db: Database, backfill_id: int, *, actor: str | None = None) -> None:
    """Let a paused backfill go on."""

    def work(conn: Connection) -> None:
        _lock(db, conn, backfill_id)
        if not moves.move_backfill(db, conn, backfill_id, BackfillMove.RESUME):
            raise _wrong_state(db, conn, backfill_id, "resumed", BackfillState.RUNNING)
        note_event(
            db,
            conn,
            kind="backfill.resumed",
            message="resumed",
            backfill_id=backfill_id,
            actor=actor,
        )

    _verb(db, work)


def cancel(
    db: Database, backfill_id: int, *, reason: str | None = None, actor: str | None = None
) -> None:
    """Give a backfill up: nothing of it starts once this returned; running steps are told.

    Pending runs are canceled in chunks by the coordinator (`cancel_chunk`).
    """
    why = reason or (f"canceled by {actor}" if actor else "canceled")

    def work(conn: Connection) -> None:
        _lock(db, conn, backfill_id)
        if not moves.move_backfill(db, conn, backfill_id, BackfillMove.CANCEL):
            raise _wrong_state(db, conn, backfill_id, "canceled", BackfillState.CANCELING)
        where, params = "backfill_id = :backfill", {"backfill": backfill_id}
        moves.cancel_queued(db, conn, where=where, params=params, reason=why)
        moves.request_cancel(db, conn, where=where, params=params, reason=why)
        note_event(
            db, conn, kind="backfill.canceled", message=why, backfill_id=backfill_id, actor=actor
        )

    _verb(db, work)


def cancel_chunk(db: Database, backfill_id: int) -> int:
    """Cancel the next pending runs of a backfill being canceled; return how many."""

    def work(conn: Connection) -> int:
        _lock(db, conn, backfill_id)
        return len(
            moves.cancel_pending(
                db,
                conn,
                where="backfill_id = :backfill",
                params={"backfill": backfill_id},
                reason="its backfill was canceled",
                limit=CANCEL_CHUNK,
            )
        )

    return db.transact(work)


def settle(db: Database, backfill_id: int) -> BackfillState | None:
    """Finish a backfill that is fully expanded and has no run left to end; else None."""

    def work(conn: Connection) -> BackfillState | None:
        row = _lock(db, conn, backfill_id)
        state = BackfillState(row.state)
        if state in BackfillMove.SETTLE_CANCELED.sources:
            move = BackfillMove.SETTLE_CANCELED
        elif row.expanded_at is None:
            return None
        else:
            move = BackfillMove.SETTLE_SUCCEEDED
        # A new statement under the lock: it sees every run committed before.
        if _unfinished(db, conn, backfill_id):
            return None
        if move is BackfillMove.SETTLE_SUCCEEDED and _unsuccessful(db, conn, backfill_id):
            move = BackfillMove.SETTLE_FAILED
        if not moves.move_backfill(db, conn, backfill_id, move):
            return None
        note_event(
            db,
            conn,
            kind=f"backfill.{move.target.value}",
            message=f"every run ended; {move.target.value}",
            backfill_id=backfill_id,
        )
        return move.target

    return db.transact(work)


def _unfinished(db: Database, conn: Connection, backfill_id: int) -> bool:
    # One probe per partial index: a plain state IN (...) would read the whole backfill.
    probes = " OR ".join(
        f"EXISTS (SELECT 1 FROM runs WHERE backfill_id = :id AND {condition})"
        for condition in (
            "state = 'pending' AND ready",
            "state = 'pending' AND NOT ready",
            "state IN ('queued', 'running')",
        )
    )
    return bool(conn.execute(db.sql(f"SELECT {probes}"), {"id": backfill_id}).scalar_one())


def _unsuccessful(db: Database, conn: Connection, backfill_id: int) -> bool:
    """Say whether a partition's newest run did not succeed."""
    return bool(
        conn.execute(
            db.sql(
                "SELECT EXISTS (SELECT 1 FROM runs r WHERE r.backfill_id = :id "
                "AND r.state IN ('failed', 'canceled') AND NOT EXISTS (SELECT 1 FROM runs n "
                "WHERE n.set_id = r.set_id AND n.partition = r.partition "
                "AND n.backfill_id = r.backfill_id AND n.generation > r.generation))"
            ),
            {"id": backfill_id},
        ).scalar_one()
    )


def _verb(db: Database, work: Any) -> None:
    db.transact(work)
    db.notify()


def _lock(db: Database, conn: Connection, backfill_id: int) -> Row[Any]:
    row = conn.execute(
        db.sql(f"SELECT id, state, expanded_at FROM backfills WHERE id = :id{db.for_update}"),
        {"id": backfill_id},
    ).first()
    if row is None:
        raise NotFound(f"No backfill {backfill_id}. `backfill list` shows those there are.")
    return row


def _wrong_state(
    db: Database, conn: Connection, backfill_id: int, verb: str, target: BackfillState
) -> Conflict:
    state = _lock(db, conn, backfill_id).state
    already = " already" if state == target.value else ""
    return Conflict(
        f"Backfill {backfill_id} cannot be {verb}: it is{already} {state}.", state=state
    )


def expandable(db: Database, conn: Connection) -> list[int]:
    """Return the backfills that still have partitions to expand, oldest first."""
    rows = conn.execute(
        db.sql(
            "SELECT id FROM backfills WHERE state IN ('requested', 'running', 'paused') "
            "AND expanded_at IS NULL ORDER BY priority DESC, id"
        )
    )
    return [row.id for row in rows]


def unsettled(db: Database, conn: Connection) -> list[tuple[int, BackfillState]]:
    """Return the backfills that may be finished or must be wound down."""
    rows = conn.execute(
        db.sql(
            "SELECT id, state FROM backfills WHERE state = 'canceling' "
            "OR (state IN ('running', 'paused') AND expanded_at IS NOT NULL) ORDER BY id"
        )
    )
    return [(row.id, BackfillState(row.state)) for row in rows]
