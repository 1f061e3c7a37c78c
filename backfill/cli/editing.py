"""Commands that change a live backfill: `edit`, `add`, `remove`; and `clone`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from backfill.cli.connecting import connection
from backfill.cli.options import AsJson, BackfillId, Note
from backfill.cli.output import clean, print_json, say
from backfill.cli.selecting import All, From, Partitions, To, selection_of

PANEL = "Backfills"
TEXTS = {"note", "selection"}

Select = Annotated[str | None, typer.Option("--select", help="A selection.")]
Changes = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="FIELD=VALUE...", help="New values, as text or JSON; `null` empties a field."
    ),
]


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    for name, command in (("edit", edit), ("add", add), ("remove", remove), ("clone", clone)):
        app.command(name, rich_help_panel=PANEL)(command)


def edit(backfill_id: BackfillId, changes: Changes = None, as_json: AsJson = False) -> None:
    """Change fields of a backfill while it runs: `backfill edit 7 max_active_runs=4 priority=10`.

    Fields: note, tags, max_active_runs, priority, ordering, max_failures, windows, breaker,
    canary, canary_percent, run_timeout_seconds, timeout_seconds, on_timeout.
    """
    asked = changes_of(changes)
    if not asked:
        raise typer.BadParameter("say what to change, such as priority=10")
    told = connection.client().backfill(backfill_id).edit(**asked)
    if as_json:
        print_json(told)
        return
    for change in told.edited:
        say(clean(f"{change.field}: {_shown(change.old)} → {_shown(change.new)}"))
    if not told.edited:
        say(f"Backfill {told.id} is so already.")


def add(
    backfill_id: BackfillId,
    from_: From = None,
    to: To = None,
    partitions: Partitions = None,
    all_: All = False,
    select: Select = None,
    reprocess: Annotated[
        str | None,
        typer.Option(
            "--reprocess", metavar="WHICH", help="Of these missing, failed, all or stale."
        ),
    ] = None,
    note: Note = None,
    as_json: AsJson = False,
) -> None:
    """Give a backfill further partitions; one that is over goes on."""
    selection = selection_of(from_, to, partitions, all_, select)
    handle = connection.client().backfill(backfill_id)
    done = handle.add(selection, reprocess=reprocess, note=note)
    if as_json:
        print_json(done)
        return
    left = "".join(f", {count:,} {why}" for why, count in done.left_out.items())
    say(f"Backfill {handle.id}: {done.added:,} partitions added{left}.")


def remove(
    backfill_id: BackfillId,
    from_: From = None,
    to: To = None,
    partitions: Partitions = None,
    all_: All = False,
    select: Select = None,
    cancel_running: Annotated[
        bool, typer.Option("--cancel-running", help="Tell runs that have begun to stop, too.")
    ] = False,
    note: Note = None,
    as_json: AsJson = False,
) -> None:
    """Take partitions out of a backfill: what has not begun is skipped, what runs goes on."""
    selection = selection_of(from_, to, partitions, all_, select)
    handle = connection.client().backfill(backfill_id)
    done = handle.remove(selection, cancel_running=cancel_running, note=note)
    if as_json:
        print_json(done)
        return
    rest = [(done.told, "told to stop"), (done.running, "running on"), (done.ended, "ended before")]
    others = "".join(f", {count:,} {what}" for count, what in rest if count)
    say(f"Backfill {handle.id}: {done.skipped:,} partitions skipped{others}.")


def clone(
    backfill_id: BackfillId,
    changes: Changes = None,
    as_json: AsJson = False,
) -> None:
    """Submit what a backfill was made from once more, with changes: `selection=…`, `priority=5`."""
    made = connection.client().backfill(backfill_id).clone(**changes_of(changes))
    if as_json:
        print_json(made.info)
    else:
        say(
            f"Backfill {made.id} submitted, a clone of {backfill_id}: "
            f"{made.info.total:,} partitions."
        )


def changes_of(given: Sequence[str] | None) -> dict[str, Any]:
    """Return `field=value` texts as fields with values; a value is JSON where it reads as such."""
    changes: dict[str, Any] = {}
    for text in given or ():
        name, separator, value = text.partition("=")
        if not separator or not name:
            raise typer.BadParameter(f"{text!r} is not FIELD=VALUE")
        changes[name] = _value(name, value)
    return changes


def _value(name: str, text: str) -> Any:
    if name in TEXTS and text != "null":
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
