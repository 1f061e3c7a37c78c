"""`python -m benchmarks.scale`: backfills of 1k to 1M partitions, and what one partition costs.

Each size on a PostgreSQL and Valkey of its own, 2 prefork workers, the API with one client of its
live events; the set is computed (over 1.25 million windows at every size). Every run and step is
counted afterwards. While it runs, pages of the API are asked for once a second.
"""

from __future__ import annotations

import math
import random
import statistics
import time
from collections import defaultdict
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import Any

import httpx

from backfill.storage.database import Database
from benchmarks import windows
from benchmarks.goals import Row, parser, row, tell, timings
from benchmarks.harness import Cost, measured, stack, wait_for
from benchmarks.serving import Asker, api, listening

SIZES = (1_000, 10_000, 100_000, 1_000_000)
FLAT_FROM = 10_000  # smaller backfills are mostly start and end
WARM_UP = 400
PAGE_SECONDS = 1.0


@dataclass
class Grown:
    """What a backfill of one size took.

    Attributes:
        submit: Seconds from the request to the API's answer.
        expanded, first_run, settled: Seconds after the backfill was made, by the database's clock.
        pages: Seconds of requests to the API while it ran, by what was asked for.
    """

    size: int
    submit: float
    expanded: float
    first_run: float
    settled: float
    cost: Cost
    pages: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    @property
    def microseconds_per_run(self) -> float:
        return self.settled / self.size * 1e6

    @property
    def cpu_per_run(self) -> float:
        """CPU milliseconds of everything per run, this process and the clients aside."""
        clients = {"submitter", "listener"}
        ours = {name: s for name, s in self.cost.cpu.items() if name not in clients}
        return sum(ours.values()) / self.size * 1e3


def grow(size: int, *, seconds: float) -> Grown:
    """Backfill `size` partitions on services of their own."""
    with (
        stack(partitions=0, definitions=windows.DEFINITIONS) as made,
        ExitStack() as services,
    ):
        db = made.database()
        services.callback(db.dispose)
        client = services.enter_context(api(made))
        services.enter_context(made.worker(processes=2))
        services.enter_context(made.coordinator())
        services.enter_context(listening(made, client))
        asker = services.enter_context(closing(Asker(client)))
        _warm_up(db, client)
        costs: list[Cost] = []
        pages: dict[str, list[float]] = defaultdict(list)
        with measured(made.roots, costs):
            submit, backfill_id = _submit(client, 0, size)
            _watch(db, asker, backfill_id, size, pages, seconds)
        windows.check(db, backfill_id, size)
        return Grown(size, submit, *_times(db, backfill_id), costs[0], pages)


def _warm_up(db: Database, client: httpx.Client) -> None:
    _, warm = _submit(client, windows.MOST - WARM_UP, WARM_UP)
    wait_for(lambda: windows.state_of(db, warm) == "succeeded", 60.0, "warmed up")


def _submit(client: httpx.Client, first: int, size: int) -> tuple[float, int]:
    """Submit as people do; return seconds to the answer and the backfill."""
    body = {
        "partition_set": windows.SET,
        "selection": windows.selection(size, first),
        "reprocess": "missing",
    }
    started = time.perf_counter()
    answer = client.post("/backfills", json=body)
    seconds = time.perf_counter() - started
    answer.raise_for_status()
    assert answer.json()["total"] == size, answer.json()
    return seconds, int(answer.json()["id"])


def _watch(
    db: Database,
    asker: Asker,
    backfill_id: int,
    size: int,
    pages: dict[str, list[float]],
    seconds: float,
) -> None:
    """Wait until it succeeded, asking for pages once a second."""
    places = random.Random(size)
    deadline = time.monotonic() + seconds
    look_at = 0.0
    while (state := windows.state_of(db, backfill_id)) != "succeeded":
        if state not in {"requested", "running"} or time.monotonic() > deadline:
            raise TimeoutError(f"Backfill {backfill_id} of {size:,} is {state}.")
        if time.monotonic() >= look_at:
            look_at = time.monotonic() + PAGE_SECONDS
            _ask(asker, backfill_id, size, places, pages)
        time.sleep(0.02)


