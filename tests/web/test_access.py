"""Who may do what in the browser: the first token closes the server, a viewer only looks."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import Tab, tab
from tests.support.databases import Databases, one_database
from tests.support.stack import Stack, StackOptions

MAY = Path(__file__).parents[2] / "examples/may_2020.py"


@pytest.fixture
def closed(sqlite_databases: Databases, stack: Stack) -> Iterator[Stack]:
    """A server of its own, for once it has tokens nobody gets in without one."""
    options = StackOptions(api=True, definitions=str(MAY), processes=1)
    with (
        one_database(sqlite_databases) as url,
        tempfile.TemporaryDirectory(prefix="backfill-", ignore_cleanup_errors=True) as folder,
        Stack(Path(folder), url, options) as running,
    ):
        yield running


def make_token(page: Page, name: str, role: str | None = None) -> str:
    """Make a token in the settings and return it."""
    page.get_by_role("button", name="New token…").click()
    page.get_by_label("Name").fill(name)
    if role is not None:
        page.get_by_label("Role").select_option(role)
    page.get_by_role("button", name="Make it").click()
    token = page.get_by_role("dialog").locator("code").inner_text()
    assert token.startswith("bf_")
    page.get_by_role("button", name="Done").click()
    return token


def log_in(page: Page, token: str) -> None:
    page.get_by_label("Token", exact=True).fill(token)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("navigation", name="Pages of Backfill")).to_be_visible()


def test_tokens_close_the_server_and_decide_what_is_offered(
    browser: Browser, closed: Stack
) -> None:
    with tab(browser, closed.settings.api_url) as admin, tab(browser, admin.url) as viewer:
        page = admin.open("/settings")
        first = make_token(page, "root")
        page.reload()
        expect(page.get_by_role("row").filter(has_text="root")).to_contain_text("admin")
        page.get_by_role("button", name="Log out").click()
        log_in(page, first)
        second = make_token(page, "looker", "viewer")
        expect(page.get_by_role("row").filter(has_text="looker")).to_be_visible()

        seen = viewer.open("/playground?pipeline=my_data_pipeline")
        log_in(seen, second)
        expect(seen.get_by_text("that needs the role operator")).to_be_visible()
        expect(seen.get_by_role("button", name="Launch")).to_have_count(0)
        _looks_at_settings(viewer)
        _may_not_launch(viewer)

        page.get_by_role("button", name="Revoke looker").click()
        page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
        expect(page.get_by_role("row").filter(has_text="looker")).to_contain_text("revoked")
        seen.goto(f"{viewer.url}/runs")
        expect(seen.get_by_label("Token", exact=True)).to_be_visible()

        page.get_by_role("tab", name="Audit").click()
        expect(page.get_by_text("POST /api/v1/tokens/looker/revoke")).to_be_visible()


def _looks_at_settings(viewer: Tab) -> None:
    seen = viewer.open("/settings")
    expect(seen.get_by_text("Only admins see tokens.")).to_be_visible()
    seen.get_by_role("tab", name="Audit").click()
    expect(seen.get_by_text("Not allowed")).to_be_visible()


def _may_not_launch(viewer: Tab) -> None:
    seen = viewer.open("/backfills")
    expect(seen.get_by_role("button", name="Launch backfill")).to_be_disabled()
    seen = viewer.open("/launch?set=date_partition_set&select=all")
    expect(seen.get_by_text("Launching a backfill needs the role operator.")).to_be_visible()
    expect(seen.get_by_role("button", name="Submit")).to_have_count(0)
