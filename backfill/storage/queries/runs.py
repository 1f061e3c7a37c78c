"""Runs: one, and a page of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row

from backfill.states import RunState
from backfill.storage.database import Database, decoded
from backfill.storage.queries.paging import Page, read_page
from backfill.storage.queries.run_search import RunFilter as RunFilter
from backfill.storage.queries.run_search import newest_ids


@dataclass(frozen=True)
class RunView:
    """A run as it is shown.

    Attributes:
        attempt: The newest attempt; 0 before a worker claimed it.
        waiting_run: The run whose partition it waits for.
        available_at: A pending run is not taken before this.
        parent_id: The run that it re-executes; `root_id` the first of its lineage.
        mode: Which steps a re-execution executes: `from_failure`, `steps` or `all`.
        timeout_seconds: How long an attempt of it may take, where it says so itself.
        worker: The Celery node name of the worker of the newest attempt.
        message_id: The Celery task id of the message that carries it.
        run_config: In a list None; else the override, or what was really used once it ran.
    """

    id: int
    backfill_id: int | None
    generation: int
    partition_set: str | None
    partition: str | None
    pipeline: str
    state: RunState
    attempt: int
    failures: int
    crashes: int
    max_failures: int
    waiting_run: int | None
    available_at: int
    cancel_requested_at: int | None
    queue: str | None
    tags: Mapping[str, str]
    run_config: Mapping[str, Any] | None
    steps: Sequence[str] | None
    parent_id: int | None
    root_id: int | None
    mode: str | None
    timeout_seconds: float | None
    version: str | None
    reason: str | None
    failed_step: str | None
    error_type: str | None
    error_message: str | None
    worker: str | None
    message_id: str | None
    created_at: int
    queued_at: int | None
    started_at: int | None
    finished_at: int | None


_COLUMNS = (
    "r.id, r.backfill_id, r.generation, s.name AS set_name, r.partition, p.name AS pipeline_name, "
    "r.state, r.attempt, r.failures, r.crashes, r.max_failures, r.waiting_run, r.available_at, "
    "r.cancel_requested_at, r.queue, r.tags, r.steps, r.parent_id, r.root_id, "
    "r.mode, r.timeout_seconds, r.version, r.reason, "
    "r.failed_step, r.error_type, r.error_message, w.name AS worker_name, r.message_id, "
    "r.created_at, r.queued_at, r.started_at, r.finished_at"
)
_JOINS = (
    "JOIN pipelines p ON p.id = r.pipeline_id LEFT JOIN partition_sets s ON s.id = r.set_id "
    "LEFT JOIN workers w ON w.id = r.worker_id"
)


def get_run(db: Database, conn: Connection, run_id: int) -> RunView | None:
    """Return a run with its config, or None."""
    row = conn.execute(
        db.sql(f"SELECT {_COLUMNS}, r.run_config FROM runs r {_JOINS} WHERE r.id = :id"),
        {"id": run_id},
    ).first()
    return None if row is None else _view(row, decoded(row.run_config))


def get_runs(db: Database, conn: Connection, run_ids: Sequence[int]) -> list[RunView]:
    """Return runs without their config, in the order of their ids."""
    statement = f"SELECT {_COLUMNS} FROM runs r {_JOINS} WHERE {db.one_of('r.id', 'ids')}"
    rows = conn.execute(db.sql(f"{statement} ORDER BY r.id"), {"ids": db.ints(run_ids)})
    return [_view(row, None) for row in rows]


def list_runs(
    db: Database, conn: Connection, wanted: RunFilter, *, limit: int, before: int | None = None
) -> Page[RunView]:
    """Return runs, newest first; `before` is the id of the last one already seen."""
    found = newest_ids(db, wanted, before=before)
    statement = f"SELECT {_COLUMNS} FROM runs r {_JOINS} WHERE {found} ORDER BY r.id DESC"
    return read_page(db, conn, statement, found.params, lambda row: _view(row, None), limit=limit)


def stoppable_runs(db: Database, conn: Connection, wanted: RunFilter, *, limit: int) -> list[int]:
    """Return the ids of runs that nobody told to stop yet, newest first."""
    found = newest_ids(db, wanted, before=None, also="x.cancel_requested_at IS NULL")
    rows = conn.execute(
        db.sql(f"SELECT r.id FROM runs r WHERE {found} ORDER BY r.id DESC"),
        {**found.params, "page_limit": limit},
    )
    return [row.id for row in rows]


def reexecutable_runs(
    db: Database, conn: Connection, wanted: RunFilter, *, limit: int
) -> list[int]:
    """Return the ids of runs that ended and were never re-executed, newest first."""
    never = "NOT EXISTS (SELECT 1 FROM runs c WHERE c.parent_id = x.id)"
    found = newest_ids(db, wanted, before=None, also=f"x.finished_at IS NOT NULL AND {never}")
    rows = conn.execute(
        db.sql(f"SELECT r.id FROM runs r WHERE {found} ORDER BY r.id DESC"),
        {**found.params, "page_limit": limit},
    )
    return [row.id for row in rows]


def _view(row: Row[Any], run_config: Mapping[str, Any] | None) -> RunView:
    return RunView(
        id=row.id,
        backfill_id=row.backfill_id,
        generation=row.generation,
        partition_set=row.set_name,
        partition=row.partition,
        pipeline=row.pipeline_name,
        state=RunState(row.state),
        attempt=row.attempt,
        failures=row.failures,
        crashes=row.crashes,
        max_failures=row.max_failures,
        waiting_run=row.waiting_run,
        available_at=row.available_at,
        cancel_requested_at=row.cancel_requested_at,
        queue=row.queue,
        tags=decoded(row.tags) or {},
        run_config=run_config,
        steps=decoded(row.steps),
        parent_id=row.parent_id,
        root_id=row.root_id,
        mode=row.mode,
        timeout_seconds=row.timeout_seconds,
        version=row.version,
        reason=row.reason,
        failed_step=row.failed_step,
        error_type=row.error_type,
        error_message=row.error_message,
        worker=row.worker_name,
        message_id=row.message_id,
        created_at=row.created_at,
        queued_at=row.queued_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )
