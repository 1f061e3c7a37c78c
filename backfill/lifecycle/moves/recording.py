"""Recording: what workers and the reaper write about attempts, fenced.

Decide, then write: the rows of the runs a batch speaks of are locked first, what becomes of each
is decided in Python, and one statement a table writes it. A run that no longer is on the attempt
and token of its report is left out, with everything its worker says about it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row

from backfill.lifecycle.moves.deciding import Claim, Ending, Report, lost, released, reported
from backfill.lifecycle.moves.endings import write_endings
from backfill.lifecycle.moves.feed import FEED_LIST_LIMIT, Moved, add_told, in_states
from backfill.lifecycle.moves.hooked import note_hook_errors
from backfill.lifecycle.moves.skipping import note_drift
from backfill.lifecycle.moves.steps import (
    close_running_of,
    close_steps,
    close_waiting_of,
    write_errors,
    write_logs,
    write_steps,
)
from backfill.lifecycle.moves.succeeding import is_plain, succeed
from backfill.states import AttemptEnd, RunMove, RunState
from backfill.storage.batch import Batch
from backfill.storage.database import Database

HELD = (
    "id, attempt, token, backfill_id, set_id, partition, pipeline_id, failures, max_failures, "
    "crashes, cancel_requested_at, worker_id, message_id, message_size, started_at, reason, "
    "span"
)


@dataclass(frozen=True)
class Recorded:
    """What became of a batch: runs by id that ended, and reports that were fenced off."""

    ended: dict[int, RunState]
    fenced: list[Claim]


def record(
    db: Database, conn: Connection, reports: Sequence[Report], *, retry_delay_us: int
) -> Recorded:
    """Write a batch of reports, all of it or none, fenced run by run.

    Args:
        reports: At most one per run.
        retry_delay_us: Delay before a failed run with budget left is due again; doubles with
            every failure.
    """
    held = _lock(db, conn, [r.claim.run_id for r in reports])
    live: list[tuple[Report, Row[Any]]] = []
    fenced: list[Claim] = []
    for report in reports:
        row = held.get(report.claim.run_id)
        if row is None or (row.attempt, row.token) != (report.claim.attempt, report.claim.token):
            fenced.append(report.claim)
        else:
            live.append((report, row))
    endings = [reported(rep, row, retry_delay_us) for rep, row in live if rep.outcome is not None]
    moved = Moved()
    batch = Batch(db, conn)
    write_endings(batch, endings, moved)
    write_steps(batch, [rep for rep, _ in live], moved)
    write_errors(db, conn, [rep for rep, _ in live])
    write_logs(batch, [rep for rep, _ in live], moved)
    add_told(batch, moved)
    batch.run()
    close_running_of(db, conn, [e for e in endings if e.move is not RunMove.SUCCEED])
    close_waiting_of(db, conn, endings)
    note_drift(db, conn, endings)
    note_hook_errors(db, conn, live)
    return Recorded({e.row.id: e.move.target for e in endings}, fenced)


def record_in_few_trips(
    db: Database,
    reports: Sequence[Report],
    *,
    retry_delay_us: int,
    give_up_after: float = 20.0,
) -> Recorded:
    """Write a batch of reports: in one statement those of runs that simply went well.

    The others are all written, or none, and first: when they are refused nothing is written yet.
    `record` says what the arguments are, `Database.transact` what is raised.
    """
    short = db.postgres and len(reports) <= FEED_LIST_LIMIT
    plain = [r for r in reports if short and is_plain(r)]
    rest = [r for r in reports if not (short and is_plain(r))]
    ended: dict[int, RunState] = {}
    fenced: list[Claim] = []
    if rest:
        recorded = db.transact(
            lambda conn: record(db, conn, rest, retry_delay_us=retry_delay_us),
            give_up_after=give_up_after,
        )
        ended, fenced = recorded.ended, recorded.fenced
    if plain:
        done = db.transact(
            lambda conn: succeed(db, conn, plain), single=True, give_up_after=give_up_after
        )
        ended |= dict.fromkeys(done, RunMove.SUCCEED.target)
        fenced += [r.claim for r in plain if r.claim.run_id not in done]
    return Recorded(ended, fenced)


def reap(
    db: Database, conn: Connection, *, max_crashes: int, limit: int
) -> list[tuple[Row[Any], RunState]]:
    """Take expired leases away: LOSE, LOSE_FINALLY, or STOP for runs asked to cancel.

    A run that shared its message is not charged: nobody knows which one crashed the worker. It
    goes back to be sent alone, and only a lone run's crash is counted.
    """
    rows = conn.execute(
        db.sql(
            f"SELECT {HELD} FROM runs WHERE state = 'running' AND lease_expires_at < {{now}} "
            f"ORDER BY lease_expires_at LIMIT :limit{db.skip_locked}"
        ),
        {"limit": limit},
    ).all()
    return _lose(db, conn, rows, max_crashes)


def lose(
    db: Database,
    conn: Connection,
    tokens: Sequence[int],
    *,
    max_crashes: int,
    executing: int | None = None,
) -> list[tuple[Row[Any], RunState]]:
    """Do at once what `reap` would after the lease: the process with these tokens is dead.

    Args:
        executing: The run it executed when it died, where that is known: no other is charged.
    """
    rows = conn.execute(
        db.sql(
            f"SELECT {HELD} FROM runs WHERE state = 'running' AND "
            f"{db.one_of('token', 'tokens')} ORDER BY id{db.for_update}"
        ),
        {"tokens": db.ints(tokens)},
    ).all()
    return _lose(db, conn, rows, max_crashes, executing)


def release(db: Database, conn: Connection, tokens: Sequence[int], *, reason: str) -> list[int]:
    """Hand back, uncharged, what these tokens hold: their worker ended them on its own account."""
    rows = conn.execute(
        db.sql(
            f"SELECT {HELD} FROM runs WHERE state = 'running' AND "
            f"{db.one_of('token', 'tokens')} ORDER BY id{db.for_update}"
        ),
        {"tokens": db.ints(tokens)},
    ).all()
    endings = [released(row, reason) for row in rows]
    _finish_for_worker(db, conn, endings)
    return [row.id for row in rows]


def stop(db: Database, conn: Connection, claims: Sequence[Claim], *, reason: str) -> list[int]:
    """STOP runs whose process was ended for them, fenced. Return the ids that stopped."""
    held = _lock(db, conn, [c.run_id for c in claims])
    endings = [
        Ending(row=row, move=RunMove.STOP, end=AttemptEnd.CANCELED, reason=reason)
        for c in claims
        if (row := held.get(c.run_id)) is not None
        and (row.attempt, row.token) == (c.attempt, c.token)
    ]
    _finish_for_worker(db, conn, endings)
    return [e.row.id for e in endings]


def _lose(
    db: Database,
    conn: Connection,
    rows: Sequence[Row[Any]],
    max_crashes: int,
    executing: int | None = None,
) -> list[tuple[Row[Any], RunState]]:
    endings = [lost(row, max_crashes, innocent=executing not in (None, row.id)) for row in rows]
    _finish_for_worker(db, conn, endings)
    return [(e.row, e.move.target) for e in endings]


def _finish_for_worker(db: Database, conn: Connection, endings: Sequence[Ending]) -> None:
    """Write endings their worker did not report, with the steps it left running."""
    moved = Moved()
    batch = Batch(db, conn)
    write_endings(batch, endings, moved)
    close_steps(db, conn, endings, moved)
    add_told(batch, moved)
    batch.run()
    close_waiting_of(db, conn, endings)


def _lock(db: Database, conn: Connection, ids: Sequence[int]) -> dict[int, Row[Any]]:
    """Lock the running rows among `ids`, in id order so that two batches cannot deadlock."""
    rows = conn.execute(
        db.sql(
            f"SELECT {HELD} FROM runs WHERE {db.one_of('id', 'ids')} "
            f"AND {db.checked(in_states([RunState.RUNNING]))} "
            f"ORDER BY id{db.for_update}"
        ),
        {"ids": db.ints(ids)},
    ).all()
    return {row.id: row for row in rows}
