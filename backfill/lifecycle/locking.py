"""The row lock of a backfill: whoever changes one has it, so that each sees the others whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, Row

from backfill.errors import Conflict, no_backfill
from backfill.states import BACKFILL_FINAL, BackfillState
from backfill.storage.database import Database


def locked(db: Database, conn: Connection, backfill_id: int) -> Row[Any]:
    """Return a backfill's whole row under its lock.

    Raises:
        NotFound: There is no such backfill.
    """
    row = conn.execute(
        db.sql(f"SELECT * FROM backfills WHERE id = :id{db.for_update}"), {"id": backfill_id}
    ).first()
    if row is None:
        raise no_backfill(backfill_id)
    return row


def is_final(backfill: Row[Any]) -> bool:
    """Say whether a backfill is over."""
    return BackfillState(backfill.state) in BACKFILL_FINAL


def refuse_while(backfill: Row[Any], state: BackfillState, done: str, now: str) -> None:
    """Raise Conflict when a backfill is in a state in which something cannot be done to it."""
    if backfill.state == state:
        raise Conflict(
            f"Backfill {backfill.id} cannot be {done}: it is {backfill.state}. {now}",
            state=backfill.state,
        )


def once(
    db: Database,
    backfill_id: int,
    work: Callable[[Connection, Row[Any]], None],
    *,
    was_done: Callable[[Row[Any], Row[Any]], bool],
) -> None:
    """Do something to a backfill under its lock, in a transaction of its own.

    Args:
        was_done: Whether the row, as it is now, shows that work begun on the row before was
            committed: its answer was lost and it is not done twice.
    """
    before: Row[Any] | None = None

    def attempt(conn: Connection) -> None:
        nonlocal before
        row = locked(db, conn, backfill_id)
        if before is not None and was_done(before, row):
            return
        before = row
        work(conn, row)

    db.transact(attempt)
    db.notify()
