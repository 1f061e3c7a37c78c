"""Cloning: the request that an old backfill was made from, asked anew, with changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from sqlalchemy import Connection, Row

from backfill.definitions.calls import Definitions
from backfill.errors import Invalid, did_you_mean, no_backfill
from backfill.lifecycle.requests import BackfillRequest
from backfill.storage.database import Database, decoded

_OWN = {"created_by", "idempotency_key", "cloned_from"}  # of each request, never taken over
_JSON = {"tags", "run_config", "steps", "breaker", "windows"}


def cloned(
    db: Database,
    definitions: Definitions,
    backfill_id: int,
    changes: Mapping[str, Any],
    *,
    actor: str | None = None,
    idempotency_key: str | None = None,
) -> BackfillRequest:
    """Return the request of a backfill with changes; submitting it makes the clone.

    Raises:
        NotFound: No such backfill, or its partition set is gone.
        Invalid: A change is of no field of a request.
    """
    known = {field.name for field in fields(BackfillRequest)} - _OWN
    for name in changes:
        if name not in known:
            raise Invalid(f'A request has no "{name}".{did_you_mean(name, known)}')
    with db.read() as conn:
        row = _found(db, conn, backfill_id)
    definitions.catalog().partition_set(changes.get("partition_set") or row.set_name)
    return BackfillRequest(
        **{
            **_asked(row, known),
            **changes,
            "created_by": actor,
            "idempotency_key": idempotency_key,
            "cloned_from": backfill_id,
        }
    )


def _found(db: Database, conn: Connection, backfill_id: int) -> Row[Any]:
    row = conn.execute(
        db.sql(
            "SELECT b.*, s.name AS set_name FROM backfills b "
            "JOIN partition_sets s ON s.id = b.set_id WHERE b.id = :id"
        ),
        {"id": backfill_id},
    ).first()
    if row is None:
        raise no_backfill(backfill_id)
    return row


def _asked(row: Row[Any], known: set[str]) -> dict[str, Any]:
    """Return what a backfill was asked with, from its row: columns have the names of fields."""
    columns = row._mapping
    asked = {
        name: decoded(columns[name]) if name in _JSON else columns[name]
        for name in known
        if name in columns
    }
    narrowed = decoded(row.narrowed) or {}
    asked |= {"limit": narrowed.get("limit"), "sample": narrowed.get("sample")}
    if narrowed.get("canary_only"):
        asked |= {"canary": narrowed["canary_only"], "canary_only": True}
    asked["partition_set"] = row.set_name
    asked["tags"] = asked["tags"] or {}
    asked["on_timeout"] = asked["on_timeout"] or "cancel"
    return asked
