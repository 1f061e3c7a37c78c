"""What waits for a listener is bounded: by events, and by their bytes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from backfill.api.live import hub
from backfill.api.live.batches import Wanted
from backfill.api.live.hub import Listener, stream
from backfill.lifecycle.access import Holder
from backfill.roles import Role
from backfill.storage.queries.feed import Place

PLACE = Place(7, 9)


def heard(offer: Callable[[Listener], None], events: int) -> list[bytes]:
    """Return the next events of a listener that was offered some."""

    async def listen() -> list[bytes]:
        loop = asyncio.get_running_loop()
        listener = Listener(Holder("local", Role.ADMIN), Wanted(), loop)
        offer(listener)
        stream_of_it = stream(listener)
        found = [await anext(stream_of_it) for _ in range(events)]
        assert listener.queue.empty()
        assert listener.size == 0
        return found

    return asyncio.run(listen())


def test_what_is_small_waits_in_its_order() -> None:
    events = [b"one", b"two", b"three"]

    def offer(listener: Listener) -> None:
        for event in events:
            hub._offer(listener, event, PLACE)

    assert heard(offer, 3) == events


@pytest.mark.parametrize(("count", "size"), [(3, 40), (2, 70)])
def test_who_falls_behind_by_bytes_is_told_to_read_anew(
    monkeypatch: pytest.MonkeyPatch, count: int, size: int
) -> None:
    monkeypatch.setattr(hub, "QUEUED_BYTES", 100)

    def offer(listener: Listener) -> None:
        for _ in range(count):
            hub._offer(listener, b"x" * size, PLACE)
        hub._offer(listener, b"next", PLACE)

    reset, after = heard(offer, 2)
    assert reset == hub.reset(PLACE)
    assert b"7-9" in reset
    assert after == b"next", "it goes on from there"


def test_who_falls_behind_by_events_is_told_to_read_anew() -> None:
    def offer(listener: Listener) -> None:
        for _ in range(hub.QUEUED + 1):
            hub._offer(listener, b"x", PLACE)

    assert heard(offer, 1) == [hub.reset(PLACE)]


def test_one_event_that_is_larger_than_the_bound_is_sent_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hub, "QUEUED_BYTES", 100)
    assert heard(lambda one: hub._offer(one, b"x" * 500, PLACE), 1) == [b"x" * 500]
