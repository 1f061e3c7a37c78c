"""Skipping: partitions left out of a backfill after their runs were made, with a reason."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection

from backfill.lifecycle.moves.deciding import Ending
from backfill.lifecycle.moves.feed import RUN_ROW, Moved, in_states, tell
from backfill.lifecycle.moves.queueing import free_holds
from backfill.lifecycle.moves.steps import close_waiting, cut
from backfill.lifecycle.telling import note_event
from backfill.states import RunMove, RunState, StepState
from backfill.storage.database import Database, to_json

DRIFT = "backfill.drift"
TOLD_AGAIN_US = 60_000_000
PARTITIONS_TOLD = 100


def skip_pending(
    db: Database, conn: Connection, run_ids: Sequence[int], *, reason: str
) -> list[int]:
    """SKIP the pending ones among these runs, what they hold freed. Return their ids."""
    return skip_each(db, conn, [(run_id, reason) for run_id in run_ids])


def skip_each(db: Database, conn: Connection, reasons: Sequence[tuple[int, str]]) -> list[int]:
    """SKIP the pending ones among (run, why) pairs, what they hold freed. Return their ids."""
    if not reasons:
        return []
    rows = conn.execute(
        db.sql(
            "UPDATE runs SET state = 'skipped', ready = false, waiting_run = NULL, "
            "finished_at = {now}, reason = s.reason "
            f"FROM {db.records('s', {'id': 'bigint', 'reason': 'text'})} "
            f"WHERE runs.id = s.id AND runs.{in_states(RunMove.SKIP.sources)} RETURNING {RUN_ROW}"
        ),
        {"s": to_json([{"id": run_id, "reason": cut(why)} for run_id, why in reasons])},
    ).all()
    ids = [row.id for row in rows]
    free_holds(db, conn, ids)
    close_waiting(db, conn, [row.id for row in rows if row.attempt], state=StepState.FAILED)
    moved = Moved()
    for row in rows:
        moved.run(row, RunState.PENDING, RunState.SKIPPED)
    tell(db, conn, moved)
    return ids


def note_drift(db: Database, conn: Connection, endings: Iterable[Ending]) -> None:
    """Keep an event for each backfill of which runs were left out, at most one a minute."""
    gone: dict[int, list[str]] = {}
    for ending in endings:
        if ending.move is RunMove.LEAVE_OUT and ending.row.backfill_id is not None:
            gone.setdefault(ending.row.backfill_id, []).append(ending.row.partition)
    for backfill_id, keys in gone.items():
        told_lately = conn.execute(
            db.sql(
                "SELECT EXISTS (SELECT 1 FROM events WHERE backfill_id = :id AND kind = :kind "
                "AND at > {now} - :again)"
            ),
            {"id": backfill_id, "kind": DRIFT, "again": TOLD_AGAIN_US},
        ).scalar_one()
        if not told_lately:
            note_event(
                db,
                conn,
                kind=DRIFT,
                message="partitions left the set before they ran, and are skipped",
                backfill_id=backfill_id,
                facts={"partitions": keys[:PARTITIONS_TOLD]},
            )
