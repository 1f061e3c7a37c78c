"""Expansion by key, where a set changed meanwhile"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("backfills", schema=None) as batch_op:
        batch_op.add_column(sa.Column("swept_to", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("swept_new", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("backfills", schema=None) as batch_op:
        batch_op.drop_column("swept_new")
        batch_op.drop_column("swept_to")
