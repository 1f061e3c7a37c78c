"""`python -m benchmarks.latency`: one partition from submit to its first step, and to the screen.

One partition at a time is submitted to the API as a backfill, or launched as a run, on PostgreSQL
and Valkey with 2 prefork workers and a client of the API's live events. Measured for each: the
submit's answer to the start of the first step, and the end of the last step to its event at a
client and to the API's own answer. First idle, then while backfills of lower priority keep
`--pending` runs waiting and every worker busy.
"""

from __future__ import annotations

import random
import statistics
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

from backfill.definitions.process import DefinitionsProcess
from backfill.lifecycle.launching import launch_checked
from backfill.lifecycle.runs import LaunchRequest
from backfill.storage.database import Database
from benchmarks import windows
from benchmarks.goals import Row, parser, tell, timings
from benchmarks.harness import Stack, stack, wait_for
from benchmarks.serving import Listener, api

FIRST_PROBE = 1_200_000  # probes are partitions of their own, far from the load
SECONDS = 60.0


@dataclass
class Seen:
    """When a client of the live events heard that a partition's run succeeded."""

    at: dict[str, float] = field(default_factory=dict)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def told(self, data: Any, arrived: float) -> None:
        with self.changed:
            for run in data.get("runs", ()):
                if run["state"] == "succeeded":
                    self.at.setdefault(run["partition"], arrived)
            self.changed.notify_all()

    def wait(self, partition: str) -> float:
        with self.changed:
            if not self.changed.wait_for(lambda: partition in self.at, SECONDS):
                raise TimeoutError(f"No event said that {partition} succeeded.")
            return self.at[partition]


@dataclass
class Latencies:
    """Seconds of each probe."""

    answer: list[float] = field(default_factory=list)
    started: list[float] = field(default_factory=list)
    made: list[float] = field(default_factory=list)
    queued: list[float] = field(default_factory=list)
    claimed: list[float] = field(default_factory=list)
    event: list[float] = field(default_factory=list)
    shown: list[float] = field(default_factory=list)


