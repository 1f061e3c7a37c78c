"""Exports, read while they are sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import httpx

from backfill.client.transport import Transport

IDLE_SECONDS = 120.0


def export(transport: Transport, table: str, params: Mapping[str, Any]) -> Iterator[bytes]:
    """Give the bytes of an export as they come.

    Raises:
        Unreachable: The connection broke; what was given is not whole.
        BackfillError: The request makes no sense.
    """
    accepted = {"Accept": "text/csv, application/x-ndjson"}
    try:
        with transport.stream(
            f"/export/{table}", params=params, headers=accepted, idle=IDLE_SECONDS
        ) as answer:
            yield from answer.iter_bytes()
    except httpx.TransportError as error:
        raise transport.unreachable(error) from error
