"""Exports: every run or step outcome that a filter lets through, a page at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from backfill.states import RunState, StepState
from backfill.storage.database import Database
from backfill.storage.queries.runs import RunFilter, RunView, list_runs

RUNS_PER_PAGE = 500


@dataclass(frozen=True)
class OutcomeRow:
    """The outcome of one step in one attempt, with the run it belongs to; times in µs."""

    run_id: int
    backfill_id: int | None
    partition_set: str | None
    partition: str | None
    pipeline: str
    run_state: RunState
    attempt: int
    step: str
    state: StepState
    tries: int
    started_at: int | None
    finished_at: int | None
    reason: str | None
    error_type: str | None
    error_message: str | None


def every_run(db: Database, wanted: RunFilter) -> Iterator[list[RunView]]:
    """Give the runs, newest first, in pages; each page is read by itself, by key."""
    before: int | None = None
    while True:
        with db.read() as conn:
            page = list_runs(db, conn, wanted, limit=RUNS_PER_PAGE, before=before)
        yield list(page.items)
        if not page.more:
            return
        before = page.items[-1].id


def every_outcome(db: Database, wanted: RunFilter) -> Iterator[list[OutcomeRow]]:
    """Give the step outcomes of the runs, newest run first, attempt by attempt, in pages."""
    for runs in every_run(db, wanted):
        yield _outcomes(db, runs)


def _outcomes(db: Database, runs: list[RunView]) -> list[OutcomeRow]:
    by_id = {run.id: run for run in runs}
    with db.read() as conn:
        found = conn.execute(
            db.sql(
                "SELECT o.run_id, o.attempt, o.step, o.state, o.tries, o.started_at, "
                "o.finished_at, o.reason, e.type, e.message FROM step_outcomes o "
                "LEFT JOIN step_errors e ON e.run_id = o.run_id AND e.attempt = o.attempt "
                'AND e.step = o.step AND e."try" = o.tries '
                f"WHERE {db.one_of('o.run_id', 'runs')} "
                "ORDER BY o.run_id DESC, o.attempt, o.started_at IS NULL, o.started_at, o.step"
            ),
            {"runs": db.ints(by_id)},
        ).all()
    return [_outcome(row, by_id[row.run_id]) for row in found]


def _outcome(row: Row[Any], run: RunView) -> OutcomeRow:
    return OutcomeRow(
        run_id=run.id,
        backfill_id=run.backfill_id,
        partition_set=run.partition_set,
        partition=run.partition,
        pipeline=run.pipeline,
        run_state=run.state,
        attempt=row.attempt,
        step=row.step,
        state=StepState(row.state),
        tries=row.tries,
        started_at=row.started_at,
        finished_at=row.finished_at,
        reason=row.reason,
        error_type=row.type,
        error_message=row.message,
    )
