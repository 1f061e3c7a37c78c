"""Counts of a page of the matrix by step and status, without making its boxes.

A partition whose newest run is in its first attempt, and hides or finds nothing older, is told by
three things: the run's state, its steps' outcomes, and whether older runs exist. Partitions alike
in these are counted together. All others, and those that operators blocked or marked, go through
`matrix_page`, so the two never disagree.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Row

from backfill.states import RUN_FINAL, BoxStatus, RunState
from backfill.storage.database import Database
from backfill.storage.queries.guarded import spoken_of
from backfill.storage.queries.matrix import PartitionRow, matrix_page, status_of
from backfill.storage.queries.overview import RUN_ROW

Counts = dict[str, dict[str, int]]
"""Step -> status -> count; `RUN_ROW` counts the newest runs' states."""


def count_page(
    db: Database, conn: Connection, set_name: str, keys: Sequence[str], steps: Sequence[str]
) -> Counts:
    """Count what `matrix_page` shows of these keys."""
    alike: Counter[tuple[str, str | None]] = Counter()
    spoken = spoken_of(db, conn, set_name, keys)
    others = sorted(spoken)
    found = [row for row in _newest(db, conn, set_name, keys) if row.partition not in spoken]
    for row in found:
        if _is_plain(row, steps):
            alike[row.state, row.told] += 1
        else:
            others.append(row.partition)
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    if missing := len(keys) - len(found) - len(spoken):
        for name in (*steps, RUN_ROW):
            counts[name][BoxStatus.MISSING.value] = missing
    for (state, told), n in alike.items():
        counts[RUN_ROW][state] += n
        for step, status in _statuses(state, told, steps):
            counts[step][status.value] += n
    if others:
        _add(counts, matrix_page(db, conn, set_name, others, steps))
    return {name: dict(by_status) for name, by_status in counts.items()}


def counted(rows: Iterable[PartitionRow]) -> Counts:
    """Count matrix rows that are there already."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    _add(counts, rows)
    return {name: dict(by_status) for name, by_status in counts.items()}


def _add(counts: dict[str, Counter[str]], rows: Iterable[PartitionRow]) -> None:
    for row in rows:
        for step, box in row.boxes.items():
            counts[step][box.status.value] += 1
        counts[RUN_ROW][row.state.value if row.state is not None else "missing"] += 1


def _newest(
    db: Database, conn: Connection, set_name: str, keys: Sequence[str]
) -> Sequence[Row[Any]]:
    """Return the newest run of each key that has any, and what its first attempt's steps did."""
    joined = "string_agg" if db.postgres else "group_concat"
    return conn.execute(
        db.sql(
            "SELECT n.partition, n.state, n.attempt, n.runs, "
            "(n.steps IS NOT NULL OR b.steps IS NOT NULL OR n.mode IS NOT NULL) AS chosen, "
            f"(SELECT {joined}(o.step || '=' || o.state, ',') FROM step_outcomes o "
            "WHERE o.run_id = n.id AND o.attempt = 1) AS told FROM ("
            "SELECT id, partition, state, attempt, steps, mode, backfill_id, "
            "count(*) OVER (PARTITION BY partition) AS runs, "
            "row_number() OVER (PARTITION BY partition ORDER BY created_at DESC, id DESC) AS place "
            "FROM runs WHERE set_id = (SELECT id FROM partition_sets WHERE name = :set) "
            f"AND {db.one_of_texts('partition', 'keys')}) AS n "
            "LEFT JOIN backfills b ON b.id = n.backfill_id WHERE n.place = 1"
        ),
        {"set": set_name, "keys": db.texts(keys)},
    ).all()


def _is_plain(row: Row[Any], steps: Sequence[str]) -> bool:
    """Say whether a partition shows nothing but its newest run's first attempt."""
    if row.attempt > 1 or row.chosen:
        return False
    if row.runs == 1 or RunState(row.state) not in RUN_FINAL:
        return True
    told = _outcomes(row.told)
    return all(step in told for step in steps)


def _statuses(
    state: str, told: str | None, steps: Sequence[str]
) -> Iterable[tuple[str, BoxStatus]]:
    run = RunState(state)
    silent = BoxStatus.MISSING if run in RUN_FINAL else BoxStatus.QUEUED
    outcomes = _outcomes(told)
    for step in steps:
        outcome = outcomes.get(step)
        yield step, silent if outcome is None else status_of(run, outcome, newest_attempt=True)


def _outcomes(told: str | None) -> dict[str, str]:
    """Return step -> state of what the query joined."""
    return dict(part.rsplit("=", 1) for part in told.split(",")) if told else {}
