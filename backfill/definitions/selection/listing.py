"""The order in which the text of a selection names partitions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from backfill.definitions.keys import KeySpace
from backfill.definitions.selection.evaluate import evaluate_part
from backfill.definitions.selection.index_set import IndexSet
from backfill.definitions.selection.syntax import Except, Intersection, Selection, Union


def as_listed(
    selection: Selection,
    keys: KeySpace,
    chosen: IndexSet,
    *,
    now: datetime,
    statuses: Mapping[str, Iterable[str] | IndexSet],
    limit: int,
) -> Iterator[range]:
    """Yield the chosen partitions as ranges of indexes, in the order of the text.

    `c, a, [x...z]` gives c, then a, then x to z. What is named twice comes where it is named
    first; within one part the set's order holds.
    """
    for part in _parts(selection):
        named = evaluate_part(part, keys, now=now, statuses=statuses, limit=limit)
        found = chosen.intersect(named)
        yield from found.ranges
        chosen = chosen.difference(found)
    yield from chosen.ranges


def _parts(selection: Selection) -> Iterator[Selection]:
    """Yield what a text names one after another."""
    if isinstance(selection, Union):
        for part in selection.parts:
            yield from _parts(part)
    elif isinstance(selection, Except):
        yield from _parts(selection.base)
    elif isinstance(selection, Intersection):
        lists = [part for part in selection.parts if len(list(_parts(part))) > 1]
        yield from _parts(lists[0]) if lists else [selection]
    else:
        yield selection
