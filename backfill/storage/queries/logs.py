"""Log lines of a run, page by page in the order they were written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row

from backfill.storage.database import Database
from backfill.storage.queries.paging import Page, Where, read_page


class LogPlace(NamedTuple):
    """Where a line stands: attempts of a run may be written by different hosts at their own ids."""

    attempt: int
    id: int


@dataclass(frozen=True)
class LogLineView:
    """One line; `step` is None for lines of the run itself."""

    id: int
    attempt: int
    step: str | None
    at: int
    level: str
    message: str

    @property
    def place(self) -> LogPlace:
        """Where to go on after this line."""
        return LogPlace(self.attempt, self.id)


def log_lines(
    db: Database,
    conn: Connection,
    run_id: int,
    *,
    limit: int,
    after: LogPlace | None = None,
    step: str | None = None,
    attempt: int | None = None,
) -> Page[LogLineView]:
    """Return the lines that follow `after`, oldest first; of a step or an attempt only if given."""
    where = Where()
    where.add("run_id = :run", run=run_id)
    if after is not None:
        where.add("(attempt, id) > (:attempt, :id)", attempt=after.attempt, id=after.id)
    if step is not None:
        where.add("step = :step", step=step)
    if attempt is not None:
        where.add("attempt = :only_attempt", only_attempt=attempt)
    statement = (
        f"SELECT id, attempt, step, at, level, message FROM log_lines WHERE {where} "
        "ORDER BY attempt, id"
    )
    return read_page(db, conn, statement, where.params, _view, limit=limit)


def _view(row: Row[Any]) -> LogLineView:
    return LogLineView(
        id=row.id,
        attempt=row.attempt,
        step=row.step,
        at=row.at,
        level=row.level,
        message=row.message,
    )
