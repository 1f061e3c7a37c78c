"""The fleet: workers and coordinators say they live; who leads is a row with an epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from backfill.storage.database import Database, to_json

LEADER = "coordinator"


@dataclass(frozen=True)
class WorkerHello:
    """What a worker says of itself when it starts and with every beat."""

    name: str
    host: str
    pid: int
    slots: int
    queues: Sequence[str]
    code_version: str | None = None
    load_error: str | None = None


def worker_started(db: Database, hello: WorkerHello) -> int:
    """Register a worker under its Celery node name; return its id."""
    as_json = "CAST(:queues AS json)" if db.postgres else ":queues"

    def work(conn: Connection) -> int:
        row = conn.execute(
            db.sql(
                "INSERT INTO workers (name, host, pid, slots, queues, code_version, load_error, "
                f"started_at, beat_at) VALUES (:name, :host, :pid, :slots, {as_json}, :version, "
                ":error, {now}, {now}) ON CONFLICT (name) DO UPDATE SET host = excluded.host, "
                "pid = excluded.pid, slots = excluded.slots, queues = excluded.queues, "
                "code_version = excluded.code_version, load_error = excluded.load_error, "
                "started_at = {now}, beat_at = {now}, stopped_at = NULL RETURNING id"
            ),
            {
                "name": hello.name,
                "host": hello.host,
                "pid": hello.pid,
                "slots": hello.slots,
                "queues": to_json(list(hello.queues)),
                "version": hello.code_version,
                "error": hello.load_error,
            },
        ).one()
        return int(row.id)

    worker_id = db.transact(work)
    db.notify()
    return worker_id


def worker_beat(db: Database, conn: Connection, worker_id: int, *, slots: int) -> None:
    """Say that a worker still lives, and how many processes it has."""
    conn.execute(
        db.sql(
            "UPDATE workers SET beat_at = {now}, slots = :slots, stopped_at = NULL WHERE id = :id"
        ),
        {"id": worker_id, "slots": slots},
    )


def note_code(db: Database, worker_id: int, *, version: str | None, load_error: str | None) -> None:
    """Say which version of the definitions a worker's processes have, or why they have none.

    All processes of a worker load the same sources and say the same, each when it changes.
    """
    db.transact(
        lambda conn: conn.execute(
            db.sql(
                "UPDATE workers SET code_version = :version, load_error = :error WHERE id = :id"
            ),
            {"id": worker_id, "version": version, "error": load_error},
        )
    )


def worker_stopped(db: Database, worker_id: int) -> None:
    """Say that a worker takes no more work."""
    db.transact(
        lambda conn: conn.execute(
            db.sql("UPDATE workers SET stopped_at = {now} WHERE id = :id"), {"id": worker_id}
        )
    )
    db.notify()


# -- leadership ---------------------------------------------------------------------------------


def lead(db: Database, conn: Connection, holder: str, ttl_us: int) -> int | None:
    """Take or keep the lead; return its epoch, or None while another leads.

    The epoch grows whenever the lead changes hands.
    """
    row = conn.execute(
        db.sql(
            "INSERT INTO leaders (name, holder, epoch, expires_at, beat_at) "
            "VALUES (:name, :holder, 1, {now} + :ttl, {now}) "
            "ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, "
            "epoch = leaders.epoch + CASE WHEN leaders.holder = excluded.holder THEN 0 ELSE 1 END, "
            "expires_at = excluded.expires_at, beat_at = excluded.beat_at "
            "WHERE leaders.holder = excluded.holder OR leaders.expires_at < {now} "
            "RETURNING epoch"
        ),
        {"name": LEADER, "holder": holder, "ttl": ttl_us},
    ).first()
    return int(row.epoch) if row else None


def still_leading(db: Database, conn: Connection, holder: str, epoch: int) -> bool:
    """Lock the leader row and say whether `holder` still leads in `epoch`."""
    row = conn.execute(
        db.sql(f"SELECT holder, epoch FROM leaders WHERE name = :name{db.for_update}"),
        {"name": LEADER},
    ).first()
    return row is not None and (row.holder, row.epoch) == (holder, epoch)


def note_facts(db: Database, conn: Connection, holder: str, facts: Mapping[str, Any]) -> None:
    """Keep what whoever leads has to say beside its lead; nothing when another leads."""
    as_json = "CAST(:facts AS json)" if db.postgres else ":facts"
    conn.execute(
        db.sql(f"UPDATE leaders SET facts = {as_json} WHERE name = :name AND holder = :holder"),
        {"facts": to_json(facts), "name": LEADER, "holder": holder},
    )


def resign(db: Database, holder: str) -> None:
    """Give the lead up at once, so that a standby need not wait."""
    db.transact(
        lambda conn: conn.execute(
            db.sql("UPDATE leaders SET expires_at = 0 WHERE name = :name AND holder = :holder"),
            {"name": LEADER, "holder": holder},
        )
    )


def note_queues(db: Database, conn: Connection, depths: Mapping[str, int | None]) -> None:
    """Keep how many messages each broker queue holds (None: it could not be asked)."""
    for name, depth in depths.items():
        conn.execute(
            db.sql(
                "INSERT INTO queues (name, depth, seen_at) VALUES (:name, :depth, {now}) "
                "ON CONFLICT (name) DO UPDATE SET depth = excluded.depth, seen_at = {now}"
            ),
            {"name": name, "depth": depth},
        )


def publish_state(db: Database, conn: Connection) -> Any:
    """Return queued runs' oldest age and count: (count, oldest_queued_at, now)."""
    return conn.execute(
        db.sql(
            "SELECT count(*) AS n, min(queued_at) AS oldest, {now} AS at "
            "FROM runs WHERE state = 'queued'"
        )
    ).one()
