"""A house for lifecycle tests: a database, definitions and every verb, with a clock of its own."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from backfill.lifecycle.moves import Claim, Report
from sqlalchemy import Row

from backfill.definitions.in_process import LocalDefinitions
from backfill.execution.outcomes import ErrorInfo, RunEnd, RunOutcome, StepOutcome
from backfill.lifecycle import backfills, fleet, folding, moves
from backfill.lifecycle.admission import Admitter, Message
from backfill.lifecycle.backfills import BackfillRequest
from backfill.settings import Settings
from backfill.states import StepState
from backfill.storage.database import Database

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SECOND = 1_000_000


@dataclass
class House:
    """Everything between submit and settle, driven move by move."""

    db: Database
    definitions: LocalDefinitions
    settings: Settings = field(default_factory=Settings)
    holder: str = "test"

    def submit(self, selection: str = "all", set_name: str = "days", **wanted: Any) -> int:
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
            )
        )
        return [Claim(row.id, row.attempt, token) for row in rows]

    def record(self, *reports: Report) -> moves.Recorded:
        return self.db.transact(
            lambda conn: moves.record(self.db, conn, reports, retry_delay_us=SECOND)
        )

    def succeed(self, *claims: Claim) -> moves.Recorded:
        return self.record(
            *[Report(c, outcome=RunOutcome(RunEnd.SUCCEEDED), steps=steps_ok()) for c in claims]
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
