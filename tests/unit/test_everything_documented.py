"""Every route and every command says what it does, with examples and the errors it may answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from typer.core import TyperGroup
from typer.main import get_command
from typer.testing import CliRunner

from backfill.api.app import create_app
from backfill.cli.app import app as cli
from backfill.settings import Settings


def _document() -> dict[str, Any]:
    nothing: Any = None
    return create_app(Settings(), nothing, nothing).openapi()


DOCUMENT = _document()
ROUTES = [
    (f"{method.upper()} {path}", operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
]
OPEN = {"GET /healthz"}


def _commands(group: TyperGroup, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from _commands(command, (*words, name))
        else:
            yield (*words, name)


@pytest.mark.parametrize(("route", "operation"), ROUTES, ids=[route for route, _ in ROUTES])
def test_a_route_says_what_it_does_takes_and_may_refuse(
    route: str, operation: dict[str, Any]
) -> None:
    assert operation["summary"]
    assert operation["description"].split("\n\n")[0].rstrip().endswith("."), route
    for parameter in operation.get("parameters", ()):
        assert parameter.get("description"), f"{route}: {parameter['name']}"
    for content in operation.get("requestBody", {}).get("content", {}).values():
        assert list(_examples(content["schema"])), f"{route}: no example of its body"
    errors = {status for status in operation["responses"] if status >= "400"}
    assert errors >= ({"503"} if route in OPEN else {"401", "403", "404", "409", "422", "503"})
    for status in errors:
        told = operation["responses"][status]
        assert told["description"]
        assert "application/problem+json" in told["content"]


@pytest.mark.parametrize(
    "name", [n for n in sorted(DOCUMENT["components"]["schemas"]) if not n.startswith("Page_")]
)
def test_a_document_says_what_it_is(name: str) -> None:
    schema = DOCUMENT["components"]["schemas"][name]
    assert schema.get("description"), name


@pytest.mark.parametrize("words", list(_commands(get_command(cli))), ids=" ".join)  # type: ignore[arg-type]
def test_a_command_shows_its_help_and_refuses_what_it_does_not_know(
    words: tuple[str, ...],
) -> None:
    shown = CliRunner().invoke(cli, [*words, "--help"])
    assert shown.exit_code == 0
    assert "Usage:" in shown.stdout
    assert len(shown.stdout.splitlines()) > 3
    refused = CliRunner().invoke(cli, [*words, "--no-such-option"])
    assert refused.exit_code == 2
    assert "No such option" in refused.output


def _examples(schema: dict[str, Any]) -> Iterator[Any]:
    """Give the examples of a body, whole or of its fields."""
    yield from schema.get("examples", ())
    if "$ref" in schema:
        yield from _examples(DOCUMENT["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]])
    for option in (*schema.get("anyOf", ()), *schema.get("properties", {}).values()):
        if "$ref" not in option or schema.get("anyOf"):
            yield from _examples(option)
