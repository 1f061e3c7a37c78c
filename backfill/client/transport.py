"""Requests to the API: retried where that is safe, their errors raised as classes."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx

from backfill.errors import (
    BackfillError,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Unauthorized,
    Unavailable,
)

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 2.0
CONNECT_SECONDS = 5.0
_BY_STATUS: Mapping[int, type[BackfillError]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    503: Unavailable,
}
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


class Unreachable(Unavailable):
    """Nothing answers at the API's address."""

    code = "unreachable"


class Transport:
    """One connection pool to one API.

    Args:
        retries: How often a request is sent again when the connection fails; one that may have
            arrived only when sending it twice does no harm.
        http: A client to use in place of one of our own; tests give one.
    """

    def __init__(
        self,
        url: str,
        token: str | None,
        *,
        timeout_seconds: float,
        retries: int,
        http: httpx.Client | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self.retries = retries
        headers = {"Accept": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        self._headers = headers
        self._http = http or httpx.Client(
            timeout=httpx.Timeout(timeout_seconds, connect=CONNECT_SECONDS),
            trust_env=urlsplit(url).hostname not in _LOOPBACK,
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> Any:
        """Send a request and return the answer's JSON.

        Raises:
            Unreachable: Nothing answers, after the retries.
            BackfillError: The API's own error, by class.
        """
        headers = {**self._headers}
        if idempotency_key is not None:
            headers["Idempotency-Key"] = idempotency_key
        request = self._http.build_request(
            method,
            f"{self.url}/api/v1{path}",
            params=_given(params),
            json=body,
            headers=headers,
        )
        answer = self._send(request, safe=method == "GET" or idempotency_key is not None)
        if answer.is_success:
            return answer.json() if answer.content else None
        raise error_of(answer.status_code, answer.text, _json(answer))

    @contextmanager
    def stream(
        self,
        path: str,
        *,
        params: Mapping[str, Any],
        headers: Mapping[str, str],
        idle: float,
        body: Mapping[str, Any] | None = None,
    ) -> Iterator[httpx.Response]:
        """Open an answer that goes on, of a GET or, with a body, of a POST.

        Args:
            idle: The longest silence, in seconds.
        """
        with self._http.stream(
            "GET" if body is None else "POST",
            f"{self.url}/api/v1{path}",
            params=_given(params),
            json=body,
            headers={**self._headers, **headers},
            timeout=httpx.Timeout(CONNECT_SECONDS, read=idle),
        ) as answer:
            if not answer.is_success:
                answer.read()
                raise error_of(answer.status_code, answer.text, _json(answer))
            yield answer

    def _send(self, request: httpx.Request, *, safe: bool) -> httpx.Response:
        for attempt in range(self.retries + 1):
            last = attempt == self.retries
            try:
                answer = self._http.send(request)
            except httpx.TransportError as error:
                if last or not (safe or isinstance(error, httpx.ConnectError)):
                    raise self.unreachable(error) from error
            else:
                if answer.status_code != 503 or last or not safe:
                    return answer
            pause = min(FIRST_PAUSE_SECONDS * 2**attempt, LONGEST_PAUSE_SECONDS)
            time.sleep(pause * random.uniform(0.5, 1.0))
        raise AssertionError("unreachable")

    def unreachable(self, error: Exception) -> Unreachable:
        """Return the error that says that nothing answers, and what to do."""
        why = str(error) or type(error).__name__
        return Unreachable(
            f"The API at {self.url} cannot be reached ({why}). Start everything on this machine "
            "with `backfill dev`, or set BACKFILL_API_URL to where it runs.",
            url=self.url,
        )


def error_of(status: int, text: str, problem: Any) -> BackfillError:
    """Return the error an answer stands for: by its code, else by its status."""
    if not isinstance(problem, dict) or not isinstance(problem.get("detail"), str):
        return _kind(status, "")(f"The API answered {status}: {text[:200]}")
    facts = {k: v for k, v in problem.items() if k not in {"code", "detail"} and k.isidentifier()}
    return _kind(status, str(problem.get("code", "")))(problem["detail"], **facts)


def _kind(status: int, code: str) -> type[BackfillError]:
    waiting: list[type[BackfillError]] = [BackfillError]
    while waiting:
        known = waiting.pop()
        if known.code == code:
            return known
        waiting += known.__subclasses__()
    if 400 <= status < 500:
        return _BY_STATUS.get(status, Invalid)
    return _BY_STATUS.get(status, BackfillError)


def _json(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return None


def _given(params: Mapping[str, Any] | None) -> dict[str, Any]:
    return {k: v for k, v in (params or {}).items() if v is not None}
