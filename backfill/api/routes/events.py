"""Live events: server-sent, resumable, filtered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse

from backfill.api.context import Api, BackfillQuery, Context, Holder, NameQuery
from backfill.api.cursors import MAX_INT, CursorInvalid
from backfill.api.live.batches import Wanted, batch_of, encode
from backfill.api.live.hub import Listener, reset, stream
from backfill.api.live.reader import missed
from backfill.errors import Unavailable
from backfill.lifecycle import access
from backfill.storage.queries.feed import Place

router = APIRouter(tags=["events"])

MAX_LISTENERS = 1_000
CATCH_UP_SECONDS = 5.0
LOOK_SECONDS = 0.05

_DESCRIPTION: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Events `ready`, `moves` and `reset`, each with an id to resume after.",
        "content": {
            "text/event-stream": {
                "example": 'id: 0-17\nevent: moves\ndata: {"at":"2026-01-01T12:00:00.000Z",'
                '"backfills":[],"runs":[{"id":"3","state":"succeeded","attempt":1,'
                '"backfill_id":"1","partition_set":"days","partition":"day-01"}],'
                '"steps":[],"logs":[],"more":false}\n\n'
            }
        },
    }
}


@router.get("/events", response_class=StreamingResponse, responses=_DESCRIPTION)
async def listen(
    api: Api,
    holder: Holder,
    backfill: BackfillQuery = None,
    run: Annotated[
        int | None, Query(ge=1, le=MAX_INT, description="Only of the run with this id.")
    ] = None,
    partition_set: NameQuery = None,
    after: Annotated[str | None, Query(description="Id of the last event seen.")] = None,
    last_event_id: Annotated[str | None, Header(description="Goes before `after`.")] = None,
) -> StreamingResponse:
    """Stream every move of backfills, runs and steps, and which runs have new log lines.

    The first event, `ready`, says where the stream begins: read what is there after it, and
    nothing is missed. Reconnect with the id of the last event to go on behind it. `reset` means
    that what lies between is no longer known, or that too many events waited: read everything
    anew. `more` in `moves` means that some moves were too many to be told one by one. The stream
    ends soon after its token or session does.
    """
    seen = _place_of(last_event_id or after)
    if api.hub.place is None or api.hub.size >= MAX_LISTENERS:
        raise Unavailable("Live events cannot be given now. Try again in a moment.")
    listener = await _join(api, holder, Wanted(backfill, run, partition_set), seen)
    return StreamingResponse(
        _events(api, *listener, seen),
        media_type="text/event-stream",
        headers={"X-Accel-Buffering": "no"},
    )


async def _join(
    api: Context, holder: access.Holder, wanted: Wanted, seen: Place | None
) -> tuple[Listener, Place]:
    """Join where the reader stands, behind what the client has seen from another process."""
    for _ in range(int(CATCH_UP_SECONDS / LOOK_SECONDS)):
        if api.hub.place is not None and (seen is None or api.hub.place >= seen):
            break
        await asyncio.sleep(LOOK_SECONDS)
    listener, place = api.hub.join(holder, wanted)
    assert place is not None, "the reader has begun"
    return listener, place


async def _events(
    api: Context, listener: Listener, joined: Place, seen: Place | None
) -> AsyncIterator[bytes]:
    try:
        if seen is None:
            yield encode("ready", joined, {})
        else:
            async for event in _replay(api, listener, joined, seen):
                yield event
        async for event in stream(listener):
            yield event
    finally:
        api.hub.leave(listener)


async def _replay(
    api: Context, listener: Listener, joined: Place, seen: Place
) -> AsyncIterator[bytes]:
    """Yield what moved between what the client has seen and where it joined."""
    if seen > joined:
        yield reset(joined)
        return
    yield encode("ready", seen, {})
    while seen < joined:
        rows = await run_in_threadpool(missed, api.db, api.directory, seen, joined)
        if rows is None:
            yield reset(joined)
            return
        if not rows:
            return
        seen = rows[-1].place
        event = batch_of(rows, api.directory).event(listener.wanted, api.directory)
        if event is not None:
            yield event


def _place_of(text: str | None) -> Place | None:
    if text is None:
        return None
    xid, _, number = text.partition("-")
    if not (xid.isdecimal() and number.isdecimal() and len(text) <= 40):
        raise CursorInvalid("The id of the last event is not one of this stream.")
    place = Place(int(xid), int(number))
    if max(place) > MAX_INT:
        raise CursorInvalid("The id of the last event is not one of this stream.")
    return place
