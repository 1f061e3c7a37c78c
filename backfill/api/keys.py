"""Pages of partition keys, as the definitions have them now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from fastapi import Query

from backfill.api.cursors import decode_place, encode
from backfill.definitions.calls import Definitions
from backfill.definitions.partition import key_problem
from backfill.errors import Invalid, NotFound


class Order(StrEnum):
    """The set's own order, or its reverse."""

    OLDEST = "oldest"
    NEWEST = "newest"


OrderQuery = Annotated[Order, Query(description="The set's own order, or its reverse.")]


@dataclass(frozen=True)
class KeyPage:
    """Keys with their places in the set's order, and the cursor of what follows.

    Attributes:
        places: The place is None where the set has the key no longer.
    """

    places: Sequence[tuple[int | None, str]]
    count: int
    next: str | None

    @property
    def keys(self) -> list[str]:
        return [key for _, key in self.places]

    @property
    def removed(self) -> set[str]:
        """Those that the set has no longer."""
        return {key for index, key in self.places if index is None}


def key_page(
    definitions: Definitions,
    set_name: str,
    *,
    at: datetime,
    order: Order,
    limit: int,
    cursor: str | None = None,
    start: str | None = None,
    place: int | None = None,
) -> KeyPage:
    """Return a page of a set's keys.

    Args:
        cursor: The `next` of the page before; holds its last key, so that keys which come into
            being or go in between neither repeat nor skip others.
        start: Where the first page begins, inclusive.
        place: The same by place in the set's order, from 0; beyond the end is the end.

    Raises:
        NotFound: No such set, or it lacks the key to start at.
        CursorInvalid: The cursor is not one of this list.
    """
    count = definitions.count(set_name, at)
    step = 1 if order is Order.OLDEST else -1
    first = 0 if order is Order.OLDEST else count - 1
    if cursor is not None:
        key, index = decode_place(cursor)
        found = None if key_problem(key) else _index(definitions, set_name, key, at)
        first = (index if found is None else found) + step
    elif start is not None:
        first = _required(definitions, set_name, start, at)
    elif place is not None:
        first = max(min(place, count - 1), 0)
    if order is Order.OLDEST:
        low, high = first, min(first + limit, count)
    else:
        low, high = max(first - limit + 1, 0), min(first + 1, count)
    keys = definitions.page(set_name, low, high, at) if low < high else ()
    places = list(enumerate(keys, start=low))[::step]
    more = bool(places) and 0 <= places[-1][0] + step < count
    return KeyPage(places, count, encode(places[-1][1], places[-1][0]) if more else None)


def require_key(key: str) -> str:
    """Return a key that a partition can have, else raise Invalid."""
    problem = key_problem(key)
    if problem:
        raise Invalid(f"A partition key {problem}.")
    return key


def _index(definitions: Definitions, set_name: str, key: str, at: datetime) -> int | None:
    return definitions.index_of(set_name, [key], at)[0]


def _required(definitions: Definitions, set_name: str, key: str, at: datetime) -> int:
    index = _index(definitions, set_name, require_key(key), at)
    if index is None:
        raise NotFound(f'Partition set "{set_name}" has no partition "{key}".', partition=key)
    return index
