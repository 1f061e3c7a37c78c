"""Backfills: pause, resume, cancel, settle; submitting and expansion have modules of their own.

Every verb locks the backfill's row first, so expansion, edits, cancel and settle see each other
whole.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, Row

from backfill.errors import Conflict, no_backfill
from backfill.lifecycle import guards, moves
from backfill.lifecycle.expansion import SMALL, expand_chunk, expand_small, expandable
from backfill.lifecycle.requests import BackfillRequest
from backfill.lifecycle.submitting import Submitted, submit
from backfill.lifecycle.telling import note_event
from backfill.states import BackfillMove, BackfillState
from backfill.storage.database import Database

__all__ = [
    "SMALL",
    "BackfillRequest",
    "Submitted",
    "cancel",
    "cancel_chunk",
    "expand_chunk",
    "expand_small",
    "expandable",
    "pause",
    "resume",
    "settle",
    "submit",
    "unsettled",
]

CANCEL_CHUNK = 5_000


def pause(db: Database, backfill_id: int, *, reason: str, actor: str | None = None) -> None:
    """Stop admission and recall what is queued; what runs goes on."""

    def work(conn: Connection) -> None:
        moves.recall(db, conn, backfill_id)
        note_event(
            db, conn, kind="backfill.paused", message=reason, backfill_id=backfill_id, actor=actor
        )

    _steer(db, backfill_id, BackfillMove.PAUSE, "paused", work, pause_reason=reason)


def resume(
    db: Database, backfill_id: int, *, note: str | None = None, actor: str | None = None
) -> None:
    """Let a paused backfill go on: its breaker is armed anew, a failed canary is waived."""

    def work(conn: Connection) -> None:
        guards.rearm(db, conn, backfill_id)
        note_event(
            db,
            conn,
            kind="backfill.resumed",
            message=note or "resumed",
            backfill_id=backfill_id,
            actor=actor,
        )

    _steer(db, backfill_id, BackfillMove.RESUME, "resumed", work)


def cancel(
    db: Database, backfill_id: int, *, reason: str | None = None, actor: str | None = None
) -> None:
    """Give a backfill up: nothing of it starts once this returned; running steps are told.

    Pending runs are canceled in chunks by the coordinator (`cancel_chunk`).
    """
    why = reason or (f"canceled by {actor}" if actor else "canceled")

    def work(conn: Connection) -> None:
        where, params = "backfill_id = :backfill", {"backfill": backfill_id}
        moves.cancel_queued(db, conn, where=where, params=params, reason=why)
        moves.request_cancel(db, conn, where=where, params=params, reason=why)
        conn.execute(db.sql("UPDATE backfills SET retrying = NULL WHERE id = :backfill"), params)
        note_event(
            db, conn, kind="backfill.canceled", message=why, backfill_id=backfill_id, actor=actor
        )

    _steer(db, backfill_id, BackfillMove.CANCEL, "canceled", work)


def cancel_chunk(db: Database, backfill_id: int) -> int:
    """Cancel the next pending runs of a backfill being canceled; return how many."""

    def work(conn: Connection) -> int:
        _lock(db, conn, backfill_id)
        return len(
            moves.cancel_pending(
                db,
                conn,
                where="backfill_id = :backfill",
                params={"backfill": backfill_id},
                reason="its backfill was canceled",
                limit=CANCEL_CHUNK,
            )
        )

    return db.transact(work)


def settle(db: Database, backfill_id: int) -> BackfillState | None:
    """Finish a backfill that is fully expanded and has no run left to end; else None."""

    def work(conn: Connection) -> BackfillState | None:
        row = _lock(db, conn, backfill_id)
        state = BackfillState(row.state)
        if state in BackfillMove.SETTLE_CANCELED.sources:
            move = BackfillMove.SETTLE_CANCELED
        elif row.expanded_at is None or row.retrying is not None:
            return None
        else:
            move = BackfillMove.SETTLE_SUCCEEDED
        # A new statement under the lock: it sees every run committed before.
        if _unfinished(db, conn, backfill_id):
            return None
        unlaunched = row.expanded < row.total
        if move is BackfillMove.SETTLE_SUCCEEDED and (
            unlaunched or _unsuccessful(db, conn, backfill_id)
        ):
            move = BackfillMove.SETTLE_FAILED
        if not moves.move_backfill(db, conn, backfill_id, move):
            return None
        note_event(
            db,
            conn,
            kind=f"backfill.{move.target.value}",
            message=f"every run ended; {move.target.value}",
            backfill_id=backfill_id,
        )
        return move.target

    return db.transact(work)


def _unfinished(db: Database, conn: Connection, backfill_id: int) -> bool:
    # One probe per partial index, in its order: else the planner may read the whole backfill.
    probes = " OR ".join(
        f"(SELECT id FROM runs WHERE backfill_id = :id AND {condition} LIMIT 1) IS NOT NULL"
        for condition in (
            "state IN ('queued', 'running')",
            "state = 'pending' AND ready ORDER BY sort, id",
            "state = 'pending' AND NOT ready ORDER BY available_at",
        )
    )
    return bool(conn.execute(db.sql(f"SELECT {probes}"), {"id": backfill_id}).scalar_one())


def _unsuccessful(db: Database, conn: Connection, backfill_id: int) -> bool:
    """Say whether a partition's newest run did not succeed."""
    return bool(
        conn.execute(
            db.sql(
                "SELECT EXISTS (SELECT 1 FROM runs r WHERE r.backfill_id = :id "
                "AND r.state IN ('failed', 'canceled') AND NOT EXISTS (SELECT 1 FROM runs n "
                "WHERE n.set_id = r.set_id AND n.partition = r.partition "
                "AND n.backfill_id = r.backfill_id AND n.generation > r.generation))"
            ),
            {"id": backfill_id},
        ).scalar_one()
    )


