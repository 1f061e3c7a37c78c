"""Moves: the only writer of states.

Every function here is one named move of `backfill.states`, done as guarded statements in the
caller's transaction. Racing and losing is an ordinary answer: what did not move is not returned.
Each also writes one feed row saying what moved, from which counts, live events and rollups follow.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row

from backfill.states import BackfillMove, RunMove, RunState
from backfill.storage.database import Database, to_json
from backfill.storage.models import runs as runs_table

FEED_LIST_LIMIT = 1000  # a bigger move is told as counts only; listeners read again


# -- the feed -----------------------------------------------------------------------------------


@dataclass
class Moved:
    """What a transaction moved, gathered for its feed row."""

    counts: dict[int, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    runs: list[list[Any]] = field(default_factory=list)
    steps: list[list[Any]] = field(default_factory=list)
    work: dict[int, list[int]] = field(default_factory=dict)
    backfills: list[list[Any]] = field(default_factory=list)
    logs: list[int] = field(default_factory=list)

    def run(
        self,
        row: Row[Any],
        source: RunState | None,
        target: RunState,
        *,
        attempt: int | None = None,
    ) -> None:
        """Note that a run moved; `row` has id, attempt, backfill_id, set_id, partition."""
        if row.backfill_id is not None:
            counts = self.counts[row.backfill_id]
            if source is not None:
                counts[source.value] -= 1
            counts[target.value] += 1
        self.runs.append(
            [
                row.id,
                target.value,
                row.attempt if attempt is None else attempt,
                row.backfill_id,
                row.set_id,
                row.partition,
            ]
        )

    def created(self, backfill_id: int, count: int) -> None:
        """Note that `count` pending runs came into being."""
        self.counts[backfill_id][RunState.PENDING.value] += count

    def executed(self, pipeline_id: int, microseconds: int) -> None:
        """Note one executed run, for the mean that sizes messages."""
        entry = self.work.setdefault(pipeline_id, [0, 0])
        entry[0] += 1
        entry[1] += microseconds

    def body(self) -> str | None:
        """Return the JSON of the feed row, or None when nothing moved."""
        body: dict[str, Any] = {}
        if self.counts:
            counts = {str(b): {s: n for s, n in c.items() if n} for b, c in self.counts.items()}
            body["counts"] = counts
        if len(self.runs) <= FEED_LIST_LIMIT and self.runs:
            body["runs"] = self.runs
        if len(self.steps) <= FEED_LIST_LIMIT * 10 and self.steps:
            body["steps"] = self.steps
        if self.work:
            body["work"] = {str(p): w for p, w in self.work.items()}
        if self.backfills:
            body["backfills"] = self.backfills
        if self.logs:
            body["logs"] = self.logs
        return to_json(body) if body else None


def tell(db: Database, conn: Connection, moved: Moved) -> None:
    """Write the feed row of a transaction; call last."""
    body = moved.body()
    if body is not None:
        conn.execute(
            db.sql(
                f"INSERT INTO feed (xid, at, body) VALUES ({db.feed_xid}, {{now}}, :body)"
            ),
            {"body": body},
        )


def _in(states: Iterable[RunState]) -> str:
    return "state IN (" + ", ".join(f"'{s.value}'" for s in sorted(states)) + ")"


_ROW = "id, attempt, backfill_id, set_id, partition"
_RUN_ROW = "runs.id, runs.attempt, runs.backfill_id, runs.set_id, runs.partition"


# -- birth --------------------------------------------------------------------------------------

NEW_RUN_COLUMNS = (
    "backfill_id",
    "generation",
    "set_id",
    "partition",
    "pipeline_id",
    "state",
    "ready",
    "sort",
    "available_at",
    "max_failures",
    "queue",
    "tags",
    "created_at",
)


@dataclass(frozen=True)
class NewRun:
    """A run of a backfill about to be made; `tags` are the partition's own."""

    partition: str
    sort: int
    tags: dict[str, str] | None = None
    queue: str | None = None


