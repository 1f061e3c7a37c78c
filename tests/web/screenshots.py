"""`make screenshots`: a picture of every page, light and dark, for the docs.

The pages show two examples that ran with real workers, one of which has partitions that fail.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page

from backfill.storage.database import Database
from backfill.web.build import build
from tests.support.browser import chromium, tab
from tests.support.stack import EXAMPLES, Stack, StackOptions
from tests.web.pages import settled

HERE = Path(__file__).parent
PICTURES = HERE.parents[1] / "docs" / "images"
WINDOW = {"width": 1360, "height": 850}


def main() -> int:
    """Make the pictures; return the exit status."""
    build()
    PICTURES.mkdir(exist_ok=True)
    definitions = ",".join(
        str(path) for path in (HERE / "shop.py", EXAMPLES / "may_2020.py", EXAMPLES / "weather.py")
    )
    with tempfile.TemporaryDirectory(prefix="backfill-", ignore_cleanup_errors=True) as folder:
        url = f"sqlite:///{folder}/backfill.db"
        Database(url).migrate()
        options = StackOptions(api=True, definitions=definitions)
        with Stack(Path(folder), url, options) as stack, chromium() as browser:
            pages = _fill(stack)
            for scheme in ("light", "dark"):
                with tab(
                    browser, stack.settings.api_url, viewport=WINDOW, color_scheme=scheme
                ) as it:
                    for name, path in pages.items():
                        page = it.open(path)
                        settled(page)
                        _still(page)
                        page.screenshot(path=PICTURES / f"{name}-{scheme}.png")
                        sys.stdout.write(f"docs/images/{name}-{scheme}.png\n")
    return 0


def _fill(stack: Stack) -> dict[str, str]:
    """Run something worth looking at; return the addresses of the pages by name."""
    stack.wait_final(stack.submit("date_partition_set", "all", note="the seed's example"))
    stack.wait_final(stack.submit("weather_days", "all", created_by="ada"))
    sales = stack.submit("shop_days", "all", note="after the fix of 14 July", created_by="grace")
    stack.wait_final(sales)
    failed = stack.rows(
        "SELECT id FROM runs WHERE backfill_id = :b AND state = 'failed' ORDER BY id", b=sales
    )[0].id
    return {
        "home": "/",
        "matrix": "/partition-sets/shop_days",
        "matrix-large": "/partition-sets/weather_days",
        "backfills": "/backfills",
        "backfill": f"/backfills/{sales}",
        "launch": "/launch?set=shop_days&select=failed",
        "runs": "/runs",
        "run": f"/runs/{failed}",
        "pipeline": "/pipelines/shop?step=charge",
        "playground": "/playground?pipeline=shop&set=shop_days&partition=2026-03-14",
        "schedules": "/schedules",
        "schedule": "/schedules/shop_every_day",
        "workers": "/workers",
        "settings": "/settings?tab=about",
    }


def _still(page: Page) -> None:
    """Wait until nothing moves: fonts, drawings and what came late."""
    page.evaluate("document.fonts.ready")
    page.wait_for_load_state("load")
    page.wait_for_timeout(1_500)  # drawings on canvas say nothing when they are done


if __name__ == "__main__":
    sys.exit(main())
