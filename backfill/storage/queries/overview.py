"""The matrix overview: a whole set, or a range of it, in buckets of partitions x steps.

Small ranges are counted from their rows, large ones summed from the rollup's blocks, so it costs
the same at ten thousand and at a million partitions. Buckets of a large range begin and end with
blocks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from backfill.storage.database import Database, decoded

BLOCK = 1_000  # partitions per block of the rollup
DIRECT = 2_000  # ranges up to this are counted from their rows
RUN_ROW = ""  # the step under which the newest runs' states are counted


@dataclass(frozen=True)
class Bucket:
    """Partitions [start, stop) by index, and how many of them show which status, by step."""

    start: int
    stop: int
    counts: Mapping[str, Mapping[str, int]]


def spans(start: int, stop: int, buckets: int, *, grain: int = 1) -> list[tuple[int, int]]:
    """Divide [start, stop) into at most `buckets` spans of a multiple of `grain`."""
    first, last = start // grain, -(-stop // grain)
    width = max(1, -(-(last - first) // max(1, buckets)))
    return [
        (max(start, at * grain), min(stop, (at + width) * grain))
        for at in range(first, last, width)
    ]


def bucketed_blocks(
    db: Database,
    conn: Connection,
    set_name: str,
    steps: Sequence[str],
    wanted: Sequence[tuple[int, int]],
) -> list[Bucket]:
    """Sum the rollup's blocks into spans that begin and end with blocks."""
    if not wanted:
        return []
    rows = conn.execute(
        db.sql(
            "SELECT block, counts FROM matrix_blocks "
            "WHERE set_id = (SELECT id FROM partition_sets WHERE name = :set) "
            "AND block >= :first AND block < :last ORDER BY block"
        ),
        {"set": set_name, "first": wanted[0][0] // BLOCK, "last": -(-wanted[-1][1] // BLOCK)},
    ).all()
    blocks = {row.block: decoded(row.counts) for row in rows}
    return [_sum(start, stop, steps, blocks) for start, stop in wanted]


def _sum(
    start: int,
    stop: int,
    steps: Sequence[str],
    blocks: Mapping[int, Mapping[str, Mapping[str, int]]],
) -> Bucket:
    inside = [blocks[at] for at in range(start // BLOCK, -(-stop // BLOCK)) if at in blocks]
    counts: dict[str, Mapping[str, int]] = {}
    for step in (*steps, RUN_ROW):
        known: dict[str, int] = {}
        for block in inside:
            for status, n in block.get(step, {}).items():
                if n and status != "missing":
                    known[status] = known.get(status, 0) + n
        missing = (stop - start) - sum(known.values())
        counts[step] = known | ({"missing": missing} if missing > 0 else {})
    return Bucket(start, stop, counts)
