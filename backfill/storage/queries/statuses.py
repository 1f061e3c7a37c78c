"""What the partitions of a set have come to: their keys by status, in one pass over its runs.

The outcome of a partition is its newest run that ended and had started. A run that was skipped, or
canceled before it started, did nothing to the partition and hides no outcome.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
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


class Condition(NamedTuple):
    """A condition on the runs of one partition: SQL over the newest run of some kinds."""

    sql: str
    kinds: tuple[str, ...]


_KINDS = {
    "success": "state = 'succeeded'",
    "failure": "state = 'failed'",
    "cancel": "state = 'canceled'",
    "stop": "state = 'canceled' AND attempt > 0",
    "ours": "state = 'succeeded' AND version = :version",
    "other": "state = 'succeeded' AND (version IS NULL OR version <> :version)",
}


def _newer(kind: str, *others: str) -> Condition:
    """Return that the newest run of one kind is newer than those of others, and there is one.

    Runs are compared as in the matrix: by when they were made, since ids are handed out to
    connections in blocks and tell the order only of runs made at the same moment.
    """
    than = " AND ".join(f"({kind}_at, {kind}_id) > ({o}_at, {o}_id)" for o in others)
    return Condition(f"({than})", (kind, *others))


SUCCEEDED = _newer("success", "failure", "stop")
FAILED = _newer("failure", "success", "stop")
CANCELED = _newer("cancel", "success", "failure")  # whether or not it had started
STALE = _newer("other", "ours")
EVER_SUCCEEDED = Condition("success_at >= 0", ("success",))


def older(seconds: int) -> Condition:
    """Return that the last success finished longer ago than this."""
    return Condition(f"success_finished < {{asked_at}} - {seconds * 1_000_000}", ("success",))


def keys_by_status(
    db: Database,
    conn: Connection,
    looked: Looked,
    conditions: Mapping[str, Condition],
    *,
    version: str | None = None,
) -> dict[str, list[str]]:
    """Return the keys that meet each condition, in the order of their text.

    Args:
        conditions: By any name.
        version: The pipeline's version, for `STALE`.
    """
    found: dict[str, list[str]] = {name: [] for name in conditions}
    if not conditions:
        return found
    asked_at = "{now}" if looked.until is None else ":until"
    texts = [condition.sql.replace("{asked_at}", asked_at) for condition in conditions.values()]
    met = ", ".join(f"{sql} AS met{n}" for n, sql in enumerate(texts))
    kinds = dict.fromkeys(kind for condition in conditions.values() for kind in condition.kinds)
    where, params = _where(db, looked)
    rows = conn.execute(
        db.sql(
            f"SELECT partition, {met} FROM (SELECT partition, {_newest(kinds, looked)} "
            f"FROM runs WHERE {where} GROUP BY partition) AS newest WHERE {' OR '.join(texts)}"
        ),
        params | {"version": version},
        execution_options={"yield_per": ROWS_AT_ONCE},
    )
    lists = list(found.values())
    for key, *flags in rows:
        for listed, flag in zip(lists, flags, strict=True):
            if flag:
                listed.append(key)
    for listed in lists:
        listed.sort()
    return found


def _newest(kinds: Collection[str], looked: Looked) -> str:
    """Render the newest run of each kind that had ended: -1 without one."""
    ended = "finished_at IS NOT NULL"
    if looked.until is not None:
        ended += " AND finished_at <= :until"
    columns = []
    for kind in kinds:
        for column, name in (("created_at", "at"), ("id", "id")):
            largest = f"max(CASE WHEN {_KINDS[kind]} AND {ended} THEN {column} END)"
            columns.append(f"coalesce({largest}, -1) AS {kind}_{name}")
    if "success" in kinds:
        finished = f"max(CASE WHEN {_KINDS['success']} AND {ended} THEN finished_at END)"
        columns.append(f"{finished} AS success_finished")
    return ", ".join(columns)


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
    columns = "SELECT partition, id, backfill_id, created_at FROM runs"
    rows = conn.execute(
        db.sql(" UNION ALL ".join(f"{columns} WHERE {b} AND {where}" for b in branches)),
        params,
        execution_options={"yield_per": ROWS_AT_ONCE},
    )
    found: dict[str, InFlight] = {}
    made: dict[str, int] = {}
    for row in rows:
        known = found.get(row.partition)
        if known is None or (row.created_at, row.id) < (made[row.partition], known.run_id):
            made[row.partition] = row.created_at
            found[row.partition] = InFlight(row.partition, row.id, row.backfill_id)
    return [found[key] for key in sorted(found)]


class VersionCount(NamedTuple):
    """How many partitions last succeeded with a version, and when the newest of them did."""

    version: str | None
    partitions: int
    newest: int


def last_versions(
    db: Database, conn: Connection, set_id: int, *, most: int = 50
) -> list[VersionCount]:
    """Return the versions that the last successes of a set's partitions are of, newest first."""
    rows = conn.execute(
        db.sql(
            "SELECT version, count(*) AS partitions, max(finished_at) AS newest FROM ("
            "SELECT version, finished_at, row_number() OVER (PARTITION BY partition "
            "ORDER BY created_at DESC, id DESC) AS place FROM runs "
            "WHERE set_id = :set AND state = 'succeeded') AS successes WHERE place = 1 "
            "GROUP BY version ORDER BY newest DESC LIMIT :most"
        ),
        {"set": set_id, "most": most},
    )
    return [VersionCount(row.version, row.partitions, row.newest) for row in rows]


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
