"""Requests: what every part of the client asks with, and how values are said in a request."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import quote

from backfill.client.transport import Transport
from backfill.schemas.base import Document

T = TypeVar("T", bound=Document)

PAGE = 200


class Requests:
    """One kind of requests to an API; `Client` is all of them."""

    transport: Transport

    def pages(self, path: str, kind: type[T], params: Mapping[str, Any]) -> Iterator[T]:
        """Iterate over the items of a list, fetching page after page."""
        return pages(self.transport, path, kind, params)

    def _get(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        return self.transport.send("GET", path, params=params)

    def _post(self, path: str, body: Mapping[str, Any] | None) -> Any:
        return self.transport.send("POST", path, body=body)


def pages(transport: Transport, path: str, kind: type[T], params: Mapping[str, Any]) -> Iterator[T]:
    """Iterate over the items of a list, fetching page after page."""
    cursor: str | None = None
    while True:
        asked = {"limit": PAGE, **params, "cursor": cursor}
        page = transport.send("GET", path, params=asked)
        for item in page["items"]:
            yield kind.model_validate(item)
        cursor = page["next"]
        if cursor is None:
            return


def part(name: str) -> str:
    """Return a name as one part of a path."""
    return quote(name, safe="")


def listed(states: Sequence[str] | None) -> list[str] | None:
    """Return states as a request names them."""
    return None if states is None else [str(state) for state in states]


def pairs(tags: Mapping[str, str] | None) -> list[str] | None:
    """Return tags as `name=value`."""
    return None if tags is None else [f"{name}={value}" for name, value in tags.items()]


def iso(time: datetime | str | None) -> str | None:
    """Return a time as ISO 8601; a text is one already."""
    return time.isoformat() if isinstance(time, datetime) else time


def new_key() -> str:
    """Draw an idempotency key."""
    return secrets.token_urlsafe(18)
