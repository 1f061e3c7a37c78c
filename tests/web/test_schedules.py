"""Schedules in the browser: started, stopped, ticked by hand, their ticks explained."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.support.browser import Tab


def test_a_schedule_is_started_and_stopped(app: Tab) -> None:
    page = app.open("/schedules")
    row = page.get_by_role("row").filter(has_text="parts_every_day")
    expect(row.get_by_text("stopped")).to_be_visible()
    row.get_by_role("button", name="Start parts_every_day").click()
    expect(row.get_by_text("running")).to_be_visible()
    expect(row.get_by_text("in ").first).to_be_visible()
    row.get_by_role("button", name="Stop parts_every_day").click()
    expect(row.get_by_text("stopped")).to_be_visible()


def test_a_tick_is_tried_dry_and_then_done(app: Tab) -> None:
    page = app.open("/schedules/parts_every_day")
    page.get_by_role("button", name="Tick by hand…").click()
    page.get_by_label("Time of the tick").fill("2026-01-05T06:00")
    page.get_by_role("button", name="What would it do?").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("cell", name="part-1")).to_be_visible()
    dialog.get_by_role("button", name="Tick now").click()
    expect(dialog.get_by_text("Runs:")).to_be_visible()
    dialog.get_by_role("button", name="Close").click()
    ticks = page.get_by_role("region", name="Ticks")
    expect(ticks.get_by_text("by hand")).to_be_visible()
    expect(ticks.get_by_role("row").nth(1).get_by_role("link")).to_be_visible()


def test_a_time_at_which_it_does_not_tick_is_explained(app: Tab) -> None:
    page = app.open("/schedules/parts_every_day")
    page.get_by_role("button", name="Tick by hand…").click()
    page.get_by_label("Time of the tick").fill("2026-01-05T06:01")
    page.get_by_role("button", name="What would it do?").click()
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("2026-01-05")
    app.complaints.clear()  # the console tells of every answer that is an error


def test_the_ticks_shown_are_chosen_in_the_address(app: Tab) -> None:
    page = app.open("/schedules/parts_every_day?state=failure")
    expect(page.get_by_text("No tick is")).to_be_visible()
    page.get_by_label("Ticks shown").select_option("")
    expect(page).to_have_url(f"{app.url}/schedules/parts_every_day")
