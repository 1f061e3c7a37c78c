"""The web app's files: hashed ones for good, one page for every address that a person opens."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
import secrets
from dataclasses import dataclass
from pathlib import Path

from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

DIST = Path(__file__).resolve().parents[1] / "web" / "dist"
NONCE = b"__STYLE_NONCE__"
FOREVER = "public, max-age=31536000, immutable"
COMPRESSED_FROM_BYTES = 1_000
_NOT_BUILT = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Backfill</title>
<h1>The web app is not built here</h1>
<p>This is a source tree whose browser part was not built yet. Run <code>make web</code> in it
(without Node on this machine it takes one from PyPI) and load this page again.</p>
<p>The API works: <a href="/docs">its routes</a>.</p></html>
"""


def install(app: FastAPI, dist: Path = DIST) -> None:
    """Serve the web app at every address that no route has."""
    app.router.default = WebApp(dist, app.router.default)


@dataclass(frozen=True)
class File:
    """A file of the built app."""

    body: bytes
    compressed: bytes | None
    kind: str
    tag: str


class WebApp:
    """Answers GETs outside the API; everything else goes on to `otherwise`."""

    def __init__(self, dist: Path, otherwise: ASGIApp) -> None:
        self._dist = dist
        self._otherwise = otherwise
        self._files: dict[str, File] = {}
        self._stamp = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = self._answer(scope) if scope["type"] == "http" else None
        await (answer or self._otherwise)(scope, receive, send)

    def _answer(self, scope: Scope) -> Response | None:
        path: str = scope["path"]
        if scope["method"] not in {"GET", "HEAD"} or path.startswith("/api/") or path == "/api":
            return None
        headers = Headers(scope=scope)
        self._refresh()
        name = path.removeprefix("/")
        if name != "index.html" and (file := self._files.get(name)) is not None:
            return _file(file, headers, forever=name.startswith("assets/"))
        if name.startswith("assets/") or "text/html" not in headers.get("accept", ""):
            return None
        index = self._files.get("index.html")
        return _page(index.body) if index else Response(_NOT_BUILT, 503, media_type="text/html")

    def _refresh(self) -> None:
        """Read the files again when they were built anew."""
        try:
            stamp = (self._dist / "index.html").stat().st_mtime_ns
        except OSError:
            self._files, self._stamp = {}, 0
            return
        if stamp != self._stamp:
            self._files, self._stamp = _read(self._dist), stamp


def _read(dist: Path) -> dict[str, File]:
    """Return the files of a folder by their path in it."""
    found = [p for p in dist.rglob("*") if p.is_file() and not p.name.startswith(".")]
    return {p.relative_to(dist).as_posix(): _load(p) for p in found}


def _load(path: Path) -> File:
    body = path.read_bytes()
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    if path.suffix == ".js":
        kind = "text/javascript"
    small = gzip.compress(body, 9, mtime=0) if len(body) >= COMPRESSED_FROM_BYTES else None
    return File(body, small, kind, f'"{hashlib.sha256(body).hexdigest()[:32]}"')


def _file(file: File, asked: Headers, *, forever: bool) -> Response:
    headers = {
        "Cache-Control": FOREVER if forever else "no-cache",
        "ETag": file.tag,
        "Vary": "Accept-Encoding",
    }
    if file.tag in asked.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if file.compressed is not None and "gzip" in asked.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        return Response(file.compressed, headers=headers, media_type=file.kind)
    return Response(file.body, headers=headers, media_type=file.kind)


def _page(index: bytes) -> Response:
    """The page with a nonce of its own, for the style elements that its scripts make."""
    nonce = secrets.token_urlsafe(16)
    policy = (
        f"default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; "
        "img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )
    headers = {"Content-Security-Policy": policy, "Cache-Control": "no-store"}
    body = index.replace(NONCE, nonce.encode())
    return Response(body, headers=headers, media_type="text/html")
