"""Options that say which partitions a command means."""

from __future__ import annotations

from typing import Annotated

import typer

From = Annotated[str | None, typer.Option("--from", help="First partition of a range.")]
To = Annotated[str | None, typer.Option("--to", help="Last partition of the range, inclusive.")]
Partitions = Annotated[
    str | None, typer.Option("--partitions", metavar="KEYS", help="Partitions between commas.")
]
All = Annotated[bool, typer.Option("--all", help="Every partition.")]
Select = Annotated[
    str | None,
    typer.Option("--select", help="A selection, such as '[2020-05-01...] & dow:mon-fri'."),
]


def selection_of(
    from_: str | None, to: str | None, partitions: str | None, all_: bool, select: str | None
) -> str:
    """Return these options as one selection.

    Raises:
        SelectionInvalid: None or several of the ways are given, or the text cannot be parsed.
    """
    from backfill.definitions.selection import from_parts

    return str(from_parts(from_, to, partitions, all_, select))
