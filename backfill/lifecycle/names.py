"""Names of pipelines and partition sets, kept once and referred to by id."""

from __future__ import annotations

from sqlalchemy import Connection

from backfill.storage.database import Database


def pipeline_id(db: Database, conn: Connection, name: str) -> int:
    """Return the id of a pipeline's name, making it on first use."""
    return _id(db, conn, "pipelines", name)


def set_id(db: Database, conn: Connection, name: str) -> int:
    """Return the id of a partition set's name, making it on first use."""
    return _id(db, conn, "partition_sets", name)


def _id(db: Database, conn: Connection, table: str, name: str) -> int:
    find = db.sql(f"SELECT id FROM {table} WHERE name = :name")
    found = conn.execute(find, {"name": name}).scalar()
    if found is None:
        conn.execute(
            db.sql(f"INSERT INTO {table} (name) VALUES (:name) ON CONFLICT DO NOTHING"),
            {"name": name},
        )
        found = conn.execute(find, {"name": name}).scalar_one()
    return int(found)
