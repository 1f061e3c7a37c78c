"""Runs over ranges: neighbouring partitions whose runs are executed together, once.

Every partition keeps a run of its own, so that holds, counts, the matrix and retries are those of
partitions. Runs of one span travel in one message, are claimed together and executed once, for all
their partitions. A span never reaches over a gap of the selection.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, Protocol

from sqlalchemy import Connection, Row

from backfill.definitions.calls import SelectionResult
from backfill.definitions.catalog import PartitionSetInfo
from backfill.errors import Invalid
from backfill.lifecycle.moves import NewRun
from backfill.storage.database import Database

MOST_TOGETHER = 4_000


class Ranged(Protocol):
    """What of a request concerns runs over ranges; see `BackfillRequest`."""

    @property
    def partitions_per_run(self) -> int | None: ...
    @property
    def ordering(self) -> str: ...
    @property
    def sequential(self) -> bool: ...
    @property
    def depends_on_previous(self) -> bool: ...
    @property
    def canary(self) -> int | None: ...
    @property
    def canary_only(self) -> bool: ...


def partitions_per_run(request: Ranged, partition_set: PartitionSetInfo) -> int | None:
    """Return how many partitions a run takes, 0 for all neighbours; None for one each.

    Raises:
        Invalid: It makes no sense, or not together with what else is asked.
    """
    asked = request.partitions_per_run
    size = partition_set.partitions_per_run if asked is None else asked
    if size == 1:
        return None
    if not 0 <= size <= MOST_TOGETHER:
        raise Invalid(f"partitions_per_run is 1 to {MOST_TOGETHER:,}, or all.")
    contrary = {
        "sequential": request.sequential,
        "depends_on_previous": request.depends_on_previous,
        "a canary": request.canary is not None and not request.canary_only,
        f"the order {request.ordering}": request.ordering not in {"oldest", "newest"},
    }
    for what, given in contrary.items():
        if given:
            raise Invalid(
                f"Runs over several partitions do not go with {what}: leave it out, or give "
                "partitions_per_run 1."
            )
    if not partition_set.takes_ranges:
        raise Invalid(
            f'Set "{partition_set.name}" cannot tell the run config of several partitions: give '
            "it a run_config_fn_for_range, or partitions_per_run 1."
        )
    return size


def check_longest(size: int | None, selected: SelectionResult) -> None:
    """Raise Invalid when one run would take more partitions than one can."""
    longest = max((one.size for one in selected.key_ranges), default=0)
    if size == 0 and longest > MOST_TOGETHER:
        raise Invalid(
            f"One run takes at most {MOST_TOGETHER:,} partitions, and {longest:,} of the selected "
            f"are neighbours: give partitions_per_run {MOST_TOGETHER}."
        )


def with_spans(
    db: Database, conn: Connection, backfill: Row[Any], new: Sequence[NewRun]
) -> Sequence[NewRun]:
    """Say of new runs which are executed together; they are sorted by their places."""
    size = backfill.partitions_per_run
    if size is None or not new:
        return new
    rows = conn.execute(
        db.sql("SELECT first_index FROM backfill_ranges WHERE backfill_id = :id ORDER BY 1"),
        {"id": backfill.id},
    )
    starts = [row.first_index for row in rows]

    def span(place: int) -> int:
        start: int = starts[bisect_right(starts, place) - 1]
        return start + (place - start) // size * size if size else start

    return [run._replace(span=span(run.sort)) for run in new]
