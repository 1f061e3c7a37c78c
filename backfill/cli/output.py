"""Printing: tables, JSON, errors. No markup or escape that users wrote is interpreted."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from backfill.errors import BackfillError

if TYPE_CHECKING:
    from pydantic import BaseModel
    from rich.console import Console
    from rich.text import Text

PIPED_WIDTH = 200

STYLES = {
    "succeeded": "green",
    "success": "green",
    "valid": "green",
    "revoked": "red",
    "expired": "red",
    "failed": "red",
    "failure": "red",
    "lost": "red",
    "running": "blue",
    "started": "blue",
    "queued": "cyan",
    "retrying": "yellow",
    "paused": "yellow",
    "canceling": "yellow",
    "canceled": "magenta",
    "released": "magenta",
    "blocked": "yellow",
    "pending": "dim",
    "requested": "dim",
    "skipped": "dim",
    "stopped": "dim",
    "missing": "dim",
    "removed": "dim",
}


@cache
def console() -> Console:
    """Return where results go."""
    from rich.console import Console

    plain = Console(highlight=False, markup=False, emoji=False)
    if plain.is_terminal:
        return plain
    return Console(highlight=False, markup=False, emoji=False, width=PIPED_WIDTH)


@cache
def messages() -> Console:
    """Return where everything goes that is not a result."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, markup=False, emoji=False)


def say(text: str | Text) -> None:
    """Print one line of a result."""
    console().print(text if not isinstance(text, str) else clean(text), soft_wrap=True)


def print_json(document: BaseModel | Any) -> None:
    """Print a document, or several as a list, as the API gives it."""
    import json

    from pydantic_core import to_jsonable_python

    value = to_jsonable_python(document)
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=not _is_utf8()) + "\n")


def print_table(
    headers: Sequence[str],
    rows: Iterable[Sequence[str | int | Text | None]],
    *,
    keep: str | None = None,
) -> None:
    """Print rows under headers.

    Args:
        keep: The column that is never shortened; the others give way on a narrow terminal.
    """
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for header in headers:
        table.add_column(header, no_wrap=True, overflow="ellipsis" if header != keep else "fold")
    for row in rows:
        table.add_row(*[c if isinstance(c, Text) else clean(_shown(c)) for c in row])
    console().print(table)


def state(value: str) -> Text:
    """Return a state in its colour."""
    from rich.text import Text

    return Text(value, style=STYLES.get(value, ""))


def clean(text: str) -> str:
    """Make control characters and direction marks visible, so that they cannot act."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\t" else _visible(c) for c in text)


def ago(time: datetime | None) -> str:
    """Return how long ago a time was; nothing for none."""
    if time is None:
        return ""
    from backfill.client.watching import duration

    seconds = (datetime.now(UTC) - time).total_seconds()
    return f"{duration(seconds)} ago" if seconds >= 1 else "just now"


def took(start: datetime | None, end: datetime | None) -> str:
    """Return the time between two times; nothing unless both are known."""
    if start is None or end is None:
        return ""
    from backfill.client.watching import duration

    return duration((end - start).total_seconds())


def tell_error(error: BackfillError) -> None:
    """Print an error on stderr: the user's own traceback if it is about his code, then one line."""
    out = messages()
    traceback = error.facts.get("traceback")
    if isinstance(traceback, str) and traceback:
        out.print(clean(traceback.rstrip()), style="dim", soft_wrap=True)
    out.print(clean(" ".join(error.detail.split())), style="red", soft_wrap=True)


def each(items: Iterable[Any], limit: int, shown: Callable[[Any], Any] = lambda x: x) -> list[Any]:
    """Return the first `limit` of what may be a long list, fetching no further pages."""
    found = []
    for item in items:
        found.append(shown(item))
        if len(found) == limit:
            break
    return found


def _shown(value: str | int | None) -> str:
    return "" if value is None else str(value)


def _visible(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def _is_utf8() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