def create_backfill_runs(
    db: Database, conn: Connection, backfill: Row[Any], new: Sequence[NewRun], at: int
) -> None:
    """Bring the next runs of a backfill into being, pending and ready.

    The caller holds the backfill's row lock and moves its cursor in the same transaction, so a
    crash anywhere makes neither a gap nor a duplicate.
    """
    db.bulk_insert(
        conn,
        runs_table,
        NEW_RUN_COLUMNS,
        (
            (
                backfill.id,
                backfill.generation,
                backfill.set_id,
                run.partition,
                backfill.pipeline_id,
                RunState.PENDING.value,
                True,
                run.sort,
                at,
                backfill.max_failures,
                run.queue or backfill.queue,
                to_json(run.tags) if run.tags else None,
                at,
            )
            for run in new
        ),
    )
    moved = Moved()
    moved.created(backfill.id, len(new))
    tell(db, conn, moved)


# -- admission and publishing -------------------------------------------------------------------


@dataclass(frozen=True)
class Admission:
    """One run on its way to the broker, and the message that carries it."""

    run_id: int
    message_id: str
    message_size: int


def admit(
    db: Database, conn: Connection, admissions: Sequence[Admission], *, publish_again_us: int
) -> set[int]:
    """ADMIT: pending and ready -> queued, with a finite next publish time. Return the moved ids."""
    if not admissions:
        return set()
    shape = {"id": "bigint", "message_id": "text", "message_size": "int"}
    rows = conn.execute(
        db.sql(
            "UPDATE runs SET state = 'queued', ready = false, waiting_run = NULL, "
            "queued_at = {now}, next_publish_at = {now} + :again, publish_count = 1, "
            "message_id = a.message_id, message_size = a.message_size "
            f"FROM {db.records('a', shape)} "
            f"WHERE runs.id = a.id AND runs.{_in(RunMove.ADMIT.sources)} AND runs.ready "
            f"RETURNING {_RUN_ROW}"
        ),
        {
            "again": publish_again_us,
            "a": to_json(
                [
                    {"id": a.run_id, "message_id": a.message_id, "message_size": a.message_size}
                    for a in admissions
                ]
            ),
        },
    ).all()
    moved = Moved()
    for row in rows:
        moved.run(row, RunState.PENDING, RunState.QUEUED)
    tell(db, conn, moved)
    return {row.id for row in rows}


def mark_published_again(
    db: Database, conn: Connection, *, limit: int, again_us: int, hurry_after_us: int | None = None
) -> Sequence[Row[Any]]:
    """Move the next publish time of due queued runs on, doubling up to 10 minutes.

    Args:
        hurry_after_us: When given, also take runs not due yet that were queued this long ago
            and published once: the broker's queue was seen empty.

    Returns:
        Rows of id, message_id, message_size, queue, pipeline_id: what to send after the commit.
    """
    due = "next_publish_at <= {now}"
    if hurry_after_us is not None:
        due = f"({due} OR (publish_count = 1 AND queued_at <= {{now}} - :hurry))"
    return conn.execute(
        db.sql(
            "UPDATE runs SET publish_count = publish_count + 1, next_publish_at = {now} + "
            "CASE WHEN publish_count > 4 THEN 600000000 ELSE :again * (1 << publish_count) END "
            f"WHERE id IN (SELECT id FROM runs WHERE state = 'queued' AND {due} "
            f"ORDER BY next_publish_at LIMIT :limit{db.skip_locked}) AND state = 'queued' "
            "RETURNING id, message_id, message_size, queue, pipeline_id"
        ),
        {"again": again_us, "limit": limit}
        | ({} if hurry_after_us is None else {"hurry": hurry_after_us}),
    ).all()


def publish_soon(db: Database, conn: Connection, message_ids: Sequence[str], in_us: int) -> None:
    """Bring the next publish time of messages forward: sending them failed."""
    conn.execute(
        db.sql(
            "UPDATE runs SET next_publish_at = {now} + :soon "
            f"FROM {db.records('m', {'message_id': 'text'})} "
            "WHERE runs.message_id = m.message_id AND runs.state = 'queued'"
        ),
        {"soon": in_us, "m": to_json([{"message_id": m} for m in message_ids])},
    )


