"""Many runs at once: cancel those that a filter lets through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from backfill.lifecycle import moves
from backfill.lifecycle.telling import note_event
from backfill.states import RUN_FINAL, RunState
from backfill.storage.database import Database
from backfill.storage.queries.runs import RunFilter, stoppable_runs

CHUNK = 200  # runs per transaction


@dataclass(frozen=True)
class Canceled:
    """Runs that are canceled, running ones that were told to stop, and whether others fit too."""

    canceled: int
    told: int
    more: bool


def cancel_runs(
    db: Database,
    wanted: RunFilter,
    *,
    limit: int,
    reason: str | None = None,
    actor: str | None = None,
) -> Canceled:
    """Cancel at most `limit` unfinished runs, newest first; ask again while there are more.

    A run that ends or moves on meanwhile is left as it is.
    """
    with db.read() as conn:
        found = stoppable_runs(db, conn, wanted, limit=limit + 1)
    ids = found[:limit]
    why = reason or (f"canceled by {actor}" if actor else "canceled")
    canceled = told = 0
    for start in range(0, len(ids), CHUNK):
        chunk = ids[start : start + CHUNK]
        ended, asked = db.transact(lambda conn, chunk=chunk: _cancel(db, conn, chunk, why))  # type: ignore[misc]
        canceled, told = canceled + ended, told + asked
        db.notify()
    if canceled or told:
        _note(db, wanted, Canceled(canceled, told, len(found) > limit), why, actor)
    return Canceled(canceled, told, len(found) > limit)


def stoppable_states(states: Sequence[RunState] | None) -> list[RunState]:
    """Return the states among these from which a run can be canceled; of all when None."""
    return [state for state in states or RunState if state not in RUN_FINAL]


def _cancel(db: Database, conn: Connection, ids: list[int], why: str) -> tuple[int, int]:
    where, params = db.one_of("id", "ids"), {"ids": db.ints(ids)}
    pending = moves.cancel_pending(db, conn, where=where, params=params, reason=why, limit=len(ids))
    queued = moves.cancel_queued(db, conn, where=where, params=params, reason=why)
    told = moves.request_cancel(db, conn, where=where, params=params, reason=why)
    return len(pending) + len(queued), len(told)


def _note(db: Database, wanted: RunFilter, done: Canceled, why: str, actor: str | None) -> None:
    facts: dict[str, Any] = {"canceled": done.canceled, "told": done.told}
    message = f"{done.canceled} runs canceled, {done.told} told to stop: {why}"
    db.transact(
        lambda conn: note_event(
            db,
            conn,
            kind="runs.canceled",
            message=message,
            backfill_id=wanted.backfill_id,
            actor=actor,
            facts=facts,
        )
    )
