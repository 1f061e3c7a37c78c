"""Schedules as last seen, and ticks by hand"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("schedules", schema=None) as batch_op:
        batch_op.add_column(sa.Column("cron", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("timezone", sa.Text(), nullable=True))

    with op.batch_alter_table("ticks", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("by_hand", sa.Boolean(), server_default=sa.text("false"), nullable=False)
        )
        batch_op.add_column(sa.Column("asked_by", sa.Text(), nullable=True))
        batch_op.create_index(
            "ix_ticks_started",
            ["schedule", "tick_at"],
            unique=False,
            postgresql_where=sa.text("state = 'started'"),
            sqlite_where=sa.text("state = 'started'"),
        )


def downgrade() -> None:
    with op.batch_alter_table("ticks", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_ticks_started",
            postgresql_where=sa.text("state = 'started'"),
            sqlite_where=sa.text("state = 'started'"),
        )
        batch_op.drop_column("asked_by")
        batch_op.drop_column("by_hand")

    with op.batch_alter_table("schedules", schema=None) as batch_op:
        batch_op.drop_column("timezone")
        batch_op.drop_column("cron")
