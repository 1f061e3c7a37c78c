"""Why something stands where it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from backfill.cli.connecting import connection
from backfill.cli.options import AsJson
from backfill.cli.output import print_json, say, state

if TYPE_CHECKING:
    from backfill.schemas.why import Why


def add_to(app: typer.Typer) -> None:
    """Add this command."""
    app.command("why", rich_help_panel="Backfills")(why)


def why(
    target: Annotated[int, typer.Argument(metavar="ID", help="A backfill's id.")],
    run: Annotated[bool, typer.Option("--run", help="The id is a run's.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say why a backfill, or a run, stands where it stands."""
    client = connection.client()
    told = client.why(run=target) if run else client.why(backfill=target)
    if as_json:
        print_json(told)
    else:
        _print(told)


def _print(told: Why) -> None:
    from rich.text import Text

    from backfill.cli.output import clean

    subject = f"{told.kind.capitalize()} {told.id} is "
    say(Text.assemble(subject, state(told.state), ". ", clean(told.sentence)))
    for reason in told.also:
        say(f"  Also: {clean(reason.sentence)}")
