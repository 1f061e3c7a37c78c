"""Keep with each run of a line the partition it depends on"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_column("backfill_ranges", "previous_key")
    op.add_column("runs", sa.Column("previous", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("runs", "previous")
    op.add_column("backfill_ranges", sa.Column("previous_key", sa.Text(), nullable=True))
