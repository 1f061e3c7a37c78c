"""Re-execution, and time limits of runs and backfills"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    json = sa.JSON(none_as_null=True)
    with op.batch_alter_table("backfills", schema=None) as batch_op:
        batch_op.add_column(sa.Column("retrying", json, nullable=True))
        batch_op.add_column(sa.Column("cloned_from", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("run_timeout_seconds", sa.Float(), nullable=True))
        batch_op.add_column(sa.Column("timeout_seconds", sa.Float(), nullable=True))
        batch_op.add_column(sa.Column("on_timeout", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("deadline_at", sa.BigInteger(), nullable=True))
        batch_op.create_check_constraint(
            op.f("ck_backfills_on_timeout"), "on_timeout IN ('cancel', 'pause')"
        )

    with op.batch_alter_table("runs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("root_id", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("mode", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("override", json, nullable=True))
        batch_op.add_column(sa.Column("timeout_seconds", sa.Float(), nullable=True))
        batch_op.create_check_constraint(
            op.f("ck_runs_mode"), "mode IN ('all', 'from_failure', 'steps')"
        )
        batch_op.create_check_constraint(
            op.f("ck_runs_reexecution"), "mode IS NULL OR parent_id IS NOT NULL"
        )
        batch_op.create_index(
            "ix_runs_parent",
            ["parent_id"],
            unique=False,
            postgresql_where=sa.text("parent_id IS NOT NULL"),
            sqlite_where=sa.text("parent_id IS NOT NULL"),
        )


def downgrade() -> None:
    with op.batch_alter_table("runs", schema=None) as batch_op:
        batch_op.drop_index("ix_runs_parent")
        batch_op.drop_constraint(op.f("ck_runs_reexecution"), type_="check")
        batch_op.drop_constraint(op.f("ck_runs_mode"), type_="check")
        for column in ("timeout_seconds", "override", "mode", "root_id"):
            batch_op.drop_column(column)

    with op.batch_alter_table("backfills", schema=None) as batch_op:
        batch_op.drop_constraint(op.f("ck_backfills_on_timeout"), type_="check")
        for column in (
            "deadline_at",
            "on_timeout",
            "timeout_seconds",
            "run_timeout_seconds",
            "cloned_from",
            "retrying",
        ):
            batch_op.drop_column(column)
