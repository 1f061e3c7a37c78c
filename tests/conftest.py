"""Fixtures that every kind of test may use: databases, a broker."""

from __future__ import annotations

import itertools
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from backfill.embedded.broker import EmbeddedBroker
from backfill.embedded.postgres import EmbeddedPostgres
from backfill.storage.database import Database
from tests.support.databases import Databases, PostgresDatabases, SQLiteFiles, one_database
from tests.support.gaps import tell_gaps

BROKER_DATABASES = 4096

# Whoever starts the tests in the background of a shell has SIGINT ignored, for every program that
# they start, too.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Say what must stay together where tests run side by side (`--dist loadgroup`).

    The tests of the web app share one stack and count on their order; those of whole stacks share
    some within a file.
    """
    for item in items:
        kind = item.path.parent.name
        if kind in {"web", "e2e"}:
            item.add_marker(pytest.mark.xdist_group("web" if kind == "web" else item.path.stem))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly which tests this machine cannot run."""
    tell_gaps(terminalreporter)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL server: the one BACKFILL_TEST_POSTGRES_URL names, else one of our own."""
    if given := os.environ.get("BACKFILL_TEST_POSTGRES_URL"):
        yield given
        return
    with EmbeddedPostgres(durable=False) as server:
        yield server.url()


@pytest.fixture(scope="session")
def postgres_databases(postgres_url: str) -> Iterator[PostgresDatabases]:
    """Makes databases on the PostgreSQL server."""
    databases = PostgresDatabases(postgres_url)
    yield databases
    databases.drop_template()


@pytest.fixture(scope="session")
def sqlite_databases(tmp_path_factory: pytest.TempPathFactory) -> SQLiteFiles:
    """Makes SQLite database files."""
    return SQLiteFiles(tmp_path_factory.mktemp("sqlite"))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def databases(request: pytest.FixtureRequest) -> Databases:
    """Makes databases of one kind; a test that uses it runs once for each kind."""
    kind = {"sqlite": "sqlite_databases", "postgresql": "postgres_databases"}[request.param]
    made: Databases = request.getfixturevalue(kind)
    return made


@pytest.fixture
def database_url(databases: Databases) -> Iterator[str]:
    """The URL of a fresh migrated database, on SQLite and then on PostgreSQL."""
    with one_database(databases) as url:
        yield url


@pytest.fixture
def empty_database_url(databases: Databases) -> Iterator[str]:
    """The URL of a database without tables, on SQLite and then on PostgreSQL."""
    with one_database(databases, migrated=False) as url:
        yield url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A fresh migrated database, on SQLite and then on PostgreSQL."""
    opened = Database(database_url)
    yield opened
    opened.dispose()


@pytest.fixture(scope="session")
def broker_server() -> Iterator[EmbeddedBroker]:
    """A running Valkey server."""
    with (
        tempfile.TemporaryDirectory(prefix="backfill-", ignore_cleanup_errors=True) as folder,
        EmbeddedBroker(Path(folder), databases=BROKER_DATABASES) as server,
    ):
        yield server


@pytest.fixture(scope="session")
def broker_numbers() -> Iterator[int]:
    """Counts the broker's databases."""
    return itertools.cycle(range(BROKER_DATABASES))


@pytest.fixture
def broker_url(broker_server: EmbeddedBroker, broker_numbers: Iterator[int]) -> str:
    """The Celery URL of an empty database of the broker."""
    return broker_server.url(next(broker_numbers))
