"""Partitions added to a live backfill, or taken out of it, by selection.

What is added becomes further ranges of the selection, and expansion goes on from there: by key, as
for a set that changed. What is taken out is skipped; what runs goes on unless it is asked to stop.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from backfill.definitions.calls import Definitions, SelectionResult
from backfill.errors import Conflict, NothingToRun, no_backfill
from backfill.lifecycle import moves
from backfill.lifecycle.choosing import Wanted, evaluate
from backfill.lifecycle.locking import is_final, locked, refuse_while
from backfill.lifecycle.reprocessing import Reprocess, reprocess_of
from backfill.lifecycle.spanning import check_longest
from backfill.lifecycle.submitting import keep_ranges
from backfill.lifecycle.telling import note_event
from backfill.states import BackfillMove, BackfillState
from backfill.storage.database import Database, decoded, to_json

CHUNK = 5_000
ASKED = "already in it"
LONGEST_SELECTION = 1_000_000


@dataclass(frozen=True)
class Added:
    """How many partitions a backfill was given, and how many it was not, by reason."""

    added: int
    left_out: Mapping[str, int]


@dataclass(frozen=True)
class Removed:
    """What became of the partitions that were taken out.

    Attributes:
        skipped: Their runs had not begun, and will not.
        told: Their runs were told to stop.
        running: Their runs go on.
        ended: Their runs had ended before.
    """

    skipped: int = 0
    told: int = 0
    running: int = 0
    ended: int = 0

    def plus(self, other: Removed) -> Removed:
        """Return both together."""
        return Removed(
            self.skipped + other.skipped,
            self.told + other.told,
            self.running + other.running,
            self.ended + other.ended,
        )


def add_partitions(
    db: Database,
    definitions: Definitions,
    backfill_id: int,
    selection: str,
    *,
    at: datetime,
    limit: int,
    reprocess: str | None = None,
    note: str | None = None,
    actor: str | None = None,
) -> Added:
    """Give a backfill further partitions; one that is over goes on.

    Args:
        at: The moment the set is looked at.
        limit: A selection of more partitions is refused.
        reprocess: As at submit; `all` when None: who adds partitions wants them run.

    Raises:
        NotFound: No such backfill, or its partition set is gone.
        SelectionInvalid: The selection does not parse or names unknown keys.
        NothingToRun: All of it is in the backfill already, or left out.
        Conflict: The backfill is being canceled, or its runs are still being made.
    """
    with db.snapshot() as conn:
        seen = _found(db, conn, backfill_id)
        _require_expanded(seen)
        own = _own_keys(db, conn, seen)
    policy = reprocess_of(reprocess or "all", words=(), steps=None)
    chosen = evaluate(
        db, definitions, _wanted(definitions, seen, selection, policy, own, at, limit)
    )
    left_out = {group.name: group.size for group in chosen.left_out}
    if not chosen.count:
        told = ", ".join(f"{count:,} {why}" for why, count in left_out.items())
        raise NothingToRun(
            f"Nothing is left to add to backfill {backfill_id}: {told}. What did not succeed runs "
            "again with retry.",
            left_out=left_out,
        )
    check_longest(seen.partitions_per_run, chosen)
    done = False

    def work(conn: Connection) -> None:
        nonlocal done
        row = locked(db, conn, backfill_id)
        if done and row.total == seen.total + chosen.count:
            return  # the answer of the commit was lost
        _require_expanded(row)
        if row.total != seen.total:
            raise Conflict(
                f"Backfill {backfill_id} was given other partitions meanwhile. Try again.",
                state=row.state,
            )
        done = True
        _append(db, conn, row, selection, chosen, left_out, at)
        _note_added(db, conn, row, selection, chosen, left_out, note, actor)

    db.transact(work)
    db.notify()
    return Added(chosen.count, left_out)


def remove_partitions(
    db: Database,
    definitions: Definitions,
    backfill_id: int,
    selection: str,
    *,
    at: datetime,
    limit: int,
    cancel_running: bool = False,
    note: str | None = None,
    actor: str | None = None,
) -> Removed:
    """Take partitions out of a live backfill: what has not begun is skipped. Safe to repeat.

    Args:
        at: The moment the set is looked at.
        limit: A selection of more partitions is refused.
        cancel_running: Runs that have begun are told to stop, too, and end as canceled.

    Raises:
        NotFound: No such backfill, or its partition set is gone.
        SelectionInvalid: The selection does not parse or names unknown keys.
        Conflict: The backfill is over or being canceled, or its runs are still being made.
    """
    with db.read() as conn:
        row = _found(db, conn, backfill_id)
        _require_live(row)
    wanted = _wanted(definitions, row, selection, Reprocess.ALL, (), at, limit)
    chosen = evaluate(db, definitions, wanted)
    reason = "taken out of its backfill" + (f" by {actor}" if actor else "")
    reason += f": {note}" if note else ""
    done = Removed()
    for keys in _keys(definitions, row.set_name, chosen, at):
        done = done.plus(
            db.transact(
                lambda conn, keys=keys: _remove(  # type: ignore[misc]
                    db, conn, backfill_id, keys, reason, cancel_running=cancel_running
                )
            )
        )
        db.notify()
    db.transact(lambda conn: _note_removed(db, conn, row, selection, done, note, actor))
    return done


# -- reading --------------------------------------------------------------------------------------


def _found(db: Database, conn: Connection, backfill_id: int) -> Row[Any]:
    row = conn.execute(
        db.sql(
            "SELECT b.*, s.name AS set_name, p.name AS pipeline_name FROM backfills b "
            "JOIN partition_sets s ON s.id = b.set_id JOIN pipelines p ON p.id = b.pipeline_id "
            "WHERE b.id = :id"
        ),
        {"id": backfill_id},
    ).first()
    if row is None:
        raise no_backfill(backfill_id)
    return row


def _own_keys(db: Database, conn: Connection, backfill: Row[Any]) -> list[str]:
    """Return the partitions that the backfill has a run of, in the order of their text."""
    rows = conn.execute(
        db.sql(
            "SELECT partition FROM runs WHERE set_id = :set AND backfill_id = :id "
            "AND generation = 0"
        ),
        {"set": backfill.set_id, "id": backfill.id},
    )
    return sorted(rows.scalars())


def _require_expanded(row: Row[Any]) -> None:
    refuse_while(row, BackfillState.CANCELING, "changed", "Submit a new one for the partitions.")
    if is_final(row) and row.expanded < row.total:
        raise Conflict(
            f"Backfill {row.id} has partitions that were never launched. Retry those first, or "
            "submit a new backfill.",
            state=row.state,
        )
    if row.expanded_at is None:
        raise Conflict(
            f"Backfill {row.id} cannot be changed yet: its runs are still being made. Try again "
            "in a moment.",
            state=row.state,
        )


def _require_live(row: Row[Any]) -> None:
    if is_final(row):
        raise Conflict(f"Backfill {row.id} is over: it is {row.state}.", state=row.state)
    _require_expanded(row)


def _wanted(
    definitions: Definitions,
    row: Row[Any],
    selection: str,
    reprocess: Reprocess,
    own: Sequence[str],
    at: datetime,
    limit: int,
) -> Wanted:
    return Wanted(
        row.set_name,
        selection,
        definitions.catalog().pipeline(row.pipeline_name).version,
        reprocess,
        at,
        limit,
        known={ASKED: own} if own else {},
    )


def _keys(
    definitions: Definitions, set_name: str, chosen: SelectionResult, at: datetime
) -> Iterator[list[str]]:
    offset = 0
    while offset < chosen.count:
        told = definitions.expand(set_name, chosen.key_ranges, offset=offset, limit=CHUNK, at=at)
        yield [partition.key for partition in told.partitions]
        if told.next_offset <= offset:
            return
        offset = told.next_offset


# -- writing --------------------------------------------------------------------------------------


def _append(
    db: Database,
    conn: Connection,
    row: Row[Any],
    selection: str,
    chosen: SelectionResult,
    left_out: Mapping[str, int],
    at: datetime,
) -> None:
    """Lengthen the frozen selection, and have expansion go on where the new part begins.

    Those that had left the set count among the partitions still to be found: they are told anew.
    """
    size = conn.execute(
        db.sql('SELECT coalesce(sum("count"), 0) FROM backfill_ranges WHERE backfill_id = :id'),
        {"id": row.id},
    ).scalar_one()
    keep_ranges(db, conn, row.id, chosen.key_ranges, first_index=int(size))
    longer = f"({row.selection}), ({selection})"
    counts = dict(decoded(row.left_out) or {})
    for why, count in left_out.items():
        if why != ASKED:
            counts[why] = counts.get(why, 0) + count
    as_json = "CAST(:left_out AS json)" if db.postgres else ":left_out"
    conn.execute(
        db.sql(
            "UPDATE backfills SET total = total + :added, expanded = expanded - vanished, "
            "vanished = 0, expanded_at = NULL, swept_to = :place, swept_new = 0, "
            f"selection = :selection, left_out = {as_json}, "
            "selected_at = CASE WHEN selected_at < :at THEN :at ELSE selected_at END "
            "WHERE id = :id"
        ),
        {
            "added": chosen.count,
            "place": int(size),
            "selection": longer if len(longer) <= LONGEST_SELECTION else row.selection,
            "left_out": to_json(counts),
            "at": int(at.timestamp() * 1e6),
            "id": row.id,
        },
    )
    if is_final(row):
        _reopen(db, conn, row)


def _reopen(db: Database, conn: Connection, row: Row[Any]) -> None:
    conn.execute(
        db.sql(
            "UPDATE backfills SET deadline_at = {now} + "
            "CAST(timeout_seconds * 1000000 AS bigint) WHERE id = :id"
        ),
        {"id": row.id},
    )
    moves.move_backfill(db, conn, row.id, BackfillMove.REOPEN)


def _remove(
    db: Database,
    conn: Connection,
    backfill_id: int,
    keys: Sequence[str],
    reason: str,
    *,
    cancel_running: bool,
) -> Removed:
    """Skip the runs of some partitions that have not begun, and tell the others if asked."""
    row = locked(db, conn, backfill_id)
    _require_live(row)
    ids = _newest_runs(db, conn, row, keys)
    moves.recall_runs(db, conn, ids)
    skipped = moves.skip_pending(db, conn, ids, reason=reason)
    running = _running(db, conn, ids)
    if cancel_running and running:
        where, params = db.one_of("id", "ids"), {"ids": db.ints(running)}
        moves.request_cancel(db, conn, where=where, params=params, reason=reason)
    going_on = 0 if cancel_running else len(running)
    told = len(running) - going_on
    return Removed(len(skipped), told, going_on, len(ids) - len(skipped) - len(running))


def _newest_runs(
    db: Database, conn: Connection, backfill: Row[Any], keys: Sequence[str]
) -> list[int]:
    """Return the newest run of each partition, by id."""
    rows = conn.execute(
        db.sql(
            "SELECT r.id FROM runs r WHERE r.set_id = :set AND r.backfill_id = :id "
            f"AND {db.one_of_texts('r.partition', 'keys')} AND NOT EXISTS (SELECT 1 FROM runs n "
            "WHERE n.set_id = r.set_id AND n.partition = r.partition "
            "AND n.backfill_id = r.backfill_id AND n.generation > r.generation) ORDER BY r.id"
        ),
        {"set": backfill.set_id, "id": backfill.id, "keys": db.texts(keys)},
    )
    return [row.id for row in rows]


def _running(db: Database, conn: Connection, ids: Sequence[int]) -> list[int]:
    rows = conn.execute(
        db.sql(f"SELECT id FROM runs WHERE {db.one_of('id', 'ids')} AND state = 'running'"),
        {"ids": db.ints(ids)},
    )
    return [row.id for row in rows]


def _note_added(
    db: Database,
    conn: Connection,
    row: Row[Any],
    selection: str,
    chosen: SelectionResult,
    left_out: Mapping[str, int],
    note: str | None,
    actor: str | None,
) -> None:
    note_event(
        db,
        conn,
        kind="backfill.partitions_added",
        message=f"{chosen.count:,} partitions added" + (f": {note}" if note else ""),
        backfill_id=row.id,
        actor=actor,
        facts={"selection": selection, "added": chosen.count, "left_out": left_out},
    )


def _note_removed(
    db: Database,
    conn: Connection,
    row: Row[Any],
    selection: str,
    done: Removed,
    note: str | None,
    actor: str | None,
) -> None:
    note_event(
        db,
        conn,
        kind="backfill.partitions_removed",
        message=f"{done.skipped:,} partitions taken out, {done.told:,} running ones told to stop"
        + (f": {note}" if note else ""),
        backfill_id=row.id,
        actor=actor,
        facts={"selection": selection, **vars(done)},
    )
