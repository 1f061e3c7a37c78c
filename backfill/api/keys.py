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
    key: str | None = None
    if cursor is not None:
        key, place = decode_place(cursor)
        key = None if key_problem(key) else key
    elif start is not None:
        key, place = require_key(start), None
    backward = order is Order.NEWEST
    found = definitions.listing(
        set_name,
        at,
        limit=limit,
        backward=backward,
        key=key,
        place=place,
        skip=cursor is not None,
    )
    if key is not None and place is None and found.found is None:
        raise NotFound(f'Partition set "{set_name}" has no partition "{key}".', partition=key)
    step = -1 if backward else 1
    places = list(enumerate(found.keys, start=found.start))[::step]
    more = bool(places) and 0 <= places[-1][0] + step < found.size
    return KeyPage(places, found.size, encode(places[-1][1], places[-1][0]) if more else None)


def require_key(key: str) -> str:
    """Return a key that a partition can have, else raise Invalid."""
    problem = key_problem(key)
    if problem:
        raise Invalid(f"A partition key {problem}.")
    return key
