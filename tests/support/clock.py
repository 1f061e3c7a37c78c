"""A clock for databases under test: it stands still until it is told to move."""

from __future__ import annotations

import sqlite3
from typing import Any, TypeVar

import psycopg
from sqlalchemy import event

from backfill.storage.database import Database

START = 1_767_268_800_000_000  # 2026-01-01 12:00 UTC in microseconds
SECOND = 1_000_000
D = TypeVar("D", bound=Database)


class VirtualClock:
    """The time of one database. Every `Database` it opens reads this time and no other.

    On PostgreSQL the time is a table, which all connections see; on SQLite it is the function
    that stands for the present there.
    """

    def __init__(self, url: str) -> None:
        """Take the URL of a migrated database."""
        self.at = START
        self._url = url
        self._opened: list[Database] = []
        self._table: psycopg.Connection[Any] | None = None
        plain = Database(url)
        if plain.postgres:
            libpq = plain.url.set(drivername="postgresql").render_as_string(hide_password=False)
            self._table = psycopg.connect(libpq, autocommit=True)
            self._table.execute("CREATE TABLE IF NOT EXISTS test_clock (t bigint NOT NULL)")
            self._table.execute("DELETE FROM test_clock")
            self._table.execute("INSERT INTO test_clock VALUES (%s)", [self.at])
        plain.dispose()

    def open(self, kind: type[D] = Database, **options: Any) -> D:  # type: ignore[assignment]
        """Open the database once more; `close` disposes of it."""
        if self._table is not None:
            opened = kind(self._url, now="(SELECT t FROM test_clock)", **options)
        else:
            opened = kind(self._url, **options)
            event.listen(opened.engine, "connect", self._replace_sqlite_clock)
        self._opened.append(opened)
        return opened

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.at += int(seconds * SECOND)
        if self._table is not None:
            self._table.execute("UPDATE test_clock SET t = %s", [self.at])

    def close(self) -> None:
        """Close everything that was opened."""
        for opened in self._opened:
            opened.dispose()
        if self._table is not None:
            self._table.close()

    def _replace_sqlite_clock(self, connection: sqlite3.Connection, _record: object) -> None:
        connection.create_function("now_us", 0, lambda: self.at)
