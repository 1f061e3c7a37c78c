"""`backfill matrix`: the Run Matrix in the terminal, a partition per line."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from backfill.cli.connecting import connection
from backfill.cli.filtering import BackfillOption, TagFilters
from backfill.cli.options import AsJson, tags_of
from backfill.cli.output import STYLES, clean, console, print_json, say

if TYPE_CHECKING:
    from rich.text import Text

    from backfill.schemas.matrix import MatrixPage, MatrixRow

SYMBOLS = {
    "missing": "·",
    "queued": "○",
    "running": "▶",
    "retrying": "↻",
    "succeeded": "■",
    "failed": "✗",
    "skipped": "–",
    "canceled": "□",
    "blocked": "▲",
    "removed": "×",
}
ASCII = {
    "missing": ".",
    "queued": "o",
    "running": ">",
    "retrying": "R",
    "succeeded": "#",
    "failed": "F",
    "skipped": "-",
    "canceled": "C",
    "blocked": "!",
    "removed": "x",
}
WORD_WIDTH = 11  # the longest status with its symbol
LONGEST_KEY = 40


def add_to(app: typer.Typer) -> None:
    """Add this command."""
    app.command("matrix", rich_help_panel="Backfills")(matrix)


def matrix(
    partition_set: Annotated[str, typer.Argument(metavar="SET", help="A partition set.")],
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="Partitions.")] = 30,
    oldest_first: Annotated[bool, typer.Option("--oldest-first", help="Oldest first.")] = False,
    from_: Annotated[str | None, typer.Option("--from", help="Begin at this partition.")] = None,
    select: Annotated[
        str | None, typer.Option("--select", help="Only partitions of this selection.")
    ] = None,
    backfill: BackfillOption = None,
    tags: TagFilters = None,
    as_json: AsJson = False,
) -> None:
    """Show the status of every step for the newest partitions of a set.

    Of a backfill, or with tags, it shows what such runs did.
    """
    page = connection.client().matrix(
        partition_set,
        order="oldest" if oldest_first else "newest",
        start=from_,
        limit=limit,
        select=select,
        backfill=backfill,
        tags=tags_of(tags) or None,
    )
    if as_json:
        print_json(page)
    elif not page.items:
        say(f"{page.partition_set} has no partitions.")
    else:
        print_matrix(page)


def print_matrix(page: MatrixPage) -> None:
    """Print a page: words where there is room, else a symbol per step under its number."""
    width = max(len(_key(row)) for row in page.items)
    columns = [max(len(step), WORD_WIDTH) for step in page.steps]
    room = console().width - width - len("  run 1234567")
    if sum(columns) + 2 * len(columns) <= room:
        _print_words(page, width, columns)
    else:
        _print_symbols(page, width)
    _print_legend(page)


def _print_words(page: MatrixPage, width: int, columns: list[int]) -> None:
    from rich.text import Text

    names = "  ".join(f"{clean(s):<{w}}" for s, w in zip(page.steps, columns, strict=True))
    console().print(Text(f"{'':<{width}}  {names}".rstrip(), style="bold"), soft_wrap=True)
    for row in page.items:
        line = Text(f"{_key(row):<{width}}  ")
        for box, column in zip(row.boxes, columns, strict=True):
            word = f"{_symbol(box.status)} {box.status}"
            line.append(f"{word:<{column}}  ", style=STYLES.get(box.status, ""))
        line.append_text(_run(row))
        console().print(line, soft_wrap=True)


def _print_symbols(page: MatrixPage, width: int) -> None:
    from rich.text import Text

    digits = len(str(len(page.steps)))
    numbered = [f"{number} {clean(step)}" for number, step in enumerate(page.steps, start=1)]
    console().print(Text("   ".join(numbered), style="bold"))
    heads = " ".join(f"{n:>{digits}}" for n in range(1, len(page.steps) + 1))
    console().print(Text(f"{'':<{width}}  {heads}", style="bold"), soft_wrap=True)
    for row in page.items:
        line = Text(f"{_key(row):<{width}}  ")
        for box in row.boxes:
            style = STYLES.get(box.status, "")
            line.append(f"{_symbol(box.status):>{digits}} ", style=style)
        line.append_text(_run(row))
        console().print(line, soft_wrap=True)


def _print_legend(page: MatrixPage) -> None:
    from collections import Counter

    from rich.text import Text

    counts = Counter(box.status for row in page.items for box in row.boxes)
    line = Text()
    for status, number in counts.most_common():
        line.append(f"{_symbol(status)} {number} {status}   ", style=STYLES.get(status, ""))
    console().print(line, soft_wrap=True)
    which = "newest" if page.order == "newest" else "oldest"
    if page.next is not None:
        say(f"The {which} {len(page.items)} of {page.count} partitions; --limit shows more.")


def _run(row: MatrixRow) -> Text:
    from rich.text import Text

    return Text(f" run {row.run_id}" if row.run_id else "", style="dim")


def _key(row: MatrixRow) -> str:
    key = clean(row.key)
    return key if len(key) <= LONGEST_KEY else key[: LONGEST_KEY - 1] + "…"


def _symbol(status: str) -> str:
    return (SYMBOLS if _draws() else ASCII)[status]


def _draws() -> bool:
    """Say whether the terminal's encoding has the symbols."""
    try:
        "■✗▶".encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True
