"""The hub: clients that listen, each with a queue of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from backfill.api.live.batches import Batch, Wanted, encode
from backfill.api.live.directory import Directory
from backfill.lifecycle.access import Holder
from backfill.storage.queries.feed import Place

QUEUED = 256  # events; a client further behind is told to read everything anew
QUEUED_BYTES = 8 << 20
PING_SECONDS = 15.0
PING = b": still here\n\n"


@dataclass(eq=False)
class Listener:
    """One client: who it is, what it asked for, and what it was not sent yet (None: the end).

    Attributes:
        size: Bytes that wait in the queue; with it touched by the event loop only.
    """

    holder: Holder
    wanted: Wanted
    loop: asyncio.AbstractEventLoop
    queue: asyncio.Queue[bytes | None] = field(
        default_factory=lambda: asyncio.Queue(maxsize=QUEUED)
    )
    size: int = 0


class Hub:
    """Hands batches to listeners; called from the reader's thread and from event loops."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._lock = threading.Lock()
        self._listeners: set[Listener] = set()
        self._place: Place | None = None
        self._ended = False

    @property
    def size(self) -> int:
        """How many clients listen."""
        return len(self._listeners)

    def begin(self, place: Place) -> None:
        """Say where the reader stands before its first batch."""
        with self._lock:
            self._place = place

    @property
    def place(self) -> Place | None:
        """Where the reader stands; None before it began."""
        return self._place

    def join(self, holder: Holder, wanted: Wanted) -> tuple[Listener, Place | None]:
        """Add a client of this event loop; return it and the place that its events follow."""
        listener = Listener(holder, wanted, asyncio.get_running_loop())
        with self._lock:
            if self._ended:
                listener.queue.put_nowait(None)
            self._listeners.add(listener)
            return listener, self._place

    def leave(self, listener: Listener) -> None:
        """Forget a client."""
        with self._lock:
            self._listeners.discard(listener)

    def dismiss(self, still_welcome: Callable[[set[Holder]], set[Holder]]) -> None:
        """End the streams of clients who would not be let in any more."""
        with self._lock:
            holders = {listener.holder for listener in self._listeners}
        gone = holders - still_welcome(holders) if holders else set()
        with self._lock:
            for listener in self._listeners:
                if listener.holder in gone:
                    listener.loop.call_soon_threadsafe(_close, listener)

    def publish(self, batch: Batch) -> None:
        """Hand a batch to every client that it concerns."""
        with self._lock:
            self._place = batch.place
            for listener in self._listeners:
                event = batch.event(listener.wanted, self._directory)
                if event is not None:
                    listener.loop.call_soon_threadsafe(_offer, listener, event, batch.place)

    def end(self) -> None:
        """End every stream: the server stops."""
        with self._lock:
            self._ended = True
            for listener in self._listeners:
                listener.loop.call_soon_threadsafe(_close, listener)


async def stream(listener: Listener) -> AsyncIterator[bytes]:
    """Yield a client's events, with signs of life between them."""
    while True:
        try:
            event = await asyncio.wait_for(listener.queue.get(), PING_SECONDS)
        except TimeoutError:
            yield PING
            continue
        if event is None:
            return
        listener.size -= len(event)
        yield event


def reset(place: Place) -> bytes:
    """Return the event that says: something was missed, read everything anew."""
    return encode("reset", place, {})


def _offer(listener: Listener, event: bytes, place: Place) -> None:
    too_many = listener.queue.full() or listener.size + len(event) > QUEUED_BYTES
    if too_many and not listener.queue.empty():
        while not listener.queue.empty():
            listener.queue.get_nowait()
        listener.size = 0
        event = reset(place)
    listener.size += len(event)
    listener.queue.put_nowait(event)


def _close(listener: Listener) -> None:
    if listener.queue.full():
        listener.queue.get_nowait()
    listener.queue.put_nowait(None)
