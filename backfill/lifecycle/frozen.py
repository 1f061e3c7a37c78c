"""Frozen: what a backfill selected, read back from its key ranges and found again in its set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, Row

from backfill.definitions.calls import Definitions, ExpandedPartition, Expansion, KeyRange
from backfill.errors import DefinitionsUnavailable
from backfill.lifecycle.moves import NewRun
from backfill.lifecycle.ordering import previous_keys, sort_of
from backfill.lifecycle.submitting import QUEUE_TAG
from backfill.storage.database import Database

EXPANDABLE = "expanded_at IS NULL AND state IN ('requested', 'running', 'paused')"
NOTHING_BEFORE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Frozen:
    """The selection of a backfill that is being expanded.

    Attributes:
        backfill: Its row, as it was when this was read.
        size: How many partitions were selected; places are counted from 0 to here.
    """

    backfill: Row[Any]
    set_name: str
    size: int

    def stretch(self, expanded: int, limit: int) -> tuple[int, int]:
        """Return the places, from and to, of the next to be made and of the last one made."""
        first = max(expanded - 1, 0)
        last = min(expanded + limit, self.size)
        if self.backfill.ordering == "newest":
            return self.size - last, self.size - first
        return first, last

    def take(self, db: Database, definitions: Definitions, start: int, stop: int) -> Expansion:
        """Ask for the partitions at start <= place < stop, as the set has them now."""
        with db.read() as conn:
            rows = _ranges(db, conn, self.backfill.id, start, stop)
        ranges = [KeyRange(row.first_key, row.last_key, row.size) for row in rows]
        skip = start - rows[0].first_index
        at = datetime.fromtimestamp(self.backfill.selected_at / 1e6, UTC)
        return _ask(definitions, self.set_name, ranges, skip, skip + stop - start, at)

    def previous(self, definitions: Definitions, keys: Sequence[str]) -> Mapping[str, str]:
        """Return the partition that each of these depends on; none where they depend on none."""
        if not self.backfill.depends_on_previous or not keys:
            return NOTHING_BEFORE
        at = datetime.fromtimestamp(self.backfill.selected_at / 1e6, UTC)
        return previous_keys(definitions, self.set_name, keys, at)


def frozen(db: Database, conn: Connection, backfill: Row[Any]) -> Frozen:
    """Return the selection of a backfill."""
    row = conn.execute(
        db.sql(
            'SELECT s.name, (SELECT sum("count") FROM backfill_ranges WHERE backfill_id = :id) '
            "AS size FROM partition_sets s WHERE s.id = :set"
        ),
        {"id": backfill.id, "set": backfill.set_id},
    ).one()
    return Frozen(backfill, row.name, int(row.size))


def expanding(
    db: Database, conn: Connection, backfill_id: int, *, lock: str = ""
) -> Row[Any] | None:
    """Return a backfill that still has partitions to expand, or None.

    Args:
        lock: `db.for_update`, or what else it is to be locked by.

    It comes as its first generation, which every partition's first run belongs to, and with the
    database's time.
    """
    return conn.execute(
        db.sql(
            "SELECT id, state, set_id, pipeline_id, total, expanded, selected_at, "
            "0 AS generation, max_failures, queue, ordering, swept_to, swept_new, canary, "
            "canary_state, sequential, depends_on_previous, partitions_per_run, {now} AS now "
            "FROM backfills WHERE id = :id "
            f"AND {EXPANDABLE}{lock}"
        ),
        {"id": backfill_id},
    ).first()


def having_runs(
    db: Database, conn: Connection, backfill: Row[Any], keys: Sequence[str]
) -> set[str]:
    """Return which of these partitions a backfill has made runs of."""
    rows = conn.execute(
        db.sql(
            "SELECT partition FROM runs WHERE set_id = :set AND backfill_id = :backfill "
            f"AND generation = :generation AND {db.one_of_texts('partition', 'keys')}"
        ),
        {
            "set": backfill.set_id,
            "backfill": backfill.id,
            "generation": backfill.generation,
            "keys": db.texts(keys),
        },
    )
    return {row.partition for row in rows}


def new_run(
    partition: ExpandedPartition,
    *,
    place: int,
    ordering: str = "oldest",
    previous: Mapping[str, str] = NOTHING_BEFORE,
) -> NewRun:
    """Return the run to make of a partition; admission takes runs in the order of their places.

    Args:
        ordering: By `weight` they go in the order of that instead.
        previous: The partitions that some must wait for.
    """
    tags = dict(partition.tags)
    sort = sort_of(place, tags, ordering=ordering)
    key = partition.key
    return NewRun(key, sort, tags or None, tags.get(QUEUE_TAG), previous.get(key))


def _ranges(
    db: Database, conn: Connection, backfill_id: int, start: int, stop: int
) -> Sequence[Row[Any]]:
    return conn.execute(
        db.sql(
            'SELECT first_index, first_key, last_key, "count" AS size FROM backfill_ranges '
            'WHERE backfill_id = :id AND first_index < :stop AND first_index + "count" > :start '
            "ORDER BY first_index"
        ),
        {"id": backfill_id, "start": start, "stop": stop},
    ).all()


def _ask(
    definitions: Definitions,
    set_name: str,
    ranges: Sequence[KeyRange],
    offset: int,
    stop: int,
    at: datetime,
) -> Expansion:
    """Ask for all of it; a slow tags function answers in pieces."""
    keys: list[str] = []
    tags: dict[int, Mapping[str, str]] = {}
    vanished: list[str] = []
    drifted = False
    while offset < stop:
        piece = definitions.expand(set_name, ranges, offset=offset, limit=stop - offset, at=at)
        if piece.next_offset <= offset:
            raise DefinitionsUnavailable(
                f'Partition set "{set_name}" tells none of its partitions in time. '
                "Is its tags function slow?"
            )
        tags |= {len(keys) + place: own for place, own in piece.tags.items()}
        keys += piece.keys
        vanished += piece.vanished
        drifted = drifted or piece.drifted
        offset = piece.next_offset
    return Expansion(keys, offset, vanished, drifted, tags)
