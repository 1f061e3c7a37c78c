"""Which partitions a Run Matrix shows: all of a set, or those that a filter chooses."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from weakref import WeakKeyDictionary

from fastapi import Depends, Query

from backfill.api.context import BackfillQuery, Context
from backfill.api.cursors import decode_place, encode
from backfill.api.filtering import TagQuery, tags_of
from backfill.api.keys import KeyPage, Order, key_page, require_key
from backfill.definitions.selection.index_set import IndexSet
from backfill.errors import NotFound, SelectionInvalid
from backfill.lifecycle import choosing
from backfill.lifecycle.choosing import Wanted
from backfill.lifecycle.reprocessing import Reprocess
from backfill.storage.database import Database
from backfill.storage.queries.matrix import backfill_ranges, partitions_of_runs
from backfill.storage.queries.run_search import RunFilter

REMEMBERED = 50
REMEMBERED_SECONDS = 5.0  # a filtered matrix follows what happens this late


@dataclass(frozen=True)
class Columns:
    """What narrows the partitions; all of it must fit. Hashable: it is remembered by."""

    select: str | None = None
    backfill_id: int | None = None
    tags: tuple[tuple[str, str], ...] = ()

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


def columns(
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
    if wanted == Columns():
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
        return found, found.places[0][0] if found.places else 0
    return _filtered(api, name, chosen(api, name, wanted, at), page, at)


def chosen(api: Context, name: str, wanted: Columns, at: datetime) -> IndexSet:
    """Return the places of the partitions that fit; looked up every few seconds at most."""
    cache = _cache_of(api.db)
    found = cache.get((name, wanted))
    if found is None:
        found = _choose(api, name, wanted, at)
        cache.put((name, wanted), found)
    return found


def _filtered(
    api: Context, name: str, fitting: IndexSet, page: Paging, at: datetime
) -> tuple[KeyPage, int]:
    count = len(fitting)
    step = 1 if page.order is Order.OLDEST else -1
    first = 0 if page.order is Order.OLDEST else count - 1
    if page.cursor is not None:
        first = decode_place(page.cursor)[1] + step
    elif page.start is not None:
        first = _place_of(api, name, fitting, require_key(page.start), at)
    elif page.place is not None:
        first = min(page.place, count - 1)
    low = first if page.order is Order.OLDEST else max(first - page.limit + 1, 0)
    high = min(first + page.limit if page.order is Order.OLDEST else first + 1, count)
    indexes = fitting.slice(low, high - low) if low < high else IndexSet.empty()
    places = [
        (index, key)
        for part in indexes.ranges
        for index, key in zip(
            part, api.definitions.page(name, part.start, part.stop, at), strict=False
        )
    ][::step]
    last = first + step * (len(places) - 1)
    more = bool(places) and 0 <= last + step < count
    next_page = encode(places[-1][1], last) if more else None
    return KeyPage(places, count, next_page), max(first, 0)


def _place_of(api: Context, name: str, fitting: IndexSet, key: str, at: datetime) -> int:
    index = api.definitions.index_of(name, [key], at)[0]
    if index is None or index not in fitting:
        raise NotFound(f'Partition "{key}" is not among those that fit.', partition=key)
    return len(fitting.clip(0, index))


def _choose(api: Context, name: str, wanted: Columns, at: datetime) -> IndexSet:
    count = api.definitions.count(name, at)
    found = IndexSet.span(0, count)
    if wanted.select is not None:
        found = found.intersect(_selected(api, name, wanted.select, at))
    if wanted.backfill_id is not None:
        found = found.intersect(_of_backfill(api, name, wanted.backfill_id, at))
    if wanted.tags:
        with api.db.read() as conn:
            runs = RunFilter(partition_set=name, tags=dict(wanted.tags))
            keys = partitions_of_runs(api.db, conn, runs)
        places = api.definitions.index_of(name, keys, at)
        found = found.intersect(IndexSet.from_indexes(p for p in places if p is not None))
    return found


def _selected(api: Context, name: str, selection: str, at: datetime) -> IndexSet:
    catalog = api.definitions.catalog()
    version = catalog.pipeline(catalog.partition_set(name).pipeline).version
    limit = api.settings.max_partitions
    wanted = Wanted(name, selection, version, Reprocess.ALL, at, limit)
    try:
        result = choosing.evaluate(api.db, api.definitions, wanted)
    except SelectionInvalid as error:
        if error.facts.get("count") == 0:
            return IndexSet.empty()
        raise
    return IndexSet.from_ranges(range(first, last + 1) for first, last in result.ranges)


def _of_backfill(api: Context, name: str, backfill_id: int, at: datetime) -> IndexSet:
    with api.db.read() as conn:
        ranges = backfill_ranges(api.db, conn, name, backfill_id)
    if ranges is None:
        raise NotFound(f'Partition set "{name}" has no backfill {backfill_id}.')
    places = api.definitions.index_of(name, [key for pair in ranges for key in pair], at)
    pairs = zip(places[::2], places[1::2], strict=True)
    return IndexSet.from_ranges(
        range(first, last + 1) for first, last in pairs if first is not None and last is not None
    )


class _Cache:
    """The newest answers, each for a few seconds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: OrderedDict[tuple[str, Columns], tuple[float, IndexSet]] = OrderedDict()

    def get(self, key: tuple[str, Columns]) -> IndexSet | None:
        with self._lock:
            until, found = self._found.get(key, (0.0, None))
            return found if time.monotonic() < until else None

    def put(self, key: tuple[str, Columns], found: IndexSet) -> None:
        with self._lock:
            self._found[key] = (time.monotonic() + REMEMBERED_SECONDS, found)
            self._found.move_to_end(key)
            if len(self._found) > REMEMBERED:
                self._found.popitem(last=False)


_CACHES: WeakKeyDictionary[Database, _Cache] = WeakKeyDictionary()


def _cache_of(db: Database) -> _Cache:
    return _CACHES.setdefault(db, _Cache())
