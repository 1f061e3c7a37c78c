"""Everything for real: broker, coordinator and worker processes, killed and started again."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.databases import Databases, one_database
from tests.support.stack import Stack, StackOptions

StartStack = Callable[..., Stack]
STACKS = pytest.StashKey[list[Stack]]()


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
            url = cleanup.enter_context(one_database(databases))
            folder = cleanup.enter_context(tempfile.TemporaryDirectory(prefix="backfill-"))
            stack = Stack(Path(folder), url, StackOptions(**options))  # type: ignore[arg-type]
            request.node.stash.setdefault(STACKS, []).append(stack)
            return cleanup.enter_context(stack)

        yield start
