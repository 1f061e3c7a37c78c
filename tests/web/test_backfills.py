"""Backfills in the browser: launched from the form, paused, resumed, retried, looked at."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.support.browser import Tab
from tests.support.stack import Stack
from tests.web.pages import axe
from tests.web.pipelines import HOSTILE

GREEN = 60_000


def launch(page: Page, select: str) -> None:
    """Fill the form in and submit what it plans."""
    page.get_by_label("Partition set", exact=True).select_option("parts")
    page.get_by_label("Selection", exact=True).fill(select)
    submit = page.get_by_role("button", name=re.compile(r"^Submit [1-9]"))
    expect(submit).to_be_enabled()
    submit.click()
    page.wait_for_url("**/partition-sets/parts?backfill=*")


def submitted(page: Page) -> str:
    """Return the id of the backfill that the address names."""
    found = re.search(r"backfill=(\d+)", page.url)
    assert found is not None
    return found.group(1)


def test_a_backfill_is_launched_from_the_form_and_followed_to_green(app: Tab) -> None:
    page = app.open("/launch")
    page.get_by_label("Partition set", exact=True).select_option("date_partition_set")
    page.get_by_label("Selection", exact=True).fill("[2020-05-01...2020-05-03]")
    plan = page.get_by_role("complementary", name="Plan")
    expect(plan).to_contain_text("partitions run of 3 selected")
    expect(plan).to_contain_text("date: 2020-05-01")
    plan.get_by_label("Config of partition").fill("2020-05-02")
    plan.get_by_label("Config of partition").press("Enter")
    expect(plan).to_contain_text("date: 2020-05-02")
    page.get_by_role("button", name="Check all").click()
    expect(plan).to_contain_text("3 of 3 configs checked, all fit")
    page.get_by_role("button", name="Submit 3 runs").click()
    page.wait_for_url("**/partition-sets/date_partition_set?backfill=*")
    app.open(f"/backfills/{submitted(page)}")
    progress = page.get_by_role("region", name="Progress")
    expect(progress).to_contain_text("succeeded3100 %", timeout=GREEN)
    expect(page.get_by_role("heading", level=1)).to_contain_text("succeeded", timeout=GREEN)


def test_a_selection_that_cannot_be_read_says_where_and_is_not_submitted(app: Tab) -> None:
    app.forgive("422")
    page = app.open("/launch?set=parts&select=part-1%20%26%20%26")
    expect(page.get_by_role("alert")).to_contain_text("Expected a key")
    expect(page.get_by_role("button", name="Submit")).to_be_disabled()


def test_an_address_fills_the_form_in_and_typing_changes_the_address(app: Tab) -> None:
    page = app.open("/launch?set=parts&select=part-1&priority=5&in_row=2&tag=team%3Da")
    expect(page.get_by_label("Selection", exact=True)).to_have_value("part-1")
    expect(page.get_by_label("Priority")).to_have_value("5")
    expect(page.get_by_label("Failures in a row")).to_have_value("2")
    page.get_by_label("Selection", exact=True).fill("part-2")
    page.wait_for_url(re.compile("select=part-2"))


def test_a_failing_partition_is_found_by_its_error_and_retried_from_failure(
    app: Tab, stack: Stack
) -> None:
    page = app.open("/launch")
    launch(page, "part-2, part-3")
    backfill = submitted(page)
    app.open(f"/backfills/{backfill}")
    expect(page.get_by_role("heading", level=1)).to_contain_text("failed", timeout=GREEN)
    failures = page.get_by_role("region", name="Failures by error")
    expect(failures).to_contain_text(f"ValueError: bad rows {HOSTILE}")
    assert axe(page) == []

    page.get_by_role("button", name="Retry failed").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("From failure")).to_be_checked()
    dialog.get_by_role("button", name="Retry 1 partition").click()
    expect(dialog).to_have_count(0)
    stack.wait_final(int(backfill))
    page.get_by_role("tab", name="Runs").click()
    expect(page.get_by_role("row").filter(has_text="part-3")).to_have_count(2, timeout=GREEN)

    page.get_by_role("row").filter(has_text="part-3").first.get_by_role("link").first.click()
    page.wait_for_url("**/runs/*")
    expect(page.get_by_text("from failure")).to_be_visible()
    assert _states(stack, int(backfill)) == {("load", "succeeded"): 2, ("check", "failed"): 2}


def _states(stack: Stack, backfill: int) -> dict[tuple[str, str], int]:
    """Count the outcomes of part-3's steps: `load` was executed once, for part-3 and part-2."""
    found = stack.rows(
        "SELECT o.step, o.state, count(*) AS n FROM step_outcomes o JOIN runs r ON r.id = o.run_id"
        " WHERE r.backfill_id = :id AND ((r.partition = 'part-3' AND o.step = 'check')"
        " OR o.step = 'load') AND o.state <> 'skipped' GROUP BY o.step, o.state",
        id=backfill,
    )
    return {(row.step, row.state): row.n for row in found}


