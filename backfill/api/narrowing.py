"""The partitions that a filter of the Run Matrix leaves: by selection, by backfill, by tags."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from backfill.api.context import Context
from backfill.definitions.selection.index_set import IndexSet
from backfill.errors import NotFound, SelectionInvalid
from backfill.lifecycle import choosing
from backfill.lifecycle.choosing import Wanted
from backfill.lifecycle.reprocessing import Reprocess
from backfill.storage.queries.narrowing import backfill_ranges, partitions_of_runs
from backfill.storage.queries.run_search import RunFilter

MOST_RUNS = 10_000  # with a tag; the partitions of older ones are not found
MOST_OF_BACKFILL = 100_000  # of one whose set has changed since


@dataclass(frozen=True)
class Fitting:
    """The partitions that fit, in the set's order; those that have left the set come before.

    Attributes:
        places: Where those of the set stand in its order.
        removed: Keys with runs, in the order of their text, which the set has no longer.
    """

    places: IndexSet
    removed: Sequence[str] = ()

    def __len__(self) -> int:
        return len(self.removed) + len(self.places)

    def intersect(self, other: Fitting) -> Fitting:
        """Return what fits both."""
        there = set(other.removed)
        removed = tuple(key for key in self.removed if key in there)
        return Fitting(self.places.intersect(other.places), removed)

    def slice(self, low: int, high: int) -> tuple[Sequence[str], IndexSet]:
        """Return those from `low` to before `high`: keys that were removed, then places."""
        few = len(self.removed)
        start, stop = max(low - few, 0), max(high - few, 0)
        places = self.places.slice(start, stop - start) if start < stop else IndexSet.empty()
        return self.removed[low:high], places

    def position(self, key: str, index: int | None) -> int | None:
        """Return where a key stands among these, from 0; None when it does not fit.

        Args:
            index: Its place in the set; None when it has none.
        """
        if index is None:
            return self.removed.index(key) if key in self.removed else None
        if index not in self.places:
            return None
        return len(self.removed) + len(self.places.clip(0, index))


def by_selection(api: Context, name: str, selection: str, at: datetime) -> Fitting:
    """Return what a selection chooses; of partitions that left the set it knows nothing."""
    catalog = api.definitions.catalog()
    version = catalog.pipeline(catalog.partition_set(name).pipeline).version
    limit = api.settings.max_partitions
    wanted = Wanted(name, selection, version, Reprocess.ALL, at, limit)
    try:
        result = choosing.evaluate(api.db, api.definitions, wanted)
    except SelectionInvalid as error:
        if error.facts.get("count") == 0:
            return Fitting(IndexSet.empty())
        raise
    return Fitting(IndexSet.from_ranges(range(first, last + 1) for first, last in result.ranges))


def by_backfill(api: Context, name: str, backfill_id: int, at: datetime) -> Fitting:
    """Return the partitions of a backfill.

    While its ranges are as they were frozen, and it has no partitions beside them, nothing of it
    can have left the set. Else its runs tell its partitions.

    Raises:
        NotFound: The set has no such backfill.
    """
    with api.db.read() as conn:
        found = backfill_ranges(api.db, conn, name, backfill_id)
    if found is None:
        raise NotFound(f'Partition set "{name}" has no backfill {backfill_id}.')
    frozen, total = found
    ends = [key for part in frozen for key in (part.first, part.last)]
    places = api.definitions.index_of(name, ends, at)
    there = [
        range(first, last + 1)
        for first, last in zip(places[::2], places[1::2], strict=True)
        if first is not None and last is not None
    ]
    known = IndexSet.from_ranges(there)
    if [len(part) for part in there] == [part.size for part in frozen] and len(known) == total:
        return Fitting(known)
    runs = RunFilter(backfill_id=backfill_id, partition_set=name)
    ran = _of_runs(api, name, runs, at, most=MOST_OF_BACKFILL)
    return Fitting(known.union(ran.places), ran.removed)


def by_tags(api: Context, name: str, tags: dict[str, str], at: datetime) -> Fitting:
    """Return the partitions of the newest runs with all of these tags."""
    return _of_runs(api, name, RunFilter(partition_set=name, tags=tags), at, most=MOST_RUNS)


def _of_runs(api: Context, name: str, wanted: RunFilter, at: datetime, *, most: int) -> Fitting:
    with api.db.read() as conn:
        keys = partitions_of_runs(api.db, conn, wanted, most=most)
    places = api.definitions.index_of(name, keys, at)
    removed = sorted(key for key, place in zip(keys, places, strict=True) if place is None)
    return Fitting(IndexSet.from_indexes(p for p in places if p is not None), tuple(removed))
