"""Lines, pools and windows"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

POOLED = "state IN ('queued', 'running') AND pools IS NOT NULL"


def upgrade() -> None:
    with op.batch_alter_table("backfills", schema=None) as batch_op:
        for column in _of_backfills():
            batch_op.add_column(column)
        batch_op.drop_constraint(op.f("ck_backfills_ordering"), type_="check")
        batch_op.create_check_constraint(
            op.f("ck_backfills_ordering"), "ordering IN ('oldest', 'newest', 'listed', 'weight')"
        )
    op.add_column("backfill_ranges", sa.Column("previous_key", sa.Text(), nullable=True))
    op.add_column("runs", sa.Column("pools", sa.JSON(none_as_null=True), nullable=True))
    op.create_index(
        "ix_runs_pools",
        "runs",
        ["id"],
        unique=False,
        postgresql_where=sa.text(POOLED),
        sqlite_where=sa.text(POOLED),
    )
    op.create_table(
        "line_skips",
        sa.Column("backfill_id", sa.BigInteger(), nullable=False),
        sa.Column("partition", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("backfill_id", "partition", name=op.f("pk_line_skips")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "pools",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("slots", sa.Integer(), nullable=True),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=True),
        sa.CheckConstraint("slots >= 0", name=op.f("ck_pools_slots")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_pools")),
    )
    op.create_table(
        "tag_limits",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("max_active_runs", sa.Integer(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=True),
        sa.CheckConstraint("max_active_runs >= 0", name=op.f("ck_tag_limits_limit")),
        sa.PrimaryKeyConstraint("key", "value", name=op.f("pk_tag_limits")),
    )


def downgrade() -> None:
    op.drop_table("tag_limits")
    op.drop_table("pools")
    op.drop_table("line_skips")
    op.drop_index("ix_runs_pools", table_name="runs")
    op.drop_column("runs", "pools")
    op.drop_column("backfill_ranges", "previous_key")
    with op.batch_alter_table("backfills", schema=None) as batch_op:
        batch_op.drop_constraint(op.f("ck_backfills_ordering"), type_="check")
        batch_op.create_check_constraint(
            op.f("ck_backfills_ordering"), "ordering IN ('oldest', 'newest')"
        )
        for column in reversed(_of_backfills()):
            batch_op.drop_column(column.name)


def _of_backfills() -> list[sa.Column[Any]]:
    return [
        sa.Column("sequential", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column(
            "depends_on_previous", sa.Boolean(), server_default=sa.text("false"), nullable=False
        ),
        sa.Column("stopped_by", sa.Text(), nullable=True),
        sa.Column("pools", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("windows", sa.JSON(none_as_null=True), nullable=True),
    ]
