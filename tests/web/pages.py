"""Every page of the app, with something to see on it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from playwright.sync_api import Page, expect

from backfill.web.build import MODULES
from tests.support.stack import Stack
from tests.web.pipelines import HOSTILE


@dataclass(frozen=True)
class Shown:
    """What the pages are about.

    Attributes:
        backfill: Of every partition of `parts`, one of which failed.
        failed: The run of `part-3`, which failed.
        hostile: The run of the partition whose key is markup.
    """

    backfill: int
    failed: int
    hostile: int


def fill(stack: Stack) -> Shown:
    """Run a backfill in which every text that users write is markup; return what to look at."""
    backfill = stack.submit("parts", note=HOSTILE, tags={"markup": HOSTILE})
    stack.wait_final(backfill)
    failed, hostile = (stack.run(backfill, key).id for key in ("part-3", HOSTILE))
    return Shown(backfill, failed, hostile)


def addresses(shown: Shown) -> dict[str, str]:
    """Return the address of every page, and of the tabs that hold something else, by name."""
    hostile = quote(HOSTILE)
    return {
        "home": "/",
        "backfills": "/backfills",
        "backfill": f"/backfills/{shown.backfill}",
        "runs": "/runs",
        "run": f"/runs/{shown.failed}",
        "run of markup": f"/runs/{shown.hostile}",
        "partition sets": "/partition-sets",
        "matrix": "/partition-sets/parts",
        "matrix as a table": "/partition-sets/parts?view=table",
        "pipelines": "/pipelines",
        "pipeline": "/pipelines/shaky?step=check",
        "pipeline playground": "/pipelines/shaky?tab=playground",
        "pipeline runs": "/pipelines/shaky?tab=runs",
        "playground": f"/playground?pipeline=shaky&set=parts&partition={hostile}",
        "launch": "/launch?set=parts&select=all",
        "schedules": "/schedules",
        "schedule": "/schedules/parts_every_day",
        "workers": "/workers",
        "settings": "/settings",
        "audit": "/settings?tab=audit",
        "about": "/settings?tab=about",
        "nowhere": "/no/such.page",
    }


def settled(page: Page) -> None:
    """Wait until nothing loads any more."""
    page.get_by_role("heading", level=1).first.wait_for()
    expect(page.locator("[role=status] [class*=spinner]")).to_have_count(0)


def axe(page: Page) -> list[str]:
    """Return what axe finds wrong with a page, a line per element."""
    page.evaluate((MODULES / "axe-core/axe.min.js").read_text())
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{violation['id']}: {node['html'][:200]} ({node['failureSummary'][:200]})"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]
