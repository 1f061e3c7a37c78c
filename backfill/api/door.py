"""The door: who is asking, and may they. Every route of the API lies behind it."""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import threading
import time
from collections import deque
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Annotated, Any, ClassVar, TypeVar

from fastapi import Request, Security
from fastapi.concurrency import run_in_threadpool
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy.exc import DBAPIError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backfill.api.guarding import SAFE_METHODS, hostname, is_loopback
from backfill.errors import BackfillError, Forbidden, Invalid, Unauthorized
from backfill.lifecycle import access
from backfill.lifecycle.access import Holder
from backfill.roles import Role
from backfill.settings import Settings
from backfill.storage.database import Database

COOKIE = "backfill_session"
CSRF_HEADER = "x-csrf-token"
FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")
LOCAL = Holder("local", Role.ADMIN)
MAX_FAILURES = 30
FAILURE_SECONDS = 60.0
LOOK_SECONDS = 1.0  # how long the first token may go unnoticed
AHEAD_SECONDS = 0.5  # looked for this long before that, nobody has to wait for it

_bearer = HTTPBearer(auto_error=False, description="A token, from `backfill tokens create`.")
_cookie = APIKeyCookie(name=COOKIE, auto_error=False, description="From POST /api/v1/session.")

F = TypeVar("F", bound=Callable[..., Any])


class TooManyAttempts(BackfillError):
    """Too many wrong tokens came from this address lately."""

    status: ClassVar[int] = 429
    code: ClassVar[str] = "too_many_attempts"


def needs(role: Role) -> Callable[[F], F]:
    """Say which role a route needs; else it is viewer to read and operator to change."""

    def mark(endpoint: F) -> F:
        endpoint.needed_role = role  # type: ignore[attr-defined]
        return endpoint

    return mark


class Door:
    """Knows everybody who may come in."""

    def __init__(self, settings: Settings, db: Database) -> None:
        self._settings = settings
        self._db = db
        self._local = is_loopback(settings.host)
        self._proxies = _networks(settings)
        self._tokens_exist = False
        self._look_at = 0.0
        self._looking: asyncio.Task[None] | None = None
        self._failures = _Failures()

    def is_open(self) -> bool:
        """Say whether nobody has to log in: only this machine can ask, and no token was made."""
        if not self._local or self._settings.sso_header:
            return False
        if not self._tokens_exist and time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + LOOK_SECONDS
            self._look_for_tokens()
        return not self._tokens_exist

    def holder_at_once(self, request: Request) -> Holder | None:
        """Return who is asking while nobody has to log in; None when the database must be asked.

        Raises:
            Forbidden: Others may be asking: by a foreign name, or through a proxy.
        """
        sure = self._local and not self._settings.sso_header and not self._tokens_exist
        return _local_holder(request) if sure and time.monotonic() < self._look_at else None

    def look_ahead(self) -> None:
        """Begin to look for tokens where that will be due soon; called in the event loop."""
        due = time.monotonic() >= self._look_at - AHEAD_SECONDS
        if due and (self._looking is None or self._looking.done()):
            self._looking = asyncio.create_task(run_in_threadpool(self._look))

    def _look(self) -> None:
        began = time.monotonic()
        with suppress(DBAPIError):  # whoever comes when it is due is told
            self._look_for_tokens()
            self._look_at = began + LOOK_SECONDS

    def _look_for_tokens(self) -> None:
        """Note that there are some; what `close` notes meanwhile stays."""
        if access.any_token(self._db):
            self._tokens_exist = True

    def close(self) -> None:
        """Ask everybody for a token from now on: one was made here."""
        self._tokens_exist = True

    def require_safe(self) -> None:
        """Raise Invalid when others can reach an API that nobody could log in to."""
        if not self._local and not self._settings.sso_header and not access.any_token(self._db):
            raise Invalid(
                f"BACKFILL_HOST={self._settings.host} can be reached from elsewhere, and there is "
                "no token to log in with. Make one first: backfill tokens create NAME "
                "--role admin --local. Or bind it to 127.0.0.1."
            )

    def holder(self, request: Request, token: str | None, session: str | None) -> Holder:
        """Return who is asking.

        Raises:
            Unauthorized: Nobody known, or a token that is not valid.
            Forbidden: A change by a session without its CSRF token, or under a foreign name.
            TooManyAttempts: This address tried too many wrong tokens lately.
        """
        if self.is_open():
            return _local_holder(request)
        if named := self._named_by_proxy(request):
            return named
        if token is not None:
            return self.holder_of_token(request, token)
        if session is not None:
            return self._holder_of_session(request, session)
        raise Unauthorized(
            "This API asks for a token: send it as Authorization: Bearer TOKEN, or log in with "
            "`backfill login`."
        )

    def still_welcome(self, holders: Collection[Holder]) -> set[Holder]:
        """Return those who would still be let in: their token was neither revoked nor expired."""
        with_token = {holder for holder in holders if holder.token_id is not None}
        welcome = access.still_valid(self._db, with_token) if with_token else set()
        if LOCAL in holders and self.is_open():
            welcome.add(LOCAL)
        return welcome | (set(holders) - with_token - {LOCAL})

    def holder_of_token(self, request: Request, token: str) -> Holder:
        """Return who holds a token."""
        holder = access.holder_of_token(self._db, token)
        if holder is None:
            # Who shares an address with a guesser, behind a proxy say, is not locked out.
            address = _address(request)
            self._failures.check(address)
            self._failures.add(address)
            raise Unauthorized("The token is not valid: unknown, revoked or expired.")
        return holder

    def _holder_of_session(self, request: Request, session: str) -> Holder:
        holder = access.holder_of_session(self._db, session)
        if holder is None:
            raise Unauthorized("The session has ended. Log in again.")
        if request.method not in SAFE_METHODS:
            given = request.headers.get(CSRF_HEADER, "")
            if not hmac.compare_digest(given.encode(), access.csrf_token(session).encode()):
                raise Forbidden(f"A change by a browser session needs its {CSRF_HEADER} header.")
        return holder

    def _named_by_proxy(self, request: Request) -> Holder | None:
        if not self._settings.sso_header:
            return None
        names = request.headers.getlist(self._settings.sso_header)
        address = _address(request)
        if not any(names) or address is None:
            return None
        try:
            peer = ipaddress.ip_address(address)
        except ValueError:
            return None
        if not any(peer in network for network in self._proxies):
            return None
        if len(names) > 1:  # the proxy let one through that somebody sent it
            raise Unauthorized(
                f"{self._settings.sso_header} came more than once: let the proxy replace what it "
                "is sent."
            )
        return Holder(names[0][:200], self._settings.sso_role)


