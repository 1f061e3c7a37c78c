"""The Playground: a partition's config is filled in, judged, changed and launched."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect

from tests.support.browser import Tab

MAY_DAY = "/playground?pipeline=my_data_pipeline&set=date_partition_set&partition=2020-05-01"


def editor(page: Page) -> Locator:
    return page.get_by_label("Run config")


def write(page: Page, text: str) -> None:
    """Put a text in place of what stands in the editor."""
    editor(page).click()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.press("Delete")  # Chromium styles what is inserted over styled text, in vain
    page.keyboard.insert_text(text)


def test_a_partition_of_the_seed_is_chosen_filled_in_launched_and_followed(app: Tab) -> None:
    page = app.open("/playground")
    page.get_by_label("Pipeline", exact=True).select_option("my_data_pipeline")
    page.get_by_label("Partition set", exact=True).select_option("date_partition_set")
    page.get_by_role("combobox", name="Partition", exact=True).fill("05-01")
    page.get_by_role("option", name="2020-05-01").click()
    expect(editor(page)).to_contain_text("date: 2020-05-01")
    expect(page.get_by_text("It fits.")).to_be_visible()
    page.get_by_role("button", name="Launch 2020-05-01").click()
    page.wait_for_url("**/runs/*")
    expect(page.get_by_text("succeeded").first).to_be_visible(timeout=60_000)
    expect(page.get_by_text("processing data for 2020-05-01").first).to_be_visible()


def test_an_address_opens_a_tab_with_the_config_of_its_partition(app: Tab) -> None:
    page = app.open(MAY_DAY)
    expect(editor(page)).to_contain_text("date: 2020-05-01")
    expect(page.get_by_role("button", name="my_data_pipeline · 2020-05-01").first).to_be_visible()


def test_what_is_typed_outlives_a_reload(app: Tab) -> None:
    page = app.open(MAY_DAY)
    expect(editor(page)).to_contain_text("date: 2020-05-01")
    write(page, "solids:\n  process_data_for_date:\n    config:\n      date: someday\n")
    expect(page.get_by_text("It fits.")).to_be_visible()
    page.goto(f"{app.url}/playground")
    expect(editor(page)).to_contain_text("date: someday")


def test_what_does_not_fit_is_marked_and_not_launched(app: Tab) -> None:
    page = app.open(MAY_DAY)
    expect(page.get_by_text("It fits.")).to_be_visible()
    write(page, "solids:\n  process_data_for_date:\n    config:\n      date: 5\n")
    expect(page.get_by_role("listitem").filter(has_text="expected")).to_be_visible()
    expect(page.locator(".cm-lintRange-error")).to_have_text("date")
    expect(page.get_by_role("button", name="Launch 2020-05-01")).to_be_disabled()


def test_a_text_that_is_no_yaml_says_where(app: Tab) -> None:
    page = app.open(MAY_DAY)
    expect(page.get_by_text("It fits.")).to_be_visible()
    write(page, "solids: [1, 2\nother: }")
    expect(page.locator(".cm-lint-marker-error").first).to_be_visible()
    expect(page.get_by_role("button", name="Launch 2020-05-01")).to_be_disabled()


def test_what_is_missing_is_scaffolded_and_what_is_extra_removed(app: Tab) -> None:
    page = app.open("/playground?pipeline=my_data_pipeline")
    write(page, "unknown: 1\n")
    expect(page.get_by_role("listitem").filter(has_text="not expected")).to_be_visible()
    page.get_by_role("button", name="Remove what is extra").click()
    page.get_by_role("button", name="Scaffold what is missing").click()
    expect(editor(page)).to_contain_text('date: ""')
    expect(editor(page)).not_to_contain_text("unknown")
    expect(page.get_by_text("It fits.")).to_be_visible()


def test_keys_are_completed_by_the_schema(app: Tab) -> None:
    page = app.open("/playground?pipeline=my_data_pipeline")
    write(page, "steps:\n  process_data_for_date:\n    config:\n      ")
    page.keyboard.press("Control+Space")
    expect(page.locator(".cm-tooltip-autocomplete")).to_contain_text("date")
    page.keyboard.press("Enter")
    expect(editor(page)).to_contain_text("date:")


def test_several_tabs_are_kept_apart(app: Tab) -> None:
    page = app.open(MAY_DAY)
    expect(editor(page)).to_contain_text("date: 2020-05-01")
    page.get_by_role("button", name="New tab").click()
    expect(editor(page)).not_to_contain_text("date")
    page.get_by_role("button", name="my_data_pipeline · 2020-05-01", exact=True).click()
    expect(editor(page)).to_contain_text("date: 2020-05-01")
    page.get_by_role("button", name="Close my_data_pipeline · 2020-05-01").click()
    expect(editor(page)).not_to_contain_text("date")