def recall(db: Database, conn: Connection, backfill_id: int) -> int:
    """RECALL: the queued runs of a backfill -> pending, their holds freed. Return how many."""
    rows = conn.execute(
        db.sql(
            "UPDATE runs SET state = 'pending', ready = true, next_publish_at = NULL, "
            "message_id = NULL, queued_at = NULL "
            f"WHERE backfill_id = :backfill AND {_in(RunMove.RECALL.sources)} RETURNING {_ROW}"
        ),
        {"backfill": backfill_id},
    ).all()
    free_holds(db, conn, [row.id for row in rows])
    moved = Moved()
    for row in rows:
        moved.run(row, RunState.QUEUED, RunState.PENDING)
    tell(db, conn, moved)
    return len(rows)


# -- the worker's moves -------------------------------------------------------------------------


def claim(
    db: Database,
    conn: Connection,
    run_ids: Sequence[int],
    *,
    worker_id: int,
    token: int,
    lease_us: int,
) -> Sequence[Row[Any]]:
    """CLAIM: queued -> running under a fresh lease token. Only this raises `attempt`.

    Returns:
        A row per claimed run, in id order, with `at`, the database's time of the claim.
    """
    rows = conn.execute(
        db.sql(
            "UPDATE runs SET state = 'running', attempt = attempt + 1, token = :token, "
            "worker_id = :worker, lease_expires_at = {now} + :lease, next_publish_at = NULL, "
            "started_at = {now} "
            f"WHERE {db.one_of('id', 'ids')} AND {_in(RunMove.CLAIM.sources)} "
            f"RETURNING {_ROW}, generation, pipeline_id, message_id, message_size, queued_at, "
            "tags, run_config, steps, parent_id, failures, started_at, {now} AS at"
        ),
        {"token": token, "worker": worker_id, "lease": lease_us, "ids": db.ints(run_ids)},
    ).all()
    moved = Moved()
    for row in rows:
        moved.run(row, RunState.QUEUED, RunState.RUNNING)
    tell(db, conn, moved)
    return sorted(rows, key=lambda row: int(row.id))


def claimed_already(
    db: Database, conn: Connection, run_ids: Sequence[int], token: int
) -> Sequence[Row[Any]]:
    """Return the runs this token holds: the answer to a claim whose reply was lost."""
    return conn.execute(
        db.sql(
            f"SELECT {_ROW}, generation, pipeline_id, message_id, message_size, queued_at, tags, "
            "run_config, steps, parent_id, failures, started_at, {now} AS at "
            f"FROM runs WHERE {db.one_of('id', 'ids')} AND token = :token "
            "AND state = 'running' ORDER BY id"
        ),
        {"ids": db.ints(run_ids), "token": token},
    ).all()


def renew(
    db: Database, conn: Connection, tokens: Sequence[int], lease_us: int
) -> Sequence[Row[Any]]:
    """Extend the leases held by `tokens`; return rows of id, token, cancel_requested_at."""
    return conn.execute(
        db.sql(
            "UPDATE runs SET lease_expires_at = {now} + :lease "
            f"WHERE state = 'running' AND {db.one_of('token', 'tokens')} "
            "RETURNING id, token, cancel_requested_at"
        ),
        {"lease": lease_us, "tokens": db.ints(tokens)},
    ).all()


# -- waking -------------------------------------------------------------------------------------


def wake_due(db: Database, conn: Connection, limit: int) -> int:
    """Make parked pending runs ready whose time has come."""
    result = conn.execute(
        db.sql(
            "UPDATE runs SET ready = true, waiting_run = NULL WHERE id IN ("
            "SELECT id FROM runs WHERE state = 'pending' AND NOT ready "
            f"AND available_at <= {{now}} LIMIT :limit{db.skip_locked}) "
            "AND state = 'pending'"
        ),
        {"limit": limit},
    )
    return int(result.rowcount)


def wake_waiting(db: Database, conn: Connection, finished: Sequence[int]) -> int:
    """Make runs ready that were parked behind the holds of `finished` runs."""
    result = conn.execute(
        db.sql(
            "UPDATE runs SET ready = true, waiting_run = NULL "
            f"WHERE {db.one_of('waiting_run', 'ids')} AND state = 'pending'"
        ),
        {"ids": db.ints(finished)},
    )
    return int(result.rowcount)


