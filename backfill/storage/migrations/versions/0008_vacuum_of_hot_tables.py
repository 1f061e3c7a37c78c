"""Vacuum hot tables by what changed, and find what is due by its time"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# Every run leaves three dead versions in its table and in the partial indexes of its states.
# A fifth of a large table, the default, is too many to walk over in every turn of admission.
RUNS = {
    "autovacuum_vacuum_scale_factor": "0.01",
    "autovacuum_vacuum_threshold": "20000",
    "autovacuum_analyze_scale_factor": "0.05",
    "autovacuum_vacuum_cost_limit": "2000",
}


def upgrade() -> None:
    op.create_index(
        "ix_runs_due",
        "runs",
        ["available_at"],
        unique=False,
        postgresql_where=sa.text("state = 'pending' AND NOT ready"),
        sqlite_where=sa.text("state = 'pending' AND NOT ready"),
    )
    if op.get_bind().dialect.name == "postgresql":
        settings = ", ".join(f"{name} = {value}" for name, value in RUNS.items())
        op.execute(f"ALTER TABLE runs SET ({settings})")


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"ALTER TABLE runs RESET ({', '.join(RUNS)})")
    op.drop_index("ix_runs_due", table_name="runs")
