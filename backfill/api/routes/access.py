"""Access: sessions of browsers, tokens, and the record of who changed what."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from backfill.api.context import Actor, Api, Cursor, Holder, Limit, NamePath
from backfill.api.cursors import decode_ints, encode
from backfill.api.door import COOKIE, needs, record
from backfill.errors import Conflict
from backfill.lifecycle import access
from backfill.roles import Role
from backfill.schemas import access as schemas
from backfill.schemas.base import Page
from backfill.storage.queries.access import list_audit, list_tokens

public = APIRouter(tags=["access"])
router = APIRouter(tags=["access"])


@public.post("/session", status_code=201)
def log_in(
    api: Api, request: Request, response: Response, body: schemas.SessionRequest
) -> schemas.Session:
    """Make a browser session of a token: a cookie, and the CSRF token that changes need."""
    if api.door.is_open():
        raise Conflict("Nobody has to log in here: no token was ever made.")
    holder = api.door.holder_of_token(request, body.token)
    record(request, holder)
    secret = access.open_session(api.db, holder)
    response.set_cookie(
        COOKIE,
        secret,
        max_age=access.SESSION_US // 1_000_000,
        httponly=True,
        samesite="strict",
        secure=_is_https(request),
    )
    return schemas.Session(name=holder.name, role=holder.role, csrf_token=access.csrf_token(secret))


@router.get("/session")
def who_am_i(holder: Holder, request: Request) -> schemas.Session:
    """Say who is asking, with which role."""
    secret = request.cookies.get(COOKIE)
    return schemas.Session(
        name=holder.name,
        role=holder.role,
        csrf_token=access.csrf_token(secret) if secret else None,
    )


@router.delete("/session", status_code=204)
@needs(Role.VIEWER)
def log_out(api: Api, request: Request, response: Response) -> None:
    """End the browser session of this cookie."""
    if secret := request.cookies.get(COOKIE):
        access.close_session(api.db, secret)
    response.delete_cookie(COOKIE)


@router.get("/tokens")
@needs(Role.ADMIN)
def get_tokens(api: Api) -> schemas.Tokens:
    """Return every token, without its secret."""
    with api.db.read() as conn:
        found = list_tokens(api.db, conn)
    return schemas.Tokens(items=[schemas.Token.model_validate(view) for view in found])


@router.post("/tokens", status_code=201)
@needs(Role.ADMIN)
def create_token(api: Api, actor: Actor, body: schemas.TokenRequest) -> schemas.NewToken:
    """Make a token; it is shown this once."""
    made = access.create_token(api.db, body.name, body.role, days=body.days, actor=actor)
    api.door.close()
    return schemas.NewToken.model_validate(made)


@router.post("/tokens/{name:path}/revoke", status_code=204)
@needs(Role.ADMIN)
def revoke_token(api: Api, name: NamePath) -> None:
    """Make a token and its sessions invalid at once."""
    access.revoke_token(api.db, name)


@router.get("/audit")
@needs(Role.OPERATOR)
def get_audit(api: Api, cursor: Cursor = None, limit: Limit = 100) -> Page[schemas.AuditEntry]:
    """Return who changed what, newest first."""
    before = None if cursor is None else decode_ints(cursor, 1)[0]
    with api.db.read() as conn:
        page = list_audit(api.db, conn, limit=limit, before=before)
    after = encode(page.items[-1].id) if page.more else None
    items = [schemas.AuditEntry.model_validate(view) for view in page.items]
    return Page[schemas.AuditEntry](items=items, next=after)


def _is_https(request: Request) -> bool:
    """Say whether the browser speaks TLS, perhaps to a proxy: then the cookie must too."""
    origin = request.headers.get("origin", "")
    return request.url.scheme == "https" or origin.startswith("https://")
