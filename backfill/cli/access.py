"""Commands about access: log in, tokens, who changed what."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from backfill.cli import profile
from backfill.cli.connecting import connection
from backfill.cli.options import AsJson, Limit
from backfill.cli.output import ago, each, messages, print_json, print_table, say, state

if TYPE_CHECKING:
    from backfill.storage.database import Database

PANEL = "Access"

TokenName = Annotated[str, typer.Argument(metavar="NAME", help="The token's name.")]
Local = Annotated[
    bool,
    typer.Option(
        "--local", help="Write to the database itself, not through the API: for the first token."
    ),
]


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    for name, command in (("login", login), ("logout", logout), ("audit", audit)):
        app.command(name, rich_help_panel=PANEL)(command)
    tokens = typer.Typer(help="Make, list and revoke tokens.", no_args_is_help=True)
    tokens.command("create")(create)
    tokens.command("list")(list_)
    tokens.command("revoke")(revoke)
    app.add_typer(tokens, name="tokens", rich_help_panel=PANEL)


def login(
    url: Annotated[str, typer.Argument(metavar="URL", help="Where the API is.")],
    token: Annotated[
        str | None, typer.Option("--token", help="The token; asked for when not given.")
    ] = None,
) -> None:
    """Keep the URL of an API and a token for the commands that follow."""
    from backfill.client import Client

    given = token or connection.token or typer.prompt("Token", hide_input=True, err=True)
    with Client(url, given, retries=1) as client:
        who = client.who_am_i()
    file = profile.write(profile.Profile(url, given))
    say(f"Logged in to {url} as {who.name} ({who.role}).")
    messages().print(f"Kept in {file}", style="dim")


def logout() -> None:
    """Forget the URL and the token that `login` kept."""
    say("Logged out." if profile.forget() else "Nobody was logged in.")


def create(
    name: TokenName,
    role: Annotated[str, typer.Option(help="viewer, operator or admin.")] = "operator",
    days: Annotated[
        float | None, typer.Option(min=0.001, help="How long it is valid; else until revoked.")
    ] = None,
    local: Local = False,
    as_json: AsJson = False,
) -> None:
    """Make a token; it is shown this once."""
    from backfill.schemas.access import NewToken

    if local:
        made = NewToken.model_validate(_create_local(name, role, days))
    else:
        made = connection.client().create_token(name, role, days=days)
    if as_json:
        print_json(made)
        return
    say(made.token)
    messages().print(f"{made.name} ({made.role}): it is not shown again.", style="dim")


def list_(as_json: AsJson = False) -> None:
    """List the tokens, without their secrets."""
    told = connection.client().tokens()
    if as_json:
        print_json(told)
        return
    if not told.items:
        say("No tokens. Make the first: backfill tokens create NAME --role admin --local")
        return
    print_table(
        ("NAME", "ROLE", "STATE", "MADE", "USED", "EXPIRES"),
        [
            (
                t.name,
                t.role,
                state("valid" if t.valid else "revoked" if t.revoked_at else "expired"),
                ago(t.created_at),
                ago(t.used_at),
                t.expires_at.date().isoformat() if t.expires_at else "",
            )
            for t in told.items
        ],
        keep="NAME",
    )


def revoke(name: TokenName, local: Local = False) -> None:
    """Make a token and its sessions invalid at once."""
    if local:
        from backfill.lifecycle import access

        with _database() as database:
            access.revoke_token(database, name)
    else:
        connection.client().revoke_token(name)
    say(f"{name} is revoked.")


def audit(limit: Limit = 50, as_json: AsJson = False) -> None:
    """Show who changed what, newest first."""
    found = each(connection.client().audit(), limit)
    if as_json:
        print_json(found)
        return
    print_table(
        ("WHEN", "WHO", "ROLE", "FROM", "WHAT", "STATUS"),
        [(ago(e.at), e.actor, e.role, e.address, f"{e.method} {e.path}", e.status) for e in found],
        keep="WHAT",
    )


def _create_local(name: str, role: str, days: float | None) -> object:
    from backfill.errors import Invalid, did_you_mean
    from backfill.lifecycle import access
    from backfill.roles import Role

    if role not in list(Role):
        known = ", ".join(Role)
        raise Invalid(f'There is no role "{role}".{did_you_mean(role, Role)} Roles: {known}.')
    with _database() as database:
        return access.create_token(database, name, Role(role), days=days, actor="command line")


@contextmanager
def _database() -> Iterator[Database]:
    """Open the settings' database, which must be at this code's schema."""
    from backfill.settings import get_settings
    from backfill.storage.database import Database

    database = Database(get_settings().effective_database_url())
    try:
        database.require_schema()
        yield database
    finally:
        database.dispose()
