"""Runs in the browser: logs followed while they are written, canceled, re-executed, filtered."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from tests.support.browser import Tab
from tests.support.stack import Stack
from tests.web.pages import axe
from tests.web.pipelines import HOSTILE

GREEN = 60_000


def gated_run(stack: Stack, partition: str) -> tuple[int, int]:
    """Start a run that waits in its first step; return the backfill's id and the run's."""
    backfill = stack.submit("gates", partition)
    stack.marks.wait("talking", backfill, partition)
    return backfill, stack.run(backfill, partition).id


def log(page: Page) -> Locator:
    return page.get_by_role("log")


def test_a_log_is_followed_while_it_is_written(app: Tab, stack: Stack) -> None:
    backfill, run = gated_run(stack, "gate-1")
    page = app.open(f"/runs/{run}")
    expect(log(page)).to_contain_text("gate-1 has begun")
    expect(page.get_by_text("· live")).to_be_visible()
    expect(log(page)).not_to_contain_text("was let go")
    stack.marks.allow(backfill, "gate-1")
    expect(log(page)).to_contain_text("gate-1 was let go", timeout=GREEN)
    expect(page.get_by_role("heading", level=1)).to_contain_text("succeeded", timeout=GREEN)
    expect(page.get_by_text("3 lines · ended")).to_be_visible()


def test_a_log_is_narrowed_by_step_level_and_text_and_downloaded(app: Tab, stack: Stack) -> None:
    backfill, run = gated_run(stack, "gate-2")
    stack.marks.allow(backfill, "gate-2")
    stack.wait_final(backfill)
    page = app.open(f"/runs/{run}")
    expect(page.get_by_text("3 lines · ended")).to_be_visible()
    page.get_by_label("Level").select_option("warning")
    expect(page.get_by_text("1 line of 3")).to_be_visible()
    page.get_by_label("Level").select_option("")
    page.get_by_label("Find", exact=True).fill("LET GO")
    page.get_by_label("Find", exact=True).press("Enter")
    expect(page.locator("mark")).to_have_text("let go")
    page.wait_for_url(re.compile("find=LET"))
    page.get_by_label("Find", exact=True).fill("")
    page.get_by_label("Find", exact=True).press("Enter")
    page.get_by_role("button", name="rest: succeeded").click()
    expect(log(page)).to_have_text(re.compile("resting"))
    expect(log(page)).not_to_contain_text("has begun")
    page.wait_for_url(re.compile("step=rest"))
    with page.expect_download() as downloaded:
        page.get_by_role("button", name="Download").click()
    assert "rest INFO resting" in Path(downloaded.value.path()).read_text()


def test_a_failed_run_says_what_went_wrong_and_is_executed_again(app: Tab, stack: Stack) -> None:
    backfill = stack.submit("parts", "part-3")
    stack.wait_final(backfill)
    run = stack.run(backfill, "part-3").id
    page = app.open(f"/runs/{run}")
    wrong = page.get_by_role("region", name="What went wrong")
    expect(wrong).to_contain_text(f"ValueError: bad rows {HOSTILE}")
    wrong.get_by_text("Traceback", exact=True).click()
    expect(wrong).to_contain_text("in check")
    page.get_by_role("tab", name="Errors, metadata, outputs").click()
    expect(page.get_by_role("article", name="load")).to_contain_text("Outputs")
    assert axe(page) == []
    page.get_by_role("button", name="Re-execute").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Chosen steps").check()
    dialog.get_by_label("load", exact=True).check()
    dialog.get_by_role("button", name="Re-execute").click()
    page.wait_for_url(lambda url: url != f"{app.url}/runs/{run}" and "/runs/" in url)
    expect(page.get_by_role("heading", level=1)).to_contain_text("succeeded", timeout=GREEN)
    page.get_by_role("tab", name="Lineage").click()
    expect(page.get_by_role("row").filter(has_text=str(run)).first).to_contain_text("failed")


def test_a_running_run_is_canceled(app: Tab, stack: Stack) -> None:
    _, run = gated_run(stack, "gate-3")
    page = app.open(f"/runs/{run}")
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel run").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("heading", level=1)).to_contain_text("canceled", timeout=GREEN)


def test_runs_that_fit_the_filters_are_executed_again_at_once(app: Tab, stack: Stack) -> None:
    backfill = stack.submit("parts", "part-3")
    stack.wait_final(backfill)
    page = app.open("/runs")
    expect(page.get_by_role("button", name="Re-execute…")).to_be_disabled()
    page.get_by_label("Backfill", exact=True).fill(str(backfill))
    page.get_by_label("Backfill", exact=True).press("Enter")
    page.wait_for_url(re.compile(f"backfill={backfill}"))
    expect(page.get_by_role("row").filter(has_text="part-3")).to_have_count(1)
    page.get_by_role("button", name="Re-execute…").click()
    page.get_by_role("dialog").get_by_role("button", name="Re-execute them").click()
    expect(page.get_by_text("1 runs were made.").first).to_be_visible()
    again = stack.rows(
        "SELECT mode FROM runs WHERE parent_id = :id", id=stack.run(backfill, "part-3").id
    )
    assert [row.mode for row in again] == ["from_failure"]


def test_what_is_shown_can_be_exported(app: Tab, stack: Stack) -> None:
    backfill = stack.submit("parts", "part-1")
    stack.wait_final(backfill)
    page = app.open(f"/runs?backfill={backfill}")
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as downloaded:
        page.get_by_role("menuitem", name="Runs as CSV").click()
    lines = Path(downloaded.value.path()).read_text().splitlines()
    assert len(lines) == 2
    assert "part-1" in lines[1]


def test_home_shows_what_runs_and_what_failed(app: Tab, stack: Stack) -> None:
    failing = stack.submit("parts", "part-3")
    stack.wait_final(failing)
    backfill, _ = gated_run(stack, "gate-4")
    page = app.open("/")
    running = page.get_by_role("region", name="Running now")
    expect(running).to_contain_text(f"Backfill {backfill}")
    expect(page.get_by_role("region", name="Failed lately")).to_contain_text(f"bad rows {HOSTILE}")
    expect(page.get_by_role("region", name="Workers")).to_contain_text("of 2 busy")
    expect(page.get_by_role("region", name="Schedules")).to_contain_text("parts_every_day")
    stack.marks.allow(backfill)
    expect(running).not_to_contain_text(f"Backfill {backfill}", timeout=GREEN)
