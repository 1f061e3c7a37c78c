"""What every request passes: size limit, origin and host checks, security headers."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backfill.api.problems import BodyTooLarge, respond
from backfill.errors import BackfillError, Forbidden, Invalid

MAX_BODY_BYTES = 4 * 1024 * 1024
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_CSP = (
    "default-src 'self'; img-src 'self' data:; style-src 'self'; script-src 'self'; "
    "connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _CSP,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class SecurityHeaders:
    """Adds the headers that keep browsers from interpreting what users wrote."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                if scope["path"].startswith("/api/"):
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, receive, send_with_headers)


class Guard:
    """Refuses what another web page makes a browser send, huge bodies and NUL characters."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        problem = _problem(scope, headers)
        if problem is not None:
            await respond(problem)(scope, receive, send)
            return
        await self._app(scope, _Limited(receive), send)


def _problem(scope: Scope, headers: Headers) -> BackfillError | None:
    if b"%00" in scope["query_string"] or "\0" in scope["path"]:
        return Invalid("The address holds a NUL character, which nothing here can be named with.")
    if scope["method"] not in SAFE_METHODS and _is_foreign(headers):
        return Forbidden("This request comes from another web page.")
    declared = headers.get("content-length", "0")
    if not declared.isdecimal() or len(declared) > 20 or int(declared) > MAX_BODY_BYTES:
        return _too_large()
    return None


class _Limited:
    """Counts what is received; a body without a declared length is cut off when too large."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._seen = 0

    async def __call__(self) -> Message:
        message = await self._receive()
        self._seen += len(message.get("body", b""))
        if self._seen > MAX_BODY_BYTES:
            raise _too_large()
        return message


def is_loopback(host: str) -> bool:
    """Say whether a host name or address means this machine only."""
    if host.rstrip(".").lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def hostname(host: str) -> str:
    """Return the name of a Host header without its port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _is_foreign(headers: Headers) -> bool:
    """Say whether another site's page made the browser send this."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in {"none", "same-origin"}
    origin = headers.get("origin")
    if origin is None:
        return False
    return origin.rpartition("://")[2].lower() != headers.get("host", "").lower()


def _too_large() -> BodyTooLarge:
    return BodyTooLarge(f"The body is larger than {MAX_BODY_BYTES // 1024 // 1024} MiB.")
