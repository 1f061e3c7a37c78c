"""What holds for every page: people of all abilities can use it, users' text is only text."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, Dialog, Page, ViewportSize, expect

from tests.support.browser import tab
from tests.support.stack import Stack
from tests.web.pages import Shown, addresses, axe, fill, settled
from tests.web.pipelines import HOSTILE

NAMES = sorted(addresses(Shown(0, 0, 0)))
WITH_MARKUP = {"backfill", "matrix as a table", "pipeline runs", "run", "run of markup", "runs"}
DRAWN = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
NARROW: ViewportSize = {"width": 1024, "height": 768}


@dataclass(frozen=True)
class Visit:
    """What was seen of a page.

    Attributes:
        axe: What axe finds wrong with it, by colour scheme.
        markup: Whether the text that is markup stands there, and elements that it would make.
        dialogs: What scripts inside of users' texts said.
        overflow: Pixels that stick out of a window of 1024 to the right.
    """

    name: str
    title: str
    axe: dict[str, list[str]]
    complaints: list[str]
    markup: bool
    elements: int
    dialogs: list[str]
    overflow: int


@pytest.fixture(scope="session")
def shown(stack: Stack) -> Shown:
    return fill(stack)


@pytest.fixture(scope="module", params=NAMES)
def visit(request: pytest.FixtureRequest, browser: Browser, stack: Stack, shown: Shown) -> Visit:
    """Open a page once, and look at all of it."""
    name: str = request.param
    dialogs: list[str] = []
    with tab(browser, stack.settings.api_url, reduced_motion="reduce") as it:

        def dismiss(dialog: Dialog) -> None:
            dialogs.append(dialog.message)
            dialog.dismiss()

        it.page.on("dialog", dismiss)
        page = it.open(addresses(shown)[name])
        settled(page)
        if name in WITH_MARKUP:
            _wait_for_markup(page)
        found = {}
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.evaluate(DRAWN)  # until then colours may be those before
            found[scheme] = axe(page)
        markup = HOSTILE in (page.evaluate("document.body.textContent") or "")
        elements = page.locator('img[src="x"]').count()
        page.set_viewport_size(NARROW)
        overflow = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        return Visit(name, page.title(), found, it.complaints, markup, elements, dialogs, overflow)


def test_axe_finds_nothing_wrong(visit: Visit) -> None:
    assert visit.axe == {"light": [], "dark": []}


def test_the_browser_has_nothing_to_complain_of(visit: Visit) -> None:
    assert visit.complaints == []


def test_what_users_write_is_shown_as_text(visit: Visit) -> None:
    assert (visit.elements, visit.dialogs) == (0, [])
    assert visit.markup or visit.name not in WITH_MARKUP


def test_a_page_fits_a_window_of_1024_pixels(visit: Visit) -> None:
    assert visit.overflow <= 0


def test_a_page_has_a_title(visit: Visit) -> None:
    assert re.fullmatch(r".+ · Backfill", visit.title)


def _wait_for_markup(page: Page) -> None:
    expect(page.locator("body")).to_contain_text(HOSTILE)
