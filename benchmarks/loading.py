"""Many finished or waiting runs put into PostgreSQL at once by COPY."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from backfill.lifecycle.names import pipeline_id, set_id
from backfill.storage.database import Database
from benchmarks import windows

CHUNK = 50_000


def named(db: Database, set_name: str, pipeline: str) -> tuple[int, int]:
    """Return the ids of a set and a pipeline, made when they are new."""
    with db.write() as conn:
        return set_id(db, conn, set_name), pipeline_id(db, conn, pipeline)


def backfill_row(
    db: Database,
    conn: Connection,
    ids: tuple[int, int],
    count: int,
    *,
    finished: bool,
    priority: int = 0,
    max_active: int | None = None,
) -> int:
    """Write a fully expanded backfill, running or succeeded; return its id."""
    state = "succeeded" if finished else "running"
    return int(
        conn.execute(
            db.sql(
                "INSERT INTO backfills (set_id, pipeline_id, state, selection, selected_at, total, "
                "expanded, expanded_at, created_at, started_at, finished_at, pending, succeeded, "
                "priority, max_active_runs) VALUES (:set, :pipeline, :state, 'all', {now}, :n, :n, "
                "{now}, {now}, {now}, CASE WHEN :finished THEN {now} END, :pending, :succeeded, "
                ":priority, :max_active) RETURNING id"
            ),
            {
                "set": ids[0],
                "pipeline": ids[1],
                "state": state,
                "n": count,
                "finished": finished,
                "pending": 0 if finished else count,
                "succeeded": count if finished else 0,
                "priority": priority,
                "max_active": max_active,
            },
        ).scalar_one()
    )


def pending_runs(
    db: Database, conn: Connection, ids: tuple[int, int], backfill_id: int, first: int, count: int
) -> None:
    """COPY `count` pending runs of the partitions from an index on."""
    now = db.clock(conn)
    cursor = conn.connection.cursor()
    with cursor.copy(
        "COPY runs (backfill_id, set_id, pipeline_id, partition, state, ready, sort, "
        "available_at, created_at) FROM STDIN"
    ) as copy:
        for start in range(0, count, CHUNK):
            copy.write(
                "".join(
                    f"{backfill_id}\t{ids[0]}\t{ids[1]}\t{windows.key(first + n)}\tpending\tt\t{n}"
                    f"\t{now}\t{now}\n"
                    for n in range(start, min(start + CHUNK, count))
                )
            )


def finished_runs(
    db: Database,
    conn: Connection,
    ids: tuple[int, int],
    backfill_id: int,
    count: int,
    steps: Sequence[str],
) -> None:
    """COPY `count` succeeded runs of the first partitions with an outcome per step."""
    now = db.clock(conn)
    first_id = int(
        conn.execute(db.sql("SELECT nextval(pg_get_serial_sequence('runs', 'id'))")).scalar_one()
    )
    cursor = conn.connection.cursor()
    with cursor.copy(
        "COPY runs (id, backfill_id, set_id, pipeline_id, partition, state, ready, sort, attempt, "
        "available_at, created_at, started_at, finished_at) FROM STDIN"
    ) as copy:
        for start in range(0, count, CHUNK):
            copy.write(
                "".join(
                    f"{first_id + n}\t{backfill_id}\t{ids[0]}\t{ids[1]}\t{windows.key(n)}\t"
                    f"succeeded\tf\t{n}\t1\t{now}\t{now}\t{now}\t{now}\n"
                    for n in range(start, min(start + CHUNK, count))
                )
            )
    with cursor.copy(
        "COPY step_outcomes (run_id, attempt, step, state, tries, started_at, finished_at) "
        "FROM STDIN"
    ) as copy:
        tails = [f"\t1\t{step}\tsucceeded\t1\t{now}\t{now}\n" for step in steps]
        for start in range(0, count, CHUNK):
            copy.write(
                "".join(
                    f"{first_id + n}{tail}"
                    for n in range(start, min(start + CHUNK, count))
                    for tail in tails
                )
            )
    conn.execute(
        db.sql("SELECT setval(pg_get_serial_sequence('runs', 'id'), :last)"),
        {"last": first_id + count},
    )


def analyze(db: Database) -> None:
    """Let the planner know the tables and mark their pages, as autovacuum would in a while."""
    with db.single() as conn:
        conn.exec_driver_sql("SET statement_timeout = 0")
        for table in ("runs", "step_outcomes"):
            conn.exec_driver_sql(f"VACUUM (ANALYZE) {table}")
        conn.exec_driver_sql("RESET statement_timeout")
