"""`python -m benchmarks.throughput`: tiny runs from submit to settled, beside bare Celery.

N partitions of a pipeline of 3 no-op steps on PostgreSQL and Valkey with 2 prefork workers, task
events on, the API and one client of its live events. Interleaved in one run: ours packed, ours
with one run per message, bare Celery (one no-op task a partition, published with
`Producer.batch`, nothing recorded) and a hand-written ORM task of 2 commits. Every row that should
have been written is counted. The machine may be noisy: trust the ratios and the CPU.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from sqlalchemy import create_engine, text

from backfill.definitions.process import DefinitionsProcess
from backfill.lifecycle.backfills import BackfillRequest, submit
from backfill.storage.database import Database
from benchmarks.goals import Row, parser, row, tell
from benchmarks.harness import Cost, Counter, Stack, measured, stack, wait_for
from benchmarks.serving import api, listening

LABELS = {
    "packed": "backfill, packed",
    "single": "backfill, one run per message",
    "bare": "bare Celery, nothing recorded",
    "orm": "hand-written ORM task, 2 commits",
}
RATIOS = (("packed", "bare", 6.0), ("single", "bare", 0.75), ("packed", "orm", 15.0))
CPU_MS = 0.5
WARM_UP = 300


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
            settled = partial(self._settled, done.backfill_id)
            wait_for(settled, self._seconds, f"{count} runs settled", poll=0.05)
        self._check(done.backfill_id, count)

    def _settled(self, backfill_id: int) -> bool:
        with self._db.read() as conn:
            found = conn.execute(
                self._db.sql("SELECT state FROM backfills WHERE id = :id"), {"id": backfill_id}
            )
            return str(found.scalar_one()) == "succeeded"

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
        with measured(roots, into):
            with (
                app.connection_for_write(self._made.broker_url) as connection,
                app.amqp.Producer(connection) as producer,
                producer.batch(),
            ):
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


@dataclass(frozen=True)
class Measured:
    """What the rounds of one mode took, and how many runs each had."""

    runs: int
    costs: Sequence[Cost]

    @property
    def rate(self) -> float:
        """The median of runs per second."""
        return statistics.median(self.runs / cost.seconds for cost in self.costs)

    @property
    def cpu_ms(self) -> float:
        """The median of CPU milliseconds per run, of all processes and the database."""
        return statistics.median(cost.cpu_total for cost in self.costs) / self.runs * 1e3


class Bench:
    """The services that all modes share, and the modes."""

    def __init__(self, made: Stack, services: ExitStack, *, processes: int, seconds: float) -> None:
        self._made, self._processes, self._seconds = made, processes, seconds
        self._definitions = services.enter_context(made.define())
        self._db = made.database()
        services.callback(self._db.dispose)
        self._counter = Counter(made.folder / "counter")
        made.extra["PEER_COUNTER"] = str(made.folder / "counter")
        _peer_tables(made)

    def run(self, mode: str, count: int) -> Cost:
        """Run one mode once, its services up and warm."""
        into: list[Cost] = []
        with ExitStack() as services:
            if mode in {"packed", "single"}:
                self._ours(mode, count, into, services)
            else:
                self._peers(mode, count, into, services)
        return into[0]

    def _ours(self, mode: str, count: int, into: list[Cost], services: ExitStack) -> None:
        packing = {} if mode == "packed" else {"BACKFILL_PACK_SECONDS": "0"}
        client = services.enter_context(api(self._made))
        services.enter_context(self._made.worker(processes=self._processes))
        services.enter_context(self._made.coordinator(**packing))
        services.enter_context(listening(self._made, client))
        ours = Ours(self._made, self._db, self._definitions, seconds=self._seconds)
        ours.run(min(WARM_UP, count), [], roots={})  # every process is up and knows the pipeline
        ours.run(count, into, roots=dict(self._made.roots))

    def _peers(self, mode: str, count: int, into: list[Cost], services: ExitStack) -> None:
        services.enter_context(self._made.worker(processes=self._processes, app="benchmarks.peers"))
        peers = Peers(self._made, self._counter, self._seconds)
        task = "orm" if mode == "orm" else "noop"
        peers.run(task, min(WARM_UP, count), [], roots={})
        peers.run(task, count, into, roots=dict(self._made.roots))


def bench(
    *,
    partitions: int,
    rounds: int,
    processes: int = 2,
    seconds: float = 300.0,
    sqlite: bool = False,
    modes: Sequence[str] = tuple(LABELS),
) -> dict[str, Measured]:
    """Run everything interleaved; return what each mode took."""
    sizes = {
        "packed": partitions,
        "single": partitions // 4,
        "bare": partitions // 4,
        "orm": partitions // 20,
    }
    costs: dict[str, list[Cost]] = {mode: [] for mode in modes}
    with stack(partitions=max(partitions, 20_000), sqlite=sqlite) as made, ExitStack() as services:
        shared = Bench(made, services, processes=processes, seconds=seconds)
        for _ in range(rounds):
            for mode in modes:
                costs[mode].append(shared.run(mode, sizes[mode]))
    return {mode: Measured(sizes[mode], found) for mode, found in costs.items()}


def _peer_tables(made: Stack) -> None:
    from benchmarks.peers import Base

    engine = create_engine(made.database_url)
    Base.metadata.create_all(engine)
    engine.dispose()


def rows_of(found: dict[str, Measured]) -> list[Row]:
    """Return a row per goal, then one per mode."""
    rows = [
        row(
            f"{LABELS[ours]}, against {LABELS[theirs]}",
            found[ours].rate / found[theirs].rate,
            "x",
            at_least=goal,
        )
        for ours, theirs, goal in RATIOS
        if ours in found and theirs in found
    ]
    return rows + rates_of(found)


def rates_of(found: dict[str, Measured], *, cpu_goal: float | None = CPU_MS) -> list[Row]:
    """Return the CPU of a packed run with its goal, and the rate of every mode."""
    rows = []
    if "packed" in found:
        packed = found["packed"].cpu_ms
        what = f"{LABELS['packed']}: CPU per run, all processes and the database"
        rows.append(row(what, packed, "ms", at_most=cpu_goal))
    return rows + [
        row(
            LABELS[mode],
            one.rate,
            "runs/s",
            runs=one.runs,
            cpu_ms_per_run=round(one.cpu_ms, 3),
            cpu_split={k: round(v / one.runs * 1e3, 3) for k, v in one.costs[-1].cpu.items()},
            peak_mb=one.costs[-1].peak_mb,
        )
        for mode, one in found.items()
    ]


def main() -> None:
    """Print ratios, CPU per run and peak memory."""
    arguments = parser(__doc__)
    arguments.add_argument("--partitions", type=int, help="of the packed backfill (20,000)")
    arguments.add_argument("--rounds", type=int, help="default 3")
    arguments.add_argument("--processes", type=int, default=2)
    arguments.add_argument("--seconds", type=float, default=300.0, help="limit of one measurement")
    arguments.add_argument("--sqlite", action="store_true", help="the embedded default database")
    arguments.add_argument("--modes", help=f"comma-separated; default {','.join(LABELS)}")
    asked = arguments.parse_args()
    found = bench(
        partitions=asked.partitions or (2_000 if asked.quick else 20_000),
        rounds=asked.rounds or (1 if asked.quick else 3),
        processes=asked.processes,
        seconds=asked.seconds,
        sqlite=asked.sqlite,
        modes=asked.modes.split(",") if asked.modes else tuple(LABELS),
    )
    tell("throughput", rows_of(found), as_json=asked.json)


if __name__ == "__main__":
    main()
