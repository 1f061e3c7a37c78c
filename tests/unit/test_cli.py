"""The command line as a whole: quick to load, complete in its help, careful with what it prints."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from backfill.cli.app import app
from backfill.cli.output import clean

HEAVY = ("rich", "httpx", "pydantic", "sqlalchemy", "fastapi", "celery", "yaml")


def commands() -> Iterator[tuple[str, object]]:
    tree = get_command(app)
    assert isinstance(tree, TyperGroup)
    for name, command in tree.commands.items():
        if isinstance(command, TyperGroup):
            yield from ((f"{name} {inner}", c) for inner, c in command.commands.items())
        else:
            yield name, command


def test_help_loads_nothing_heavy() -> None:
    program = (
        "import sys; sys.argv = ['backfill', '--help']\n"
        "from backfill.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        f"print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    )
    printed = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert printed.stderr.strip() == "[]"
    assert "submit" in printed.stdout


@pytest.mark.parametrize(
    ("name", "command"), list(commands()), ids=[name for name, _ in commands()]
)
def test_every_command_says_what_it_does(name: str, command: object) -> None:
    help_ = getattr(command, "help", None)
    assert help_, name
    assert help_.strip().splitlines()[0].endswith("."), name


def test_every_option_says_what_it_means() -> None:
    for name, command in commands():
        for param in command.params:  # type: ignore[attr-defined]
            if param.param_type_name == "option":
                assert param.help, (name, param.name)


def test_every_command_that_shows_something_has_json() -> None:
    silent = {"init", "dev", "demo", "api", "coordinator", "db upgrade"}
    silent |= {"login", "logout", "tokens revoke", "hooks remove"}
    for name, command in commands():
        options = {opt for param in command.params for opt in param.opts}  # type: ignore[attr-defined]
        assert ("--json" in options) != (name in silent), name


@pytest.mark.parametrize(
    ("written", "printed"),
    [
        ("plain", "plain"),
        ("\x1b[2J", "\\x1b[2J"),
        ("a\tb\nc", "a\tb\nc"),
        ("\u202eabc", "\\u202eabc"),
        ("\x00\x7f\x9b", "\\x00\\x7f\\x9b"),
        ("grüße 日本", "grüße 日本"),
    ],
)
def test_control_characters_are_shown_not_obeyed(written: str, printed: str) -> None:
    assert clean(written) == printed
