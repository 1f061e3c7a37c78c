"""Access: tokens, sessions, and the record of who changed what."""

from __future__ import annotations

from pydantic import Field

from backfill.roles import Role
from backfill.schemas.base import Body, Document, Id, Name, Text, Time


class TokenRequest(Body):
    """A token to make."""

    name: Name = Field(examples=["nightly-job"])
    role: Role
    days: float | None = Field(
        default=None, gt=0, le=36_500, description="How long it is valid; null: until revoked."
    )


class NewToken(Document):
    """A token, the only time it is shown."""

    name: str
    role: Role
    token: str


class Token(Document):
    """A token without its secret."""

    name: str
    role: Role
    valid: bool
    created_at: Time
    created_by: str | None
    expires_at: Time | None
    revoked_at: Time | None
    used_at: Time | None


class Tokens(Document):
    """Every token."""

    items: list[Token]


class SessionRequest(Body):
    """A token to make a browser session of."""

    token: Text = Field(examples=["bf_…"])


class Session(Document):
    """Who is asking."""

    name: str
    role: Role
    csrf_token: str | None = Field(
        description="To be sent as X-CSRF-Token with every change; null without a cookie."
    )


class AuditEntry(Document):
    """A request that may have changed something."""

    id: Id
    at: Time
    actor: str
    role: str
    address: str | None
    method: str
    path: str
    status: int | None = Field(description="How it was answered; null while it is carried out.")
