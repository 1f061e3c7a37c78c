"""What the benchmarks share: real services in a temporary folder, processes and what they cost."""

from __future__ import annotations

import mmap
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from backfill.definitions.process import DefinitionsProcess
from backfill.embedded import leash
from backfill.embedded.broker import EmbeddedBroker
from backfill.embedded.leash import Leashed
from backfill.embedded.postgres import EmbeddedPostgres
from backfill.settings import Settings
from backfill.storage.database import Database

TICKS = os.sysconf("SC_CLK_TCK")
TINY = """
from backfill import Partition, PartitionSetDefinition, pipeline, step

@step
def extract():
    pass

@step
def transform(rows):
    pass

@step
def load(rows):
    pass

@pipeline
def tiny():
    load(transform(extract()))

numbers = PartitionSetDefinition(
    name="numbers",
    pipeline_name="tiny",
    partition_fn=lambda: [Partition(f"{n:07}") for n in range(@COUNT@)],
)
"""


@dataclass
class Stack:
    """A database, a broker and a folder, with the environment that points at them."""

    folder: Path
    database_url: str
    broker_url: str
    definitions: Path
    extra: dict[str, str] = field(default_factory=dict)
    roots: dict[str, int] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "BACKFILL_HOME": str(self.folder),
            "BACKFILL_DATABASE_URL": self.database_url,
            "BACKFILL_BROKER_URL": self.broker_url,
            "BACKFILL_DEFINITIONS": str(self.definitions),
            "BACKFILL_LOG_LEVEL": "warning",
            "PYTHONPATH": str(Path(__file__).parent.parent),
            **self.extra,
        }

    def settings(self, **changed: Any) -> Settings:
        return Settings(
            home=self.folder,
            database_url=self.database_url,
            broker_url=self.broker_url,
            definitions=str(self.definitions),
            **changed,
        )

    def database(self) -> Database:
        return Database(self.database_url)

    def migrate(self) -> None:
        db = self.database()
        db.migrate()
        db.dispose()

    def define(self) -> DefinitionsProcess:
        return DefinitionsProcess([str(self.definitions)], call_seconds=60.0, reload=False)

    @contextmanager
    def program(
        self, name: str, *arguments: str, environment: Mapping[str, str] | None = None
    ) -> Iterator[Leashed]:
        """Run a Python program of ours beside the benchmark; its log is in the folder.

        It is on a leash: however this process ends, the program and its children end with it.
        """
        log = self.folder / f"{name}.log"
        with log.open("ab") as output:
            process = leash.start(
                [sys.executable, *arguments],
                env={**self.environment, **(environment or {})},
                output=output,
            )
        self.roots[name] = process.pid
        try:
            yield process
        except TimeoutError:
            print(log.read_text()[-4000:], file=sys.stderr)
            raise
        finally:
            self.roots.pop(name, None)
            process.stop(grace_seconds=20)

    @contextmanager
    def worker(
        self, *, processes: int, app: str = "workers", queue: str = "", **environment: str
    ) -> Iterator[Leashed]:
        """Run a Celery worker of `processes` prefork children, task events on."""
        command = ["-m", "celery", "-A", app, "worker", "-c", str(processes), "-E"]
        command += ["--without-gossip", "--without-mingle", "-n", f"{app.split('.')[-1]}@bench"]
        command += ["-Q", queue] if queue else []
        with self.program(f"worker-{app}", *command, environment=environment) as process:
            yield process

    @contextmanager
    def coordinator(self, **environment: str) -> Iterator[Leashed]:
        with self.program(
            "coordinator", "-m", "backfill.coordinator", environment=environment
        ) as process:
            yield process


@contextmanager
def ending_when_told() -> Iterator[None]:
    """Have SIGTERM and SIGHUP end this process through its `finally` blocks."""
    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(n, lambda received, _: sys.exit(128 + received)) for n in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


