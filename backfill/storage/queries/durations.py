"""How long runs and steps took lately."""

from __future__ import annotations

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
