"""Commands about what the project defines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from backfill.cli.connecting import connection
from backfill.cli.options import AsJson, Limit
from backfill.cli.output import ago, clean, each, messages, print_json, print_table, say

if TYPE_CHECKING:
    from backfill.schemas.definitions import LoadProblem

PANEL = "Definitions"


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (pipelines, sets, partitions, stale):
        app.command(command.__name__, rich_help_panel=PANEL)(command)


def pipelines(as_json: AsJson = False) -> None:
    """List the pipelines and their steps."""
    told = connection.client().definitions()
    if as_json:
        print_json(told.pipelines)
        return
    _tell_problems(told.problems)
    if not told.pipelines:
        say("No pipelines.")
        return
    print_table(
        ("PIPELINE", "VERSION", "STEPS", "DESCRIPTION"),
        [
            (p.name, p.version, ", ".join(s.name for s in p.steps), p.description)
            for p in told.pipelines
        ],
        keep="PIPELINE",
    )


def sets(as_json: AsJson = False) -> None:
    """List the partition sets."""
    told = connection.client().definitions()
    if as_json:
        print_json(told.partition_sets)
        return
    _tell_problems(told.problems)
    if not told.partition_sets:
        say("No partition sets.")
        return
    print_table(
        ("SET", "PIPELINE", "KIND", "DESCRIPTION"),
        [(s.name, s.pipeline, s.kind, s.description) for s in told.partition_sets],
        keep="SET",
    )


def partitions(
    partition_set: Annotated[str, typer.Argument(metavar="SET", help="A partition set.")],
    newest_first: Annotated[bool, typer.Option("--newest-first", help="Newest first.")] = False,
    from_: Annotated[str | None, typer.Option("--from", help="Begin at this partition.")] = None,
    limit: Limit = 1_000,
    add: Annotated[
        list[str] | None,
        typer.Option("--add", metavar="KEY", help="Add this key; may be repeated."),
    ] = None,
    remove: Annotated[
        list[str] | None,
        typer.Option("--remove", metavar="KEY", help="Remove this key; may be repeated."),
    ] = None,
    definition: Annotated[
        str | None,
        typer.Option(help="Which dynamic definition to change, where the set has several."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the partitions of a set, or add and remove dynamic ones."""
    if add or remove:
        _change(partition_set, add or (), remove or (), definition, as_json=as_json)
        return
    order = "newest" if newest_first else "oldest"
    listing = connection.client().partitions(partition_set, order=order, start=from_)
    found = each(listing, limit)
    if as_json:
        print_json(found)
        return
    for partition in found:
        typer.echo(clean(partition.key))
    if len(found) == limit:
        messages().print(f"The first {limit}; give --limit for more.", style="dim")


def stale(
    partition_set: Annotated[str, typer.Argument(metavar="SET", help="A partition set.")],
    as_json: AsJson = False,
) -> None:
    """Count the partitions that last succeeded with older code."""
    told = connection.client().staleness(partition_set)
    if as_json:
        print_json(told)
        return
    say(
        f"{told.stale:,} of {told.of:,} partitions of {told.partition_set} last succeeded with "
        f"another version than {told.version}; {told.current:,} with it, {told.never:,} never."
    )
    if told.stale:
        say(f"Run them again: backfill submit {told.partition_set} --all --reprocess stale")
    rows = [
        (v.version or "not recorded", f"{v.partitions:,}", ago(v.newest)) for v in told.versions
    ]
    if rows:
        print_table(("VERSION", "PARTITIONS", "LAST"), rows, keep="VERSION")


def _change(
    partition_set: str,
    add: Sequence[str],
    remove: Sequence[str],
    definition: str | None,
    *,
    as_json: bool,
) -> None:
    keys = connection.client().dynamic_partitions(partition_set, definition=definition)
    done = {}
    if add:
        done["added"] = keys.add(add)
    if remove:
        done["removed"] = keys.remove(remove)
    if as_json:
        print_json(list(done.values()))
        return
    for verb, changed in done.items():
        already = "there" if verb == "added" else "gone"
        same = f", {changed.unchanged:,} {already} already" if changed.unchanged else ""
        say(f"{clean(changed.definition)}: {len(changed.changed):,} {verb}{same}.")


def _tell_problems(problems: Sequence[LoadProblem]) -> None:
    for problem in problems:
        messages().print(clean(problem.detail), style="red", soft_wrap=True)
