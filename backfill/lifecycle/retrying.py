"""Retrying: what of a backfill failed, was canceled or never launched, run again within it.

The retry is its next generation: the partition's new run is the child of the one that did not
succeed. It is asked for in one statement and made chunk by chunk by the coordinator, the place
reached kept in the transaction that makes the runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row

from backfill.definitions.calls import Definitions
from backfill.errors import Conflict, Invalid, did_you_mean, no_backfill
from backfill.lifecycle import guards, moves
from backfill.lifecycle.locking import is_final, locked, once, refuse_while
from backfill.lifecycle.reexecuting import Again, steps_to_execute
from backfill.lifecycle.telling import note_event
from backfill.states import BackfillMove, BackfillState, ReexecutionMode
from backfill.storage.database import Database, decoded, to_json


class Retried(StrEnum):
    """What of a backfill can be tried again."""

    FAILED = "failed"
    CANCELED = "canceled"
    MISSING = "missing"  # never launched: given up before its run was made


@dataclass(frozen=True)
class RetryRequest:
    """Which partitions to try again, and which of their steps.

    Attributes:
        again: Mode and steps; its other fields are the backfill's own.
    """

    statuses: Sequence[Retried] = tuple(Retried)
    again: Again = field(default_factory=Again)


def statuses_of(names: Iterable[str] | None) -> Sequence[Retried]:
    """Return the statuses named, all of them when None.

    Raises:
        Invalid: One is none of the three.
    """
    if names is None:
        return tuple(Retried)
    known = [status.value for status in Retried]
    for name in names:
        if name not in known:
            raise Invalid(
                f'"{name}" is nothing that can be retried.{did_you_mean(name, known)} '
                f"Use {', '.join(known)}."
            )
    return [status for status in Retried if status.value in set(names)]


def retry(
    db: Database,
    definitions: Definitions,
    backfill_id: int,
    request: RetryRequest,
    *,
    note: str | None = None,
    actor: str | None = None,
) -> None:
    """Try partitions of a backfill again that did not succeed; one that is over goes on.

    While it still runs or is paused, what failed so far is tried again.

    Raises:
        NotFound: No such backfill, or its pipeline is gone.
        Invalid: The steps make no sense.
        Conflict: It is being canceled or retried, or nothing of it is to be tried again.
    """
    with db.read() as conn:
        pipeline_name = _pipeline_of(db, conn, backfill_id)
    mode, steps = steps_to_execute(definitions.catalog().pipeline(pipeline_name), request.again)

    def work(conn: Connection, row: Row[Any]) -> None:
        _require_retryable(db, conn, row, request.statuses)
        _begin(db, conn, row, request.statuses, mode, steps)
        _note(db, conn, row, request.statuses, mode, steps, note, actor)

    once(
        db, backfill_id, work, was_done=lambda before, now: now.generation == before.generation + 1
    )


def _pipeline_of(db: Database, conn: Connection, backfill_id: int) -> str:
    name = conn.execute(
        db.sql(
            "SELECT p.name FROM backfills b JOIN pipelines p ON p.id = b.pipeline_id "
            "WHERE b.id = :id"
        ),
        {"id": backfill_id},
    ).scalar()
    if name is None:
        raise no_backfill(backfill_id)
    return str(name)


def _require_retryable(
    db: Database, conn: Connection, row: Row[Any], statuses: Sequence[Retried]
) -> None:
    wait = "Try again when it is canceled."
    refuse_while(row, BackfillState.CANCELING, "retried", wait)
    if row.retrying is not None:
        raise Conflict(
            f"Backfill {row.id} is being retried: the runs of that retry are still being made. "
            "Try again in a moment.",
            state=row.state,
        )
    if _has_missing(row) and Retried.MISSING in statuses:
        return
    if not _next_ones(db, conn, row.id, row.generation + 1, _states(statuses), after=0, limit=1):
        asked = ", ".join(status.value for status in statuses)
        raise Conflict(
            f"Nothing of backfill {row.id} is to be tried again: none of its partitions is "
            f"{asked}.",
            state=row.state,
        )


def _has_missing(row: Row[Any]) -> bool:
    """Say whether partitions are left that no run will be made of as things stand."""
    return bool(row.expanded < row.total and (is_final(row) or row.expanded_at is not None))


def _states(statuses: Sequence[Retried]) -> list[str]:
    return [status.value for status in statuses if status is not Retried.MISSING]


def _begin(
    db: Database,
    conn: Connection,
    row: Row[Any],
    statuses: Sequence[Retried],
    mode: ReexecutionMode,
    steps: Sequence[str],
) -> None:
    """Open the backfill again and keep what is to be retried."""
    states = _states(statuses)
    plan = {"states": states, "mode": mode.value, "steps": list(steps), "after": 0}
    launches = _has_missing(row) and Retried.MISSING in statuses
    stays = "expanded_at" if not _has_missing(row) else "{now}"
    as_json = "CAST(:plan AS json)" if db.postgres else ":plan"
    conn.execute(
        db.sql(
            f"UPDATE backfills SET generation = generation + 1, retrying = {as_json}, "
            f"expanded_at = {'NULL' if launches else stays}, "
            "deadline_at = {now} + CAST(timeout_seconds * 1000000 AS bigint) WHERE id = :id"
        ),
        {"plan": to_json(plan) if states else None, "id": row.id},
    )
    guards.rearm(db, conn, row.id, failed_canary=guards.CanaryState.RUNNING)
    if is_final(row):
        moves.move_backfill(db, conn, row.id, BackfillMove.REOPEN)


def _note(
    db: Database,
    conn: Connection,
    row: Row[Any],
    statuses: Sequence[Retried],
    mode: ReexecutionMode,
    steps: Sequence[str],
    note: str | None,
    actor: str | None,
) -> None:
    words = {Retried.MISSING: "never launched"}
    what = ", ".join(words.get(status, status.value) for status in statuses)
    how = {"from_failure": "from failure", "all": "whole"}.get(mode, f"steps {', '.join(steps)}")
    note_event(
        db,
        conn,
        kind="backfill.retried",
        message=f"what is {what} runs again, {how}" + (f": {note}" if note else ""),
        backfill_id=row.id,
        actor=actor,
        facts={
            "statuses": [status.value for status in statuses],
            "mode": mode.value,
            "steps": list(steps),
            "generation": row.generation + 1,
            "was": row.state,
        },
    )


# -- what the coordinator does --------------------------------------------------------------------


def retriable(db: Database, conn: Connection) -> list[int]:
    """Return the backfills whose retry is still being made."""
    rows = conn.execute(
        db.sql(
            "SELECT id FROM backfills WHERE retrying IS NOT NULL "
            "AND state IN ('running', 'paused') ORDER BY priority DESC, id"
        )
    )
    return [row.id for row in rows]


def retry_chunk(db: Database, backfill_id: int, *, limit: int) -> int | None:
    """Make the next runs of a retry; return how many, or None when there is none to make."""

    def work(conn: Connection) -> int | None:
        row = locked(db, conn, backfill_id)
        if row.retrying is None or row.state not in {"running", "paused"}:
            return None
        plan = decoded(row.retrying)
        found = _next_ones(
            db, conn, row.id, row.generation, plan["states"], after=plan["after"], limit=limit
        )
        if found:
            values = [_values(row, parent, plan) for parent in found]
            moves.create_retries(db, conn, row.id, values, [parent.state for parent in found])
        _go_on(db, conn, row.id, {**plan, "after": found[-1].id} if len(found) == limit else None)
        return len(found)

    made = db.transact(work)
    if made:
        db.notify()
    return made


def _next_ones(
    db: Database,
    conn: Connection,
    backfill_id: int,
    generation: int,
    states: Sequence[str],
    *,
    after: int,
    limit: int,
) -> Sequence[Row[Any]]:
    """Return runs of older generations that are their partition's last word, by id."""
    if not states:
        return []
    return conn.execute(
        db.sql(
            "SELECT id, state, set_id, partition, pipeline_id, sort, queue, tags, pools, previous, "
            "root_id, span "
            "FROM runs r WHERE backfill_id = :id AND state IN ('failed', 'canceled') "
            f"AND {db.one_of_texts('state', 'states')} AND id > :after "
            "AND generation < :generation AND NOT EXISTS (SELECT 1 FROM runs n "
            "WHERE n.set_id = r.set_id AND n.partition = r.partition "
            "AND n.backfill_id = r.backfill_id AND n.generation > r.generation) "
            "ORDER BY id LIMIT :limit"
        ),
        {
            "id": backfill_id,
            "states": db.texts(states),
            "after": after,
            "generation": generation,
            "limit": limit,
        },
    ).all()


def _values(backfill: Row[Any], parent: Row[Any], plan: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "backfill_id": backfill.id,
        "generation": backfill.generation,
        "set_id": parent.set_id,
        "partition": parent.partition,
        "pipeline_id": parent.pipeline_id,
        "sort": parent.sort,
        "max_failures": backfill.max_failures,
        "queue": parent.queue,
        "tags": decoded(parent.tags),
        "pools": decoded(parent.pools),
        "previous": parent.previous,
        "span": parent.span,
        "steps": plan["steps"] or None,
        "parent_id": parent.id,
        "root_id": parent.root_id or parent.id,
        "mode": plan["mode"],
    }


def _go_on(
    db: Database, conn: Connection, backfill_id: int, plan: Mapping[str, Any] | None
) -> None:
    as_json = "CAST(:plan AS json)" if db.postgres else ":plan"
    conn.execute(
        db.sql(f"UPDATE backfills SET retrying = {as_json} WHERE id = :id"),
        {"plan": None if plan is None else to_json(plan), "id": backfill_id},
    )
