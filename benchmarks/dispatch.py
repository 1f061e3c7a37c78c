"""`python -m benchmarks.dispatch`: what admission costs the database with a million runs pending.

20 backfills with five priorities, half of them with a limit of active runs and a quarter of them
taking slots of two pools, share N pending runs loaded by COPY, beside 20
limits of tags. Turns of admission, as the coordinator does them, alternate with claims and
outcomes (not measured) that make room again. Measured is the time between sending a statement of
admission and having its rows, commit included.
"""

from __future__ import annotations

import json
import secrets
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from sqlalchemy import Connection, event

from backfill.execution.outcomes import RunEnd, RunOutcome, StepOutcome
from backfill.lifecycle import fleet, folding, moves
from backfill.lifecycle.admission import Admitter, Message
from backfill.lifecycle.moves import Claim, Report
from backfill.settings import Settings
from backfill.states import StepState
from backfill.storage.database import QUEUEING, Database
from benchmarks import loading, windows
from benchmarks.goals import Row, parser, row, tell
from benchmarks.harness import stack

BACKFILLS = 20
SLOTS = 16
POOLS = ("warehouse", "lake", "api")


class Statements:
    """Adds up the time of statements, by their first words, while it is told to."""

    def __init__(self, db: Database) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.count = 0
        self._on = False
        self._began = 0.0
        event.listen(db.engine, "before_cursor_execute", self._before)
        event.listen(db.engine, "after_cursor_execute", self._after)

    @contextmanager
    def counting(self) -> Iterator[None]:
        self._on = True
        yield
        self._on = False

    def add(self, what: str, seconds: float) -> None:
        self.seconds[what] += seconds

    def _before(self, *_: Any) -> None:
        self._began = time.perf_counter()

    def _after(self, _conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if self._on:
            self.count += 1
            self.add(" ".join(statement.split())[:60], time.perf_counter() - self._began)


def bench(pending: int, turns: int) -> list[Row]:
    """Measure `turns` turns of admission; return the rows."""
    with stack(partitions=0, definitions=windows.DEFINITIONS) as made:
        db = Database(made.database_url, tuning=QUEUEING)  # as the coordinator does
        _load(db, pending)
        hello = fleet.WorkerHello(
            name="bench", host="here", pid=1, slots=SLOTS, queues=[Settings().default_queue]
        )
        worker = fleet.worker_started(db, hello)
        admitter = Admitter(db, made.settings())
        statements = Statements(db)
        admitted, before, wall = 0, 0, 0.0
        for turn in range(turns + 3):
            if turn == 3:  # the first ones meet a cold cache
                statements.seconds.clear()
                statements.count, before, wall = 0, admitted, 0.0
            began = time.perf_counter()
            messages = _turn(db, admitter, statements)
            wall += time.perf_counter() - began
            admitted += sum(len(m.run_ids) for m in messages)
            _finish(db, messages, worker)
        _check(db, pending, admitted)
        db.dispose()
    admitted -= before
    database_ms = sum(statements.seconds.values()) * 1e3
    hottest = {what: round(s * 1e5 / admitted, 3) for what, s in _most(statements.seconds, 6)}
    return [
        row(
            f"{BACKFILLS} backfills, {pending:,} pending: database time of 100 runs",
            database_ms / admitted * 100,
            "ms",
            at_most=10,
            runs=admitted,
            statements_a_turn=round(statements.count / turns, 1),
            hottest_ms=hottest,
        ),
        row("the whole turn, Python included, of 100 runs", wall * 1e5 / admitted, "ms"),
        row("runs a turn", admitted / turns, "runs"),
    ]


def _load(db: Database, pending: int) -> None:
    each = pending // BACKFILLS
    ids = loading.named(db, windows.SET, windows.PIPELINE)
    with db.write() as conn:
        conn.exec_driver_sql("SET LOCAL statement_timeout = 0")
        for number in range(BACKFILLS):
            backfill_id = loading.backfill_row(
                db,
                conn,
                ids,
                each,
                finished=False,
                priority=number % 5,
                max_active=400 if number % 2 else None,
            )
            loading.pending_runs(db, conn, ids, backfill_id, number * each, each)
            if number % 4 == 3:
                conn.execute(
                    db.sql("UPDATE backfills SET pools = CAST(:pools AS json) WHERE id = :id"),
                    {"pools": json.dumps({POOLS[number % 2]: 1, POOLS[2]: 1}), "id": backfill_id},
                )
        _limits(db, conn)
        conn.execute(db.sql("UPDATE pipelines SET runs = 1000, mean_run_us = 300"))
    loading.analyze(db)


def _limits(db: Database, conn: Connection) -> None:
    """Give the pools their slots, and limit tags that no run carries."""
    for name in POOLS:
        conn.execute(
            db.sql("INSERT INTO pools (name, slots, changed_at) VALUES (:name, 24, 0)"),
            {"name": name},
        )
    for number in range(20):
        conn.execute(
            db.sql(
                "INSERT INTO tag_limits (key, value, max_active_runs, changed_at) "
                "VALUES ('customer', :value, 5, 0)"
            ),
            {"value": f"customer-{number}"},
        )


def _turn(db: Database, admitter: Admitter, statements: Statements) -> list[Message]:
    """Admit once, counting the time until the commit has its answer."""
    with db.engine.connect() as conn:
        with statements.counting():
            messages = admitter.turn(conn)
        began = time.perf_counter()
        conn.commit()
        statements.add("COMMIT", time.perf_counter() - began)
    return messages


def _most(seconds: Mapping[str, float], count: int) -> list[tuple[str, float]]:
    return sorted(seconds.items(), key=lambda item: -item[1])[:count]


def _finish(db: Database, messages: Sequence[Message], worker: int) -> None:
    """Claim and succeed everything admitted, as workers would."""
    for message in messages:
        token = secrets.randbits(62) | 1
        claims = db.transact(partial(_claim, db, message, worker, token), single=True)
        db.transact(partial(_succeed, db, claims))
    while db.transact(partial(folding.fold, db)).rows:
        pass


def _claim(
    db: Database, message: Message, worker: int, token: int, conn: Connection
) -> list[Claim]:
    rows = moves.claim(
        db, conn, message.run_ids, worker_id=worker, token=token, lease_us=60_000_000
    )
    return [Claim(found.id, found.attempt, token) for found in rows]


def _succeed(db: Database, claims: Sequence[Claim], conn: Connection) -> None:
    steps = [
        StepOutcome(s, StepState.SUCCEEDED, tries=1, started_at=1, finished_at=2)
        for s in windows.STEPS
    ]
    reports = [Report(c, outcome=RunOutcome(RunEnd.SUCCEEDED), steps=steps) for c in claims]
    moves.record(db, conn, reports, retry_delay_us=1_000_000)


def _check(db: Database, pending: int, admitted: int) -> None:
    """Raise AssertionError unless exactly what was admitted succeeded and the rest waits."""
    with db.read() as conn:
        states = {
            found.state: found.n
            for found in conn.execute(
                db.sql("SELECT state, count(*) AS n FROM runs GROUP BY state")
            )
        }
    loaded = pending // BACKFILLS * BACKFILLS
    wanted = {"succeeded": admitted, "pending": loaded - admitted}
    assert states == {state: n for state, n in wanted.items() if n}, (states, admitted)


def main() -> None:
    """Print what 100 runs cost."""
    arguments = parser(__doc__)
    arguments.add_argument("--pending", type=int, help="default 1,000,000")
    arguments.add_argument("--turns", type=int, help="of admission (default 60)")
    asked = arguments.parse_args()
    pending = asked.pending or (20_000 if asked.quick else 1_000_000)
    turns = asked.turns or (5 if asked.quick else 60)
    tell("dispatch", bench(pending, turns), as_json=asked.json)


if __name__ == "__main__":
    main()
