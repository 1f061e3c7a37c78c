"""Naming partitions for what operators say of them: a selection, its keys, its blocks' marks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from backfill.definitions.calls import Definitions
from backfill.definitions.catalog import PipelineInfo
from backfill.lifecycle.choosing import Wanted, evaluate
from backfill.lifecycle.moves.feed import Moved, tell
from backfill.lifecycle.reprocessing import Reprocess
from backfill.storage.database import Database

MOST_NAMED = 100_000
CHUNK = 5_000
RANGES_TOLD = 1_000


@dataclass(frozen=True)
class Named:
    """Partitions of a set that an operator named.

    Attributes:
        keys: In the set's order.
        ranges: First and last key of each run of neighbours.
    """

    pipeline: PipelineInfo
    keys: Sequence[str]
    ranges: Sequence[tuple[str, str]]


def named(
    db: Database, definitions: Definitions, set_name: str, selection: str, *, at: datetime
) -> Named:
    """Return the partitions that a selection names, at most `MOST_NAMED`.

    Raises:
        NotFound: No such partition set.
        SelectionInvalid: It cannot be read, names unknown keys, or selects none or too many.
    """
    catalog = definitions.catalog()
    pipeline = catalog.pipeline(catalog.partition_set(set_name).pipeline)
    wanted = Wanted(set_name, selection, pipeline.version, Reprocess.ALL, at, MOST_NAMED)
    found = evaluate(db, definitions, wanted)
    keys = found.keys
    if keys is None:
        pages = (definitions.page(set_name, a, b + 1, at) for a, b in found.ranges)
        keys = [key for page in pages for key in page]
    return Named(pipeline, keys, [(part.first, part.last) for part in found.key_ranges])


def tell_touched(
    db: Database, conn: Connection, set_id: int, ranges: Sequence[tuple[str, str]]
) -> None:
    """Have the overview look at these partitions again, and say so to who follows live."""
    if len(ranges) > RANGES_TOLD:
        ranges = [(ranges[0][0], ranges[-1][1])]
    tell(db, conn, Moved(touched=[[set_id, first, last] for first, last in ranges]))


def chunks(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield keys in pieces that one statement takes."""
    for start in range(0, len(keys), CHUNK):
        yield keys[start : start + CHUNK]
