"""Rows as PostgreSQL's COPY reads them, made a column at a time."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

_ESCAPES = {"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"}
_SPECIAL = re.compile(r"[\\\t\n\r]")


def copy_lines(columns: Sequence[Sequence[Any]], constants: Sequence[Any] = ()) -> bytes:
    """Return rows in the text format of COPY.

    Args:
        columns: Values of each column, as many of each; they come after the constants.
    """
    known = [_copied(value).replace("%", "%%") for value in constants]
    line = "\t".join((*known, *("%s" for _ in columns))) + "\n"
    texts = [_copied_column(values) for values in columns]
    return "".join([line % row for row in zip(*texts, strict=True)]).encode()


def _copied_column(values: Sequence[Any]) -> Sequence[Any]:
    """Return values of which `%s` makes what COPY reads: nearly all are that as they are."""
    kinds = set(map(type, values))
    if kinds == {int} or (kinds == {str} and _SPECIAL.search("".join(values)) is None):
        return values
    return [_copied(value) for value in values]


def _copied(value: Any) -> str:
    if value is None:
        return r"\N"
    if isinstance(value, bool):
        return "t" if value else "f"
    return _SPECIAL.sub(lambda found: _ESCAPES[found[0]], str(value))
