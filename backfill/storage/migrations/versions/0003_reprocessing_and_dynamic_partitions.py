"""Reprocessing and dynamic partitions"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "dynamic_partitions",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            sa.Identity(always=False, cache=1),
            nullable=False,
        ),
        sa.Column("definition", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("added_at", sa.BigInteger(), nullable=False),
        sa.Column("added_by", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dynamic_partitions")),
        sa.UniqueConstraint("definition", "key", name="uq_dynamic_partitions_key"),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("dynamic_partitions", schema=None) as batch_op:
        batch_op.create_index("ix_dynamic_partitions_definition", ["definition", "id"])

    with op.batch_alter_table("backfills", schema=None) as batch_op:
        batch_op.add_column(sa.Column("reprocess", sa.Text(), server_default="all", nullable=False))
        batch_op.add_column(
            sa.Column("left_out", sa.JSON(none_as_null=True), server_default="{}", nullable=False)
        )
        batch_op.add_column(sa.Column("code_version", sa.Text(), nullable=True))
        batch_op.create_check_constraint(
            op.f("ck_backfills_reprocess"), "reprocess IN ('missing', 'failed', 'all', 'stale')"
        )


def downgrade() -> None:
    with op.batch_alter_table("backfills", schema=None) as batch_op:
        batch_op.drop_constraint(op.f("ck_backfills_reprocess"), type_="check")
        batch_op.drop_column("code_version")
        batch_op.drop_column("left_out")
        batch_op.drop_column("reprocess")

    with op.batch_alter_table("dynamic_partitions", schema=None) as batch_op:
        batch_op.drop_index("ix_dynamic_partitions_definition")

    op.drop_table("dynamic_partitions")
