"""`python -m benchmarks.web`: the Run Matrix of a million partitions in a real Chromium.

N partitions x 10 steps are loaded into PostgreSQL by COPY. A fresh browser opens the matrix: how
long until its boxes are painted, how many bytes of script that takes. Then it pans, jumps to
random places and zooms: frames per second, the time until what is in sight is loaded, the largest
answer, and the memory that is left in use.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from playwright.sync_api import Browser, CDPSession, Page

from backfill.web.build import build
from benchmarks import matrix
from benchmarks.goals import Row, parser, row, tell, timings
from benchmarks.harness import stack
from benchmarks.serving import api
from tests.support.browser import chromium

PAN_SECONDS = 6
PAN_PIXELS = 240  # a frame: ten columns
_PAINTED = """
new MutationObserver((_, observer) => {
  if (!document.querySelector('[data-ready]')) return
  observer.disconnect()
  requestAnimationFrame(() => requestAnimationFrame(() => {
    window.paintedAt = performance.now()
    document.documentElement.dataset.painted = ''
  }))
}).observe(document, { subtree: true, childList: true, attributes: true })
"""
_PAN = """
async ([seconds, pixels]) => {
  const grid = document.querySelector('[role="application"]')
  const began = performance.now()
  const frames = []
  while (performance.now() - began < seconds * 1000) {
    const turn = { deltaX: -pixels, bubbles: true, cancelable: true }
    grid.dispatchEvent(new WheelEvent('wheel', turn))
    frames.push(await new Promise(requestAnimationFrame))
  }
  return frames
}
"""


@dataclass
class Traffic:
    """What went over the wire, in bytes as it was sent."""

    answers: dict[str, int] = field(default_factory=dict)
    scripts: dict[str, int] = field(default_factory=dict)

    def watch(self, session: CDPSession) -> None:
        """Count what a tab receives."""
        urls: dict[str, str] = {}
        session.send("Network.enable")

        def begun(event: dict[str, Any]) -> None:
            urls[event["requestId"]] = event["response"]["url"]

        def ended(event: dict[str, Any]) -> None:
            url, size = urls.get(event["requestId"], ""), int(event["encodedDataLength"])
            if "/api/" in url:
                self.answers[url] = max(size, self.answers.get(url, 0))
            elif url.endswith(".js"):
                self.scripts[url] = size

        session.on("Network.responseReceived", begun)
        session.on("Network.loadingFinished", ended)


@contextmanager
def opened(browser: Browser, url: str, traffic: Traffic) -> Iterator[tuple[Page, CDPSession]]:
    """Open the matrix with nothing cached and wait until its boxes are there."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    session = context.new_cdp_session(page)
    traffic.watch(session)
    page.add_init_script(_PAINTED)
    page.goto(f"{url}/partition-sets/{matrix.SET}", wait_until="commit")
    page.wait_for_selector("html[data-painted]", state="attached", timeout=120_000)
    try:
        yield page, session
    finally:
        context.close()


def bench(count: int, opens: int, jumps: int) -> list[Row]:
    """Load, look, and return the rows."""
    build()
    with stack(partitions=0, definitions=matrix.DEFINITIONS) as made, ExitStack() as services:
        definitions = services.enter_context(made.define())
        db = made.database()
        services.callback(db.dispose)
        matrix.load(db, count)
        matrix.compute(db, definitions, count)
        client = services.enter_context(api(made))
        browser = services.enter_context(chromium())
        return _look(browser, client, count, opens, jumps)


def _look(browser: Browser, client: httpx.Client, count: int, opens: int, jumps: int) -> list[Row]:
    url = f"http://{client.base_url.host}:{client.base_url.port}"
    paints: list[float] = []
    for _ in range(opens):
        with opened(browser, url, Traffic()) as (page, _session):
            paints.append(page.evaluate("window.paintedAt") / 1e3)
    traffic = Traffic()
    with opened(browser, url, traffic) as (page, session):
        first_scripts = sum(traffic.scripts.values())
        frames = page.evaluate(_PAN, [PAN_SECONDS, PAN_PIXELS])
        jumped = [_jump(page, place) for place in _places(count, jumps)]
        used = session.send("Runtime.getHeapUsage")["usedSize"]
        session.send("HeapProfiler.collectGarbage")
        kept = session.send("Runtime.getHeapUsage")["usedSize"]
        largest = max(traffic.answers, key=lambda asked: traffic.answers[asked])
    per_second = _frames_per_second(frames)
    return [
        row(
            f"{count:,} x 10: first useful paint",
            statistics.median(paints),
            "s median",
            at_most=1.5,
            worst=round(max(paints), 2),
        ),
        row(
            "panning",
            statistics.mean(per_second),
            "frames per second",
            at_least=30,
            slowest_second=min(per_second),
        ),
        timings("a jump until its boxes are loaded", jumped),
        row(
            "largest answer",
            traffic.answers[largest] / 1e3,
            "kB",
            at_most=300,
            asked=largest.partition("/api/v1")[2][:80],
        ),
        row(
            "heap after it all", kept / 1e6, "MB", at_most=150, before_collecting=round(used / 1e6)
        ),
        row("scripts of the first load, compressed", first_scripts / 1e3, "kB", at_most=350),
    ]


def _jump(page: Page, share: float) -> float:
    """Click into the strip and return how many seconds it took until the boxes were there."""
    strip = page.get_by_role("slider", name="Place in the whole set")
    box = strip.bounding_box()
    assert box is not None
    asked = "performance.now()"
    began = float(page.evaluate(asked))
    page.mouse.click(box["x"] + share * box["width"], box["y"] + box["height"] / 2)
    page.wait_for_selector("[data-ready]", timeout=60_000)
    return (float(page.evaluate(asked)) - began) / 1e3


def _places(count: int, jumps: int) -> list[float]:
    chance = random.Random(count)
    return [chance.random() * 0.95 for _ in range(jumps)]


def _frames_per_second(frames: list[float]) -> list[int]:
    """Return how many frames each whole second had; times in milliseconds."""
    seconds = [0] * int((frames[-1] - frames[0]) / 1e3)
    for at in frames:
        second = int((at - frames[0]) / 1e3)
        if second < len(seconds):
            seconds[second] += 1
    return seconds


def main() -> None:
    """Print how the matrix does in a browser."""
    arguments = parser(__doc__)
    arguments.add_argument("--partitions", type=int, help="default 1,000,000")
    asked = arguments.parse_args()
    count = asked.partitions or (20_000 if asked.quick else 1_000_000)
    opens, jumps = (2, 5) if asked.quick else (5, 30)
    tell("web", bench(count, opens, jumps), as_json=asked.json)


if __name__ == "__main__":
    main()
