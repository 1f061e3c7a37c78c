"""How long runs and steps took lately."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from backfill.storage.database import Database

LOOKED_AT = 2_000  # newest runs of all pipelines
TAKEN = 200  # of these, runs of the one in question


@dataclass(frozen=True)
class Pace:
    """How long runs of a pipeline take: a mean that newer runs weigh more in."""

    pipeline_id: int
    runs: int
    mean_us: int


def pipeline_pace(db: Database, conn: Connection, pipeline: str) -> Pace | None:
    """Return the pace of a pipeline, or None before a run of it has ended."""
    row = conn.execute(
        db.sql("SELECT id, runs, mean_run_us FROM pipelines WHERE name = :name"),
        {"name": pipeline},
    ).first()
    if row is None or row.mean_run_us is None:
        return None
    return Pace(row.id, row.runs, row.mean_run_us)


def step_means(db: Database, conn: Connection, pipeline_id: int) -> dict[str, float]:
    """Return what the steps of a pipeline took on average, in microseconds, lately."""
    rows = conn.execute(
        db.sql(
            "SELECT s.step, avg(s.finished_at - s.started_at) AS mean FROM step_outcomes s "
            "WHERE s.state = 'succeeded' AND s.run_id IN (SELECT id FROM ("
            "SELECT id, pipeline_id, state FROM runs ORDER BY id DESC LIMIT :looked) AS newest "
            "WHERE pipeline_id = :pipeline AND state = 'succeeded' ORDER BY id DESC LIMIT :taken) "
            "GROUP BY s.step"
        ),
        {"pipeline": pipeline_id, "looked": LOOKED_AT, "taken": TAKEN},
    )
    return {row.step: float(row.mean) for row in rows if row.mean is not None}


def backfill_durations(db: Database, conn: Connection, backfill_id: int) -> Sequence[int]:
    """Return what the newest succeeded runs of a backfill took, in microseconds.

    Runs are made in the order they are taken in, so the newest lie before the next one.
    """
    rows = conn.execute(
        db.sql(
            "SELECT finished_at - started_at AS us FROM (SELECT state, started_at, finished_at "
            "FROM runs WHERE backfill_id = :id AND id < coalesce((SELECT id FROM runs "
            "WHERE state = 'pending' AND ready AND backfill_id = :id ORDER BY sort, id LIMIT 1), "
            ":end) ORDER BY id DESC LIMIT :looked) AS newest "
            "WHERE state = 'succeeded' AND started_at IS NOT NULL"
        ),
        {"id": backfill_id, "looked": 2 * TAKEN, "end": 2**63 - 1},
    )
    return [int(row.us) for row in rows]


def partition_durations(db: Database, conn: Connection, backfill_id: int) -> Sequence[int]:
    """Return what earlier runs took of the partitions that a backfill takes next."""
    rows = conn.execute(
        db.sql(
            "SELECT e.finished_at - e.started_at AS us FROM (SELECT set_id, partition, backfill_id "
            "FROM runs WHERE state = 'pending' AND ready AND backfill_id = :id "
            "ORDER BY sort, id LIMIT :looked) AS next JOIN runs e ON e.set_id = next.set_id "
            "AND e.partition = next.partition WHERE e.state = 'succeeded' "
            "AND e.started_at IS NOT NULL LIMIT :taken"
        ),
        {"id": backfill_id, "looked": TAKEN, "taken": 2 * TAKEN},
    )
    return [int(row.us) for row in rows]


def pipeline_durations(db: Database, conn: Connection, pipeline: str) -> Sequence[int]:
    """Return what the newest succeeded runs of a pipeline took, in microseconds."""
    rows = conn.execute(
        db.sql(
            "SELECT finished_at - started_at AS us FROM (SELECT pipeline_id, state, started_at, "
            "finished_at FROM runs ORDER BY id DESC LIMIT :looked) AS newest "
            "WHERE pipeline_id = (SELECT id FROM pipelines WHERE name = :pipeline) "
            "AND state = 'succeeded' AND started_at IS NOT NULL LIMIT :taken"
        ),
        {"pipeline": pipeline, "looked": LOOKED_AT, "taken": TAKEN},
    )
    return [int(row.us) for row in rows]


def rivals(
    db: Database, conn: Connection, backfill_id: int, queue: str, default: str, priority: int
) -> int:
    """Count other running backfills with work for a queue, of the same priority or a higher."""
    return int(
        conn.execute(
            db.sql(
                "SELECT count(*) FROM backfills WHERE state = 'running' AND id <> :id "
                "AND coalesce(queue, :default) = :queue AND priority >= :priority "
                "AND (pending + queued + running > 0 OR expanded_at IS NULL)"
            ),
            {"id": backfill_id, "queue": queue, "default": default, "priority": priority},
        ).scalar_one()
    )
