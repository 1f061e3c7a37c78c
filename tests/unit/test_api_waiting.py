"""Requests that wait for their answers are counted, and others step aside for them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from backfill.api import waiting as module
from backfill.api.waiting import Counted, Waiting

REQUEST: Scope = {"type": "http"}


class Steps:
    """An application that says how many wait when it begins, answers and streams on."""

    def __init__(self, waiting: Waiting, *, fails: bool = False) -> None:
        self.waiting = waiting
        self.fails = fails
        self.seen: list[int] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.seen.append(self.waiting._count)
        if self.fails:
            raise ValueError("no answer")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        self.seen.append(self.waiting._count)
        await send({"type": "http.response.body", "body": b""})


async def _receive() -> Message:
    return {"type": "http.request"}


async def _send(message: Message) -> None:
    pass


def test_a_request_waits_until_its_answer_begins() -> None:
    waiting = Waiting()
    steps = Steps(waiting)
    asyncio.run(Counted(steps, waiting)(REQUEST, _receive, _send))
    assert steps.seen == [1, 0]
    assert waiting._count == 0


def test_a_request_that_fails_waits_no_longer() -> None:
    waiting = Waiting()
    with pytest.raises(ValueError, match="no answer"):
        asyncio.run(Counted(Steps(waiting, fails=True), waiting)(REQUEST, _receive, _send))
    assert waiting._count == 0


def test_other_work_steps_aside_only_for_requests_and_not_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waiting, naps, clock = Waiting(), [0.0], [100.0]

    def nap(seconds: float) -> None:
        naps.append(seconds)
        clock[0] += seconds

    class Time:
        sleep = staticmethod(nap)

        @staticmethod
        def monotonic() -> float:
            return clock[0]

    monkeypatch.setattr(module, "time", Time)
    waiting.give_way()
    assert naps == [0.0], "nobody waits"
    with waiting:
        waiting.give_way()
    assert sum(naps) == pytest.approx(module.GIVEN_SECONDS, abs=2 * module.LOOK_SECONDS)


def test_it_goes_on_when_the_last_request_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = Waiting()
    naps: list[Any] = []

    class Time:
        @staticmethod
        def sleep(seconds: float) -> None:
            naps.append(seconds)
            waiting.__exit__()

        @staticmethod
        def monotonic() -> float:
            return 0.0

    monkeypatch.setattr(module, "time", Time)
    waiting.__enter__()
    waiting.give_way()
    assert len(naps) == 1
