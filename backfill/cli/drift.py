"""`backfill retarget`: a backfill brought up to date with a set that changed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from backfill.cli.connecting import connection
from backfill.cli.options import AsJson, BackfillId
from backfill.cli.output import clean, messages, print_json, say

if TYPE_CHECKING:
    from backfill.schemas.partitions import Drift

PANEL = "Backfills"
KEYS_SHOWN = 5


def add_to(app: typer.Typer) -> None:
    """Add this command."""
    app.command("retarget", rich_help_panel=PANEL)(retarget)


def retarget(
    backfill_id: BackfillId,
    select: Annotated[
        str | None, typer.Option("--select", help="Its selection from now on; its own otherwise.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what joined and what left the set.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Adopt partitions that joined the set of a backfill, and skip runs of those that left it."""
    handle = connection.client().backfill(backfill_id)
    drift = handle.drift(selection=select)
    if not as_json:
        _print_drift(drift, say if dry_run else messages().print)
    elif dry_run:
        print_json(drift)
    if dry_run or not (drift.gone or drift.joined or select or as_json):
        return
    if not yes and not as_json and sys.stdin.isatty():
        typer.confirm("Retarget?", abort=True, err=True)
    done = handle.retarget(selection=select)
    if as_json:
        print_json(done)
    else:
        more = f" {done.left:,} more can join: ask again." if done.left else ""
        say(f"Backfill {handle.id}: {done.added:,} joined, {done.skipped:,} skipped.{more}")


def _print_drift(drift: Drift, out: Callable[[str], None]) -> None:
    out(clean(f"  {drift.joined:>7,} joined the set{_shown(drift.joined_keys, drift.joined)}"))
    out(clean(f"  {drift.gone:>7,} left it before they ran{_shown(drift.gone_keys, drift.gone)}"))
    if drift.vanished:
        out(f"  {drift.vanished:>7,} left it before their runs were made")
    if drift.code_changed:
        out("The definitions are others than those it was submitted with.")
    if drift.problem:
        out(clean(f"Nothing can join: {drift.problem} Give the selection to take with --select."))


def _shown(keys: Sequence[str], count: int) -> str:
    if not count:
        return ""
    more = ", …" if count > KEYS_SHOWN else ""
    return f" ({', '.join(keys[:KEYS_SHOWN])}{more})"
