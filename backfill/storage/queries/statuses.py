"""What the partitions of a set have come to: their keys by status, in one pass over its runs.

The outcome of a partition is its newest run (by id) that ended and had started. A run that was
skipped, or canceled before it started, did nothing to the partition and hides no outcome.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection

from backfill.storage.database import Database

ROWS_AT_ONCE = 10_000


@dataclass(frozen=True)
class Looked:
    """Which runs are looked at.

    Attributes:
        until: Only what had happened by then, in microseconds of the database's clock.
        only: Only runs of these partitions.
        without: No runs of this backfill.
    """

    set_id: int
    until: int | None = None
    only: Sequence[str] | None = None
    without: int | None = None


class InFlight(NamedTuple):
    """A partition and the oldest of its runs that are pending, queued or running."""

    partition: str
    run_id: int
    backfill_id: int | None


class Status:
    """Conditions on the runs of one partition, as SQL over the group of them."""

    _success = "state = 'succeeded'"
    _failure = "state = 'failed'"
    _cancel = "state = 'canceled'"
    _any_end = "state IN ('succeeded', 'failed', 'canceled')"
    _outcome = "(state IN ('succeeded', 'failed') OR (state = 'canceled' AND attempt > 0))"

    def __init__(self, looked: Looked) -> None:
        until = "" if looked.until is None else " AND finished_at <= :until"
        self._ended = f"finished_at IS NOT NULL{until}"
        self._now = "{now}" if looked.until is None else ":until"

    @property
    def succeeded(self) -> str:
        """Its outcome is a success."""
        return f"{self._newest(self._outcome)} = {self._newest(self._success)}"

    @property
    def failed(self) -> str:
        """Its outcome is a failure."""
        return f"{self._newest(self._outcome)} = {self._newest(self._failure)}"

    @property
    def canceled(self) -> str:
        """The newest of its runs that ended was canceled, whether or not it had started."""
        return f"{self._newest(self._any_end)} = {self._newest(self._cancel)}"

    @property
    def ever_succeeded(self) -> str:
        """A run of it succeeded once."""
        return f"{self._newest(self._success)} IS NOT NULL"

    @property
    def stale(self) -> str:
        """Its last success is from another version than the one bound as `version`."""
        other = f"{self._success} AND (version IS NULL OR version <> :version)"
        return f"{self._newest(self._success)} = {self._newest(other)}"

    def older(self, seconds: int) -> str:
        """Its last success finished longer ago than this."""
        finished = f"max(CASE WHEN {self._success} AND {self._ended} THEN finished_at END)"
        return f"{finished} < {self._now} - {seconds * 1_000_000}"

    def _newest(self, condition: str) -> str:
        return f"max(CASE WHEN {condition} AND {self._ended} THEN id END)"


def keys_by_status(
    db: Database,
    conn: Connection,
    looked: Looked,
    conditions: Mapping[str, str],
    *,
    version: str | None = None,
) -> dict[str, list[str]]:
    """Return the keys that meet each condition, in the order of their text.

    Args:
        conditions: Of a `Status`, by any name.
        version: The pipeline's version, for `stale`.
    """
    found: dict[str, list[str]] = {name: [] for name in conditions}
    if not conditions:
        return found
    columns = ", ".join(f"({sql}) AS met{n}" for n, sql in enumerate(conditions.values()))
    any_met = " OR ".join(f"({sql})" for sql in conditions.values())
    where, params = _where(db, looked)
    rows = conn.execute(
        db.sql(
            f"SELECT partition, {columns} FROM runs WHERE {where} "
            f"GROUP BY partition HAVING {any_met}"
        ),
        params | {"version": version},
        execution_options={"yield_per": ROWS_AT_ONCE},
    )
    lists = list(found.values())
    for key, *met in rows:
        for listed, meets in zip(lists, met, strict=True):
            if meets:
                listed.append(key)
    for listed in lists:
        listed.sort()
    return found


def in_flight(db: Database, conn: Connection, looked: Looked) -> list[InFlight]:
    """Return the partitions of which a run is on its way, in the order of their text."""
    where, params = _where(db, looked)
    if looked.until is not None:
        branches = ["(finished_at IS NULL OR finished_at > :until)"]
    else:  # a branch per partial index: what is on its way is little beside what ever ran
        branches = [
            "state = 'pending' AND ready",
            "state = 'pending' AND NOT ready",
            "state IN ('queued', 'running')",
        ]
        if looked.only is None:  # SQLite would read the whole set by its index
            where = where.replace("set_id", "+set_id")
    rows = conn.execute(
        db.sql(
            " UNION ALL ".join(
                f"SELECT partition, id, backfill_id FROM runs WHERE {branch} AND {where}"
                for branch in branches
            )
        ),
        params,
        execution_options={"yield_per": ROWS_AT_ONCE},
    )
    found: dict[str, InFlight] = {}
    for row in rows:
        known = found.get(row.partition)
        if known is None or row.id < known.run_id:
            found[row.partition] = InFlight(row.partition, row.id, row.backfill_id)
    return [found[key] for key in sorted(found)]


def set_of(db: Database, conn: Connection, set_name: str) -> int | None:
    """Return the id of a partition set; None when nothing of it was ever asked for."""
    found = conn.execute(
        db.sql("SELECT id FROM partition_sets WHERE name = :name"), {"name": set_name}
    ).scalar()
    return None if found is None else int(found)


def _where(db: Database, looked: Looked) -> tuple[str, dict[str, Any]]:
    where, params = "set_id = :set", {"set": looked.set_id}
    if looked.until is not None:
        where += " AND created_at <= :until"
        params["until"] = looked.until
    if looked.without is not None:
        where += " AND (backfill_id IS NULL OR backfill_id <> :without)"
        params["without"] = looked.without
    if looked.only is not None:
        where += f" AND {db.one_of_texts('partition', 'only')}"
        params["only"] = db.texts(looked.only)
    return where, params
