"""`/docs`: the routes and documents as one page, made from the OpenAPI document without scripts."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from fastapi import FastAPI
from fastapi.responses import HTMLResponse

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h2 { margin-top: 2.5rem; border-bottom: 1px solid #8886; }
h3 { font: 600 15px/1.5 ui-monospace, monospace; margin: 1.8rem 0 .2rem; }
table { border-collapse: collapse; }
td, th { text-align: left; vertical-align: top; padding: .15rem 1.2rem .15rem 0; }
code { font: 13px ui-monospace, monospace; }
p { margin: .3rem 0; }
.dim { opacity: .7; }
@media (prefers-color-scheme: dark) {
  body { background: #14171c; color: #dde; } a { color: #8bf; }
}
"""
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_CSP = f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; frame-ancestors 'none'"


def install(app: FastAPI) -> None:
    """Serve the page; it is made once."""
    made: list[str] = []

    async def docs() -> HTMLResponse:
        if not made:
            made.append(page(app.openapi()))
        return HTMLResponse(made[0], headers={"Content-Security-Policy": _CSP})

    app.add_api_route("/docs", docs, include_in_schema=False)


def page(document: Mapping[str, Any]) -> str:
    """Return the page of an OpenAPI document."""
    return "\n".join(
        [
            "<!doctype html><html lang='en'><meta charset='utf-8'>",
            f"<title>{escape(document['info']['title'])} API</title><style>{_STYLE}</style>",
            f"<h1>{escape(document['info']['title'])} API</h1>",
            f"<p>{escape(document['info'].get('description', ''))}</p>",
            "<p>As a machine reads it: <a href='/api/v1/openapi.json'>openapi.json</a></p>",
            *_routes(document),
            "<h2>Documents</h2>",
            *_documents(document),
            "</html>",
        ]
    )


def _routes(document: Mapping[str, Any]) -> Iterator[str]:
    by_tag: dict[str, list[tuple[str, str, Mapping[str, Any]]]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            by_tag.setdefault(operation["tags"][0], []).append((method, path, operation))
    for tag, routes in by_tag.items():
        yield f"<h2>{escape(tag.capitalize())}</h2>"
        for method, path, operation in routes:
            yield f"<h3>{method.upper()} {escape(path)}</h3>"
            yield f"<p>{escape(operation.get('description') or operation['summary'])}</p>"
            yield from _parameters(operation)


def _parameters(operation: Mapping[str, Any]) -> Iterator[str]:
    rows = [
        (p["name"], p["in"], _kind(p["schema"]), escape(p.get("description", "")))
        for p in operation.get("parameters", ())
    ]
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if body:
        rows.append(("body", "", _kind(body["schema"]), ""))
    answer = next(iter(operation["responses"].items()))
    shown = next(iter(answer[1].get("content", {"": {}}).values())).get("schema")
    if shown:
        rows.append(("answer", answer[0], _kind(shown), ""))
    yield from _table(rows)


def _documents(document: Mapping[str, Any]) -> Iterator[str]:
    for name, schema in sorted(document["components"]["schemas"].items()):
        yield f"<h3 id='{escape(name)}'>{escape(name)}</h3>"
        yield f"<p>{escape(schema.get('description', ''))}</p>"
        if values := schema.get("enum"):
            yield f"<p>{escape(', '.join(map(str, values)))}</p>"
        required = schema.get("required", ())
        yield from _table(
            [
                (
                    field,
                    "" if field in required else "may be left out",
                    _kind(told),
                    escape(told.get("description", "")),
                )
                for field, told in schema.get("properties", {}).items()
            ]
        )


def _table(rows: list[tuple[str, str, str, str]]) -> Iterator[str]:
    if not rows:
        return
    yield "<table>"
    for name, place, kind, words in rows:
        yield (
            f"<tr><td><code>{escape(name)}</code><td class='dim'>{escape(place)}"
            f"<td>{kind}<td>{words}"
        )
    yield "</table>"


def _kind(schema: Mapping[str, Any]) -> str:
    """Return a type as HTML, documents as links."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rsplit("/", 1)[1])
        return f"<a href='#{name}'>{name}</a>"
    if "anyOf" in schema:
        return " or ".join(_kind(option) for option in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    return escape(str(schema.get("format") or schema.get("type") or "anything"))
