"""Listening to live events; a broken connection is taken up again behind the last event."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import httpx

from backfill.client.transport import Transport
from backfill.errors import Unavailable
from backfill.schemas.live import LiveEvent, Moves

SILENCE_SECONDS = 60.0  # the API says every 15 seconds that it is still there
PAUSE_SECONDS = 0.5


def listen(
    transport: Transport, wanted: Mapping[str, Any], after: str | None
) -> Iterator[LiveEvent]:
    """Yield events for ever.

    Raises:
        Unreachable: Nothing answers, after the transport's retries.
    """
    failures = 0
    while True:
        try:
            for event in _events(transport, wanted, after):
                failures = 0
                if event.name != "ready" or after is None:
                    yield event
                after = event.id
        except (httpx.TransportError, Unavailable) as error:
            failures += 1
            if failures > transport.retries:
                raise transport.unreachable(error) from error
        time.sleep(PAUSE_SECONDS)


def _events(
    transport: Transport, wanted: Mapping[str, Any], after: str | None
) -> Iterator[LiveEvent]:
    headers = {"Last-Event-ID": after} if after is not None else {}
    with transport.stream(
        "/events", params=wanted, headers=headers, idle=SILENCE_SECONDS
    ) as answer:
        yield from _parsed(answer.iter_lines())


def _parsed(lines: Iterable[str]) -> Iterator[LiveEvent]:
    fields: dict[str, str] = {}
    for line in lines:
        if line.startswith(":"):
            continue
        if line:
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
        elif "event" in fields:
            told = fields["event"] == "moves"
            moves = Moves.model_validate_json(fields["data"]) if told else None
            yield LiveEvent(id=fields["id"], name=fields["event"], moves=moves)
            fields = {}
