"""The tree of commands. What a command needs is imported when it runs: help must be instant."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from backfill.cli import (
    access,
    again,
    backfills,
    definitions,
    drift,
    editing,
    exporting,
    guards,
    hooks,
    local,
    looking,
    matrix,
    pools,
    runs,
    schedules,
    services,
    submitting,
    why,
)
from backfill.cli.connecting import connection

LONGEST_HELP = 200


class _Grouped(TyperGroup):
    """Lists the commands under the headings they were added with."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        headings: dict[str, list[tuple[str, str]]] = {}
        for name in self.list_commands(ctx):
            command = self.commands[name]
            heading = str(getattr(command, "rich_help_panel", None) or "Commands")
            help_ = command.get_short_help_str(LONGEST_HELP)
            headings.setdefault(heading, []).append((name, help_))
        for heading, rows in headings.items():
            with formatter.section(heading):
                formatter.write_dl(rows)


app = typer.Typer(
    name="backfill",
    cls=_Grouped,
    help="Partitioned backfills on Celery.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(version("backfill"))
        raise typer.Exit


@app.callback()
def _options(
    url: Annotated[
        str | None, typer.Option(help="Where the API is.", envvar="BACKFILL_API_URL")
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(help="Bearer token.", envvar="BACKFILL_TOKEN", show_envvar=True),
    ] = None,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Say which.")
    ] = False,
) -> None:
    connection.url, connection.token = url, token


for module in (
    local,
    submitting,
    backfills,
    why,
    hooks,
    looking,
    drift,
    editing,
    runs,
    again,
    guards,
    exporting,
    matrix,
    definitions,
    schedules,
    pools,
    services,
    access,
):
    module.add_to(app)
