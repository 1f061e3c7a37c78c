"""Give rows that people read in order ids in order, whatever session they come from"""

from __future__ import annotations

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

TABLES = (
    "pipelines",
    "partition_sets",
    "backfills",
    "blocks",
    "workers",
    "events",
    "ticks",
    "tokens",
    "sessions",
    "webhooks",
)


def upgrade() -> None:
    _set_cache(1)


def downgrade() -> None:
    _set_cache(100)


def _set_cache(numbers: int) -> None:
    if op.get_bind().dialect.name != "postgresql":
        return  # SQLite has one writer and no sequences
    for table in TABLES:
        op.execute(f"ALTER TABLE {table} ALTER COLUMN id SET CACHE {numbers}")