class Prober:
    """Runs one partition at a time and says when everything about it happened."""

    def __init__(
        self, db: Database, definitions: DefinitionsProcess, client: httpx.Client, seen: Seen
    ) -> None:
        self._db, self._definitions, self._client, self._seen = db, definitions, client, seen
        self._next = FIRST_PROBE
        self._random = random.Random(7)

    def submitted(self, into: Latencies) -> None:
        """Probe a backfill of one partition."""

        def submit(index: int) -> None:
            body = {
                "partition_set": windows.PROBES,
                "selection": windows.selection(1, index),
                "reprocess": "all",
                "priority": 100,
            }
            self._client.post("/backfills", json=body).raise_for_status()

        self._probe(submit, into)

    def launched(self, into: Latencies) -> None:
        """Probe a single run of a partition."""

        def launch(index: int) -> None:
            request = LaunchRequest(
                windows.PIPELINE, windows.PROBES, windows.key(index), priority=100
            )
            launch_checked(self._db, self._definitions, request, at=datetime.now(UTC))

        self._probe(launch, into)

    def _probe(self, begin: Callable[[int], None], into: Latencies) -> None:
        self._next += 1
        partition = windows.key(self._next)
        time.sleep(self._random.uniform(0.02, 0.12))  # probes are not in step with any tick
        asked = time.time()
        begin(self._next)
        answered = time.time()
        heard = self._seen.wait(partition)
        shown = self._shown(partition)
        made, queued, claimed, first, last = self._recorded(partition)
        into.answer.append(answered - asked)
        into.started.append(max(0.0, first - answered))
        into.made.append(made - answered)
        into.queued.append(queued - answered)
        into.claimed.append(claimed - answered)
        into.event.append(heard - last)
        into.shown.append(shown - last)

    def _shown(self, partition: str) -> float:
        """Return when the API's matrix showed the partition as succeeded."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            answer = self._client.get(
                f"/partition-sets/{windows.PROBES}/matrix", params={"start": partition, "limit": 1}
            )
            boxes = answer.raise_for_status().json()["items"][0]["boxes"]
            states = [box["status"] for box in _each(boxes)]
            if states == ["succeeded"] * len(windows.STEPS):
                return time.time()
        raise TimeoutError(f"The matrix never showed {partition} as succeeded.")

    def _recorded(self, partition: str) -> tuple[float, float, float, float, float]:
        """Return when its run was made, queued and claimed, its first step started and its last
        one ended, having checked them all."""
        with self._db.read() as conn:
            rows = conn.execute(
                self._db.sql(
                    "SELECT s.step, s.state, s.started_at, s.finished_at, r.created_at, "
                    "r.queued_at, "
                    "r.started_at AS claimed_at FROM step_outcomes s "
                    "JOIN runs r ON r.id = s.run_id WHERE r.partition = :partition AND r.set_id = "
                    "(SELECT id FROM partition_sets WHERE name = :set)"
                ),
                {"partition": partition, "set": windows.PROBES},
            ).all()
        assert {row.step for row in rows} == set(windows.STEPS), rows
        assert len(rows) == len(windows.STEPS), rows
        assert {row.state for row in rows} == {"succeeded"}, rows
        run = rows[0]
        first, last = min(r.started_at for r in rows), max(r.finished_at for r in rows)
        times = (run.created_at, run.queued_at, run.claimed_at, first, last)
        made, queued, claimed, began, ended = (us / 1e6 for us in times)
        return made, queued, claimed, began, ended


def _each(boxes: Any) -> list[Any]:
    return list(boxes.values()) if isinstance(boxes, dict) else list(boxes)


class Load:
    """Backfills of lower priority that keep so many runs pending."""

    def __init__(self, db: Database, definitions: DefinitionsProcess, pending: int) -> None:
        self._db, self._definitions, self._pending = db, definitions, pending
        self._first = 0

    def keep(self) -> None:
        """Submit more when fewer wait than wanted; returns once so many are there."""
        while self._waiting() < self._pending:
            first, self._first = self._first, self._first + self._pending
            if self._first > FIRST_PROBE:
                raise RuntimeError("All partitions of the load are used up: fewer --samples.")
            self._add(first)

    def _add(self, first: int) -> None:
        done = windows.backfill(self._db, self._definitions, self._pending, first=first)
        wait_for(lambda: self._expanded(done.backfill_id), SECONDS, "the load is expanded")

    def _waiting(self) -> int:
        with self._db.read() as conn:
            return int(
                conn.execute(
                    self._db.sql(
                        "SELECT coalesce(sum(total - running - queued - succeeded), 0) "
                        "FROM backfills WHERE state = 'running'"
                    )
                ).scalar_one()
            )

    def _expanded(self, backfill_id: int) -> bool:
        with self._db.read() as conn:
            return (
                conn.execute(
                    self._db.sql("SELECT expanded_at FROM backfills WHERE id = :id"),
                    {"id": backfill_id},
                ).scalar_one()
                is not None
            )


def bench(*, samples: int, pending: int) -> list[Row]:
    """Measure idle, then under load; return the rows."""
    with (
        stack(partitions=0, definitions=windows.DEFINITIONS) as made,
        ExitStack() as services,
    ):
        definitions = services.enter_context(made.define())
        db = made.database()
        services.callback(db.dispose)
        client = services.enter_context(api(made))
        services.enter_context(made.worker(processes=2))
        services.enter_context(made.coordinator())
        seen = Seen()
        services.enter_context(Listener(client, seen.told, partition_set=windows.PROBES))
        prober = Prober(db, definitions, client, seen)
        _warm_up(made, db, definitions, prober)
        idle = [_measure(probe, samples) for probe in (prober.submitted, prober.launched)]
        load = Load(db, definitions, pending)
        busy = [
            _measure(probe, samples, load.keep) for probe in (prober.submitted, prober.launched)
        ]
    return [
        *_rows("idle", idle, started_ms=100),
        *_rows(f"{pending:,} pending", busy, started_ms=300),
    ]


def _warm_up(made: Stack, db: Database, definitions: DefinitionsProcess, prober: Prober) -> None:
    done = windows.backfill(db, definitions, 200, first=FIRST_PROBE + 20_000)
    wait_for(lambda: windows.state_of(db, done.backfill_id) == "succeeded", SECONDS, "warmed up")
    windows.check(db, done.backfill_id, 200)
    for _ in range(5):
        prober.submitted(Latencies())
        prober.launched(Latencies())


def _measure(
    probe: Callable[[Latencies], None], samples: int, before: Callable[[], None] | None = None
) -> Latencies:
    found = Latencies()
    for _ in range(samples):
        if before is not None:
            before()
        probe(found)
    return found


def _rows(when: str, found: list[Latencies], *, started_ms: float) -> list[Row]:
    rows = []
    for kind, seconds in zip(("backfill", "launch"), found, strict=True):
        rows += [
            timings(f"{when}, {kind}: submit to answer", seconds.answer),
            timings(
                f"{when}, {kind}: answer to step running",
                seconds.started,
                p95_ms=started_ms,
                p50_of_parts=_parts(seconds),
            ),
            timings(f"{when}, {kind}: step end to event", seconds.event, p95_ms=300),
            timings(f"{when}, {kind}: step end to matrix page", seconds.shown, p95_ms=300),
        ]
    return rows


def _parts(found: Latencies) -> dict[str, float]:
    """Return the medians, in milliseconds after the answer, of what comes before the step."""
    return {
        name: round(statistics.median(getattr(found, name)) * 1e3, 1)
        for name in ("made", "queued", "claimed")
    }


def main() -> None:
    """Print the latencies."""
    arguments = parser(__doc__)
    arguments.add_argument("--samples", type=int, help="probes of each kind (default 100)")
    arguments.add_argument("--pending", type=int, help="runs that wait (default 100,000)")
    asked = arguments.parse_args()
    samples = asked.samples or (20 if asked.quick else 100)
    pending = asked.pending or (10_000 if asked.quick else 100_000)
    tell("latency", bench(samples=samples, pending=pending), as_json=asked.json)


if __name__ == "__main__":
    main()