@contextmanager
def stack(
    *,
    partitions: int,
    sqlite: bool = False,
    definitions: str = TINY,
    postgres: Mapping[str, str] | None = None,
) -> Iterator[Stack]:
    """Start PostgreSQL (durable) or make an SQLite file, and Valkey, in a temporary folder.

    Args:
        definitions: Source of the definitions; `@COUNT@` in it becomes `partitions`.
        postgres: Settings of the server, by name.
    """
    with (
        ending_when_told(),
        tempfile.TemporaryDirectory(prefix="backfill-bench-", ignore_cleanup_errors=True) as name,
    ):
        folder = Path(name)
        source = folder / "bench_definitions.py"
        source.write_text(definitions.replace("@COUNT@", str(partitions)))
        with EmbeddedBroker(folder / "broker") as broker:
            if sqlite:
                made = Stack(folder, f"sqlite:///{folder}/bench.db", broker.url(), source)
                made.roots["valkey"] = broker.pid
                made.migrate()
                yield made
                return
            with EmbeddedPostgres(durable=True, settings=postgres or {}) as server:
                made = Stack(folder, server.url(), broker.url(), source)
                made.roots |= {"valkey": broker.pid, "postgres": server.pid}
                made.migrate()
                yield made


# -- what processes cost ------------------------------------------------------------------------


def family(pid: int) -> list[int]:
    """Return a process and all its living descendants."""
    found, left = [], [pid]
    while left:
        one = left.pop()
        found.append(one)
        try:
            for task in os.listdir(f"/proc/{one}/task"):
                children = Path(f"/proc/{one}/task/{task}/children").read_text()
                left += [int(c) for c in children.split()]
        except OSError:
            continue
    return found


def cpu_seconds(roots: Mapping[str, int]) -> dict[str, float]:
    """Return the CPU time each family has used, its finished children included."""
    spent: dict[str, float] = {}
    for name, root in roots.items():
        total = 0
        for pid in family(root):
            try:
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            total += sum(int(fields[i]) for i in (11, 12, 13, 14))
        spent[name] = total / TICKS
    return spent


def peak_megabytes(roots: Mapping[str, int]) -> dict[str, float]:
    """Return the peak resident memory of the largest process of each family."""
    peaks: dict[str, float] = {}
    for name, root in roots.items():
        largest = 0.0
        for pid in family(root):
            try:
                status = Path(f"/proc/{pid}/status").read_text()
            except OSError:
                continue
            line = next((x for x in status.splitlines() if x.startswith("VmHWM")), "")
            if line:
                largest = max(largest, int(line.split()[1]) / 1024)
        peaks[name] = round(largest, 1)
    return peaks


@dataclass(frozen=True)
class Cost:
    """What one measured stretch took."""

    seconds: float
    cpu: Mapping[str, float]
    peak_mb: Mapping[str, float]

    @property
    def cpu_total(self) -> float:
        return sum(self.cpu.values())


@contextmanager
def measured(roots: Mapping[str, int], into: list[Cost]) -> Iterator[None]:
    """Measure a stretch: wall time, CPU of every family, and this process's own."""
    before, own = cpu_seconds(roots), time.process_time()
    started = time.perf_counter()
    yield
    seconds = time.perf_counter() - started
    after = cpu_seconds(roots)
    spent = {name: after[name] - before.get(name, 0.0) for name in after}
    spent["submitter"] = time.process_time() - own
    into.append(Cost(seconds, spent, peak_megabytes(roots)))


def wait_for(condition: Callable[[], bool], seconds: float, what: str, poll: float = 0.01) -> None:
    """Wait until a condition holds, or fail saying what did not happen."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"After {seconds:g} s still not: {what}.")
        time.sleep(poll)


class Counter:
    """A counter in a file that many processes add to, each in a cell of its own."""

    CELLS = 4096

    def __init__(self, path: Path) -> None:
        with open(path, "a+b") as file:
            file.truncate(self.CELLS * 8)
            self._cells = memoryview(mmap.mmap(file.fileno(), self.CELLS * 8)).cast("q")

    def add(self) -> None:
        self._cells[os.getpid() % self.CELLS] += 1

    def total(self) -> int:
        return sum(self._cells)


# -- saying it ----------------------------------------------------------------------------------


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Lay rows out in columns."""
    names = list(rows[0])
    cells = [[str(name) for name in names]] + [[str(row[n]) for n in names] for row in rows]
    widths = [max(len(line[i]) for line in cells) for i in range(len(names))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    )
