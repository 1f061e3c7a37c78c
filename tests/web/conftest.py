"""One stack with real workers and one browser for all tests of the web app."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from backfill.web.build import build
from tests.support.browser import Tab, chromium, find_chromium, tab
from tests.support.databases import Databases, one_database
from tests.support.gaps import leave_out
from tests.support.stack import Stack, StackOptions

HERE = Path(__file__).parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the tests in a browser out where there is none: it comes in no wheel."""
    if find_chromium() is None:
        leave_out(
            config,
            items,
            lambda item: HERE in item.path.parents,
            what="tests of the web app",
            package="chromium",
        )


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium."""
    with chromium() as running:
        yield running


@pytest.fixture(scope="session")
def stack(sqlite_databases: Databases) -> Iterator[Stack]:
    """The built app, the API, a coordinator and a worker of two processes."""
    build()
    options = StackOptions(
        api=True, definitions=f"{HERE / 'pipelines.py'},{HERE.parents[1] / 'examples/may_2020.py'}"
    )
    with (
        one_database(sqlite_databases) as url,
        tempfile.TemporaryDirectory(prefix="backfill-", ignore_cleanup_errors=True) as folder,
        Stack(Path(folder), url, options) as running,
    ):
        yield running


@pytest.fixture
def app(browser: Browser, stack: Stack) -> Iterator[Tab]:
    """A fresh tab; the test fails when the browser had anything to complain of."""
    with tab(browser, stack.settings.api_url) as opened:
        yield opened
    assert opened.complaints == []
