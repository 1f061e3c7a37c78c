"""`python -m benchmarks.throughput`: tiny runs from submit to settled, beside bare Celery.

N partitions of a pipeline of 3 no-op steps on PostgreSQL and Valkey with 2 prefork workers, task
events on. Interleaved in one run: ours packed, ours with one run per message, bare Celery (one
no-op task a partition, published with `Producer.batch`, nothing recorded) and a hand-written ORM
task of 2 commits. Every row that should have been written is counted. The machine may be noisy:
trust the ratios.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import create_engine, text

from backfill.definitions.process import DefinitionsProcess
from backfill.lifecycle.backfills import BackfillRequest, submit
from backfill.storage.database import Database
from benchmarks.harness import Cost, Counter, Stack, measured, say, stack, wait_for

MODES = ("packed", "single", "bare", "orm")
RATIOS = (("packed", "bare", 6.0), ("single", "bare", 0.75), ("packed", "orm", 15.0))


class Ours:
    """Backfills submitted to a running coordinator and worker."""

    def __init__(
        self, made: Stack, db: Database, definitions: DefinitionsProcess, *, seconds: float
    ) -> None:
        self._made, self._db, self._definitions, self._seconds = made, db, definitions, seconds

    def run(self, count: int, into: list[Cost], *, roots: dict[str, int]) -> None:
        """Backfill `count` partitions, wait until settled, check every row."""
        last = f"{count - 1:07}"
        request = BackfillRequest("numbers", f"[0000000...{last}]", reprocess="all")
        with measured(roots, into):
            done = submit(self._db, self._definitions, request, at=datetime.now(UTC), limit=count)
            wait_for(lambda: self._state(done.backfill_id) == "succeeded", self._seconds, "settled")
        self._check(done.backfill_id, count)

    def _state(self, backfill_id: int) -> str:
        with self._db.read() as conn:
            found = conn.execute(
                self._db.sql("SELECT state FROM backfills WHERE id = :id"), {"id": backfill_id}
            )
            return str(found.scalar_one())

    def _check(self, backfill_id: int, count: int) -> None:
        with self._db.read() as conn:
            row = conn.execute(
                self._db.sql(
                    "SELECT count(*) AS runs, min(state) AS low, max(state) AS high, "
                    "min(attempt) AS a, max(attempt) AS b FROM runs WHERE backfill_id = :id"
                ),
                {"id": backfill_id},
            ).one()
            steps = conn.execute(
                self._db.sql(
                    "SELECT count(*) FROM step_outcomes s JOIN runs r ON r.id = s.run_id "
                    "WHERE r.backfill_id = :id AND s.state = 'succeeded'"
                ),
                {"id": backfill_id},
            ).scalar_one()
        assert tuple(row) == (count, "succeeded", "succeeded", 1, 1), row
        assert steps == 3 * count, (steps, count)


class Peers:
    """Tasks published with `Producer.batch` to a Celery worker of their own."""

    def __init__(self, made: Stack, counter: Counter, seconds: float) -> None:
        self._made, self._counter, self._seconds = made, counter, seconds

    def run(self, task: str, count: int, into: list[Cost], *, roots: dict[str, int]) -> None:
        from benchmarks.peers import app

        before = self._counter.total()
        app.conf.broker_url = self._made.broker_url
        with measured(roots, into):
            with app.producer_or_acquire() as producer, producer.batch():
                for n in range(count):
                    app.send_task(
                        f"peers.{task}",
                        (f"{n:07}",),
                        producer=producer,
                        queue="peers",
                        ignore_result=True,
                    )
            wait_for(lambda: self._counter.total() - before >= count, self._seconds, "all done")
        if task == "orm":
            self._check(count)

    def _check(self, count: int) -> None:
        engine = create_engine(self._made.database_url)
        with engine.begin() as conn:
            found = conn.execute(
                text(
                    "SELECT (SELECT count(*) FROM peer_runs WHERE state = 'succeeded'), "
                    "(SELECT count(*) FROM peer_steps)"
                )
            ).one()
            assert tuple(found) == (count, 3 * count), found
            conn.execute(text("DELETE FROM peer_steps"))
            conn.execute(text("DELETE FROM peer_runs"))
        engine.dispose()


def bench(
    *,
    partitions: int,
    rounds: int,
    processes: int,
    seconds: float,
    sqlite: bool,
    modes: Sequence[str] = MODES,
    warm_ups: int = 1,
) -> Any:
    """Run everything interleaved; return rows and ratios."""
    costs: dict[str, list[Cost]] = {mode: [] for mode in modes}
    with stack(partitions=max(partitions, 20_000), sqlite=sqlite) as made, ExitStack() as services:
        definitions = services.enter_context(made.define())
        db = made.database()
        counter = Counter(made.folder / "counter")
        _peer_tables(made)
        peers = Peers(made, counter, seconds)
        sizes = {
            "packed": partitions,
            "single": partitions // 4,
            "bare": partitions // 4,
            "orm": partitions // 20,
        }
        for turn in range(1 - warm_ups, rounds + 1):
            for mode in costs:
                count = 300 if turn < 1 else sizes[mode]  # turn 0 warms everything up
                into: list[Cost] = []
                _one(mode, count, into, made, db, definitions, peers, processes, seconds)
                if turn > 0:
                    costs[mode] += into
        db.dispose()
    return _rows(costs, sizes)


def _one(
    mode: str,
    count: int,
    into: list[Cost],
    made: Stack,
    db: Database,
    definitions: DefinitionsProcess,
    peers: Peers,
    processes: int,
    seconds: float,
) -> None:
    with ExitStack() as services:
        if mode in {"packed", "single"}:
            packing = {} if mode == "packed" else {"BACKFILL_PACK_SECONDS": "0"}
            services.enter_context(made.worker(processes=processes))
            services.enter_context(made.coordinator(**packing))
            ours = Ours(made, db, definitions, seconds=seconds)
            ours.run(200, [], roots={})  # every process is up and knows the pipeline
            ours.run(count, into, roots=dict(made.roots))
            return
        made.extra["PEER_COUNTER"] = str(made.folder / "counter")
        services.enter_context(made.worker(processes=processes, app="benchmarks.peers"))
        task = "orm" if mode == "orm" else "noop"
        peers.run(task, 50, [], roots={})
        peers.run(task, count, into, roots=dict(made.roots))


def _peer_tables(made: Stack) -> None:
    from benchmarks.peers import Base

    engine = create_engine(made.database_url)
    Base.metadata.create_all(engine)
    engine.dispose()


def _rows(costs: dict[str, list[Cost]], sizes: dict[str, int]) -> Any:
    rate: Callable[[str], float] = lambda mode: statistics.median(  # noqa: E731
        sizes[mode] / cost.seconds for cost in costs[mode]
    )
    labels = {
        "packed": "backfill, packed",
        "single": "backfill, one run per message",
        "bare": "bare Celery, nothing recorded",
        "orm": "hand-written ORM task, 2 commits",
    }
    rows: list[dict[str, Any]] = []
    for mode, found in costs.items():
        cpu = statistics.median(c.cpu_total / sizes[mode] * 1000 for c in found)
        peak = {k: max(c.peak_mb.get(k, 0) for c in found) for k in found[0].peak_mb}
        split = {k: round(found[-1].cpu[k] / sizes[mode] * 1000, 3) for k in found[-1].cpu}
        rows.append(
            {
                "who": labels[mode],
                "runs": sizes[mode],
                "runs_per_s": round(rate(mode)),
                "x_bare": round(rate(mode) / rate("bare"), 2),
                "cpu_ms_per_run": round(cpu, 3),
                "cpu_split": split,
                "peak_mb": peak,
            }
        )
    goals = {
        f"{ours}_vs_{theirs}": _goal(rate(ours) / rate(theirs), goal)
        for ours, theirs, goal in RATIOS
        if ours in costs and theirs in costs
    }
    goals["cpu_ms_per_run"] = _goal(float(rows[0]["cpu_ms_per_run"]), 0.5, at_most=True)
    return rows, goals


def _goal(measured_value: float, goal: float, *, at_most: bool = False) -> dict[str, Any]:
    met = measured_value <= goal if at_most else measured_value >= goal
    return {"measured": round(measured_value, 3), "goal": goal, "met": met}


def main() -> None:
    """Print ratios, CPU per run and peak memory."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--partitions", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=300.0, help="limit of one measurement")
    parser.add_argument("--sqlite", action="store_true", help="the embedded default database")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    rows, goals = bench(
        partitions=asked.partitions,
        rounds=asked.rounds,
        processes=asked.processes,
        seconds=asked.seconds,
        sqlite=asked.sqlite,
    )
    if not asked.json:
        for row in rows:
            row["peak_mb"] = max(row["peak_mb"].values())
    say("throughput", rows, as_json=asked.json, goals=goals)


if __name__ == "__main__":
    main()
