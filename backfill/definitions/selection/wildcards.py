"""Wildcards over the joined keys of several dimensions."""

from __future__ import annotations

from backfill.definitions.selection.syntax import All, Key, Selection, Wildcard


def by_dimension(wanted: Wildcard, dimensions: int) -> list[Selection] | None:
    """Return a wildcard over joined keys as one selection per dimension, or None when it is not.

    It is when it has all the bars between the dimensions, or one star that stands at its end.
    """
    bars = sum(part.count("|") for part in wanted.parts)
    if bars != dimensions - 1 and not (wanted.is_prefix and bars < dimensions):
        return None
    texts: list[list[str]] = [[]]
    for part in wanted.parts:
        first, *following = part.split("|")
        texts[-1].append(first)
        texts.extend([text] for text in following)
    pieces: list[Selection] = [
        Wildcard(tuple(text), wanted.column) if len(text) > 1 else Key(text[0], wanted.column)
        for text in texts
    ]
    return pieces + [All()] * (dimensions - len(pieces))
