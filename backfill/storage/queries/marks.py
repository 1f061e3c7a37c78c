"""Marks: what an operator said of partitions and boxes, until a later outcome says otherwise.

A mark stands until a run that ends after it has an outcome of its own; a run that is on its way is
shown as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row

from backfill.states import BoxStatus
from backfill.storage.database import Database
from backfill.storage.queries.paging import Page, Where, read_page

WHOLE = ""  # the step of a mark on the whole partition
OUTCOME = "(state IN ('succeeded', 'failed') OR (state = 'canceled' AND attempt > 0))"


class Mark(NamedTuple):
    """What was said, and when, in microseconds of the database's clock."""

    status: BoxStatus
    at: int
    note: str | None = None
    by: str | None = None


@dataclass(frozen=True)
class MarkView:
    """One mark as it is listed; `step` is None for the whole partition."""

    partition_set: str
    partition: str
    step: str | None
    status: BoxStatus
    note: str | None
    marked_at: int
    marked_by: str | None


def standing_marks(
    db: Database,
    conn: Connection,
    set_id: int,
    *,
    only: Sequence[str] | None = None,
    until: int | None = None,
) -> dict[str, Mark]:
    """Return the marks on whole partitions that no later outcome overrules.

    Args:
        only: Of these partitions.
        until: As it was then, in microseconds of the database's clock.
    """
    where, params = "m.set_id = :set AND m.step = ''", {"set": set_id}
    ended = "r.finished_at > m.marked_at"
    if only is not None:
        where += f" AND {db.one_of_texts('m.partition', 'only')}"
        params["only"] = db.texts(only)
    if until is not None:
        where += " AND m.marked_at <= :until"
        ended += " AND r.finished_at <= :until"
        params["until"] = until
    outcome = OUTCOME.replace("state", "r.state").replace("attempt", "r.attempt")
    rows = conn.execute(
        db.sql(
            "SELECT m.partition, m.status, m.marked_at, m.note, m.marked_by "
            f"FROM outcome_marks m WHERE {where} AND NOT EXISTS (SELECT 1 FROM runs r "
            "WHERE r.set_id = m.set_id AND r.partition = m.partition "
            f"AND {outcome} AND {ended})"
        ),
        params,
    )
    return {row.partition: _mark(row) for row in rows}


def list_marks(
    db: Database,
    conn: Connection,
    set_name: str,
    *,
    limit: int,
    before: tuple[int, str, str] | None = None,
) -> Page[MarkView]:
    """Return the marks of a set, newest first.

    Args:
        before: (marked_at, partition, step) of the last one already seen.
    """
    where = Where()
    where.named("m.set_id", "partition_sets", set_name, "set")
    if before is not None:
        where.add(
            "(m.marked_at, m.partition, m.step) < (:at, :partition, :step)",
            at=before[0],
            partition=before[1],
            step=before[2],
        )
    statement = (
        "SELECT m.*, s.name AS set_name FROM outcome_marks m "
        f"JOIN partition_sets s ON s.id = m.set_id WHERE {where} "
        "ORDER BY m.marked_at DESC, m.partition DESC, m.step DESC"
    )
    return read_page(db, conn, statement, where.params, _view, limit=limit)


def _mark(row: Row[Any]) -> Mark:
    return Mark(BoxStatus(row.status), row.marked_at, row.note, row.marked_by)


def _view(row: Row[Any]) -> MarkView:
    return MarkView(
        partition_set=row.set_name,
        partition=row.partition,
        step=row.step or None,
        status=BoxStatus(row.status),
        note=row.note,
        marked_at=row.marked_at,
        marked_by=row.marked_by,
    )
