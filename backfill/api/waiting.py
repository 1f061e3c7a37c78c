"""How many requests wait for their answers: what nobody waits for steps aside meanwhile."""

from __future__ import annotations

import time
from contextlib import ExitStack

from starlette.types import ASGIApp, Message, Receive, Scope, Send

GIVEN_SECONDS = 0.03
LOOK_SECONDS = 0.005


class Waiting:
    """Requests of this process whose answers have not begun; streams have after their start.

    Changed by the event loop, read by other threads.
    """

    def __init__(self) -> None:
        self._count = 0

    def __enter__(self) -> None:
        self._count += 1

    def __exit__(self, *_: object) -> None:
        self._count -= 1

    def give_way(self) -> None:
        """Leave the interpreter to requests, where there are any, for a few hundredths at most."""
        until = time.monotonic() + GIVEN_SECONDS
        while self._count and time.monotonic() < until:
            time.sleep(LOOK_SECONDS)


class Counted:
    """Counts requests until their answers begin."""

    def __init__(self, app: ASGIApp, waiting: Waiting) -> None:
        self._app = app
        self._waiting = waiting

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        with ExitStack() as counted:
            counted.enter_context(self._waiting)

            async def sending(message: Message) -> None:
                counted.close()
                await send(message)

            await self._app(scope, receive, sending)
