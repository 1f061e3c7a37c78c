"""Entity tags: an answer that did not change since it was last asked for is not sent again."""

from __future__ import annotations

import hashlib

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class EntityTags:
    """Tags every JSON answer to a GET; answers 304 when the client has it already."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        known = Headers(scope=scope).get("if-none-match", "")
        await self._app(scope, receive, _Tagging(send, known))


class _Tagging:
    """Holds the start of an answer back until its body, which comes whole, is tagged."""

    def __init__(self, send: Send, known: str) -> None:
        self._send = send
        self._known = {tag.strip().removeprefix("W/") for tag in known.split(",")}
        self._start: Message | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _is_tagged(message):
            self._start = message
            return
        if self._start is None or message["type"] != "http.response.body":
            await self._send(message)
            return
        start, self._start = self._start, None
        if not message.get("more_body", False):
            message = self._tag(start, message)
        await self._send(start)
        await self._send(message)

    def _tag(self, start: Message, message: Message) -> Message:
        digest = hashlib.sha256(message.get("body", b"")).hexdigest()[:32]
        headers = MutableHeaders(scope=start)
        headers["ETag"] = f'W/"{digest}"'
        if f'"{digest}"' not in self._known:
            return message
        start["status"] = 304
        del headers["content-length"]
        return {**message, "body": b""}


def _is_tagged(start: Message) -> bool:
    kind = Headers(raw=start["headers"]).get("content-type", "")
    return start["status"] == 200 and kind.startswith("application/json")
