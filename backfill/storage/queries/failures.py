"""Failed runs of a backfill, counted by what their errors have in common."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row

from backfill.storage.database import Database

# Spelled like the partial index of what did not succeed, so that it is used.
_FAILED = "r.backfill_id = :id AND r.state IN ('failed', 'canceled') AND r.state = 'failed'{newest}"
_NEWEST = (
    " AND NOT EXISTS (SELECT 1 FROM runs n WHERE n.set_id = r.set_id "
    "AND n.partition = r.partition AND n.backfill_id = r.backfill_id "
    "AND n.generation > r.generation)"
)
_KEY = "coalesce(r.error_key, r.error_type, r.reason, '')"


@dataclass(frozen=True)
class FailureGroup:
    """Failed runs alike.

    Attributes:
        key: What they have in common: the type and the masked message.
        steps: How many of them failed at which step; "" where none began.
        run_id: One of them, the last that was made.
        error_type: Of that run, with its message.
        partitions: Of all of them, in the order of their text.
        pieces: How many stretches of neighbours they are, by what their runs are sorted by.
    """

    key: str
    count: int
    steps: dict[str, int]
    first_at: int
    last_at: int
    run_id: int
    error_type: str | None
    error_message: str | None
    partitions: Sequence[str]
    pieces: int


def failure_groups(
    db: Database, conn: Connection, backfill_id: int, *, retried: bool, limit: int
) -> tuple[list[FailureGroup], int, int]:
    """Return the largest groups of the failures that stand, how many groups and failures there are.

    A failure whose partition was tried again by the backfill does not stand any more.

    Args:
        retried: Whether anything of the backfill was tried again.
    """
    where = _FAILED.format(newest=_NEWEST if retried else "")
    params = {"id": backfill_id}
    rows = conn.execute(
        db.sql(
            f"SELECT {_KEY} AS key, coalesce(r.failed_step, '') AS step, count(*) AS n, "
            "min(r.finished_at) AS first_at, max(r.finished_at) AS last_at, max(r.id) AS run_id "
            f"FROM runs r WHERE {where} GROUP BY 1, 2"
        ),
        params,
    ).all()
    by_key: dict[str, list[Row[Any]]] = defaultdict(list)
    for row in rows:
        by_key[row.key].append(row)
    largest = sorted(by_key, key=lambda key: (-sum(r.n for r in by_key[key]), key))[:limit]
    examples = _examples(db, conn, [max(r.run_id for r in by_key[key]) for key in largest])
    partitions = _partitions(db, conn, where, params, set(largest))
    groups = [_group(key, by_key[key], examples, partitions.get(key, ())) for key in largest]
    return groups, len(by_key), sum(row.n for row in rows)


def _group(
    key: str,
    rows: Sequence[Row[Any]],
    examples: dict[int, Row[Any]],
    partitions: Sequence[tuple[int, str]],
) -> FailureGroup:
    example = examples[max(row.run_id for row in rows)]
    return FailureGroup(
        key=key or "no error was recorded",
        count=sum(row.n for row in rows),
        steps={row.step: row.n for row in sorted(rows, key=lambda row: (-row.n, row.step))},
        first_at=min(row.first_at for row in rows),
        last_at=max(row.last_at for row in rows),
        run_id=example.id,
        error_type=example.error_type,
        error_message=example.error_message or example.reason,
        partitions=sorted(partition for _, partition in partitions),
        pieces=_pieces([sort for sort, _ in partitions]),
    )


def _pieces(sorts: Sequence[int]) -> int:
    """Return how many stretches of consecutive numbers these are."""
    return len(set(sorts) - {sort + 1 for sort in sorts})


def _examples(db: Database, conn: Connection, ids: Sequence[int]) -> dict[int, Row[Any]]:
    rows = conn.execute(
        db.sql(
            f"SELECT id, error_type, error_message, reason FROM runs WHERE {db.one_of('id', 'ids')}"
        ),
        {"ids": db.ints(ids)},
    ).all()
    return {row.id: row for row in rows}


def _partitions(
    db: Database, conn: Connection, where: str, params: dict[str, Any], keys: set[str]
) -> dict[str, list[tuple[int, str]]]:
    found: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for key, sort, partition in conn.execute(
        db.sql(f"SELECT {_KEY} AS key, r.sort, r.partition FROM runs r WHERE {where}"), params
    ).all():
        if key in keys and partition is not None:
            found[key].append((sort, partition))
    return found
