"""Lineage: which runs re-executed which, and what the steps came to along the line."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from backfill.states import ReexecutionMode
from backfill.storage.database import Database, decoded
from backfill.storage.queries.runs import RunView, get_runs

MOST_RUNS = 1_000  # of one lineage

_UP = (
    "WITH RECURSIVE line(id, parent_id, depth) AS ("
    "SELECT id, parent_id, 0 FROM runs WHERE id = :run UNION ALL "
    "SELECT r.id, r.parent_id, line.depth + 1 FROM runs r JOIN line ON r.id = line.parent_id "
    f"WHERE line.depth < {MOST_RUNS}) "
)


@dataclass(frozen=True)
class Lineage:
    """A run's family: `root` is where it began; the runs are in the order they were made."""

    root: int
    runs: list[RunView]


@dataclass(frozen=True)
class Ancestor:
    """What one run of a line says about steps.

    Attributes:
        steps: The steps it was to execute; None for all of the pipeline's.
        outcomes: Step -> the state of its newest outcome in this run.
        outputs: Step -> where its outputs are, of steps that succeeded.
    """

    id: int
    mode: ReexecutionMode | None
    steps: frozenset[str] | None
    outcomes: Mapping[str, str]
    outputs: Mapping[str, Mapping[str, str]]


def lineage_of(db: Database, conn: Connection, run_id: int) -> Lineage | None:
    """Return the family of a run: everything that descends from where it began; None: no run."""
    root = conn.execute(
        db.sql(f"{_UP} SELECT id FROM line ORDER BY depth DESC LIMIT 1"), {"run": run_id}
    ).scalar()
    if root is None:
        return None
    rows = conn.execute(
        db.sql(
            "WITH RECURSIVE family(id, depth) AS (SELECT CAST(:root AS bigint), 0 UNION ALL "
            "SELECT r.id, family.depth + 1 FROM runs r JOIN family ON r.parent_id = family.id "
            f"WHERE family.depth < {MOST_RUNS}) SELECT id FROM family ORDER BY depth, id "
            f"LIMIT {MOST_RUNS}"
        ),
        {"root": root},
    )
    ids = [row.id for row in rows]
    runs = sorted(get_runs(db, conn, ids), key=lambda run: (run.created_at, run.id))
    return Lineage(int(root), runs)


def ancestors_of(db: Database, conn: Connection, run_id: int) -> list[Ancestor]:
    """Return a run and those it descends from, itself first, with what their steps came to."""
    rows = conn.execute(
        db.sql(
            f"{_UP} SELECT l.id, r.mode, r.steps, o.step, o.state, o.outputs FROM line l "
            "JOIN runs r ON r.id = l.id LEFT JOIN step_outcomes o ON o.run_id = l.id "
            "ORDER BY l.depth, o.attempt"
        ),
        {"run": run_id},
    ).all()
    found: dict[int, Ancestor] = {}
    for row in rows:
        known = found.get(row.id) or _ancestor(row)
        found[row.id] = known
        if row.step is not None:
            assert isinstance(known.outcomes, dict)
            assert isinstance(known.outputs, dict)
            known.outcomes[row.step] = row.state
            known.outputs[row.step] = decoded(row.outputs) or {}
    return list(found.values())


def _ancestor(row: Any) -> Ancestor:
    steps = decoded(row.steps)
    mode = ReexecutionMode(row.mode) if row.mode else None
    return Ancestor(row.id, mode, frozenset(steps) if steps else None, {}, {})


def newest_outputs(
    db: Database,
    conn: Connection,
    *,
    set_id: int,
    partition: str,
    steps: Collection[str],
    without: int | None = None,
) -> dict[str, Mapping[str, str]]:
    """Return where the newest success of each step of a partition left its outputs.

    What was executed for several partitions together is left out: it is of them all.

    Args:
        without: Nothing of this run.
    """
    rows = conn.execute(
        db.sql(
            "SELECT o.step, o.outputs FROM runs r JOIN step_outcomes o ON o.run_id = r.id "
            "WHERE r.set_id = :set AND r.partition = :partition AND r.id <> :without "
            "AND r.span IS NULL "
            f"AND o.state = 'succeeded' AND {db.one_of_texts('o.step', 'steps')} "
            "ORDER BY r.created_at, r.id, o.attempt"
        ),
        {
            "set": set_id,
            "partition": partition,
            "without": without or 0,
            "steps": db.texts(steps),
        },
    )
    return {row.step: decoded(row.outputs) or {} for row in rows}


def has_unfinished_child(db: Database, conn: Connection, run_id: int) -> int | None:
    """Return a re-execution of a run that has not ended, if there is one."""
    found = conn.execute(
        db.sql(
            "SELECT id FROM runs WHERE parent_id = :run AND finished_at IS NULL ORDER BY id LIMIT 1"
        ),
        {"run": run_id},
    ).scalar()
    return None if found is None else int(found)
