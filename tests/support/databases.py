"""Fresh databases for tests, each copied from a template that was migrated once."""

from __future__ import annotations

import itertools
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy.engine import URL, make_url

from backfill.storage.database import Database


class SQLiteFiles:
    """Database files in a folder, copied from a migrated one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count(1)
        self._template: Path | None = None

    def fresh(self) -> str:
        """Return the URL of a new migrated database."""
        target = self._folder / f"{next(self._numbers)}.db"
        shutil.copy(self._migrated(), target)
        return f"sqlite:///{target}"

    def empty(self) -> str:
        """Return the URL of a database without any table."""
        return f"sqlite:///{self._folder / f'empty-{next(self._numbers)}.db'}"

    def drop(self, url: str) -> None:
        """Remove a database and the files beside it."""
        path = Path(make_url(url).database or "")
        for leftover in path.parent.glob(path.name + "*"):
            leftover.unlink()

    def _migrated(self) -> Path:
        if self._template is None:
            template = self._folder / "template.db"
            _migrate(f"sqlite:///{template}")
            connection = sqlite3.connect(template)
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # one file is all of it
            connection.close()
            self._template = template
        return self._template


class PostgresDatabases:
    """Databases of one server, copied from a migrated one."""

    def __init__(self, url: str) -> None:
        """Take the URL of a database on the server whose user may create others."""
        self._server = make_url(url)
        self._prefix = f"backfill_test_{os.getpid()}"
        self._numbers = itertools.count(1)
        self._template: str | None = None

    def fresh(self) -> str:
        """Return the URL of a new migrated database."""
        return self._create(template=self._migrated())

    def empty(self) -> str:
        """Return the URL of a database without any table."""
        return self._create(template="template0")

    def drop(self, url: str) -> None:
        """Remove a database, whoever is still connected to it."""
        name = make_url(url).database or ""
        self._execute("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)

    def drop_template(self) -> None:
        """Remove the migrated database that the others are copied from."""
        if self._template is not None:
            self.drop(self._url(self._template))
            self._template = None

    def _migrated(self) -> str:
        if self._template is None:
            url = self.empty()
            _migrate(url)
            self._template = make_url(url).database or ""
            self._execute("ALTER DATABASE {} ALLOW_CONNECTIONS false", self._template)
        return self._template

    def _create(self, *, template: str) -> str:
        name = f"{self._prefix}_{next(self._numbers)}"
        self._execute("CREATE DATABASE {} TEMPLATE {}", name, template)
        return self._url(name)

    def _url(self, name: str) -> str:
        return self._server.set(database=name).render_as_string(hide_password=False)

    def _execute(self, statement: str, *names: str) -> None:
        with psycopg.connect(_plain(self._server), autocommit=True) as connection:
            identifiers = [sql.Identifier(name) for name in names]
            connection.execute(sql.SQL(statement).format(*identifiers))


Databases = SQLiteFiles | PostgresDatabases


@contextmanager
def one_database(databases: Databases, *, migrated: bool = True) -> Iterator[str]:
    """Give the URL of a database that is removed at the end."""
    url = databases.fresh() if migrated else databases.empty()
    try:
        yield url
    finally:
        databases.drop(url)


def _migrate(url: str) -> None:
    database = Database(url)
    try:
        database.migrate()
    finally:
        database.dispose()


def _plain(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)
