"""Comparing: what a backfill took of its set with the set as it is now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row

from backfill.definitions.calls import Definitions, SelectionResult
from backfill.errors import SelectionInvalid, no_backfill
from backfill.lifecycle.choosing import Wanted, evaluate
from backfill.lifecycle.reprocessing import Reprocess
from backfill.storage.database import Database, decoded

NARROWED = "only a few of its selection were asked for, so nothing joins them"
KEYS_TOLD = 100
CHUNK = 10_000


@dataclass(frozen=True)
class Drift:
    """How a set differs from what a backfill took of it.

    Attributes:
        gone: Pending runs of the backfill whose partition left the set.
        gone_keys: The first of their partitions.
        joined: Partitions it would take now and has no run of.
        joined_keys: The first of them.
        vanished: Partitions that left the set before their runs were made.
        code_changed: Whether the definitions are others than those it was submitted with.
        problem: Why its selection cannot be evaluated any more; then nothing can join.
    """

    gone: int
    gone_keys: Sequence[str]
    joined: int
    joined_keys: Sequence[str]
    vanished: int
    code_changed: bool
    problem: str | None = None


class GoneRun(NamedTuple):
    """A pending run whose partition left the set."""

    run_id: int
    partition: str


@dataclass(frozen=True)
class Comparison:
    """A backfill beside its set.

    Attributes:
        backfill: Its row: id, state, selection, set_name, vanished, expanded_at, code_version.
        joined: What it would take now and has no run of; None when that cannot be told.
        problem: Why not.
    """

    backfill: Row[Any]
    gone: Sequence[GoneRun]
    joined: SelectionResult | None
    code_version: str
    problem: str | None = None


def drift_of(
    db: Database,
    definitions: Definitions,
    backfill_id: int,
    *,
    at: datetime,
    limit: int,
    selection: str | None = None,
) -> Drift:
    """Say what retargeting would do; nothing is changed. Arguments and errors as of `compare`."""
    found = compare(db, definitions, backfill_id, at=at, limit=limit, selection=selection)
    version = found.backfill.code_version
    return Drift(
        gone=len(found.gone),
        gone_keys=[run.partition for run in found.gone[:KEYS_TOLD]],
        joined=found.joined.count if found.joined else 0,
        joined_keys=_first_keys(definitions, found, at),
        vanished=found.backfill.vanished,
        code_changed=version is not None and version != found.code_version,
        problem=found.problem,
    )


def compare(
    db: Database,
    definitions: Definitions,
    backfill_id: int,
    *,
    at: datetime,
    limit: int,
    selection: str | None = None,
) -> Comparison:
    """Compare a backfill with its set.

    Statuses in the selection, and what is left out for them, are taken as they were at submit.

    Args:
        at: The moment the set is looked at.
        limit: A selection of more partitions is refused.
        selection: Asked instead of the backfill's own.

    Raises:
        NotFound: No such backfill, or its partition set is gone.
        SelectionInvalid: The selection given does not fit the set.
    """
    with db.snapshot() as conn:
        backfill = _backfill(db, conn, backfill_id)
        own = _own_keys(db, conn, backfill)
        pending = _pending(db, conn, backfill_id)
    catalog = definitions.catalog()
    pipeline = catalog.pipeline(catalog.partition_set(backfill.set_name).pipeline)
    wanted = Wanted(
        backfill.set_name,
        selection or backfill.selection,
        pipeline.version,
        Reprocess(backfill.reprocess),
        at,
        limit,
        until=backfill.created_at,
        without=backfill_id,
        known={"asked": own},
    )
    gone = list(_gone(definitions, backfill.set_name, pending, at))
    if decoded(backfill.narrowed):
        return Comparison(backfill, gone, None, catalog.version, NARROWED)
    try:
        joined = evaluate(db, definitions, wanted)
    except SelectionInvalid as error:
        if selection is not None:
            raise
        return Comparison(backfill, gone, None, catalog.version, error.detail)
    return Comparison(backfill, gone, joined, catalog.version)


def _backfill(db: Database, conn: Connection, backfill_id: int) -> Row[Any]:
    row = conn.execute(
        db.sql(
            "SELECT b.id, b.state, b.selection, b.reprocess, b.set_id, b.created_at, b.vanished, "
            "b.expanded_at, b.code_version, b.narrowed, s.name AS set_name FROM backfills b "
            "JOIN partition_sets s ON s.id = b.set_id WHERE b.id = :id"
        ),
        {"id": backfill_id},
    ).first()
    if row is None:
        raise no_backfill(backfill_id)
    return row


def _own_keys(db: Database, conn: Connection, backfill: Row[Any]) -> list[str]:
    """Return the partitions that the backfill has a run of, in the order of their text."""
    rows = conn.execute(
        db.sql("SELECT partition FROM runs WHERE set_id = :set AND backfill_id = :id"),
        {"set": backfill.set_id, "id": backfill.id},
        execution_options={"yield_per": CHUNK},
    )
    return sorted({row.partition for row in rows})


def _pending(db: Database, conn: Connection, backfill_id: int) -> list[GoneRun]:
    """Return the pending runs of a backfill, by way of both indexes of them."""
    found = "SELECT id, partition FROM runs WHERE backfill_id = :id AND state = 'pending'"
    rows = conn.execute(
        db.sql(f"{found} AND ready UNION ALL {found} AND NOT ready"),
        {"id": backfill_id},
        execution_options={"yield_per": CHUNK},
    )
    return sorted((GoneRun(row.id, row.partition) for row in rows), key=lambda run: run.partition)


def _gone(
    definitions: Definitions, set_name: str, runs: Sequence[GoneRun], at: datetime
) -> Iterator[GoneRun]:
    """Yield the runs whose partition the set does not have."""
    for start in range(0, len(runs), CHUNK):
        chunk = runs[start : start + CHUNK]
        places = definitions.index_of(set_name, [run.partition for run in chunk], at)
        yield from (run for run, place in zip(chunk, places, strict=True) if place is None)


def _first_keys(definitions: Definitions, found: Comparison, at: datetime) -> Sequence[str]:
    joined = found.joined
    if joined is None or not joined.count:
        return ()
    if joined.keys is not None:
        return joined.keys[:KEYS_TOLD]
    told = definitions.expand(
        found.backfill.set_name, joined.key_ranges, offset=0, limit=KEYS_TOLD, at=at
    )
    return [partition.key for partition in told.partitions]
