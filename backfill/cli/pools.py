"""Commands about pools and limits of tags: look, change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from backfill.cli.connecting import connection
from backfill.cli.options import AsJson
from backfill.cli.output import print_json, print_table, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from backfill.schemas.pools import TagLimit

PANEL = "Limits"

PoolName = Annotated[str, typer.Argument(metavar="POOL", help="A pool.")]
TagText = Annotated[
    str, typer.Argument(metavar="KEY[=VALUE]", help="A tag; without a value, each of its values.")
]


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    pools = typer.Typer(help="Look at pools and change their slots.", no_args_is_help=True)
    pools.command("list")(list_)
    pools.command("set")(set_)
    app.add_typer(pools, name="pools", rich_help_panel=PANEL)
    limits = typer.Typer(help="Limit the active runs with a tag.", no_args_is_help=True)
    limits.command("list")(list_limits)
    limits.command("set")(set_limit)
    limits.command("remove")(remove_limit)
    app.add_typer(limits, name="tag-limits", rich_help_panel=PANEL)


def list_(as_json: AsJson = False) -> None:
    """List the pools: their slots, and how many are taken."""
    found = connection.client().pools()
    if as_json:
        print_json(found)
    elif not found:
        say("No pools. Name one in the code: @step(pool=...) or @pipeline(pool=...)")
    else:
        rows = [
            (pool.name, f"{pool.used}/{pool.slots}", "" if pool.configured else "default")
            for pool in found
        ]
        print_table(("POOL", "TAKEN", ""), rows, keep="POOL")


def set_(
    name: PoolName,
    slots: Annotated[
        str, typer.Argument(metavar="SLOTS", help="How many; 0 closes it; or `default`.")
    ],
    as_json: AsJson = False,
) -> None:
    """Change how many slots a pool has; runs that take some keep them."""
    if slots != "default" and not slots.isdecimal():
        raise typer.BadParameter(f"{slots!r} is no number of slots", param_hint="SLOTS")
    pool = connection.client().set_pool(name, None if slots == "default" else int(slots))
    if as_json:
        print_json(pool)
    else:
        say(f"Pool {pool.name} has {pool.slots} slots, {pool.used} of them taken.")


def list_limits(as_json: AsJson = False) -> None:
    """List how many runs with which tags may be active."""
    _print_limits(connection.client().tag_limits(), as_json=as_json)


def set_limit(
    tag: TagText,
    limit: Annotated[int, typer.Argument(metavar="RUNS", min=0, help="At most so many.")],
    as_json: AsJson = False,
) -> None:
    """Let at most so many runs with a tag be active."""
    key, value = _parts(tag)
    _print_limits(connection.client().set_tag_limit(key, limit, value=value), as_json=as_json)


def remove_limit(tag: TagText, as_json: AsJson = False) -> None:
    """Take the limit of a tag away."""
    key, value = _parts(tag)
    _print_limits(connection.client().set_tag_limit(key, None, value=value), as_json=as_json)


def _parts(tag: str) -> tuple[str, str | None]:
    key, _, value = tag.partition("=")
    return key, value or None


def _print_limits(found: Sequence[TagLimit], *, as_json: bool) -> None:
    if as_json:
        print_json(list(found))
    elif not found:
        say("No limits of tags. Set one: backfill tag-limits set customer 2")
    else:
        rows = [
            (x.key, "each value" if x.value is None else x.value, f"{x.active}/{x.max_active_runs}")
            for x in found
        ]
        print_table(("TAG", "VALUE", "ACTIVE"), rows, keep="TAG")
