"""Tokens without their secrets, and the record of who changed what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row

from backfill.roles import Role
from backfill.storage.database import Database
from backfill.storage.queries.paging import Page, Where, read_page


@dataclass(frozen=True)
class TokenView:
    """A token as it is shown; `valid` now or not."""

    name: str
    role: Role
    valid: bool
    created_at: int
    created_by: str | None
    expires_at: int | None
    revoked_at: int | None
    used_at: int | None


@dataclass(frozen=True)
class AuditView:
    """A request that may have changed something; `status` is None while it is carried out."""

    id: int
    at: int
    actor: str
    role: str
    address: str | None
    method: str
    path: str
    status: int | None


def list_tokens(db: Database, conn: Connection) -> Sequence[TokenView]:
    """Return every token, by name."""
    rows = conn.execute(
        db.sql(
            "SELECT t.*, (revoked_at IS NULL AND (expires_at IS NULL OR expires_at > {now})) "
            "AS valid FROM tokens t ORDER BY name"
        )
    )
    return [_token(row) for row in rows]


def list_audit(
    db: Database, conn: Connection, *, limit: int, before: int | None = None
) -> Page[AuditView]:
    """Return the record, newest first."""
    where = Where()
    if before is not None:
        where.add("id < :before", before=before)
    statement = f"SELECT * FROM audit WHERE {where} ORDER BY id DESC"
    return read_page(db, conn, statement, where.params, _audit, limit=limit)


def _token(row: Row[Any]) -> TokenView:
    return TokenView(
        name=row.name,
        role=Role(row.role),
        valid=bool(row.valid),
        created_at=row.created_at,
        created_by=row.created_by,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        used_at=row.used_at,
    )


def _audit(row: Row[Any]) -> AuditView:
    return AuditView(
        id=row.id,
        at=row.at,
        actor=row.actor,
        role=row.role,
        address=row.address,
        method=row.method,
        path=row.path,
        status=row.status,
    )
