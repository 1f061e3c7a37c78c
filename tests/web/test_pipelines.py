"""A pipeline in the browser: its graph, the config its steps take, and what is of it."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.support.browser import Tab


def test_a_step_of_the_graph_tells_what_it_takes(app: Tab) -> None:
    page = app.open("/pipelines/my_data_pipeline")
    page.get_by_role("button", name="Step process_data_for_date").click()
    step = page.get_by_role("region", name="Step process_data_for_date")
    expect(step.get_by_text("date", exact=True)).to_be_visible()
    expect(step.get_by_text("required")).to_be_visible()
    expect(page).to_have_url(f"{app.url}/pipelines/my_data_pipeline?step=process_data_for_date")


def test_the_graph_is_used_with_the_keyboard(app: Tab) -> None:
    page = app.open("/pipelines/shaky")
    page.get_by_role("button", name="Step check").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Step check").get_by_text("load")).to_be_visible()


def test_a_pipeline_has_its_sets_its_playground_its_runs_and_its_schedules(app: Tab) -> None:
    page = app.open("/pipelines/shaky")
    page.get_by_role("tab", name="Partitions").click()
    expect(page.get_by_role("link", name="parts", exact=True)).to_be_visible()
    page.get_by_role("tab", name="Playground").click()
    expect(page.get_by_label("Run config")).to_be_visible()
    page.get_by_role("tab", name="Schedules").click()
    expect(page.get_by_role("link", name="parts_every_day")).to_be_visible()
    page.get_by_role("tab", name="Runs").click()
    expect(page).to_have_url(f"{app.url}/pipelines/shaky?tab=runs")


def test_a_pipeline_that_is_not_there_says_so(app: Tab) -> None:
    page = app.open("/pipelines/nothing")
    expect(page.get_by_text("Not found")).to_be_visible()
    app.complaints.clear()  # the console tells of every answer that is an error
