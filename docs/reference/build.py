"""Writes cli.md, api.md and settings.md from the code: `python docs/reference/build.py`.

A test fails when a page is not what this writes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from fastapi import FastAPI
from typer.core import TyperGroup
from typer.main import get_command

from backfill.api.app import create_app
from backfill.api.problems import RESPONSES
from backfill.cli.app import app as cli
from backfill.settings import Settings

HERE = Path(__file__).parent
MADE = "<!-- Made by docs/reference/build.py from the code. -->"


def pages() -> Mapping[str, Callable[[], str]]:
    """Return what makes each page, by its file's name."""
    return {"cli.md": cli_page, "api.md": api_page, "settings.md": settings_page}


# -- the command line -------------------------------------------------------------------------


def cli_page() -> str:
    """Return the page of commands."""
    tree = get_command(cli)
    lines = [
        "# Commands",
        MADE,
        "",
        "Commands ask the API (`--url`, `BACKFILL_API_URL`, or the `backfill dev` that runs in "
        "this folder) and format its answer; `--json` prints the answer itself. Errors are one "
        "line on stderr. Exit status: 0, 1 for an error or a backfill or run that did not "
        "succeed, 2 for wrong usage.",
        "",
        "Before the command: `--url URL`, `--token TOKEN`.",
    ]
    for name, command in _commands(cast(TyperGroup, tree), ""):
        lines += ["", *_command(name, command)]
    return "\n".join(lines) + "\n"


def _commands(group: TyperGroup, prefix: str) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from _commands(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command


def _command(name: str, command: Any) -> Iterator[str]:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option" and not p.hidden]
    words = " ".join(_argument(p) for p in arguments)
    yield f"## `backfill {name}{' ' + words if words else ''}`"
    yield ""
    yield _paragraph(command.help)
    rows = [(f"`{', '.join([*p.opts, *p.secondary_opts])}`", _help(p)) for p in options]
    if rows:
        yield ""
        yield from _table(("Option", "Meaning"), rows)


def _argument(parameter: Any) -> str:
    name = parameter.metavar or parameter.name.upper()
    return name if parameter.required else f"[{name}]"


def _help(parameter: Any) -> str:
    words = _paragraph(parameter.help or "")
    default = parameter.default
    if isinstance(default, bool) or default in (None, "") or callable(default):
        return words
    return f"{words} Default: {default}."


# -- the API ----------------------------------------------------------------------------------


def api_page() -> str:
    """Return the page of routes."""
    document = _openapi()
    lines = [
        "# REST API",
        MADE,
        "",
        "Routes lie under `/api/v1`; the OpenAPI document is at `/api/v1/openapi.json`, a page "
        "of it at `/docs`. Ids are strings, times ISO 8601 in UTC. A list answers "
        "`{items, next}`: hand `next` back as `cursor` for the following page. A body with an "
        "unknown field is refused. Every error is a problem document, "
        '`{"code": "not_found", "detail": "…"}`, with further fields where they help:',
        "",
        *_table(
            ("Status", "When"),
            [(str(status), answer["description"]) for status, answer in RESPONSES.items()],
        ),
    ]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            lines += ["", *_route(method, path, operation)]
    lines += ["", "# Documents"]
    for name, schema in sorted(document["components"]["schemas"].items()):
        lines += ["", *_schema(name, schema)]
    return "\n".join(lines) + "\n"


def _openapi() -> dict[str, Any]:
    nothing: Any = None
    app: FastAPI = create_app(Settings(), nothing, nothing)
    return app.openapi()


def _route(method: str, path: str, operation: Mapping[str, Any]) -> Iterator[str]:
    yield f"## `{method.upper()} {path}`"
    yield ""
    yield _paragraph(operation.get("description") or operation["summary"])
    rows = [
        (f"`{p['name']}`", p["in"], _type(p["schema"]), _paragraph(p.get("description", "")))
        for p in operation.get("parameters", ())
    ]
    if rows:
        yield ""
        yield from _table(("Parameter", "In", "Type", "Meaning"), rows)
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if body:
        yield ""
        yield f"Body: {_type(body['schema'])}."
    answers = []
    for status, answer in operation["responses"].items():
        content = next(iter(answer.get("content", {"": {}}).values()))
        shown = _type(content["schema"]) if content.get("schema") else ""
        if status < "300" and shown:
            answers.append(f"{status} {shown}")
    yield ""
    yield f"Answers: {'; '.join(answers) or 'a stream of events'}."


def _schema(name: str, schema: Mapping[str, Any]) -> Iterator[str]:
    yield f"## {_label(name)}"
    if words := schema.get("description"):
        yield ""
        yield _paragraph(words)
    if values := schema.get("enum"):
        yield ""
        yield "One of " + ", ".join(f"`{value}`" for value in values) + "."
    required = set(schema.get("required", ()))
    rows = [
        (
            f"`{field}`",
            _type(told),
            "yes" if field in required else "",
            _paragraph(told.get("description", "")),
        )
        for field, told in schema.get("properties", {}).items()
    ]
    if rows:
        yield ""
        yield from _table(("Field", "Type", "Always", "Meaning"), rows)


def _type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return f"[{_label(name)}](#{_anchor(_label(name))})"
    if "anyOf" in schema:
        return " or ".join(_type(option) for option in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    kind = str(schema.get("format") or schema.get("type") or "anything")
    default = schema.get("default")
    return f"{kind} = {default}" if default not in (None, "", [], {}) else kind


def _label(name: str) -> str:
    return name.replace("_", " ").strip()


def _anchor(label: str) -> str:
    return label.lower().replace(" ", "-")


# -- settings ---------------------------------------------------------------------------------


def settings_page() -> str:
    """Return the page of settings."""
    rows = [
        (f"`BACKFILL_{name.upper()}`", _default(field.default), _paragraph(field.description or ""))
        for name, field in Settings.model_fields.items()
    ]
    lines = [
        "# Settings",
        MADE,
        "",
        "Every program reads its settings from the environment when it starts. With none set, "
        "everything runs embedded, in the folder `.backfill`.",
        "",
        *_table(("Variable", "Default", "Meaning"), rows),
        "",
        "Logs: `BACKFILL_LOG_LEVEL` (`info`); with `BACKFILL_LOG_JSON=1` a JSON object per line.",
    ]
    return "\n".join(lines) + "\n"


def _default(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return f"`{value}`" if str(value) else ""


# -- markdown ---------------------------------------------------------------------------------


def _table(headers: tuple[str, ...], rows: list[tuple[str, ...]]) -> Iterator[str]:
    yield "| " + " | ".join(headers) + " |"
    yield "|" + " --- |" * len(headers)
    for row in rows:
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"


def _paragraph(text: str) -> str:
    return " ".join(text.split())


def main() -> int:
    """Write the pages, or with `--check` say which of them are old."""
    old = []
    for name, make in pages().items():
        page, file = make(), HERE / name
        if not file.exists() or file.read_text() != page:
            old.append(name)
            if "--check" not in sys.argv:
                file.write_text(page)
    sys.stdout.write("".join(f"{name}\n" for name in old))
    return int("--check" in sys.argv and bool(old))


if __name__ == "__main__":
    sys.exit(main())
