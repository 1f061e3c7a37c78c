"""Commands about hooks: webhooks, and what was delivered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from backfill.cli.connecting import connection
from backfill.cli.options import AsJson, Limit, listed
from backfill.cli.output import ago, each, print_json, print_table, say

if TYPE_CHECKING:
    from backfill.schemas.hooks import Delivery, Webhook

PANEL = "Backfills"

HookName = Annotated[str, typer.Argument(metavar="NAME", help="The webhook's name.")]


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    hooks = typer.Typer(help="Tell webhooks of backfills.", no_args_is_help=True)
    hooks.command("add")(add)
    hooks.command("list")(list_)
    hooks.command("remove")(remove)
    hooks.command("deliveries")(deliveries)
    hooks.command("again")(again)
    app.add_typer(hooks, name="hooks", rich_help_panel=PANEL)


def add(
    name: HookName,
    url: Annotated[str, typer.Argument(metavar="URL", help="Where to POST.")],
    on: Annotated[
        list[str] | None,
        typer.Option(
            "--on", help="started, paused, breaker_tripped or finished; may be repeated; else all."
        ),
    ] = None,
    slack: Annotated[
        bool, typer.Option("--slack", help="Send a message for Slack instead of JSON.")
    ] = False,
    partition_set: Annotated[
        str | None, typer.Option("--set", help="Only of backfills over this set.")
    ] = None,
    backfill: Annotated[int | None, typer.Option(help="Only of this backfill.")] = None,
    as_json: AsJson = False,
) -> None:
    """Tell a webhook of backfills from now on."""
    added = connection.client().hooks.add(
        name,
        url,
        events=listed(on) or (),
        format="slack" if slack else "json",
        partition_set=partition_set,
        backfill=backfill,
    )
    if as_json:
        print_json(added)
    else:
        say(f"Webhook {added.name} at {added.host} is told of: {', '.join(added.events)}.")


def list_(as_json: AsJson = False) -> None:
    """List the webhooks."""
    found = list(connection.client().hooks)
    if as_json:
        print_json(found)
    elif not found:
        say("No webhooks.")
    else:
        headers = ("NAME", "HOST", "FORMAT", "EVENTS", "ONLY", "ADDED")
        print_table(headers, [_row(hook) for hook in found], keep="NAME")


def remove(name: HookName) -> None:
    """Tell a webhook nothing more."""
    connection.client().hooks.remove(name)
    say(f"Webhook {name} is removed.")


def deliveries(
    backfill: Annotated[int | None, typer.Option(help="Only of this backfill.")] = None,
    standing: Annotated[
        str | None,
        typer.Option(help="Only these: due, retrying, delivered or given_up."),
    ] = None,
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """List what hooks and webhooks were told, newest first."""
    listing = connection.client().hooks.deliveries(backfill=backfill, standing=standing)
    found = each(listing, limit)
    if as_json:
        print_json(found)
    elif not found:
        say("No deliveries.")
    else:
        headers = ("ID", "BACKFILL", "EVENT", "HOOK", "STANDING", "TRIES", "WHEN", "ERROR")
        print_table(headers, [_delivery_row(one) for one in found], keep="ID")


def again(
    delivery: Annotated[int, typer.Argument(metavar="ID", help="A delivery's id.")],
    as_json: AsJson = False,
) -> None:
    """Have a delivery sent now."""
    told = connection.client().hooks.again(delivery)
    if as_json:
        print_json(told)
    else:
        say(f"Delivery {told.id} ({told.event} to {told.hook}) is sent again.")


def _row(hook: Webhook) -> tuple[Any, ...]:
    only = f"backfill {hook.backfill_id}" if hook.backfill_id else hook.partition_set
    return (hook.name, hook.host, hook.format, ", ".join(hook.events), only, ago(hook.created_at))


def _delivery_row(one: Delivery) -> tuple[Any, ...]:
    return (
        one.id,
        one.backfill_id,
        one.event,
        one.hook,
        one.standing.replace("_", " "),
        one.tries,
        ago(one.created_at),
        one.error,
    )
