"""A real Chromium, and what it may not say: console errors, violations of the page's policy."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find_chromium() -> str | None:
    """Return the path of a Chromium: BACKFILL_TEST_CHROMIUM, or the first on PATH."""
    given = os.environ.get("BACKFILL_TEST_CHROMIUM")
    return given or next((found for name in NAMES if (found := shutil.which(name))), None)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run a headless Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_chromium(), args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield browser
        browser.close()


@dataclass
class Tab:
    """One page of the app; it collects what went wrong in it.

    Attributes:
        complaints: Console errors, uncaught exceptions and policy violations, as text.
    """

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)
    _forgiven: list[str] = field(default_factory=list)

    def forgive(self, part: str) -> None:
        """Take a complaint that holds this text for granted: the test asks for a refusal."""
        self._forgiven.append(part)

    def complain(self, text: str) -> None:
        """Note what the browser says, unless it is forgiven."""
        if not any(part in text for part in self._forgiven):
            self.complaints.append(text)

    def open(self, path: str) -> Page:
        """Go to an address of the app and return the page."""
        self.page.goto(f"{self.url}{path}")
        return self.page


@contextmanager
def tab(browser: Browser, url: str, **options: object) -> Iterator[Tab]:
    """Open a tab of its own context; keywords are Playwright's for a context."""
    context: BrowserContext = browser.new_context(
        **{"viewport": {"width": 1440, "height": 900}, "timezone_id": "Europe/Berlin", **options}  # type: ignore[arg-type]
    )
    context.set_default_timeout(15_000)
    opened = Tab(context.new_page(), url)
    opened.page.on("pageerror", lambda error: opened.complain(f"uncaught: {error}"))
    opened.page.on(
        "console",
        lambda said: opened.complain(said.text) if said.type == "error" else None,
    )
    try:
        yield opened
    finally:
        context.close()
