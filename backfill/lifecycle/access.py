"""Access: tokens and the sessions made from them, and the record of who did what.

A token is drawn at random, shown once and kept as its hash, so the database gives none away.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from backfill.errors import Conflict, Invalid, NotFound
from backfill.roles import Role
from backfill.storage.database import Database

PREFIX = "bf_"
SESSION_US = 7 * 24 * 3600 * 1_000_000
USE_NOTED_EVERY_US = 60 * 1_000_000
MAX_NAME = 100
_VALID = "revoked_at IS NULL AND (expires_at IS NULL OR expires_at > {now})"


@dataclass(frozen=True)
class Holder:
    """Who is asking: a token's name and role; `session_id` when by a session made of it."""

    name: str
    role: Role
    token_id: int | None = None
    session_id: int | None = None


@dataclass(frozen=True)
class NewToken:
    """A token, the only time it is seen."""

    name: str
    role: Role
    token: str


# -- tokens -------------------------------------------------------------------------------------


def create_token(
    db: Database,
    name: str,
    role: Role,
    *,
    days: float | None = None,
    actor: str | None = None,
) -> NewToken:
    """Make a token.

    Args:
        days: How long it is valid; None for until it is revoked.

    Raises:
        Conflict: There is one of that name, perhaps revoked: names are never used again.
    """
    if not name.isprintable() or not 0 < len(name.strip()) <= MAX_NAME:
        raise Invalid(f"A token's name is 1 to {MAX_NAME} printable characters.")
    if "/" in name or name.startswith("."):  # it is part of the address that revokes it
        raise Invalid("A token's name holds no / and begins with no full stop.")
    if days is not None and not 0 < days <= 36_500:
        raise Invalid("A token is valid for more than 0 and at most 36500 days.")
    token = PREFIX + secrets.token_urlsafe(32)
    expires = "{now} + :lasts" if days is not None else "NULL"

    def work(conn: Connection) -> None:
        conn.execute(
            db.sql(
                "INSERT INTO tokens (name, hash, role, created_at, created_by, expires_at) "
                f"VALUES (:name, :hash, :role, {{now}}, :actor, {expires})"
            ),
            {"name": name, "hash": _hash(token), "role": role.value, "actor": actor}
            | ({} if days is None else {"lasts": int(days * 86_400_000_000)}),
        )

    try:
        db.transact(work)
    except IntegrityError:
        raise Conflict(
            f'There is a token named "{name}" already, perhaps revoked. Give another name.'
        ) from None
    return NewToken(name, role, token)


def revoke_token(db: Database, name: str) -> None:
    """Make a token and its sessions invalid at once; doing it twice changes nothing.

    Raises:
        NotFound: There is no token of that name.
    """

    def work(conn: Connection) -> None:
        row = conn.execute(
            db.sql(
                "UPDATE tokens SET revoked_at = coalesce(revoked_at, {now}) "
                "WHERE name = :name RETURNING id"
            ),
            {"name": name},
        ).first()
        if row is None:
            raise NotFound(f'No token named "{name}". `backfill tokens list` shows them.')
        conn.execute(db.sql("DELETE FROM sessions WHERE token_id = :id"), {"id": row.id})

    db.transact(work)


def any_token(db: Database) -> bool:
    """Say whether a token was ever made: from then on everybody has to show one."""
    with db.read() as conn:
        return bool(conn.execute(db.sql("SELECT EXISTS (SELECT 1 FROM tokens)")).scalar_one())


def holder_of_token(db: Database, token: str) -> Holder | None:
    """Return who holds a valid token, or None."""
    with db.read() as conn:
        row = conn.execute(
            db.sql(
                f"SELECT id, name, role, coalesce(used_at, 0) < {{now}} - {USE_NOTED_EVERY_US} "
                f"AS note_it FROM tokens WHERE hash = :hash AND {_VALID}"
            ),
            {"hash": _hash(token)},
        ).first()
    if row is None:
        return None
    if row.note_it:
        _note_use(db, row.id)
    return Holder(row.name, Role(row.role), row.id)


