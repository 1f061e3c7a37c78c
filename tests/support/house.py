"""A house for lifecycle tests: a database, definitions and every verb, with a clock of its own."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Row

from backfill.definitions.in_process import LocalDefinitions
from backfill.execution.outcomes import ErrorInfo, RunEnd, RunOutcome, StepOutcome
from backfill.lifecycle import backfills, doctor, fleet, folding, moves
from backfill.lifecycle.admission import Admitter, Message
from backfill.lifecycle.backfills import BackfillRequest
from backfill.lifecycle.moves import Claim, Report
from backfill.settings import Settings
from backfill.states import BackfillState, RunState, StepState
from backfill.storage.database import Database
from tests.support.clock import VirtualClock
from tests.support.loading import loaded

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SECOND = 1_000_000


@dataclass
class House:
    """Everything between submit and settle, driven move by move."""

    db: Database
    definitions: LocalDefinitions
    settings: Settings = field(default_factory=Settings)
    holder: str = "test"
    clock: VirtualClock | None = None
    shops: list[str] = field(default_factory=list)

    def submit(self, selection: str = "all", set_name: str = "days", **wanted: Any) -> int:
        """Submit a backfill, of everything selected unless `reprocess` says otherwise."""
        wanted = {"reprocess": "all", **wanted}
        request = BackfillRequest(partition_set=set_name, selection=selection, **wanted)
        return backfills.submit(
            self.db, self.definitions, request, at=NOON, limit=self.settings.max_partitions
        ).backfill_id

    def expand(self, backfill_id: int, *, limit: int = 1000) -> int | None:
        return backfills.expand_chunk(self.db, self.definitions, backfill_id, limit=limit)

    def ready(self, count: int = 5, **wanted: Any) -> int:
        """Submit and expand a backfill over the first `count` days."""
        backfill_id = self.submit(f"[day-00...day-{count - 1:02}]", **wanted)
        self.expand(backfill_id)
        return backfill_id

    def worker(self, name: str = "w1", slots: int = 2) -> int:
        hello = fleet.WorkerHello(
            name=name, host="here", pid=1, slots=slots, queues=[self.settings.default_queue]
        )
        return fleet.worker_started(self.db, hello)

    def admit(self) -> list[Message]:
        admitter = Admitter(self.db, self.settings)
        return self.db.transact(admitter.turn)

    def claim(self, run_ids: Iterable[int], *, worker_id: int = 1) -> list[Claim]:
        token = secrets.randbits(40)
        rows = self.db.transact(
            lambda conn: moves.claim(
                self.db,
                conn,
                list(run_ids),
                worker_id=worker_id,
                token=token,
                lease_us=int(self.settings.lease_seconds * SECOND),
            ),
            single=True,
        )
        return [Claim(row.id, row.attempt, token) for row in rows]

    def record(self, *reports: Report) -> moves.Recorded:
        return moves.record_in_few_trips(self.db, reports, retry_delay_us=SECOND)

    def succeed(self, *claims: Claim, whole: bool = True) -> moves.Recorded:
        ended = RunOutcome(RunEnd.SUCCEEDED)
        return self.record(
            *[Report(c, outcome=ended, steps=steps_ok(), whole=whole) for c in claims]
        )

    def fail(self, *claims: Claim, retryable: bool = True) -> moves.Recorded:
        error = ErrorInfo("ValueError", "no", "Traceback: no")
        outcome = RunOutcome(RunEnd.FAILED, error=error, failed_step="b", retryable=retryable)
        return self.record(*[Report(c, outcome=outcome) for c in claims])

    def reap(self) -> list[tuple[Row[Any], Any]]:
        return self.db.transact(
            lambda conn: moves.reap(
                self.db, conn, max_crashes=self.settings.max_crashes, limit=1000
            )
        )

    def fold(self) -> None:
        while self.db.transact(lambda conn: folding.fold(self.db, conn)).rows:
            pass

    def wake(self) -> int:
        return self.db.transact(lambda conn: moves.wake_due(self.db, conn, 1000))

    def advance(self, seconds: float) -> None:
        """Let time pass on the house's own clock."""
        assert self.clock is not None, "this house has no clock of its own; use `open_house`"
        self.clock.advance(seconds)

    def admitted(self) -> list[int]:
        """Admit once; return the runs in the order of their messages."""
        return [run for message in self.admit() for run in message.run_ids]

    def running(self, count: int = 1, **wanted: Any) -> list[Claim]:
        """Return claims on the runs of a fresh backfill, in partition order, a message each."""
        self.ready(count, **wanted)
        return [claim for run in self.admitted() for claim in self.claim([run])]

    def pause(self, backfill_id: int, reason: str = "lunch") -> None:
        backfills.pause(self.db, backfill_id, reason=reason)

    def resume(self, backfill_id: int) -> None:
        backfills.resume(self.db, backfill_id)

    def cancel(self, backfill_id: int) -> None:
        backfills.cancel(self.db, backfill_id)

    def cancel_all(self, backfill_id: int) -> None:
        """Cancel, chunks of pending runs included."""
        self.cancel(backfill_id)
        while backfills.cancel_chunk(self.db, backfill_id):
            pass

    def next_partitions(self) -> list[str]:
        """Admit once; return the partitions in the order of their messages."""
        return [self.run(run).partition for run in self.admitted()]

    def settle(self, backfill_id: int) -> BackfillState | None:
        return backfills.settle(self.db, backfill_id)

    def sick(self, *, quiescent: bool = False) -> list[doctor.Finding]:
        """Return what the doctor finds."""
        return doctor.check(self.db, quiescent=quiescent)

    def state(self, run_id: int) -> RunState:
        return RunState(self.run(run_id).state)

    def keys(self, backfill_id: int) -> list[str]:
        """Return the partitions of a backfill's runs, in the order admission takes them."""
        newest = self.backfill(backfill_id).ordering == "newest"
        found = self.rows(
            "SELECT partition FROM runs WHERE backfill_id = :id ORDER BY sort "
            + ("DESC" if newest else "ASC"),
            id=backfill_id,
        )
        return [row.partition for row in found]

    def rows(self, sql: str, **params: Any) -> Sequence[Row[Any]]:
        with self.db.read() as conn:
            return conn.execute(self.db.sql(sql), params).all()

    def row(self, sql: str, **params: Any) -> Row[Any]:
        return self.rows(sql, **params)[0]

    def run(self, run_id: int) -> Row[Any]:
        return self.row("SELECT * FROM runs WHERE id = :id", id=run_id)

    def backfill(self, backfill_id: int) -> Row[Any]:
        return self.row("SELECT * FROM backfills WHERE id = :id", id=backfill_id)

    def states(self, backfill_id: int) -> dict[str, int]:
        found = self.rows(
            "SELECT state, count(*) AS n FROM runs WHERE backfill_id = :id GROUP BY state",
            id=backfill_id,
        )
        return {row.state: row.n for row in found}


