"""Errors as problem documents: one handler for every kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DBAPIError, InterfaceError, TimeoutError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backfill.errors import BackfillError, Invalid, NotFound, Unavailable
from backfill.schemas.base import Problem
from backfill.storage.database import is_transient

log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"
RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {
        "description": description,
        "model": Problem,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for status, description in {
        401: "No token, or one that is not valid.",
        403: "The token's role, or the origin of the request, does not allow this.",
        404: "The named thing does not exist.",
        409: "The thing is not in a state that allows this.",
        413: "The body is too large.",
        429: "Too many wrong tokens came from this address lately.",
        422: "The request makes no sense as it is.",
        503: "The database or the definitions cannot be reached now.",
    }.items()
}


class InternalError(BackfillError):
    """Something unexpected; the log says what."""

    code = "internal_error"


class MethodNotAllowed(BackfillError):
    """The path exists, the method does not."""

    status = 405
    code = "method_not_allowed"


class BodyTooLarge(BackfillError):
    """The body is larger than is taken."""

    status = 413
    code = "body_too_large"


def install(app: FastAPI) -> None:
    """Answer every error of the app with a problem document."""
    app.add_middleware(_Unexpected)
    for kind in (BackfillError, RequestValidationError, HTTPException, DBAPIError, TimeoutError):
        app.add_exception_handler(kind, _handle)


class _Unexpected:
    """Answers errors that nobody foresaw, inside the middleware that adds headers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:
            if started or scope["type"] != "http":
                raise
            await _handle(Request(scope), error)(scope, receive, send)


def as_problem(error: BackfillError) -> dict[str, Any]:
    """Return the document of an error."""
    facts: dict[str, Any] = jsonable_encoder(error.facts)
    return {**facts, "code": error.code, "detail": error.detail}


def respond(error: BackfillError) -> JSONResponse:
    """Return the answer to an error."""
    headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else None
    return JSONResponse(
        as_problem(error), status_code=error.status, media_type=MEDIA_TYPE, headers=headers
    )


def _handle(request: Request, error: Exception) -> JSONResponse:
    known = _known(request, error)
    if known.status >= 500:
        log.error(
            "request.failed",
            method=request.method,
            path=request.url.path,
            code=known.code,
            error=f"{type(error).__name__}: {error}"[:500],
            exc_info=error if isinstance(known, InternalError) else None,
        )
    return respond(known)


def _known(request: Request, error: Exception) -> BackfillError:
    if isinstance(error, BackfillError):
        return error
    if isinstance(error, RequestValidationError):
        return _invalid(error.errors())
    if isinstance(error, HTTPException):
        return _http(request, error)
    if isinstance(error, TimeoutError | InterfaceError) or (
        isinstance(error, DBAPIError) and is_transient(error)
    ):
        return Unavailable("The database cannot be reached now. Try again in a moment.")
    return InternalError("Something went wrong here; the API's log says what.")


def _http(request: Request, error: HTTPException) -> BackfillError:
    path = request.url.path
    if isinstance(error.__cause__, BackfillError):
        return error.__cause__
    if error.status_code == 404:
        return NotFound(f"There is nothing at {path}. The routes are listed at /docs.")
    if error.status_code == 405:
        return MethodNotAllowed(f"{request.method} is not possible at {path}.")
    known = Invalid if error.status_code < 500 else InternalError
    return known(str(error.detail))


def _invalid(errors: Sequence[Any]) -> Invalid:
    told = [{"path": _path(error["loc"]), "message": _sentence(error)} for error in errors[:20]]
    first = told[0]
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    where = f"{first['path']}: " if first["path"] else ""
    return Invalid(f"{where}{first['message']}{more}", errors=told)


def _path(loc: Sequence[str | int]) -> str:
    """Return where in the request something is; the body's fields need no prefix."""
    parts = list(loc[1:]) if loc and loc[0] in {"body", "query", "path", "header"} else list(loc)
    return ".".join(str(part) for part in parts)


def _sentence(error: Any) -> str:
    if error["type"] == "extra_forbidden":
        return "there is no such field"
    if error["type"] == "json_invalid":
        return "the body is not valid JSON"
    return str(error["msg"]).removeprefix("Value error, ")
