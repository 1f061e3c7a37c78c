"""Failures: what went wrong in a backfill, error by error, with the partitions as a selection."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from backfill.definitions.calls import Definitions
from backfill.definitions.selection.syntax import Key, Range, Selection, Union
from backfill.errors import BackfillError, no_backfill
from backfill.storage.database import Database
from backfill.storage.queries.backfills import get_backfill
from backfill.storage.queries.failures import FailureGroup, failure_groups

LONGEST_SELECTION = 20_000  # characters
MOST_PARTS = LONGEST_SELECTION // 4


@dataclass(frozen=True)
class Failure:
    """One group of failures.

    Attributes:
        selection: Its partitions in the selection language; None when that would be too long.
    """

    group: FailureGroup
    selection: str | None


@dataclass(frozen=True)
class Failures:
    """The largest groups of the failures that stand; `groups` and `count` are of all of them."""

    items: Sequence[Failure]
    groups: int
    count: int


def failures(
    db: Database, definitions: Definitions, backfill_id: int, *, at: datetime, limit: int
) -> Failures:
    """Group the failed runs of a backfill by error, the largest group first.

    A partition that the backfill tried again counts by its newest run alone.

    Raises:
        NotFound: There is no such backfill.
    """
    with db.snapshot() as conn:
        view = get_backfill(db, conn, backfill_id)
        if view is None:
            raise no_backfill(backfill_id)
        found, groups, count = failure_groups(
            db, conn, backfill_id, retried=view.generation > 0, limit=limit
        )
    # Runs in the set's order are sorted by their places, which tells for nothing what is too
    # scattered to be spelled.
    sorted_by_place = view.ordering in {"oldest", "newest"}
    short = {g.key for g in found if not sorted_by_place or g.pieces <= MOST_PARTS}
    keys = [key for group in found if group.key in short for key in group.partitions]
    places = _places(definitions, view.partition_set, keys, at)
    items = [
        Failure(group, spelled(group.partitions, places) if group.key in short else None)
        for group in found
    ]
    return Failures(items, groups, count)


def spelled(keys: Sequence[str], places: Mapping[str, int]) -> str | None:
    """Return keys as a selection, neighbours as ranges; None when it would be too long.

    Args:
        places: Where they stand in their set's order; one that is not there is spelled by itself.
    """
    parts = list(islice(_parts(keys, places), MOST_PARTS + 1))
    if not parts or len(parts) > MOST_PARTS:
        return None
    text = str(Union(tuple(parts)) if len(parts) > 1 else parts[0])
    return text if len(text) <= LONGEST_SELECTION else None


def _places(
    definitions: Definitions, set_name: str, keys: Sequence[str], at: datetime
) -> Mapping[str, int]:
    """Return where keys stand in their set's order; none of them without the definitions."""
    try:
        found = definitions.index_of(set_name, keys, at)
    except BackfillError:
        return {}
    return {key: place for key, place in zip(keys, found, strict=True) if place is not None}


def _parts(keys: Sequence[str], places: Mapping[str, int]) -> Iterator[Selection]:
    """Yield the parts of the selection: ranges in the set's order, then keys that it lacks."""
    there = sorted((places[key], key) for key in keys if key in places)
    start = 0
    for end in range(1, len(there) + 1):
        if end < len(there) and there[end][0] == there[end - 1][0] + 1:
            continue
        first, last = there[start][1], there[end - 1][1]
        yield Key(first) if end - start == 1 else Range(first, last)
        start = end
    yield from (Key(key) for key in keys if key not in places)
