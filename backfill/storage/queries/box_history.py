"""The history of one box of the Run Matrix: every run of a partition, and one step in each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row

from backfill.states import RunState
from backfill.storage.database import Database
from backfill.storage.queries.attempts import AttemptView, StepView, attempts_of, steps_of
from backfill.storage.queries.paging import Page


@dataclass(frozen=True)
class BoxRun:
    """One run in the history of a box: its attempts, and the step's outcomes in them."""

    run_id: int
    backfill_id: int | None
    state: RunState
    version: str | None
    created_at: int
    attempts: Sequence[AttemptView]
    outcomes: Sequence[StepView]


def box_history(
    db: Database,
    conn: Connection,
    set_name: str,
    key: str,
    step: str,
    *,
    limit: int,
    before: tuple[int, int] | None = None,
) -> Page[BoxRun]:
    """Return every run of a partition with what became of one step, newest first.

    Args:
        before: (created_at, run id) of the last run already seen.
    """
    older = " AND (created_at, id) < (:created_at, :id)" if before is not None else ""
    params: dict[str, Any] = {"set": set_name, "key": key, "limit": limit + 1}
    if before is not None:
        params |= {"created_at": before[0], "id": before[1]}
    found = conn.execute(
        db.sql(
            "SELECT id, backfill_id, state, version, created_at FROM runs "
            "WHERE set_id = (SELECT id FROM partition_sets WHERE name = :set) "
            f"AND partition = :key{older} ORDER BY created_at DESC, id DESC LIMIT :limit"
        ),
        params,
    ).all()
    rows = found[:limit]
    ids = [row.id for row in rows]
    attempts = attempts_of(db, conn, ids)
    outcomes = defaultdict(list)
    for outcome in steps_of(db, conn, ids, step=step):
        outcomes[outcome.run_id].append(outcome)
    return Page(
        [_box_run(row, attempts.get(row.id, ()), outcomes.get(row.id, ())) for row in rows],
        more=len(found) > limit,
    )


def _box_run(
    row: Row[Any], attempts: Sequence[AttemptView], outcomes: Sequence[StepView]
) -> BoxRun:
    return BoxRun(
        run_id=row.id,
        backfill_id=row.backfill_id,
        state=RunState(row.state),
        version=row.version,
        created_at=row.created_at,
        attempts=attempts,
        outcomes=outcomes,
    )
