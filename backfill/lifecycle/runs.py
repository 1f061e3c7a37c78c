"""Runs outside a backfill: launch one by hand, cancel one, cancel what a message carried."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from backfill.errors import Conflict, no_run
from backfill.lifecycle import moves
from backfill.lifecycle.names import pipeline_id, set_id
from backfill.lifecycle.pooling import register_pools
from backfill.lifecycle.telling import note_event
from backfill.states import RunState
from backfill.storage.database import Database

NO_POOLS: Mapping[str, int] = MappingProxyType({})


@dataclass(frozen=True)
class LaunchRequest:
    """One run to launch: of a pipeline, for a partition of a set or for none."""

    pipeline: str
    partition_set: str | None = None
    partition: str | None = None
    run_config: Mapping[str, Any] | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    steps: Sequence[str] | None = None
    priority: int = 0
    max_failures: int = 0
    queue: str | None = None
    created_by: str | None = None
    idempotency_key: str | None = None
    on_conflict: str = "wait"

    def fingerprint(self) -> str:
        """Return a hash of what is asked, to tell a repeated request from another one."""
        asked = {k: v for k, v in self.__dict__.items() if k not in {"created_by"}}
        return hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest()


def launched_before(db: Database, request: LaunchRequest) -> int | None:
    """Return the run that the same request under the same key made, or None.

    Raises:
        Conflict: The key was used for another request.
    """
    if request.idempotency_key is None:
        return None
    with db.read() as conn:
        row = conn.execute(
            db.sql("SELECT request_hash, run_id FROM launches WHERE idempotency_key = :key"),
            {"key": request.idempotency_key},
        ).first()
    if row is None:
        return None
    if row.request_hash != request.fingerprint():
        raise Conflict(
            f"Idempotency key {request.idempotency_key!r} was used for run {row.run_id} with "
            "another request. Use a new key for a new run."
        )
    return int(row.run_id)


def launch(
    db: Database,
    request: LaunchRequest,
    *,
    asked: LaunchRequest | None = None,
    pools: Mapping[str, int] = NO_POOLS,
) -> int:
    """Make one pending run; the caller has checked its names and its config. Return its id.

    Args:
        asked: The request as it came, which its idempotency key stands for.
        pools: Slots that it takes while it is queued or running, by pool.

    Raises:
        Conflict: The idempotency key was used for another request meanwhile.
    """
    asked = asked or request

    def work(conn: Connection) -> int:
        register_pools(db, conn, pools)
        run_id = moves.create_run(
            db,
            conn,
            {
                "set_id": set_id(db, conn, request.partition_set)
                if request.partition_set
                else None,
                "partition": request.partition,
                "pipeline_id": pipeline_id(db, conn, request.pipeline),
                "sort": -request.priority,
                "max_failures": request.max_failures,
                "queue": request.queue,
                "tags": dict(request.tags) or None,
                "run_config": request.run_config,
                "override": request.run_config,
                "on_conflict": None if request.on_conflict == "wait" else request.on_conflict,
                "steps": list(request.steps) if request.steps else None,
                "pools": dict(pools) or None,
            },
        )
        note_event(
            db,
            conn,
            kind="run.launched",
            message=f"run of {request.pipeline} launched",
            run_id=run_id,
            actor=request.created_by,
        )
        if asked.idempotency_key is not None:
            _keep_key(db, conn, asked, run_id)
        return run_id

    try:
        launched = db.transact(work)
    except IntegrityError:  # somebody with the same key was faster
        known = launched_before(db, asked)
        if known is None:
            raise
        return known
    db.notify()
    return launched


def _keep_key(db: Database, conn: Connection, asked: LaunchRequest, run_id: int) -> None:
    conn.execute(
        db.sql(
            "INSERT INTO launches (idempotency_key, request_hash, run_id) "
            "VALUES (:key, :hash, :run)"
        ),
        {"key": asked.idempotency_key, "hash": asked.fingerprint(), "run": run_id},
    )


def cancel_run(
    db: Database, run_id: int, *, reason: str | None = None, actor: str | None = None
) -> RunState:
    """Cancel one run: at once when no worker has it, else its worker is told.

    Returns:
        The state it is in now: canceled, or running until its worker stops it.
    """
    why = reason or (f"canceled by {actor}" if actor else "canceled")
    state = db.transact(lambda conn: _cancel_one(db, conn, run_id, why, actor))
    db.notify()
    return state


def _cancel_one(
    db: Database, conn: Connection, run_id: int, why: str, actor: str | None
) -> RunState:
    row = conn.execute(
        db.sql(f"SELECT state FROM runs WHERE id = :id{db.for_update}"), {"id": run_id}
    ).first()
    if row is None:
        raise no_run(run_id)
    state = RunState(row.state)
    where, params = "id = :run", {"run": run_id}
    if state is RunState.PENDING:
        moves.cancel_pending(db, conn, where=where, params=params, reason=why, limit=1)
    elif state is RunState.QUEUED:
        moves.cancel_queued(db, conn, where=where, params=params, reason=why)
    elif state is RunState.RUNNING:
        moves.request_cancel(db, conn, where=where, params=params, reason=why)
    else:
        raise Conflict(f"Run {run_id} cannot be canceled: it is {state}.", state=state.value)
    note_event(db, conn, kind="run.canceled", message=why, run_id=run_id, actor=actor)
    return RunState.RUNNING if state is RunState.RUNNING else RunState.CANCELED


def cancel_message(db: Database, message_id: str, *, reason: str) -> int:
    """Cancel the unfinished runs of one message: its task was revoked. Return how many."""

    def work(conn: Connection) -> int:
        where, params = "message_id = :message", {"message": message_id}
        queued = moves.cancel_queued(db, conn, where=where, params=params, reason=reason)
        running = moves.request_cancel(db, conn, where=where, params=params, reason=reason)
        return len(queued) + len(running)

    count = db.transact(work)
    db.notify()
    return count
