"""How often steps ended and failed, over every run and attempt of some partitions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from backfill.storage.database import Database


@dataclass(frozen=True)
class Endings:
    """How often a step succeeded or failed, and how often of those it failed."""

    ended: int = 0
    failed: int = 0


def step_endings(
    db: Database, conn: Connection, set_name: str, keys: Sequence[str]
) -> dict[str, Endings]:
    """Return the endings of each step that has any."""
    rows = conn.execute(
        db.sql(
            "SELECT o.step, count(*) AS ended, "
            "sum(CASE WHEN o.state = 'failed' THEN 1 ELSE 0 END) AS failed "
            "FROM runs r JOIN step_outcomes o ON o.run_id = r.id "
            "WHERE r.set_id = (SELECT id FROM partition_sets WHERE name = :set) "
            f"AND {db.one_of_texts('r.partition', 'keys')} "
            "AND o.state IN ('succeeded', 'failed') GROUP BY o.step"
        ),
        {"set": set_name, "keys": db.texts(keys)},
    )
    return {row.step: Endings(row.ended, int(row.failed)) for row in rows}
