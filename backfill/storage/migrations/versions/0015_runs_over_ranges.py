"""Runs over ranges of partitions"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("backfills", sa.Column("partitions_per_run", sa.Integer(), nullable=True))
    op.add_column("runs", sa.Column("span", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column("runs", "span")
    op.drop_column("backfills", "partitions_per_run")
