"""What can be wrong with a selection, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backfill.definitions.keys import DimensionedKeys, KeySpace
from backfill.definitions.selection.syntax import (
    Dimension,
    Range,
    Selection,
    Status,
    Wildcard,
    quoted,
    quoted_if_needed,
)
from backfill.definitions.selection.words import KEYWORDS
from backfill.definitions.text import bounded
from backfill.errors import SelectionInvalid, did_you_mean

_NAMED = 5
_SHOWN = 200


def unknown_keys(
    unknown: Sequence[tuple[str, int]], keys: KeySpace, dimension: str | None = None
) -> SelectionInvalid:
    """Name the keys that the set does not have (with their columns), and the nearest it has."""
    where = f'in dimension "{dimension}"' if dimension else "in this set"
    facts = {"unknown": [key for key, _ in unknown[:100]], **_column(unknown[0][1])}
    named = [_with_nearest(key, keys) for key, _ in unknown[:_NAMED]]
    hint = _hint(unknown[0][0], keys)
    if len(unknown) == 1:
        return SelectionInvalid(f"There is no partition {named[0]} {where}.{hint}", **facts)
    more = f", and {len(unknown) - _NAMED:,} more" if len(unknown) > _NAMED else ""
    return SelectionInvalid(
        f"These partitions are not {where}: {', '.join(named)}{more}.{hint}", **facts
    )


def selects_nothing(selection: Selection, keys: KeySpace) -> SelectionInvalid:
    """Say that nothing is selected, and why if that can be told."""
    if not len(keys):
        return SelectionInvalid("The set has no partitions yet, so nothing can be selected.")
    hint = ""
    if isinstance(selection, Status) and keys.index_of(selection.word.value) is not None:
        hint = f" For the partition of that name, write {quoted(selection.word.value)} in quotes."
    return SelectionInvalid(f"{_text(selection)} selects no partition of this set.{hint}", count=0)


def selects_too_many(selection: Selection, count: int, limit: int) -> SelectionInvalid:
    return SelectionInvalid(
        f"{_text(selection)} selects {count:,} partitions; at most {limit:,} are taken at once. "
        "Select fewer, or raise BACKFILL_MAX_PARTITIONS.",
        count=count,
        limit=limit,
    )


def part_too_large(count: int, limit: int) -> SelectionInvalid:
    return SelectionInvalid(
        f"A part of the selection covers {count:,} partitions and cannot be combined with the "
        f"rest; at most {limit:,} can. Narrow that part first.",
        count=count,
        limit=limit,
    )


def too_much_to_look_at(wanted: Wildcard, count: int, limit: int) -> SelectionInvalid:
    return SelectionInvalid(
        f"To find {_text(wanted)}, {count:,} keys would have to be looked at, and at most "
        f"{limit:,} are. Begin the wildcard with more of the key, or combine it with a range by &.",
        count=count,
        limit=limit,
        **_column(wanted.column),
    )


def wrong_way_round(wanted: Range) -> SelectionInvalid:
    return SelectionInvalid(
        f"The range {_text(wanted)} is the wrong way round: its second key comes before its first.",
        **_column(wanted.column),
    )


def status_unknown_here(word: str) -> SelectionInvalid:
    return SelectionInvalid(
        f'"{word}" asks for the outcomes of runs, which are not known here. '
        f"A partition of that name stands in quotes: {quoted(word)}."
    )


def needs_time_windows(wanted: Selection) -> SelectionInvalid:
    return SelectionInvalid(
        f"{_text(wanted)} is for sets of time windows, which this one is not. "
        f"A partition of that name stands in quotes: {quoted(str(wanted))}."
    )


def which_dimension(wanted: Selection, names: Sequence[str]) -> SelectionInvalid:
    shown = ", ".join(quoted_if_needed(name) for name in names)
    return SelectionInvalid(
        f"{_text(wanted)} needs the one dimension of time windows, and this set (with the "
        f"dimensions {shown}) does not have just one: write DIMENSION={wanted}."
    )


def no_dimensions(wanted: Dimension) -> SelectionInvalid:
    name = quoted_if_needed(wanted.name)
    key = quoted(f"{wanted.name}={wanted.selection}")
    return SelectionInvalid(
        f"{name}= selects by a dimension, and this set has none. "
        f"A key with = in it stands in quotes: {bounded(key, _SHOWN)}.",
        **_column(wanted.column),
    )


def no_such_dimension(wanted: Dimension, names: Sequence[str]) -> SelectionInvalid:
    shown = ", ".join(quoted_if_needed(name) for name in names)
    return SelectionInvalid(
        f"This set has no dimension {quoted(wanted.name)}."
        f"{did_you_mean(wanted.name, names)} Its dimensions are {shown}.",
        **_column(wanted.column),
    )


def _with_nearest(key: str, keys: KeySpace) -> str:
    near = ", ".join(quoted_if_needed(k) for k in keys.nearest(key))
    shown = quoted(bounded(key, _SHOWN))
    return f"{shown} (nearest: {near})" if near else shown


def _hint(key: str, keys: KeySpace) -> str:
    if ".." in key:
        return " A range is written [first...last]."
    if isinstance(keys, DimensionedKeys):
        name = quoted_if_needed(next(iter(keys.dimensions)))
        return f" By one dimension, select with {name}=KEY or {name}=(KEY, KEY)."
    return did_you_mean(key, KEYWORDS)


def _text(selection: Selection) -> str:
    return bounded(str(selection), _SHOWN)


def _column(column: int) -> dict[str, Any]:
    return {"column": column} if column else {}