def _ask(
    asker: Asker,
    backfill_id: int,
    size: int,
    places: random.Random,
    pages: dict[str, list[float]],
) -> None:
    start = windows.key(places.randrange(size))
    asked: dict[str, tuple[str, dict[str, Any]]] = {
        "backfill": (f"/backfills/{backfill_id}", {}),
        "runs of it": (f"/backfills/{backfill_id}/runs", {"limit": 200}),
        "failed runs of it": (f"/backfills/{backfill_id}/runs", {"state": "failed"}),
        "matrix page": (
            f"/partition-sets/{windows.SET}/matrix",
            {"start": start, "limit": 200, "order": "oldest"},
        ),
        "overview": (f"/partition-sets/{windows.SET}/overview", {"buckets": 1000}),
    }
    for name, (path, params) in asked.items():
        pages[name].append(asker.get(path, **params)[0])


def _times(db: Database, backfill_id: int) -> tuple[float, float, float]:
    with db.read() as conn:
        found = conn.execute(
            db.sql(
                "SELECT b.expanded_at - b.created_at AS expanded, b.finished_at - b.created_at "
                "AS settled, (SELECT min(s.started_at) FROM step_outcomes s JOIN runs r "
                "ON r.id = s.run_id WHERE r.backfill_id = b.id) - b.created_at AS first "
                "FROM backfills b WHERE b.id = :id"
            ),
            {"id": backfill_id},
        ).one()
    return found.expanded / 1e6, found.first / 1e6, found.settled / 1e6


# -- saying it ----------------------------------------------------------------------------------


def rows_of(grown: list[Grown]) -> list[Row]:
    """Return a row per figure and size, and the fit of the cost over the sizes."""
    rows: list[Row] = []
    for one in grown:
        rows += _rows_of_one(one)
    return rows + _fit(grown)


def _rows_of_one(one: Grown) -> list[Row]:
    n = f"{one.size:,}"
    largest = one.size == max(SIZES)
    peaks = {name: one.cost.peak_mb.get(name, 0.0) for name in ("coordinator", "api")}
    peaks["worker"] = one.cost.peak_mb.get("worker-workers", 0.0)
    split = {k: round(v / one.size * 1e3, 3) for k, v in one.cost.cpu.items()}
    rows = [
        row(f"{n}: submit to answer", one.submit * 1e3, "ms", at_most=100),
        row(f"{n}: expanded", one.expanded, "s", at_most=15),
        row(f"{n}: first run started", one.first_run, "s", at_most=1),
        row(f"{n}: settled", one.settled, "s", at_most=600 if largest else None),
        row(f"{n}: dispatched and recorded", one.size / one.settled, "runs/s"),
        row(f"{n}: CPU per run", one.cpu_per_run, "ms", at_most=0.5, split=split),
        *(row(f"{n}: memory of {k}", v, "MB", at_most=150) for k, v in peaks.items()),
    ]
    return rows + [timings(f"{n}: {name}", found) for name, found in one.pages.items()]


def _fit(grown: list[Grown]) -> list[Row]:
    """Return how flat the cost per run is, and the exponent of time over size."""
    large = [one for one in grown if one.size >= FLAT_FROM] or grown
    if len(large) < 2:
        return []
    rows = []
    for what, costs in (
        ("wall time per run", [one.microseconds_per_run / 1e3 for one in large]),
        ("CPU per run", [one.cpu_per_run for one in large]),
    ):
        spread = max(costs) / min(costs) - 1
        growth = costs[-1] / costs[0] - 1
        rows.append(
            row(
                f"{what}, {large[0].size:,} to {large[-1].size:,}: grows by",
                growth * 100,
                "%",
                at_most=15,
                spread_percent=round(spread * 100, 1),
                ms_per_run=[round(c, 3) for c in costs],
                exponent=round(_exponent([o.size for o in large], costs), 3),
            )
        )
    return rows


def _exponent(sizes: list[int], costs: list[float]) -> float:
    """Fit cost per run = a * size ** b by least squares of the logarithms; return b."""
    x = [math.log(size) for size in sizes]
    y = [math.log(cost) for cost in costs]
    return statistics.linear_regression(x, y).slope


def main() -> None:
    """Print what every size took, and how the cost of a run grows with it."""
    arguments = parser(__doc__)
    arguments.add_argument("--sizes", help="comma-separated; default 1000,10000,100000,1000000")
    arguments.add_argument("--seconds", type=float, default=1800.0, help="limit of one size")
    asked = arguments.parse_args()
    sizes = [int(n) for n in asked.sizes.split(",")] if asked.sizes else list(SIZES)
    if asked.quick and not asked.sizes:
        sizes = [1_000, 4_000]
    grown = [grow(size, seconds=asked.seconds) for size in sorted(sizes)]
    tell("scale", rows_of(grown), as_json=asked.json)


if __name__ == "__main__":
    main()
