"""The outbox: what hooks and webhooks are still to be told of backfills.

A delivery is written in the transaction of the event it tells of, so none is lost, and sent by the
coordinator after the commit: marked first (its next try moved on), then sent. So a crash only
delays it, and it may be told twice: its key is the same every time.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row

from backfill.definitions.hooks import BackfillEvent
from backfill.definitions.text import storable
from backfill.errors import Conflict, NotFound
from backfill.lifecycle.telling import note_event
from backfill.states import BackfillMove, RunState
from backfill.storage.database import Database, decoded, to_json

FIRST_DELAY_US = 10_000_000
MOST_DOUBLINGS = 9  # then every 85 minutes
MOST_TRIES = 15  # over about ten hours
KEPT_US = 30 * 24 * 3600 * 1_000_000
ERROR_CHARS = 2_000
_EVENTS = {
    BackfillMove.START: BackfillEvent.STARTED,
    BackfillMove.PAUSE: BackfillEvent.PAUSED,
    BackfillMove.SETTLE_SUCCEEDED: BackfillEvent.FINISHED,
    BackfillMove.SETTLE_FAILED: BackfillEvent.FINISHED,
    BackfillMove.SETTLE_CANCELED: BackfillEvent.FINISHED,
}


@dataclass(frozen=True)
class Delivery:
    """One telling that is due and was marked: what to send, and to whom.

    Attributes:
        facts: What `HookedBackfill` takes, but for `delivery`.
        url: Of a webhook; None of a Python hook, and of a webhook that was removed.
        tries: Counting this one.
    """

    id: int
    key: str
    backfill_id: int
    event: str
    kind: str
    hook: str
    facts: Mapping[str, Any]
    url: str | None
    format: str | None
    tries: int


def event_of(
    move: BackfillMove, pause_facts: Mapping[str, Any] | None, *, first_start: bool
) -> BackfillEvent | None:
    """Return what hooks are told of a move; None of most."""
    if move is BackfillMove.PAUSE and (pause_facts or {}).get("by") == "breaker":
        return BackfillEvent.BREAKER_TRIPPED
    if move is BackfillMove.RESUME and first_start:
        return BackfillEvent.STARTED
    return _EVENTS.get(move)


def tell_hooks(db: Database, conn: Connection, backfill_id: int, event: BackfillEvent) -> None:
    """Write the deliveries of an event of a backfill, with the transaction that made it."""
    row = conn.execute(
        db.sql(
            "SELECT b.*, s.name AS set_name, p.name AS pipeline_name, {now} AS now "
            "FROM backfills b JOIN partition_sets s ON s.id = b.set_id "
            "JOIN pipelines p ON p.id = b.pipeline_id WHERE b.id = :id"
        ),
        {"id": backfill_id},
    ).one()
    wanted = [*_python_hooks(row, event), *_webhooks(db, conn, row, event)]
    as_json = "CAST(:facts AS json)" if db.postgres else ":facts"
    for told, kind, hook, webhook_id in wanted:
        conn.execute(
            db.sql(
                "INSERT INTO deliveries (key, backfill_id, event, kind, hook, webhook_id, facts, "
                "created_at, next_try_at) VALUES (:key, :backfill, :event, :kind, :hook, "
                f":webhook, {as_json}, {{now}}, {{now}})"
            ),
            {
                "key": secrets.token_hex(16),
                "backfill": backfill_id,
                "event": told.value,
                "kind": kind,
                "hook": hook,
                "webhook": webhook_id,
                "facts": to_json(_facts(row, told)),
            },
        )


def due(db: Database, conn: Connection, *, limit: int) -> list[Delivery]:
    """Mark deliveries that are due as tried, and return them: commit, then send.

    Of several to the same webhook or hook only the oldest is taken at a time: one that does not
    answer holds up itself alone.
    """
    rows = conn.execute(
        db.sql(
            "WITH chosen AS MATERIALIZED (SELECT id FROM deliveries d "
            "WHERE next_try_at IS NOT NULL AND next_try_at <= {now} AND NOT EXISTS ("
            "SELECT 1 FROM deliveries o WHERE o.next_try_at IS NOT NULL "
            "AND o.next_try_at <= {now} AND o.kind = d.kind AND o.hook = d.hook AND o.id < d.id) "
            f"ORDER BY next_try_at LIMIT :limit{db.skip_locked}) "
            "UPDATE deliveries SET tries = tries + 1, "
            "next_try_at = {now} + CAST(:first AS bigint) * "
            f"(1 << CASE WHEN tries < {MOST_DOUBLINGS} THEN tries ELSE {MOST_DOUBLINGS} END) "
            "WHERE id IN (SELECT id FROM chosen) AND next_try_at IS NOT NULL "
            "RETURNING id, key, backfill_id, event, kind, hook, webhook_id, facts, tries"
        ),
        {"limit": limit, "first": FIRST_DELAY_US},
    ).all()
    hooks = {row.id: row for row in conn.execute(db.sql("SELECT id, url, format FROM webhooks"))}
    return [_delivery(row, hooks.get(row.webhook_id)) for row in sorted(rows, key=lambda r: r.id)]


def delivered(db: Database, delivery: Delivery, *, status: int | None = None) -> None:
    """Note that a delivery was taken."""

    def work(conn: Connection) -> None:
        conn.execute(
            db.sql(
                "UPDATE deliveries SET delivered_at = {now}, next_try_at = NULL, status = :status, "
                "error = NULL WHERE id = :id AND next_try_at IS NOT NULL"
            ),
            {"id": delivery.id, "status": status},
        )

    db.transact(work)


def failed(
    db: Database,
    delivery: Delivery,
    error: str,
    *,
    status: int | None = None,
    final: bool = False,
) -> bool:
    """Note that a try failed; return whether there will be no other.

    Args:
        final: Trying again is of no use.
    """
    gives_up = final or delivery.tries >= MOST_TRIES

    def work(conn: Connection) -> None:
        ended = "given_up_at = {now}, next_try_at = NULL, " if gives_up else ""
        moved = conn.execute(
            db.sql(
                f"UPDATE deliveries SET {ended}status = :status, error = :error "
                "WHERE id = :id AND next_try_at IS NOT NULL RETURNING id"
            ),
            {"id": delivery.id, "status": status, "error": storable(error)[:ERROR_CHARS]},
        ).first()
        if moved is not None and (gives_up or delivery.tries == 1):
            again = "it is given up" if gives_up else "it is tried again"
            note_event(
                db,
                conn,
                kind="backfill.hook_failed",
                message=f'telling {_named(delivery)} of "{delivery.event}" failed; {again}: '
                f"{error}"[:ERROR_CHARS],
                backfill_id=delivery.backfill_id,
                facts={"delivery": delivery.id, "hook": delivery.hook, "given_up": gives_up},
            )

    db.transact(work)
    return gives_up


def send_again(db: Database, delivery_id: int, *, actor: str | None = None) -> None:
    """Have a delivery that ended, or waits for its next try, sent now.

    Raises:
        NotFound: There is no such delivery.
        Conflict: Its webhook was removed.
    """

    def work(conn: Connection) -> None:
        row = conn.execute(
            db.sql(
                "SELECT d.*, w.id AS there FROM deliveries d LEFT JOIN webhooks w "
                "ON w.id = d.webhook_id WHERE d.id = :id"
            ),
            {"id": delivery_id},
        ).first()
        if row is None:
            raise NotFound(
                f"No delivery {delivery_id}. `backfill hooks deliveries` shows those there are."
            )
        if row.kind == "webhook" and row.there is None:
            raise Conflict(f'Delivery {delivery_id}: its webhook "{row.hook}" was removed.')
        conn.execute(
            db.sql(
                "UPDATE deliveries SET next_try_at = {now}, tries = 0, delivered_at = NULL, "
                "given_up_at = NULL WHERE id = :id"
            ),
            {"id": delivery_id},
        )
        note_event(
            db,
            conn,
            kind="backfill.hook_again",
            message=f'"{row.event}" is told to {row.kind} "{row.hook}" again',
            backfill_id=row.backfill_id,
            actor=actor,
            facts={"delivery": delivery_id},
        )

    db.transact(work)
    db.notify()


def prune_deliveries(db: Database, conn: Connection, *, limit: int = 1_000) -> int:
    """Forget deliveries that ended a month ago."""
    rows = conn.execute(
        db.sql(
            "DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries "
            "WHERE next_try_at IS NULL AND created_at < {now} - :kept ORDER BY id LIMIT :limit) "
            "RETURNING id"
        ),
        {"kept": KEPT_US, "limit": limit},
    ).all()
    return len(rows)


def _python_hooks(
    row: Row[Any], event: BackfillEvent
) -> Sequence[tuple[BackfillEvent, str, str, int | None]]:
    found = []
    for hook in decoded(row.hooks) or ():
        told = _told_as(event, hook["events"])
        if told is not None:
            found.append((told, "python", hook["name"], None))
    return found


def _webhooks(
    db: Database, conn: Connection, row: Row[Any], event: BackfillEvent
) -> Sequence[tuple[BackfillEvent, str, str, int | None]]:
    hooks = conn.execute(
        db.sql(
            "SELECT id, name, events FROM webhooks "
            "WHERE (partition_set IS NULL OR partition_set = :set) "
            "AND (backfill_id IS NULL OR backfill_id = :backfill) ORDER BY id"
        ),
        {"set": row.set_name, "backfill": row.id},
    ).all()
    found = []
    for hook in hooks:
        told = _told_as(event, decoded(hook.events))
        if told is not None:
            found.append((told, "webhook", hook.name, hook.id))
    return found


def _told_as(event: BackfillEvent, wanted: Sequence[str]) -> BackfillEvent | None:
    """Return under which name a hook wants to hear of an event: a tripped breaker is a pause."""
    if event.value in wanted:
        return event
    if event is BackfillEvent.BREAKER_TRIPPED and BackfillEvent.PAUSED.value in wanted:
        return BackfillEvent.PAUSED
    return None


def _facts(row: Row[Any], event: BackfillEvent) -> dict[str, Any]:
    return {
        "event": event.value,
        "backfill_id": row.id,
        "partition_set": row.set_name,
        "pipeline": row.pipeline_name,
        "state": row.state,
        "reason": row.pause_reason,
        "selection": row.selection[:1_000],
        "tags": decoded(row.tags) or {},
        "counts": {state.value: max(0, getattr(row, state.value)) for state in RunState},
        "at": datetime.fromtimestamp(row.now / 1e6, UTC).isoformat(),
    }


def _delivery(row: Row[Any], webhook: Row[Any] | None) -> Delivery:
    return Delivery(
        id=row.id,
        key=row.key,
        backfill_id=row.backfill_id,
        event=row.event,
        kind=row.kind,
        hook=row.hook,
        facts=decoded(row.facts),
        url=None if webhook is None else webhook.url,
        format=None if webhook is None else webhook.format,
        tries=row.tries,
    )


def _named(delivery: Delivery) -> str:
    what = "hook" if delivery.kind == "python" else "webhook"
    return f'{what} "{delivery.hook}"'