def _steer(
    db: Database,
    backfill_id: int,
    move: BackfillMove,
    done: str,
    work: Callable[[Connection], None],
    *,
    pause_reason: str | None = None,
) -> None:
    """Do a move and what belongs to it.

    When it is repeated because the answer of its commit was lost, it finds itself done.

    Raises:
        NotFound: There is no such backfill.
        Conflict: Its state does not allow the move.
    """
    tried = False

    def attempt(conn: Connection) -> None:
        nonlocal tried
        repeated, tried = tried, True
        state = _lock(db, conn, backfill_id).state
        if moves.move_backfill(db, conn, backfill_id, move, pause_reason=pause_reason):
            work(conn)
        elif not (repeated and state == move.target.value):
            already = " already" if state == move.target.value else ""
            raise Conflict(
                f"Backfill {backfill_id} cannot be {done}: it is{already} {state}.", state=state
            )

    db.transact(attempt)
    db.notify()


def _lock(db: Database, conn: Connection, backfill_id: int) -> Row[Any]:
    row = conn.execute(
        db.sql(
            "SELECT id, state, expanded_at, expanded, total, retrying FROM backfills "
            f"WHERE id = :id{db.for_update}"
        ),
        {"id": backfill_id},
    ).first()
    if row is None:
        raise no_backfill(backfill_id)
    return row


def unsettled(
    db: Database, conn: Connection, *, by_counts: bool
) -> list[tuple[int, BackfillState]]:
    """Return the backfills that may be finished or must be wound down.

    Args:
        by_counts: Leave out those whose folded counts say that something is still to do. The
            counts may lag, so a caller asks for all of them once in a while.
    """
    still_busy = " AND pending + queued + running <= 0" if by_counts else ""
    rows = conn.execute(
        db.sql(
            "SELECT id, state FROM backfills WHERE state = 'canceling' "
            "OR (state IN ('running', 'paused') AND expanded_at IS NOT NULL "
            f"AND retrying IS NULL{still_busy}) "
            "ORDER BY id"
        )
    )
    return [(row.id, BackfillState(row.state)) for row in rows]
