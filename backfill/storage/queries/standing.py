"""What keeps runs where they are: every statement reads a few rows, with a million pending too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row

from backfill.storage.database import Database, decoded

COUNTED = 10_000  # what is counted before a run is counted no further
BROKER_US = 120_000_000  # an answer of the broker is believed this long


def run_standing(db: Database, conn: Connection, run_id: int) -> Row[Any] | None:
    """Return a run, its backfill, its worker and the run it waits behind, in one row."""
    return conn.execute(
        db.sql(
            "SELECT r.*, p.name AS pipeline_name, s.name AS set_name, w.name AS worker_name, "
            "w.beat_at AS worker_beat_at, b.state AS backfill_state, "
            "b.pause_reason, b.max_active_runs, b.priority, b.ordering, b.queue AS backfill_queue, "
            "b.code_version, b.canary_state, h.state AS holder_state, "
            "h.backfill_id AS holder_backfill, "
            "h.started_at AS holder_started_at, {now} AS now "
            "FROM runs r JOIN pipelines p ON p.id = r.pipeline_id "
            "LEFT JOIN partition_sets s ON s.id = r.set_id "
            "LEFT JOIN workers w ON w.id = r.worker_id "
            "LEFT JOIN backfills b ON b.id = r.backfill_id "
            "LEFT JOIN runs h ON h.id = r.waiting_run WHERE r.id = :id"
        ),
        {"id": run_id},
    ).first()


def last_attempt(db: Database, conn: Connection, run_id: int) -> Row[Any] | None:
    """Return how the newest ended attempt of a run ended, and why."""
    return conn.execute(
        db.sql(
            "SELECT attempt, ending, reason, ended_at FROM attempts WHERE run_id = :id "
            "ORDER BY attempt DESC LIMIT 1"
        ),
        {"id": run_id},
    ).first()


def running_steps(db: Database, conn: Connection, run_id: int, attempt: int) -> Sequence[Row[Any]]:
    """Return the steps of an attempt that run or wait for a retry in their worker."""
    return conn.execute(
        db.sql(
            "SELECT step, state, tries, started_at FROM step_outcomes WHERE run_id = :id "
            "AND attempt = :attempt AND state IN ('running', 'retrying') ORDER BY started_at"
        ),
        {"id": run_id, "attempt": attempt},
    ).all()


def backfill_standing(db: Database, conn: Connection, backfill_id: int) -> Row[Any] | None:
    """Return a backfill with the time it is read at."""
    return conn.execute(
        db.sql(
            "SELECT b.*, p.name AS pipeline_name, s.name AS set_name, {now} AS now "
            "FROM backfills b JOIN pipelines p ON p.id = b.pipeline_id "
            "JOIN partition_sets s ON s.id = b.set_id WHERE b.id = :id"
        ),
        {"id": backfill_id},
    ).first()


def who_paused(db: Database, conn: Connection, backfill_id: int) -> Row[Any] | None:
    """Return the event of the newest pause of a backfill."""
    return conn.execute(
        db.sql(
            "SELECT kind, actor, at FROM events WHERE backfill_id = :id "
            "AND kind = 'backfill.paused' ORDER BY id DESC LIMIT 1"
        ),
        {"id": backfill_id},
    ).first()


def active_by_state(db: Database, conn: Connection, backfill_id: int) -> dict[str, int]:
    """Return how many runs of a backfill are queued and running."""
    rows = conn.execute(
        db.sql(
            "SELECT state, count(*) AS n FROM runs WHERE backfill_id = :id "
            "AND state IN ('queued', 'running') GROUP BY state"
        ),
        {"id": backfill_id},
    )
    return {row.state: row.n for row in rows}


def busiest_holders(db: Database, conn: Connection, backfill_id: int) -> Sequence[Row[Any]]:
    """Return some of the running runs of a backfill, those that run longest first."""
    return conn.execute(
        db.sql(
            "SELECT id, partition FROM runs WHERE backfill_id = :id "
            "AND state IN ('queued', 'running') ORDER BY started_at LIMIT 3"
        ),
        {"id": backfill_id},
    ).all()


def first_ready(db: Database, conn: Connection, backfill_id: int, *, newest: bool) -> int | None:
    """Return the run of a backfill that admission would take next."""
    direction = "DESC" if newest else "ASC"
    found = conn.execute(
        db.sql(
            "SELECT id FROM runs WHERE state = 'pending' AND ready AND backfill_id = :id "
            f"ORDER BY sort {direction}, id {direction} LIMIT 1"
        ),
        {"id": backfill_id},
    ).scalar()
    return None if found is None else int(found)


def ready_before(db: Database, conn: Connection, run: Row[Any]) -> int:
    """Count the ready runs admission takes before this one, up to COUNTED."""
    comes_first = ">" if run.ordering == "newest" else "<"
    of = "backfill_id IS NULL" if run.backfill_id is None else "backfill_id = :backfill"
    wanted = {"sort": run.sort, "id": run.id, "most": COUNTED}
    if run.backfill_id is not None:
        wanted["backfill"] = run.backfill_id
    return int(
        conn.execute(
            db.sql(
                "SELECT count(*) FROM (SELECT 1 FROM runs WHERE state = 'pending' AND ready "
                f"AND {of} AND (sort, id) {comes_first} (:sort, :id) LIMIT :most) AS before_it"
            ),
            wanted,
        ).scalar_one()
    )


def parked(db: Database, conn: Connection, backfill_id: int) -> Sequence[Row[Any]]:
    """Count what of a backfill waits for another run, and what for a time; the first of each."""
    return conn.execute(
        db.sql(
            "SELECT waits_behind, count(*) AS n, min(id) AS first, min(available_at) AS next_at "
            "FROM (SELECT id, available_at, waiting_run IS NOT NULL AS waits_behind FROM runs "
            "WHERE state = 'pending' AND NOT ready AND backfill_id = :id "
            "ORDER BY available_at LIMIT :most) AS found GROUP BY waits_behind"
        ),
        {"id": backfill_id, "most": COUNTED},
    ).all()


def higher_backfills(
    db: Database, conn: Connection, priority: int, queue: str, default: str
) -> Sequence[Row[Any]]:
    """Return running backfills of higher priority with something ready for a queue."""
    return conn.execute(
        db.sql(
            "SELECT b.id, b.priority FROM backfills b WHERE b.state = 'running' "
            "AND b.priority > :priority AND coalesce(b.queue, :default) = :queue "
            "AND (SELECT r.id FROM runs r "
            "WHERE r.backfill_id = b.id AND r.state = 'pending' AND r.ready "
            "ORDER BY r.sort, r.id LIMIT 1) IS NOT NULL "
            "ORDER BY b.priority DESC, b.id LIMIT 5"
        ),
        {"priority": priority, "queue": queue, "default": default},
    ).all()


def queue_load(
    db: Database, conn: Connection, queue: str, default: str, before_us: int | None
) -> Row[Any]:
    """Return how many runs a queue holds, how many of them were queued before, how many run."""
    return conn.execute(
        db.sql(
            "SELECT coalesce(sum(CASE WHEN state = 'queued' THEN 1 ELSE 0 END), 0) AS queued, "
            "coalesce(sum(CASE WHEN state = 'queued' AND queued_at < :before THEN 1 ELSE 0 END), 0)"
            " AS before_it, "
            "coalesce(sum(CASE WHEN state = 'running' THEN 1 ELSE 0 END), 0) AS running FROM runs "
            "WHERE state IN ('queued', 'running') AND coalesce(queue, :default) = :queue"
        ),
        {"queue": queue, "default": default, "before": before_us or 0},
    ).one()


def broker_answer(db: Database, conn: Connection, queue: str) -> Row[Any] | None:
    """Return what the broker said lately of a queue; a depth of None: it did not answer."""
    return conn.execute(
        db.sql(
            "SELECT depth, seen_at FROM queues WHERE name = :name AND seen_at > {now} - :lately"
        ),
        {"name": queue, "lately": BROKER_US},
    ).first()


def leader(db: Database, conn: Connection) -> Row[Any] | None:
    """Return who leads or led last, and how long the oldest change waits to be counted."""
    return conn.execute(
        db.sql(
            "SELECT l.holder, l.facts, l.beat_at, l.expires_at > {now} AS leading, {now} AS now, "
            "(SELECT f.at FROM feed f JOIN cursors c ON c.name = 'counts' "
            "WHERE (f.xid, f.id) > (c.xid, c.id) ORDER BY f.xid, f.id LIMIT 1) AS oldest "
            "FROM leaders l ORDER BY l.name LIMIT 1"
        )
    ).first()


def living_workers(db: Database, conn: Connection, *, silence_us: int) -> list[dict[str, Any]]:
    """Return name, slots, queues, code version and load error of the workers that live."""
    rows = conn.execute(
        db.sql(
            "SELECT name, slots, queues, code_version, load_error FROM workers "
            "WHERE stopped_at IS NULL AND beat_at > {now} - :silence ORDER BY name LIMIT 500"
        ),
        {"silence": silence_us},
    )
    return [{**row._mapping, "queues": decoded(row.queues)} for row in rows]


def commonest_failure(db: Database, conn: Connection, backfill_id: int) -> Row[Any] | None:
    """Return the commonest error of the newest failed runs of a backfill, and one run with it."""
    return conn.execute(
        db.sql(
            "SELECT failed_step, error_type, count(*) AS n, max(id) AS run_id FROM (SELECT id, "
            "failed_step, error_type FROM runs WHERE backfill_id = :id "
            "AND state IN ('failed', 'canceled') AND error_type IS NOT NULL "
            "ORDER BY id DESC LIMIT 1000) AS newest "
            "GROUP BY failed_step, error_type ORDER BY n DESC, failed_step LIMIT 1"
        ),
        {"id": backfill_id},
    ).first()