def test_a_backfill_is_paused_with_a_note_and_resumed(app: Tab, stack: Stack) -> None:
    backfill = stack.submit("gates", "all", max_active_runs=1)
    page = app.open(f"/backfills/{backfill}")
    page.get_by_role("button", name="Pause").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Note").fill("the warehouse is being repaired")
    dialog.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("paused")
    expect(page.get_by_text("Paused: the warehouse is being repaired")).to_be_visible()
    assert axe(page) == []
    page.get_by_role("button", name="Resume").click()
    page.get_by_role("dialog").get_by_role("button", name="Resume").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("running")
    page.get_by_role("tab", name="Events").click()
    expect(page.get_by_text("backfill.paused")).to_be_visible()
    stack.marks.allow(backfill)
    expect(page.get_by_role("heading", level=1)).to_contain_text("succeeded", timeout=GREEN)


def test_a_clone_begins_as_the_form_that_submits_the_same(app: Tab, stack: Stack) -> None:
    backfill = stack.submit("parts", "part-1, part-2", priority=7, tags={"team": "x"})
    stack.wait_final(backfill)
    page = app.open(f"/backfills/{backfill}")
    page.get_by_role("button", name="More").click()
    page.get_by_role("menuitem", name="Clone…").click()
    expect(page.get_by_label("Selection", exact=True)).to_have_value("part-1, part-2")
    expect(page.get_by_label("Priority")).to_have_value("7")
    page.get_by_role("button", name=re.compile(r"^Submit 2")).click()
    page.wait_for_url("**/partition-sets/parts?backfill=*")
    app.open(f"/backfills/{submitted(page)}?tab=settings")
    expect(page.get_by_text("Cloned from")).to_be_visible()


def test_limits_of_a_backfill_are_edited_while_it_runs(app: Tab, stack: Stack) -> None:
    backfill = stack.submit("parts", "all", max_active_runs=1)
    stack.pause(backfill)
    page = app.open(f"/backfills/{backfill}")
    page.get_by_role("button", name="More").click()
    page.get_by_role("menuitem", name="Edit…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("At a time").fill("4")
    dialog.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Changed: max active runs.").first).to_be_visible()
    page.get_by_role("tab", name="Settings").click()
    expect(page.get_by_role("definition").filter(has_text=re.compile("^4$"))).to_be_visible()
    stack.cancel(backfill)


def test_lists_are_filtered_in_the_address(app: Tab, stack: Stack) -> None:
    backfill = stack.submit("parts", "part-1")
    stack.wait_final(backfill)
    page = app.open("/backfills?set=parts")
    expect(page.get_by_role("row").filter(has_text="parts").first).to_be_visible()
    page.get_by_role("button", name="failed", exact=True).click()
    page.wait_for_url(re.compile("state=failed"))
    page.get_by_role("button", name="Clear").click()
    page.wait_for_url(re.compile("/backfills$"))
    assert axe(page) == []


def test_tags_and_hours_are_typed_line_by_line_and_submitted(app: Tab, stack: Stack) -> None:
    page = app.open("/launch?set=parts&select=part-1&note=typed&reprocess=all")
    tags = page.get_by_label("Tags", exact=True)
    tags.press_sequentially("team=sales\nticket=A-1")
    expect(tags).to_have_value("team=sales\nticket=A-1")
    page.get_by_role("heading", name="Order, limits, hours").click()
    page.get_by_label("Only within these hours").press_sequentially("mon-sun 00:00-24:00 UTC")
    page.wait_for_url(re.compile("window=mon-sun"))
    page.get_by_role("button", name="Submit 1 run").click()
    page.wait_for_url("**/partition-sets/parts?backfill=*")
    backfill = submitted(page)
    app.open(f"/backfills/{backfill}?tab=settings")
    expect(page.get_by_text("mon-sun 00:00-24:00 UTC")).to_be_visible()
    expect(page.get_by_text("A-1", exact=True)).to_be_visible()
    stack.wait_final(int(backfill))


def test_a_range_is_drawn_on_the_strip(app: Tab) -> None:
    page = app.open("/launch?set=date_partition_set")
    strip = page.get_by_role("img", name="Partitions of date_partition_set")
    box = strip.bounding_box()
    assert box is not None
    day = box["width"] / 31
    page.mouse.move(box["x"] + 4.5 * day, box["y"] + 8)
    page.mouse.down()
    page.mouse.move(box["x"] + 6.5 * day, box["y"] + 8, steps=4)
    page.mouse.up()
    selection = page.get_by_label("Selection", exact=True)
    expect(selection).to_have_value("[2020-05-05...2020-05-07]")
