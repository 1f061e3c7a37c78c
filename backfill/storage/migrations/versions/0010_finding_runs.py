"""Finding runs: lists by backfill, set, pipeline, state, time and tag; launches by their key"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

ROWS_AT_ONCE = 5_000
ALONE = "backfill_id IS NULL"
PARTIAL: list[tuple[str, list[str], str]] = [
    ("ix_runs_pending", ["id"], "state = 'pending'"),
    ("ix_runs_unsuccessful", ["id"], "state IN ('failed', 'canceled', 'skipped')"),
    ("ix_runs_alone_set", ["set_id", "id"], ALONE),
    ("ix_runs_alone_pipeline", ["pipeline_id", "id"], ALONE),
    ("ix_runs_sampled", ["created_at", "id"], "id % 128 = 0"),
]


def upgrade() -> None:
    op.create_index("ix_runs_backfill", "runs", ["backfill_id", "id"])
    for name, columns, where in PARTIAL:
        condition = sa.text(where)
        op.create_index(name, "runs", columns, postgresql_where=condition, sqlite_where=condition)
    op.create_table(
        "launches",
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("request_hash", sa.Text(), nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("idempotency_key", name=op.f("pk_launches")),
    )
    run_tags = op.create_table(
        "run_tags",
        sa.Column("tag", sa.BigInteger(), nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tag", "run_id", name=op.f("pk_run_tags")),
        sqlite_with_rowid=False,
    )
    conn = op.get_bind()
    for rows in _tagged(conn):
        conn.execute(sa.insert(run_tags), rows)


def downgrade() -> None:
    op.drop_table("run_tags")
    op.drop_table("launches")
    for name, _, _ in PARTIAL:
        op.drop_index(name, table_name="runs")
    op.drop_index("ix_runs_backfill", table_name="runs")


def _tagged(conn: sa.Connection) -> Iterator[list[dict[str, int]]]:
    """Give the tags that runs have of their own, a page of runs at a time."""
    seen = 0
    while True:
        page = conn.execute(
            sa.text(
                "SELECT id, tags FROM runs WHERE id > :seen AND tags IS NOT NULL "
                "ORDER BY id LIMIT :limit"
            ),
            {"seen": seen, "limit": ROWS_AT_ONCE},
        ).all()
        if not page:
            return
        seen = page[-1].id
        rows = [{"tag": n, "run_id": row.id} for row in page for n in _numbers(row.tags)]
        if rows:
            yield rows


def _numbers(tags: Any) -> set[int]:
    known = json.loads(tags) if isinstance(tags, str) else tags
    return {_number(name, str(value)) for name, value in (known or {}).items()}


def _number(name: str, value: str) -> int:
    packed = f"{len(name)}:{name}{value}".encode("utf-8", "replace")
    return int.from_bytes(hashlib.blake2b(packed, digest_size=8).digest(), "big") >> 1