@contextmanager
def open_house(url: str, folder: Path, *, also: str = "", **settings: Any) -> Iterator[House]:
    """Open a house with a clock of its own, and the definitions below and `shops` in it.

    Args:
        also: Code of further definitions.
    """
    clock = VirtualClock(url)
    shops: list[str] = []
    try:
        with loaded(LIFECYCLE + also, folder, dynamic_keys=lambda name: list(shops)) as definitions:
            yield House(clock.open(), definitions, Settings(**settings), clock=clock, shops=shops)
    finally:
        clock.close()


def steps_ok(*names: str) -> list[StepOutcome]:
    return [
        StepOutcome(name, StepState.SUCCEEDED, tries=1, started_at=1, finished_at=2)
        for name in names or ("a", "b")
    ]


DEFINITIONS = """
from backfill import Partition, PartitionSetDefinition, pipeline, step

@step
def a():
    return 1

@step
def b(x):
    return x

@pipeline
def work():
    b(a())

days = PartitionSetDefinition(
    name="days",
    pipeline_name="work",
    partition_fn=lambda: [Partition(f"day-{n:02}") for n in range(60)],
)
"""

LIFECYCLE = (
    DEFINITIONS
    + """
from backfill.definitions.partitions import DynamicPartitionsDefinition

@pipeline(tags={"queue": "slow"})
def other():
    a()

shops = PartitionSetDefinition(
    name="shops",
    pipeline_name="work",
    partitions_def=DynamicPartitionsDefinition(name="shops"),
)
mixed = PartitionSetDefinition(
    name="mixed",
    pipeline_name="work",
    partition_fn=lambda: [f"key-{n}" for n in range(40)],
    tags_fn_for_partition=lambda p: {"queue": "gpu"} if int(p.name[4:]) % 2 else {},
)
slow = PartitionSetDefinition(
    name="slow", pipeline_name="other", partition_fn=lambda: [f"key-{n}" for n in range(40)]
)

@step(pool="warehouse")
def store():
    pass

@step(pool="api")
def call():
    pass

@pipeline
def storing():
    store()

@pipeline
def exchanging():
    store()
    call()

@pipeline(pool={"warehouse": 2})
def moving():
    a()

stored = PartitionSetDefinition(
    name="stored", pipeline_name="storing", partition_fn=lambda: [f"s-{n}" for n in range(20)]
)
exchanged = PartitionSetDefinition(
    name="exchanged", pipeline_name="exchanging", partition_fn=lambda: [f"e-{n}" for n in range(20)]
)
moved = PartitionSetDefinition(
    name="moved", pipeline_name="moving", partition_fn=lambda: [f"m-{n}" for n in range(20)]
)
weighed = PartitionSetDefinition(
    name="weighed",
    pipeline_name="work",
    partition_fn=lambda: [f"key-{n}" for n in range(8)],
    weight_fn_for_partition=lambda p: [3, 1, 4, 1, 5, 9, 2.5, 6][int(p.name[4:])],
)
many = PartitionSetDefinition(
    name="many", pipeline_name="work", partition_fn=lambda: [f"n-{n:05}" for n in range(10_000)]
)
customers = PartitionSetDefinition(
    name="customers",
    pipeline_name="work",
    partition_fn=lambda: [f"{c}-{n}" for c in ("acme", "bolt") for n in range(6)],
    tags_fn_for_partition=lambda p: {"customer": p.name.split("-")[0]},
)
"""
)