def still_valid(db: Database, holders: Collection[Holder]) -> set[Holder]:
    """Return those of some holders of tokens whose token, and session, is valid still."""
    tokens = {h.token_id for h in holders if h.token_id is not None}
    sessions = {h.session_id for h in holders if h.session_id is not None}
    with db.read() as conn:
        rows = conn.execute(
            db.sql(f"SELECT id FROM tokens WHERE {db.one_of('id', 'ids')} AND {_VALID}"),
            {"ids": db.ints(tokens)},
        )
        valid = set(rows.scalars())
        rows = conn.execute(
            db.sql(
                f"SELECT id FROM sessions WHERE {db.one_of('id', 'ids')} AND expires_at > {{now}}"
            ),
            {"ids": db.ints(sessions)},
        )
        valid_sessions = {*rows.scalars(), None}
    return {h for h in holders if h.token_id in valid and h.session_id in valid_sessions}


def _note_use(db: Database, token_id: int) -> None:
    db.transact(
        lambda conn: conn.execute(
            db.sql("UPDATE tokens SET used_at = {now} WHERE id = :id"), {"id": token_id}
        )
    )


# -- sessions -----------------------------------------------------------------------------------


def open_session(db: Database, holder: Holder) -> str:
    """Make a session of a token's holder; return the secret that its cookie carries."""
    secret = secrets.token_urlsafe(32)

    def work(conn: Connection) -> None:
        conn.execute(db.sql("DELETE FROM sessions WHERE expires_at < {now}"))
        conn.execute(
            db.sql(
                "INSERT INTO sessions (hash, token_id, created_at, expires_at) "
                "VALUES (:hash, :token, {now}, {now} + :lasts)"
            ),
            {"hash": _hash(secret), "token": holder.token_id, "lasts": SESSION_US},
        )

    db.transact(work)
    return secret


def holder_of_session(db: Database, secret: str) -> Holder | None:
    """Return whose session this is, or None when it or its token is no longer valid."""
    with db.read() as conn:
        row = conn.execute(
            db.sql(
                "SELECT t.id, t.name, t.role, s.id AS session FROM sessions s "
                "JOIN tokens t ON t.id = s.token_id "
                "WHERE s.hash = :hash AND s.expires_at > {now} AND t.revoked_at IS NULL "
                "AND (t.expires_at IS NULL OR t.expires_at > {now})"
            ),
            {"hash": _hash(secret)},
        ).first()
    return None if row is None else Holder(row.name, Role(row.role), row.id, row.session)


def close_session(db: Database, secret: str) -> None:
    """Make a session invalid."""
    db.transact(
        lambda conn: conn.execute(
            db.sql("DELETE FROM sessions WHERE hash = :hash"), {"hash": _hash(secret)}
        )
    )


def csrf_token(secret: str) -> str:
    """Return what pages of a session send with every change: other sites cannot know it."""
    return hashlib.sha256(f"csrf {secret}".encode()).hexdigest()


# -- the record ---------------------------------------------------------------------------------


def note_request(
    db: Database, holder: Holder, *, method: str, path: str, address: str | None
) -> int:
    """Record that somebody is about to change something; return the record's id."""

    def work(conn: Connection) -> int:
        row = conn.execute(
            db.sql(
                "INSERT INTO audit (at, actor, role, address, method, path) "
                "VALUES ({now}, :actor, :role, :address, :method, :path) RETURNING id"
            ),
            {
                "actor": holder.name,
                "role": holder.role.value,
                "address": address,
                "method": method,
                "path": path,
            },
        ).one()
        return int(row.id)

    return db.transact(work)


def note_answer(db: Database, record_id: int, status: int) -> None:
    """Record how that request was answered."""
    db.transact(
        lambda conn: conn.execute(
            db.sql("UPDATE audit SET status = :status WHERE id = :id AND status IS NULL"),
            {"status": status, "id": record_id},
        )
    )


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
