"""The frame of the app: it loads, links lead somewhere, and nothing breaks its policy."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.support.browser import Tab
from tests.support.stack import Stack

PAGES = {
    "Backfills": "/backfills",
    "Runs": "/runs",
    "Partition sets": "/partition-sets",
    "Pipelines": "/pipelines",
    "Schedules": "/schedules",
    "Workers": "/workers",
}


@pytest.mark.parametrize("name", PAGES)
def test_every_entry_of_the_navigation_leads_to_its_page(app: Tab, name: str) -> None:
    page = app.open("/backfills")
    page.get_by_role("navigation", name="Pages of Backfill").get_by_role("link", name=name).click()
    expect(page.get_by_role("heading", level=1, name=name)).to_be_visible()
    expect(page).to_have_url(f"{app.url}{PAGES[name]}")
    expect(page).to_have_title(f"{name} · Backfill")


def test_a_deep_link_opens_its_page_and_back_leads_back(app: Tab) -> None:
    page = app.open("/pipelines")
    expect(page.get_by_text("my_data_pipeline")).to_be_visible()
    page.get_by_role("link", name="Workers").click()
    expect(page.get_by_text("worker-1@").first).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", level=1, name="Pipelines")).to_be_visible()


def test_an_address_that_leads_nowhere_says_so(app: Tab) -> None:
    page = app.open("/no/such.page")
    expect(page.get_by_text("There is no such page")).to_be_visible()


def test_a_chosen_theme_outlives_a_reload(app: Tab) -> None:
    page = app.open("/backfills")
    page.get_by_role("button", name="Theme").click()
    page.get_by_role("menuitem", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_a_new_backfill_appears_and_moves_without_a_reload(app: Tab, stack: Stack) -> None:
    page = app.open("/backfills")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    backfill_id = stack.submit("date_partition_set", "last:3")
    row = page.get_by_role("row").filter(has_text="last:3")
    expect(row.get_by_text("succeeded")).to_be_visible(timeout=60_000)
    expect(row.get_by_text("3 of 3")).to_be_visible()
    assert stack.state(backfill_id) == "succeeded"


def test_a_lost_connection_is_told_and_what_happened_meanwhile_is_shown(
    app: Tab, stack: Stack
) -> None:
    app.forgive("ERR_")
    page = app.open("/backfills")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    pid = stack.kill("api")
    expect(page.get_by_text("Disconnected")).to_be_visible(timeout=30_000)
    stack.wait_restarted("api", pid)
    backfill_id = stack.submit("date_partition_set", "2020-05-30, 2020-05-31")
    stack.wait_final(backfill_id)
    expect(page.get_by_text("Disconnected")).to_be_hidden(timeout=60_000)
    row = page.get_by_role("row").filter(has_text="2020-05-30, 2020-05-31")
    expect(row.get_by_text("succeeded").first).to_be_visible(timeout=30_000)
