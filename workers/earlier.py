"""What a run need not do again: steps that succeeded before, in it, along its lineage or for its
partition, with where their outputs are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row

from backfill.execution.engine import ExecutionPlan
from backfill.lifecycle.lineage import succeeded_along
from backfill.states import ReexecutionMode
from backfill.storage.database import Database, decoded
from backfill.storage.queries.lineage import ancestors_of, newest_outputs

Done = dict[str, Mapping[str, str]]


class Earlier(NamedTuple):
    """Where an attempt begins.

    Attributes:
        done: Step -> kept outputs, of steps that are not executed again.
        tried: Step -> tries in earlier attempts that ended waiting for a retry.
    """

    done: Mapping[str, Mapping[str, str]]
    tried: Mapping[str, int]


NOTHING = Earlier({}, {})


def earlier(db: Database, row: Row[Any], plan: ExecutionPlan) -> Earlier:
    """Return where an attempt of a claimed run begins; most are first ones of whole pipelines."""
    borrowed = _borrowed(plan) if len(plan.selected) < len(plan.steps) else set()
    again = row.mode == ReexecutionMode.FROM_FAILURE
    if row.span is not None or (row.attempt == 1 and not borrowed and not again):
        return NOTHING  # what was made for several partitions serves none of them alone
    with db.read() as conn:
        own, tried = _own(db, conn, row) if row.attempt > 1 else ({}, Counter[str]())
        before = _before(db, conn, row, plan, borrowed, again=again)
    return Earlier({**before, **own}, tried)


def _borrowed(plan: ExecutionPlan) -> set[str]:
    """Return the steps upstream of the chosen ones that are not chosen themselves."""
    needed: set[int] = set()
    for step in reversed(plan.steps):
        if step.index in plan.selected or step.index in needed:
            needed.update(step.upstream)
    return {plan.steps[i].name for i in needed - plan.selected}


def _before(
    db: Database,
    conn: Connection,
    row: Row[Any],
    plan: ExecutionPlan,
    borrowed: set[str],
    *,
    again: bool,
) -> Done:
    """Return what others did: the run's lineage says which, its partition's runs where it is."""
    line = ancestors_of(db, conn, row.parent_id) if row.parent_id is not None else []
    chosen = {plan.steps[i].name for i in plan.selected}
    wanted = borrowed | (succeeded_along(line) & chosen if again else set())
    if not wanted:
        return {}
    if row.partition is not None:
        return newest_outputs(
            db, conn, set_id=row.set_id, partition=row.partition, steps=wanted, without=row.id
        )
    found: Done = {}
    for run in line:
        for step, outputs in run.outputs.items():
            if step in wanted and run.outcomes[step] == "succeeded":
                found.setdefault(step, outputs)
    return found


def _own(db: Database, conn: Connection, row: Row[Any]) -> tuple[Done, Counter[str]]:
    """Return what earlier attempts of a run did: outputs of done steps, tries of others."""
    rows = conn.execute(
        db.sql(
            "SELECT step, state, tries, outputs FROM step_outcomes "
            "WHERE run_id = :run AND attempt < :attempt "
            "AND state IN ('succeeded', 'retrying') ORDER BY attempt"
        ),
        {"run": row.id, "attempt": row.attempt},
    ).all()
    tried: Counter[str] = Counter()
    for step in rows:
        if step.state == "retrying":
            tried[step.step] += step.tries
    return {r.step: decoded(r.outputs) or {} for r in rows if r.state == "succeeded"}, tried
