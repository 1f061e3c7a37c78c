"""Passing over: a partition that stops a line is skipped by hand, and the rest goes on."""

from __future__ import annotations

from sqlalchemy import Connection, Row

from backfill.errors import Conflict, NotFound
from backfill.lifecycle import moves
from backfill.lifecycle.locking import locked
from backfill.lifecycle.telling import note_event
from backfill.states import RunState
from backfill.storage.database import Database

SKIPPED = "backfill.partition_skipped"


def skip_partition(
    db: Database,
    backfill_id: int,
    partition: str,
    *,
    note: str | None = None,
    actor: str | None = None,
) -> None:
    """Let a line that depends on the previous partition go on without this one.

    Its run is skipped if it has not started; if it failed or was canceled, it stays so. Doing it
    again changes nothing.

    Raises:
        NotFound: No such backfill, or the partition is neither in its line nor before it.
        Conflict: The backfill is no such line, or a run of the partition is queued or running, or
            it succeeded.
    """

    def work(conn: Connection) -> None:
        backfill = locked(db, conn, backfill_id)
        if not backfill.depends_on_previous:
            raise Conflict(
                f"Backfill {backfill_id} is no line: none of its partitions waits for another. "
                "Cancel the partition's run instead."
            )
        run = _newest(db, conn, backfill_id, backfill.set_id, partition)
        _require_skippable(db, conn, backfill_id, partition, run)
        why = f"skipped by {actor}" if actor else "skipped by hand"
        reason = f"{why}: {note}" if note else why
        if run is not None and run.state == RunState.PENDING:
            moves.skip_pending(db, conn, [run.id], reason=reason)
        if _pass_over(db, conn, backfill_id, partition, actor):
            note_event(
                db,
                conn,
                kind=SKIPPED,
                message=f'partition "{partition}" is passed over: {reason}',
                backfill_id=backfill_id,
                run_id=None if run is None else run.id,
                actor=actor,
                facts={"partition": partition},
            )

    db.transact(work)
    db.notify()


def _newest(
    db: Database, conn: Connection, backfill_id: int, set_id: int, partition: str
) -> Row[tuple[int, str]] | None:
    """Lock and return the newest run that a backfill has made of a partition."""
    return conn.execute(
        db.sql(
            "SELECT id, state FROM runs WHERE set_id = :set AND partition = :key "
            f"AND backfill_id = :id ORDER BY generation DESC LIMIT 1{db.for_update}"
        ),
        {"set": set_id, "key": partition, "id": backfill_id},
    ).first()


def _require_skippable(
    db: Database,
    conn: Connection,
    backfill_id: int,
    partition: str,
    run: Row[tuple[int, str]] | None,
) -> None:
    if run is None:
        if not _is_waited_for(db, conn, backfill_id, partition):
            raise NotFound(
                f'Backfill {backfill_id} has no run of partition "{partition}", and none of its '
                "runs waits for that."
            )
        return
    state = RunState(run.state)
    if state in (RunState.QUEUED, RunState.RUNNING):
        raise Conflict(
            f'Partition "{partition}" cannot be skipped: its run {run.id} is {state}. Cancel the '
            "run first.",
            state=state.value,
        )
    if state is RunState.SUCCEEDED:
        raise Conflict(
            f'Partition "{partition}" need not be skipped: its run {run.id} succeeded.',
            state=state.value,
        )


def _is_waited_for(db: Database, conn: Connection, backfill_id: int, partition: str) -> bool:
    """Say whether the first pending run of a line depends on a partition outside of it."""
    found = conn.execute(
        db.sql(
            "SELECT previous FROM runs WHERE backfill_id = :id AND state = 'pending' AND ready "
            "ORDER BY sort, id LIMIT 1"
        ),
        {"id": backfill_id},
    ).scalar()
    return bool(found == partition)


def _pass_over(
    db: Database, conn: Connection, backfill_id: int, partition: str, actor: str | None
) -> bool:
    """Keep that a line passes over a partition; return whether it did not before."""
    kept = conn.execute(
        db.sql(
            "INSERT INTO line_skips (backfill_id, partition, at, actor) "
            "VALUES (:id, :key, {now}, :actor) ON CONFLICT DO NOTHING RETURNING partition"
        ),
        {"id": backfill_id, "key": partition, "actor": actor},
    ).first()
    return kept is not None
