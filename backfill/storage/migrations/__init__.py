"""Schema versions, kept by Alembic; run by `backfill db upgrade`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

HERE = Path(__file__).parent


@dataclass(frozen=True)
class PendingUpgrade:
    """The schema version found (None for an empty database) and the one needed."""

    found: str | None
    needed: str


def upgrade(engine: Engine) -> None:
    """Bring the schema to the newest version; safe to call twice and from two processes."""
    with engine.begin() as conn:
        if conn.dialect.name == "postgresql":
            conn.exec_driver_sql("SELECT pg_advisory_xact_lock(7236501)")
        config = _config()
        config.attributes["connection"] = conn
        command.upgrade(config, "head")


def pending_upgrade(engine: Engine) -> PendingUpgrade | None:
    """Return what is missing, or None when the schema is current."""
    needed = ScriptDirectory.from_config(_config()).get_current_head() or ""
    with engine.connect().execution_options(backfill_read=True) as conn:
        found = MigrationContext.configure(conn).get_current_revision()
    return None if found == needed else PendingUpgrade(found, needed)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(HERE))
    return config