def _local_holder(request: Request) -> Holder:
    """Return who asks while nobody has to log in.

    Raises:
        Forbidden: Others may be asking: by a foreign name, or through a proxy on this machine.
    """
    if not is_loopback(hostname(request.headers.get("host", ""))):
        raise Forbidden("Without tokens this API answers only under a name of this machine.")
    if any(name in request.headers for name in FORWARDED):
        raise Forbidden(
            "This came through a proxy, so others may reach this API. Make a token first: "
            "backfill tokens create NAME --role admin --local."
        )
    return LOCAL


async def authorize(
    request: Request,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)] = None,
    session: Annotated[str | None, Security(_cookie)] = None,
) -> None:
    """Let a request in, or refuse it; one that may change something is recorded first."""
    context = request.app.state.context
    door: Door = context.door
    holder = door.holder_at_once(request)
    if holder is None:
        token = bearer.credentials if bearer else None
        holder = await run_in_threadpool(door.holder, request, token, session)
    else:
        door.look_ahead()
    needed = _needed(request)
    if not holder.role.allows(needed):
        raise Forbidden(f'"{holder.name}" has the role {holder.role}; this needs {needed}.')
    request.state.holder = holder
    if request.method not in SAFE_METHODS and needed is not Role.VIEWER:
        await run_in_threadpool(record, request, holder)


def record(request: Request, holder: Holder) -> None:
    """Record that somebody is about to change something; `Audit` adds how it was answered."""
    request.state.audit_id = access.note_request(
        request.app.state.context.db,
        holder,
        method=request.method,
        path=request.url.path[:1000],
        address=_address(request),
    )


class Audit:
    """Adds to the record of a request how it was answered."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answered = 0

        async def noting(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = message["status"]
                record = scope.get("state", {}).get("audit_id")
                if record is not None:
                    db = scope["app"].state.context.db
                    await run_in_threadpool(access.note_answer, db, record, answered)
            await send(message)

        await self._app(scope, receive, noting)


class _Failures:
    """Counts wrong tokens per address over a minute."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._times: dict[str, deque[float]] = {}

    def check(self, address: str | None) -> None:
        with self._lock:
            if len(self._recent(address or "")) >= MAX_FAILURES:
                raise TooManyAttempts("Too many wrong tokens. Try again in a minute.")

    def add(self, address: str | None) -> None:
        with self._lock:
            if len(self._times) > 10_000:
                self._times.clear()
            self._times.setdefault(address or "", deque()).append(time.monotonic())

    def _recent(self, address: str) -> deque[float]:
        times = self._times.get(address, deque())
        while times and times[0] < time.monotonic() - FAILURE_SECONDS:
            times.popleft()
        return times


def _needed(request: Request) -> Role:
    endpoint = request.scope.get("endpoint")
    marked = getattr(endpoint, "needed_role", None)
    if isinstance(marked, Role):
        return marked
    return Role.VIEWER if request.method in SAFE_METHODS else Role.OPERATOR


def _address(request: Request) -> str | None:
    return request.client.host if request.client else None


def _networks(
    settings: Settings,
) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    given = [part.strip() for part in settings.sso_proxies.split(",") if part.strip()]
    if settings.sso_header and not given:
        raise Invalid(
            "BACKFILL_SSO_HEADER needs BACKFILL_SSO_PROXIES: the addresses of the proxies that "
            "may set it. Anybody could name themselves otherwise."
        )
    try:
        return [ipaddress.ip_network(part) for part in given]
    except ValueError as error:
        raise Invalid(f"BACKFILL_SSO_PROXIES is not a list of addresses: {error}.") from None
