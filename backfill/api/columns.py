"""Which partitions a Run Matrix shows: all of a set, or those that a filter chooses."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, replace
from datetime import datetime
from functools import reduce
from typing import Annotated
from weakref import WeakKeyDictionary

from fastapi import Depends, Query

from backfill.api import narrowing
from backfill.api.context import BackfillQuery, Context
from backfill.api.cursors import decode_place, encode
from backfill.api.filtering import TagQuery, tags_of
from backfill.api.keys import KeyPage, Order, key_page, require_key
from backfill.api.narrowing import Fitting
from backfill.errors import NotFound
from backfill.storage.database import Database
from backfill.storage.queries.run_search import RunFilter

REMEMBERED = 50
REMEMBERED_SECONDS = 5.0  # a filtered matrix follows what happens this late


@dataclass(frozen=True)
class Columns:
    """What narrows the partitions; all of it must fit. Hashable: it is remembered by.

    Attributes:
        removed: Also those with such runs that the set has no longer.
    """

    select: str | None = None
    backfill_id: int | None = None
    tags: tuple[tuple[str, str], ...] = ()
    removed: bool = False

    @property
    def runs(self) -> RunFilter | None:
        """The runs that boxes are made of; None for all."""
        if self.backfill_id is None and not self.tags:
            return None
        return RunFilter(backfill_id=self.backfill_id, tags=dict(self.tags) or None)


@dataclass(frozen=True)
class Paging:
    """Which page of the columns."""

    order: Order
    limit: int
    place: int | None = None
    start: str | None = None
    cursor: str | None = None


async def columns(
    select: Annotated[
        str | None, Query(max_length=10_000, description="Only partitions of this selection.")
    ] = None,
    backfill: BackfillQuery = None,
    tag: TagQuery = None,
) -> Columns:
    """Return the filter that the query parameters of a request make."""
    tags = tuple(sorted((tags_of(tag) or {}).items()))
    return Columns(select.strip() or None if select else None, backfill, tags)


ColumnsWanted = Annotated[Columns, Depends(columns)]


def column_page(api: Context, name: str, wanted: Columns, page: Paging) -> tuple[KeyPage, int]:
    """Return a page of columns and the place of its first among all that fit.

    Raises:
        NotFound: No such set or backfill, or the partition to start at is not shown.
        SelectionInvalid: The selection cannot be read, or names unknown partitions.
    """
    at = api.clock()
    if wanted in {Columns(), Columns(removed=True)}:
        found = key_page(
            api.definitions,
            name,
            at=at,
            order=page.order,
            limit=page.limit,
            cursor=page.cursor,
            start=page.start,
            place=page.place,
        )
        return found, (found.places[0][0] or 0) if found.places else 0
    return _filtered(api, name, chosen(api, name, wanted, at), page, at)


def chosen(api: Context, name: str, wanted: Columns, at: datetime) -> Fitting:
    """Return the partitions that fit; looked up every few seconds at most."""
    cache = _cache_of(api.db)
    found = cache.get((name, wanted))
    if found is None:
        found = _choose(api, name, wanted, at)
        cache.put((name, wanted), found)
    return found


def _filtered(
    api: Context, name: str, fitting: Fitting, page: Paging, at: datetime
) -> tuple[KeyPage, int]:
    count = len(fitting)
    step = 1 if page.order is Order.OLDEST else -1
    first = 0 if page.order is Order.OLDEST else count - 1
    if page.cursor is not None:
        first = decode_place(page.cursor)[1] + step
    elif page.start is not None:
        first = _position_of(api, name, fitting, require_key(page.start), at)
    elif page.place is not None:
        first = min(page.place, count - 1)
    low = first if page.order is Order.OLDEST else max(first - page.limit + 1, 0)
    high = min(first + page.limit if page.order is Order.OLDEST else first + 1, count)
    removed, indexes = fitting.slice(low, high)
    kept = (
        (index, key)
        for part in indexes.ranges
        for index, key in zip(
            part, api.definitions.page(name, part.start, part.stop, at), strict=False
        )
    )
    places = [*((None, key) for key in removed), *kept][::step]
    last = first + step * (len(places) - 1)
    more = bool(places) and 0 <= last + step < count
    next_page = encode(places[-1][1], last) if more else None
    return KeyPage(places, count, next_page), max(first, 0)


def _position_of(api: Context, name: str, fitting: Fitting, key: str, at: datetime) -> int:
    index = api.definitions.index_of(name, [key], at)[0]
    position = fitting.position(key, index)
    if position is None:
        raise NotFound(f'Partition "{key}" is not among those that fit.', partition=key)
    return position


def _choose(api: Context, name: str, wanted: Columns, at: datetime) -> Fitting:
    parts: list[Fitting] = []
    if wanted.select is not None:
        parts.append(narrowing.by_selection(api, name, wanted.select, at))
    if wanted.backfill_id is not None:
        parts.append(narrowing.by_backfill(api, name, wanted.backfill_id, at))
    if wanted.tags:
        parts.append(narrowing.by_tags(api, name, dict(wanted.tags), at))
    found = reduce(Fitting.intersect, parts)
    return found if wanted.removed else replace(found, removed=())


class _Cache:
    """The newest answers, each for a few seconds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: OrderedDict[tuple[str, Columns], tuple[float, Fitting]] = OrderedDict()

    def get(self, key: tuple[str, Columns]) -> Fitting | None:
        with self._lock:
            until, found = self._found.get(key, (0.0, None))
            return found if time.monotonic() < until else None

    def put(self, key: tuple[str, Columns], found: Fitting) -> None:
        with self._lock:
            self._found[key] = (time.monotonic() + REMEMBERED_SECONDS, found)
            self._found.move_to_end(key)
            if len(self._found) > REMEMBERED:
                self._found.popitem(last=False)


_CACHES: WeakKeyDictionary[Database, _Cache] = WeakKeyDictionary()


def _cache_of(db: Database) -> _Cache:
    return _CACHES.setdefault(db, _Cache())
