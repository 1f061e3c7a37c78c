"""Alembic's entry: takes the connection it is given, or opens the configured database."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection

from backfill.settings import get_settings
from backfill.storage.database import Database
from backfill.storage.models import metadata


def _run(conn: Connection) -> None:
    context.configure(connection=conn, target_metadata=metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    _run(given)
else:
    with Database(get_settings().effective_database_url()).write() as opened:
        _run(opened)
