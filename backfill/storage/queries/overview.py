"""The matrix overview: a whole set, or a range of it, in buckets of partitions x steps.

Small ranges are counted from their rows, large ones summed from the rollup's blocks, so it costs
the same at ten thousand and at a million partitions. Buckets of a large range begin and end with
blocks.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Connection

from backfill.storage.database import Database
from backfill.storage.queries.plain import tuples

Counts = Mapping[str, Mapping[str, int]]
"""Step -> status -> how many partitions; `RUN_ROW` counts the newest runs' states."""

BLOCK = 1_000  # partitions per block of the rollup
DIRECT = 2_000  # ranges up to this are counted from their rows
RUN_ROW = ""  # the step under which the newest runs' states are counted


class Stretch(NamedTuple):
    """Partitions [start, stop) by index, and the blocks of the rollup in there as JSON texts."""

    start: int
    stop: int
    blocks: tuple[str, ...]


def spans(start: int, stop: int, buckets: int, *, grain: int = 1) -> list[tuple[int, int]]:
    """Divide [start, stop) into at most `buckets` spans of a multiple of `grain`."""
    first, last = start // grain, -(-stop // grain)
    width = max(1, -(-(last - first) // max(1, buckets)))
    return [
        (max(start, at * grain), min(stop, (at + width) * grain))
        for at in range(first, last, width)
    ]


def stretches(
    db: Database, conn: Connection, set_name: str, wanted: Sequence[tuple[int, int]]
) -> list[Stretch]:
    """Return spans that begin and end with blocks, with their blocks for `summed`."""
    if not wanted:
        return []
    result = conn.execute(
        db.sql(
            "SELECT block, CAST(counts AS text) FROM matrix_blocks "
            "WHERE set_id = (SELECT id FROM partition_sets WHERE name = :set) "
            "AND block >= :first AND block < :last ORDER BY block"
        ),
        {"set": set_name, "first": wanted[0][0] // BLOCK, "last": -(-wanted[-1][1] // BLOCK)},
    )
    told: dict[int, str] = {block: counts for block, counts in tuples(result)}
    return [Stretch(start, stop, _inside(start, stop, told)) for start, stop in wanted]


def summed(blocks: Iterable[str], size: int, steps: Sequence[str]) -> Counts:
    """Sum the blocks of a stretch by step and status; what they do not tell of is missing.

    Args:
        size: How many partitions the stretch has.
    """
    inside = [json.loads(block) for block in blocks]
    counts: dict[str, Mapping[str, int]] = {}
    for step in (*steps, RUN_ROW):
        known: dict[str, int] = {}
        for block in inside:
            for status, n in block.get(step, {}).items():
                if n and status != "missing":
                    known[status] = known.get(status, 0) + n
        missing = size - sum(known.values())
        counts[step] = known | ({"missing": missing} if missing > 0 else {})
    return counts


def _inside(start: int, stop: int, told: Mapping[int, str]) -> tuple[str, ...]:
    places = range(start // BLOCK, -(-stop // BLOCK))
    return tuple([told[place] for place in places if place in told])
