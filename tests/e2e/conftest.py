"""Everything for real: broker, coordinator and worker processes, killed and started again."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.databases import Databases, one_database
from tests.support.gaps import leave_out
from tests.support.rabbitmq import find_server
from tests.support.stack import Stack, StackOptions

StartStack = Callable[..., Stack]
STACKS = pytest.StashKey[list[Stack]]()
PIPELINES = str(Path(__file__).with_name("pipelines.py"))
IMPATIENT = {
    "lease_seconds": 3.0,
    "beat_seconds": 0.5,
    "republish_seconds": 1.0,
    "retry_delay_seconds": 0.1,
    "cancel_grace_seconds": 1.0,
    "shutdown_seconds": 2.0,
}
ONLY_SQLITE = pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
KINDS = {"sqlite": "sqlite_databases", "postgresql": "postgres_databases"}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the tests on RabbitMQ out where there is none: it comes in no wheel."""
    if find_server() is None:
        leave_out(
            config,
            items,
            lambda item: item.get_closest_marker("rabbitmq") is not None,
            what="tests on RabbitMQ",
            package="rabbitmq-server",
        )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the processes' logs beside a failed test."""
    report = yield
    if report.when == "call" and report.failed:
        for stack in item.stash.get(STACKS, []):
            report.sections.append(("logs of the processes", stack.logs()))
    return report


@pytest.fixture
def start_stack(request: pytest.FixtureRequest, databases: Databases) -> Iterator[StartStack]:
    """Start a stack of processes, on SQLite and then on PostgreSQL: `start_stack(nodes=2)`.

    Keywords are those of `StackOptions`. What was started is stopped at the end of the test.
    """
    with ExitStack() as cleanup:

        def start(**options: object) -> Stack:
            stack = cleanup.enter_context(_running(cleanup, databases, **options))
            request.node.stash.setdefault(STACKS, []).append(stack)
            return stack

        yield start


@pytest.fixture(
    scope="package", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]
)
def shared(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """Two workers of one process each, on SQLite and then on PostgreSQL, kept for all tests."""
    databases = request.getfixturevalue(KINDS[request.param])
    with ExitStack() as cleanup:
        options = {"definitions": PIPELINES, "settings": IMPATIENT, "nodes": 2, "processes": 1}
        yield cleanup.enter_context(_running(cleanup, databases, **options))


@pytest.fixture
def stack(request: pytest.FixtureRequest, shared: Stack) -> Stack:
    """The shared stack, with nothing left to do: for tests that leave it so."""
    request.node.stash.setdefault(STACKS, []).append(shared)
    assert shared.ill() == []
    return shared


def _running(cleanup: ExitStack, databases: Databases, **options: object) -> Stack:
    """Make a stack in a folder and a database that `cleanup` removes; the caller enters it."""
    url = cleanup.enter_context(one_database(databases))
    folder = cleanup.enter_context(
        tempfile.TemporaryDirectory(prefix="backfill-", ignore_cleanup_errors=True)
    )
    return Stack(Path(folder), url, StackOptions(**{"api": False, **options}))  # type: ignore[arg-type]
