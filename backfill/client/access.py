"""Tokens, and who changed what."""

from __future__ import annotations

from collections.abc import Iterator

from backfill.client.requests import Requests, part
from backfill.roles import Role
from backfill.schemas.access import AuditEntry, NewToken, Session, Tokens


class AccessRequests(Requests):
    """Who may do what, and who did."""

    def who_am_i(self) -> Session:
        """Say who this client's token belongs to."""
        return Session.model_validate(self._get("/session"))

    def tokens(self) -> Tokens:
        """Return every token, without its secret."""
        return Tokens.model_validate(self._get("/tokens"))

    def create_token(self, name: str, role: Role | str, *, days: float | None = None) -> NewToken:
        """Make a token; it is shown this once."""
        body = {"name": name, "role": str(role), "days": days}
        return NewToken.model_validate(self._post("/tokens", body))

    def revoke_token(self, name: str) -> None:
        """Make a token and its sessions invalid at once."""
        self._post(f"/tokens/{part(name)}/revoke", None)

    def audit(self) -> Iterator[AuditEntry]:
        """Iterate over who changed what, newest first."""
        return self.pages("/audit", AuditEntry, {})
