"""The Run Matrix: the seed's story, what is selected, what a box tells, what keys do."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.support.browser import Tab
from tests.support.stack import Stack
from tests.web.pipelines import HOSTILE

MAY = "/partition-sets/date_partition_set"
PARTS = "/partition-sets/parts"


def open_matrix(app: Tab, path: str) -> Page:
    """Open a matrix and wait until its columns are there."""
    page = app.open(path)
    expect(page.locator("[data-ready]")).to_be_visible()
    return page


def press(page: Page, *keys: str) -> None:
    """Press keys in the matrix."""
    box = page.get_by_role("application", name=re.compile("^Run Matrix"))
    box.focus()
    for key in keys:
        box.press(key)


def test_the_seeds_story(app: Tab, stack: Stack) -> None:
    page = open_matrix(app, f"{MAY}?view=table")
    table = page.get_by_role("table")
    rows = table.get_by_role("row")
    expect(rows).to_have_count(32)  # a line of headers and 31 partitions
    expect(table.get_by_role("columnheader")).to_have_text(
        ["Partition", "Run", "process_data_for_date", "post_slack_message", "Runs"]
    )
    stack.submit("date_partition_set", "all")
    first = rows.filter(has_text="2020-05-01")
    expect(first.get_by_text("succeeded")).to_have_count(3, timeout=60_000)
    expect(rows.filter(has_text="2020-05-31").get_by_text("succeeded")).to_have_count(
        3, timeout=60_000
    )
    first.get_by_role("button").first.click()
    box = page.get_by_role("complementary", name="Box")
    expect(box.get_by_role("heading", name="2020-05-01, process_data_for_date")).to_be_visible()
    expect(box.get_by_role("region", name="Attempt 1").get_by_text("succeeded")).to_be_visible()
    expect(box.get_by_role("log")).to_contain_text("processing data for 2020-05-01")
    box.get_by_text("Config used").first.click()  # of the newest run: others may stand below
    expect(box.locator("details[open]").first).to_contain_text("2020-05-01")


def test_a_failure_shows_its_error_as_text(app: Tab, stack: Stack) -> None:
    stack.wait_final(stack.submit("parts", "all"))
    page = open_matrix(app, f"{PARTS}?part=part-3&step=check")
    box = page.get_by_role("complementary", name="Box")
    expect(box.get_by_text("ValueError").first).to_be_visible()
    expect(box.get_by_text(HOSTILE).first).to_be_visible()
    box.get_by_text("Traceback").first.click()
    expect(box.get_by_text("pipelines.py").first).to_be_visible()
    page.keyboard.press("Escape")
    expect(box).to_be_hidden()
    expect(page).to_have_url(re.compile(r"/partition-sets/parts$"))


def test_failures_and_gaps_narrow_the_columns(app: Tab, stack: Stack) -> None:
    stack.wait_final(stack.submit("parts", "all"))
    page = open_matrix(app, f"{PARTS}?view=table")
    page.get_by_label("Failures and gaps only").check()
    expect(page).to_have_url(re.compile("gaps=1"))
    expect(page.get_by_role("rowheader")).to_have_text(["part-3"])
    page.go_back()
    expect(page.get_by_role("rowheader")).to_have_count(9)


def test_columns_dragged_over_become_a_selection(app: Tab) -> None:
    page = open_matrix(app, MAY)
    canvas = page.locator("canvas").last
    box = canvas.bounding_box()
    assert box is not None
    width = 24  # of a column
    y = box["y"] + 60  # in the labels
    page.mouse.move(box["x"] + 2.5 * width, y)
    page.mouse.down()
    page.mouse.move(box["x"] + 5.5 * width, y, steps=4)
    page.mouse.up()
    text = page.get_by_role("textbox", name="Selection")
    expect(text).to_have_value("[2020-05-03...2020-05-06]")
    expect(page.get_by_role("link", name="Launch 4")).to_be_visible()
    expect(page).to_have_url(re.compile(r"sel="))


def test_a_text_becomes_chosen_columns_and_mistakes_are_told(app: Tab) -> None:
    page = open_matrix(app, MAY)
    text = page.get_by_role("textbox", name="Selection")
    text.fill("[2020-05-01...2020-05-07] ! 2020-05-03")
    text.press("Enter")
    expect(page.get_by_role("link", name="Launch 6")).to_be_visible()
    app.forgive("422")
    text.fill("2020-05-32")
    text.press("Enter")
    expect(page.get_by_text("2020-05-32", exact=False).last).to_be_visible()
    expect(text).to_have_attribute("aria-invalid", "true")


def test_keys_move_open_and_choose(app: Tab, stack: Stack) -> None:
    stack.wait_final(stack.submit("parts", "part-2"))
    page = open_matrix(app, PARTS)
    press(page, "Home", "ArrowRight", "ArrowDown")
    expect(page.get_by_text(re.compile("^part-2, load: "))).to_be_attached()
    press(page, " ")
    expect(page.get_by_role("textbox", name="Selection")).to_have_value("part-2")
    press(page, "Shift+ArrowRight")
    expect(page.get_by_role("textbox", name="Selection")).to_have_value("[part-2...part-3]")
    press(page, "ArrowLeft", "Enter")
    expect(page.get_by_role("heading", name="part-2, load")).to_be_visible()


def test_a_hostile_key_is_chosen_in_quotes(app: Tab) -> None:
    page = open_matrix(app, PARTS)
    press(page, "End", " ")
    expect(page.get_by_role("textbox", name="Selection")).to_have_value(f'"{HOSTILE}"')
    expect(page.get_by_role("link", name="Launch 1")).to_be_visible()


def test_a_step_query_narrows_the_rows(app: Tab) -> None:
    page = open_matrix(app, f"{PARTS}?steps=*check")
    expect(page.get_by_title("store", exact=False)).to_have_count(0)
    page.get_by_role("searchbox", name="Steps").fill("check+")
    page.get_by_role("searchbox", name="Steps").press("Enter")
    expect(page).to_have_url(re.compile(r"steps=check"))
    expect(page.get_by_title(re.compile("^store"))).to_be_visible()
    expect(page.get_by_title(re.compile("^load"))).to_have_count(0)


def test_a_box_is_run_again_from_its_panel(app: Tab, stack: Stack) -> None:
    stack.wait_final(stack.submit("parts", "part-5"))
    page = open_matrix(app, f"{PARTS}?part=part-5&step=store")
    box = page.get_by_role("complementary", name="Box")
    runs = box.get_by_role("group").filter(has_text="Run ")
    expect(box.get_by_role("button", name="Run again")).to_be_enabled()
    before = runs.count()
    box.get_by_role("button", name="Run again").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("store")
    dialog.get_by_role("button", name="Run again").click()
    expect(dialog).to_be_hidden()
    expect(runs).to_have_count(before + 1)
    expect(runs.first.get_by_text("succeeded").first).to_be_visible(timeout=30_000)


@pytest.mark.parametrize("query", ["?colour=age", "?colour=duration&size=large", "?previous=1"])
def test_other_colours_are_drawn_without_a_word(app: Tab, query: str) -> None:
    open_matrix(app, f"{PARTS}{query}")


def test_boxes_dragged_over_choose_their_steps_too(app: Tab) -> None:
    page = open_matrix(app, PARTS)
    drag(page, (0.5, 92 + 26 * 1.5), (2.5, 92 + 26 * 2.5))
    expect(page.get_by_role("textbox", name="Selection")).to_have_value("[part-1...part-3]")
    expect(page.get_by_text("only 2 steps")).to_be_visible()
    page.get_by_role("button", name="All steps").click()
    expect(page).not_to_have_url(re.compile("pick="))


def test_a_launch_begins_with_what_is_chosen(app: Tab) -> None:
    page = open_matrix(app, f"{PARTS}?sel=part-2,part-4&pick=load")
    page.get_by_role("link", name="Launch 2").click()
    expect(page).to_have_url(re.compile(r"/launch\?.*set=parts.*select=part-2"))
    expect(page).to_have_url(re.compile("step=load"))


def test_the_strip_zooms_and_shows_the_whole_set_again(app: Tab) -> None:
    page = open_matrix(app, MAY)
    strip = page.get_by_role("slider", name="Place in the whole set")
    box = strip.bounding_box()
    assert box is not None
    y = box["y"] + 20
    page.mouse.move(box["x"] + box["width"] * 5.5 / 31, y)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 9.5 / 31, y, steps=3)
    page.mouse.up()
    expect(page).to_have_url(re.compile("from=2020-05-06&to=2020-05-10"))
    expect(page.get_by_text("5 partitions in the zoom")).to_be_visible()
    page.get_by_role("button", name="Whole set").click()
    expect(page.get_by_text("31 partitions")).to_be_visible()


def test_an_address_leads_back_to_the_columns_that_were_in_sight(app: Tab) -> None:
    page = open_matrix(app, f"{MAY}?size=large&at=2020-05-04")
    press(page, "Escape")
    page.mouse.click(*middle_of(page, 0.5, 92 + 13))
    expect(page.get_by_role("heading", name=re.compile("^2020-05-04, "))).to_be_visible()


def test_a_mark_and_a_block_show_in_the_matrix(app: Tab) -> None:
    page = open_matrix(app, f"{PARTS}?part=part-7&step=load&view=table")
    box = page.get_by_role("complementary", name="Box")
    box.get_by_role("button", name="More").click()
    page.get_by_role("menuitem", name="Mark succeeded").click()
    page.get_by_role("dialog").get_by_role("button", name="Mark succeeded").click()
    expect(page.get_by_role("dialog")).to_be_hidden()
    row = page.get_by_role("row").filter(has_text="part-7")
    expect(row.get_by_role("button").first).to_have_text("succeeded")
    page.get_by_role("textbox", name="Selection").fill("part-8")
    page.get_by_role("textbox", name="Selection").press("Enter")
    page.get_by_role("button", name="Block").click()
    page.get_by_role("menuitem", name="Block these partitions").click()
    page.get_by_role("textbox", name="Reason").fill("the source is being repaired")
    page.get_by_role("dialog").get_by_role("button", name="Block").click()
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.get_by_role("button", name="Block").click()
    page.get_by_role("menuitem", name="Unblock them").click()
    page.get_by_role("dialog").get_by_role("button", name="Unblock").click()
    expect(page.get_by_text("1 partition may run again.").first).to_be_visible()


def middle_of(page: Page, column: float, y: float) -> tuple[float, float]:
    """Return where a column of the matrix is on the page; columns are wide here."""
    box = page.locator("canvas").last.bounding_box()
    assert box is not None
    return box["x"] + column * 44, box["y"] + y


def drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Drag over the matrix: from and to (columns from the left, pixels from above)."""
    box = page.locator("canvas").last.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + start[0] * 24, box["y"] + start[1])
    page.mouse.down()
    page.mouse.move(box["x"] + end[0] * 24, box["y"] + end[1], steps=4)
    page.mouse.up()
