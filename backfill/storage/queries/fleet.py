"""The fleet as the coordinator and the workers wrote it down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row

from backfill.storage.database import Database, decoded

MAX_WORKERS = 500
REMEMBERED_US = 24 * 3600 * 1_000_000


@dataclass(frozen=True)
class WorkerView:
    """A worker: a Celery node with some processes.

    Attributes:
        alive: It beat within its lease and was not stopped.
        running: Runs it executes now.
    """

    id: int
    name: str
    host: str
    pid: int
    slots: int
    queues: Sequence[str]
    running: int
    alive: bool
    code_version: str | None
    load_error: str | None
    started_at: int
    beat_at: int
    stopped_at: int | None


@dataclass(frozen=True)
class LagView:
    """How late the coordinators' work is, in microseconds; 0 where nothing waits.

    Attributes:
        silence: Since the leader was last heard of.
        expanding: Since the oldest backfill was requested that has no run yet.
        publishing: How overdue the sending of a queued run is.
        reaping: How long ago a lease ended that nobody took away yet.
        counting: How old the oldest move is that no count shows yet.
    """

    silence: int
    expanding: int
    publishing: int
    reaping: int
    counting: int


@dataclass(frozen=True)
class CoordinatorView:
    """Who leads, or led last, and how late the work of it is."""

    holder: str
    epoch: int
    leading: bool
    beat_at: int
    expires_at: int
    facts: Mapping[str, Any]
    lag: LagView


@dataclass(frozen=True)
class QueueView:
    """A queue: runs marked queued here, and the messages the broker said it holds (None: unasked).

    Attributes:
        slots: Processes of living workers that listen on it.
    """

    name: str
    queued: int
    slots: int
    depth: int | None
    seen_at: int | None


def list_workers(db: Database, conn: Connection, *, silence_us: int) -> Sequence[WorkerView]:
    """Return the workers seen within a day, living ones first; silent for longer means dead."""
    rows = conn.execute(
        db.sql(
            "SELECT w.*, (stopped_at IS NULL AND beat_at > {now} - :silence) AS alive, "
            "coalesce(r.n, 0) AS running FROM workers w LEFT JOIN (SELECT worker_id, "
            "count(*) AS n FROM runs WHERE state = 'running' GROUP BY worker_id) r "
            "ON r.worker_id = w.id WHERE beat_at > {now} - :remembered "
            "ORDER BY alive DESC, name LIMIT :most"
        ),
        {"silence": silence_us, "remembered": REMEMBERED_US, "most": MAX_WORKERS},
    )
    return [_worker(row) for row in rows]


def coordinator(db: Database, conn: Connection) -> CoordinatorView | None:
    """Return who leads, or led last; None when no coordinator ever ran."""
    row = conn.execute(
        db.sql(
            f"SELECT l.*, l.expires_at > {{now}} AS leading, {_lags(db)} "
            "FROM leaders l ORDER BY name LIMIT 1"
        )
    ).first()
    if row is None:
        return None
    return CoordinatorView(
        holder=row.holder,
        epoch=row.epoch,
        leading=bool(row.leading),
        beat_at=row.beat_at,
        expires_at=row.expires_at,
        facts=decoded(row.facts) or {},
        lag=LagView(
            silence=max(row.silence, 0),
            expanding=max(row.expanding or 0, 0),
            publishing=max(row.publishing or 0, 0),
            reaping=max(row.reaping or 0, 0),
            counting=max(row.counting or 0, 0),
        ),
    )


def _lags(db: Database) -> str:
    """Render how late each kind of work is; an index finds the first of each."""
    uncounted = (
        "SELECT f.at FROM feed f WHERE (f.xid, f.id) > "
        "(SELECT c.xid, c.id FROM cursors c WHERE c.name = 'counts') "
        f"AND {db.feed_settled} ORDER BY f.xid, f.id LIMIT 1"
    )
    return (
        "{now} - l.beat_at AS silence, "
        "{now} - (SELECT min(created_at) FROM backfills WHERE state = 'requested') AS expanding, "
        "{now} - (SELECT min(next_publish_at) FROM runs WHERE state = 'queued') AS publishing, "
        "{now} - (SELECT min(lease_expires_at) FROM runs WHERE state = 'running') AS reaping, "
        f"{{now}} - ({uncounted}) AS counting"
    )


def list_queues(
    db: Database, conn: Connection, workers: Sequence[WorkerView], *, default: str
) -> Sequence[QueueView]:
    """Return every queue that holds something or is listened on, by name."""
    queued = conn.execute(
        db.sql(
            "SELECT coalesce(queue, :default) AS name, count(*) AS n FROM runs "
            "WHERE state = 'queued' GROUP BY 1"
        ),
        {"default": default},
    )
    waiting = {row.name: int(row.n) for row in queued}
    seen = {
        row.name: row
        for row in conn.execute(db.sql("SELECT name, depth, seen_at FROM queues")).all()
    }
    slots: dict[str, int] = {}
    for worker in workers:
        for queue in worker.queues if worker.alive else ():
            slots[queue] = slots.get(queue, 0) + worker.slots
    return [
        QueueView(
            name=name,
            queued=waiting.get(name, 0),
            slots=slots.get(name, 0),
            depth=seen[name].depth if name in seen else None,
            seen_at=seen[name].seen_at if name in seen else None,
        )
        for name in sorted({*waiting, *seen, *slots})
    ]


def _worker(row: Row[Any]) -> WorkerView:
    return WorkerView(
        id=row.id,
        name=row.name,
        host=row.host,
        pid=row.pid,
        slots=row.slots,
        queues=decoded(row.queues),
        running=row.running,
        alive=bool(row.alive),
        code_version=row.code_version,
        load_error=row.load_error,
        started_at=row.started_at,
        beat_at=row.beat_at,
        stopped_at=row.stopped_at,
    )
