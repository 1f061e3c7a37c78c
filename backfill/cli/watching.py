"""Following a backfill to its end on the terminal; the exit status says how it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from backfill.cli.output import messages, print_json, say, state

if TYPE_CHECKING:
    from backfill.client import BackfillHandle


def follow(handle: BackfillHandle, *, as_json: bool) -> None:
    """Show how a backfill goes until it is final; exit with status 1 unless it succeeded."""
    from rich.text import Text

    from backfill.client.watching import summary, watch

    if as_json:
        handle.wait()
        print_json(handle.info)
    else:
        watch([handle], console=messages())
        told = state(handle.info.state)
        say(Text.assemble(f"Backfill {handle.id} ", told, f": {summary(handle.info)}"))
        if handle.info.counts.failed:
            messages().print(f"What failed: backfill show {handle.id}", style="dim")
    if handle.info.state != "succeeded":
        raise typer.Exit(1)
