"""Guards: canaries, breakers, conflicts, blocks, marks and what failures have in common"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

JSON = sa.JSON(none_as_null=True)
ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "backfill_canaries",
        sa.Column("backfill_id", sa.BigInteger(), nullable=False),
        sa.Column("partition", sa.Text(), nullable=False),
        sa.Column("place", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("backfill_id", "partition", name=op.f("pk_backfill_canaries")),
    )
    op.create_table(
        "blocks",
        sa.Column("id", ID, sa.Identity(always=False, cache=100), nullable=False),
        sa.Column("set_id", sa.BigInteger(), nullable=False),
        sa.Column("selection", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_blocks")),
    )
    op.create_table(
        "blocked_partitions",
        sa.Column("set_id", sa.BigInteger(), nullable=False),
        sa.Column("partition", sa.Text(), nullable=False),
        sa.Column("block_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("set_id", "partition", name=op.f("pk_blocked_partitions")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("blocked_partitions", schema=None) as batch_op:
        batch_op.create_index("ix_blocked_partitions_block", ["block_id"])
    op.create_table(
        "outcome_marks",
        sa.Column("set_id", sa.BigInteger(), nullable=False),
        sa.Column("partition", sa.Text(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("marked_at", sa.BigInteger(), nullable=False),
        sa.Column("marked_by", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("set_id", "partition", "step", name=op.f("pk_outcome_marks")),
        sa.CheckConstraint(
            "status IN ('succeeded', 'missing')", name=op.f("ck_outcome_marks_status")
        ),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("backfills", schema=None) as batch_op:
        batch_op.add_column(sa.Column("canary", sa.Integer(), nullable=True))
        batch_op.add_column(
            sa.Column("canary_percent", sa.Integer(), server_default="100", nullable=False)
        )
        batch_op.add_column(sa.Column("canary_state", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("breaker", JSON, nullable=True))
        batch_op.add_column(sa.Column("breaker_state", JSON, nullable=True))
        batch_op.add_column(sa.Column("armed_at", sa.BigInteger(), nullable=True))
        batch_op.add_column(
            sa.Column("on_conflict", sa.Text(), server_default="wait", nullable=False)
        )
        batch_op.add_column(sa.Column("narrowed", JSON, nullable=True))
        batch_op.add_column(sa.Column("pause_facts", JSON, nullable=True))
        batch_op.create_check_constraint(
            op.f("ck_backfills_canary"),
            "canary_state IN ('waiting', 'running', 'passed', 'failed', 'waived')",
        )
        batch_op.create_check_constraint(
            op.f("ck_backfills_on_conflict"), "on_conflict IN ('wait', 'skip', 'refuse')"
        )
    with op.batch_alter_table("runs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("error_key", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("on_conflict", sa.Text(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("runs", schema=None) as batch_op:
        batch_op.drop_column("on_conflict")
        batch_op.drop_column("error_key")
    with op.batch_alter_table("backfills", schema=None) as batch_op:
        batch_op.drop_constraint(op.f("ck_backfills_on_conflict"), type_="check")
        batch_op.drop_constraint(op.f("ck_backfills_canary"), type_="check")
        for name in (
            "pause_facts",
            "narrowed",
            "on_conflict",
            "armed_at",
            "breaker_state",
            "breaker",
            "canary_state",
            "canary_percent",
            "canary",
        ):
            batch_op.drop_column(name)
    op.drop_table("outcome_marks")
    with op.batch_alter_table("blocked_partitions", schema=None) as batch_op:
        batch_op.drop_index("ix_blocked_partitions_block")
    op.drop_table("blocked_partitions")
    op.drop_table("blocks")
    op.drop_table("backfill_canaries")
