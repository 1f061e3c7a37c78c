"""Staleness: which partitions of a set last succeeded with older code, counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from backfill.definitions.calls import Definitions
from backfill.definitions.selection.words import StatusWord
from backfill.lifecycle.statuses import EVER, look_up
from backfill.storage.database import Database
from backfill.storage.queries.statuses import VersionCount, last_versions, set_of

STALE = StatusWord.STALE.value


@dataclass(frozen=True)
class Staleness:
    """How many partitions of a set are of which code.

    Attributes:
        version: The pipeline's version now.
        current: Last succeeded with it, or were marked succeeded by hand.
        stale: Last succeeded with another one.
        never: Never succeeded.
        versions: Of which code the last successes are; those of partitions that left the set are
            among them.
    """

    partition_set: str
    pipeline: str
    version: str
    of: int
    current: int
    stale: int
    never: int
    versions: Sequence[VersionCount]


def staleness(
    db: Database, definitions: Definitions, partition_set: str, *, at: datetime, limit: int
) -> Staleness:
    """Count the partitions of a set that last succeeded with another version of its pipeline.

    Args:
        at: The moment the set is looked at, timezone-aware.
        limit: A set of more partitions is refused.

    Raises:
        NotFound: There is no such set.
        SelectionInvalid: It has more partitions than the limit.
    """
    catalog = definitions.catalog()
    pipeline = catalog.pipeline(catalog.partition_set(partition_set).pipeline)
    of = definitions.count(partition_set, at)
    with db.snapshot() as conn:
        found = look_up(db, conn, partition_set, {STALE, EVER}, version=pipeline.version)
        set_id = set_of(db, conn, partition_set)
        versions = [] if set_id is None else last_versions(db, conn, set_id)
    sizes: dict[str, int] = {}
    if of:
        marks = {STALE: found.keys[STALE], "current": found.keys[EVER]}
        chosen = definitions.select(partition_set, "all", at, limit=limit, mark=marks)
        sizes = {group.name: group.size for group in chosen.marked}
        of = chosen.count
    current, stale = sizes.get("current", 0), sizes.get(STALE, 0)
    return Staleness(
        partition_set,
        pipeline.name,
        pipeline.version,
        of,
        current,
        stale,
        of - current - stale,
        versions,
    )