def park_behind(
    db: Database, conn: Connection, blocked: Sequence[tuple[int, int]], *, check_again_us: int
) -> None:
    """Park ready runs behind the runs that hold their partitions: (run, holder) pairs."""
    shape = {"id": "bigint", "holder": "bigint"}
    conn.execute(
        db.sql(
            "UPDATE runs SET ready = false, waiting_run = b.holder, "
            "available_at = {now} + :again "
            f"FROM {db.records('b', shape)} "
            "WHERE runs.id = b.id AND runs.state = 'pending' AND runs.ready"
        ),
        {
            "again": check_again_us,
            "b": to_json([{"id": run, "holder": holder} for run, holder in blocked]),
        },
    )


def free_holds(db: Database, conn: Connection, run_ids: Sequence[int]) -> None:
    """Free the partition holds of runs that are final or were recalled."""
    if run_ids:
        conn.execute(
            db.sql(f"DELETE FROM partition_holds WHERE {db.one_of('run_id', 'ids')}"),
            {"ids": db.ints(run_ids)},
        )


# -- cancel -------------------------------------------------------------------------------------


def cancel_queued(
    db: Database, conn: Connection, *, where: str, params: dict[str, Any], reason: str
) -> list[int]:
    """CANCEL the queued runs `where` names, their holds freed. Return their ids."""
    return _cancel(db, conn, RunState.QUEUED, where=where, params=params, reason=reason)


def cancel_pending(
    db: Database, conn: Connection, *, where: str, params: dict[str, Any], reason: str, limit: int
) -> list[int]:
    """CANCEL at most `limit` pending runs `where` names. Return their ids."""
    chosen = (
        f"id IN (SELECT id FROM runs WHERE state = 'pending' AND {where} "
        f"ORDER BY id LIMIT :limit{db.skip_locked})"
    )
    return _cancel(
        db, conn, RunState.PENDING, where=chosen, params={**params, "limit": limit}, reason=reason
    )


def _cancel(
    db: Database,
    conn: Connection,
    source: RunState,
    *,
    where: str,
    params: dict[str, Any],
    reason: str,
) -> list[int]:
    assert source in RunMove.CANCEL.sources
    rows = conn.execute(
        db.sql(
            "UPDATE runs SET state = 'canceled', ready = false, waiting_run = NULL, "
            "next_publish_at = NULL, cancel_requested_at = {now}, finished_at = {now}, "
            f"reason = :reason WHERE state = '{source.value}' AND {where} RETURNING {_ROW}"
        ),
        {**params, "reason": reason},
    ).all()
    ids = [row.id for row in rows]
    free_holds(db, conn, ids)
    moved = Moved()
    for row in rows:
        moved.run(row, source, RunState.CANCELED)
    tell(db, conn, moved)
    return ids


def request_cancel(
    db: Database, conn: Connection, *, where: str, params: dict[str, Any], reason: str
) -> list[int]:
    """Ask the running runs `where` names to stop; their workers notice. Return their ids."""
    rows = conn.execute(
        db.sql(
            "UPDATE runs SET cancel_requested_at = {now}, reason = :reason "
            f"WHERE state = 'running' AND cancel_requested_at IS NULL AND {where} RETURNING id"
        ),
        {**params, "reason": reason},
    ).all()
    return [row.id for row in rows]


# -- backfills ----------------------------------------------------------------------------------


def move_backfill(
    db: Database,
    conn: Connection,
    backfill_id: int,
    move: BackfillMove,
    *,
    pause_reason: str | None = None,
) -> bool:
    """Do one named move of a backfill; return whether it was in a state that allows it."""
    sources = ", ".join(f"'{s.value}'" for s in sorted(move.sources))
    finished = "{now}" if move.name.startswith("SETTLE") else "NULL"
    started = ", started_at = {now}" if move is BackfillMove.START else ""
    row = conn.execute(
        db.sql(
            f"UPDATE backfills SET state = :target, pause_reason = :reason, "
            f"finished_at = {finished}{started} "
            f"WHERE id = :id AND state IN ({sources}) RETURNING id"
        ),
        {"target": move.target.value, "reason": pause_reason, "id": backfill_id},
    ).first()
    if row is None:
        return False
    moved = Moved()
    moved.backfills.append([backfill_id, move.target.value])
    tell(db, conn, moved)
    return True
