"""Everything for real: broker, coordinator and worker processes, killed and started again."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.databases import Databases, one_database
from tests.support.stack import Stack, StackOptions

StartStack = Callable[..., Stack]


@pytest.fixture
def start_stack(databases: Databases) -> Iterator[StartStack]:
    """Start a stack of processes, on SQLite and then on PostgreSQL: `start_stack(nodes=2)`.

    Keywords are those of `StackOptions`. What was started is stopped at the end of the test.
    """
    with ExitStack() as cleanup:

        def start(**options: object) -> Stack:
            url = cleanup.enter_context(one_database(databases))
            folder = cleanup.enter_context(tempfile.TemporaryDirectory(prefix="backfill-"))
            stack = Stack(Path(folder), url, StackOptions(**options))  # type: ignore[arg-type]
            return cleanup.enter_context(stack)

        yield start
