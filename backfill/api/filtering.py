"""Which runs a request means: the filter that lists and exports share."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Query

from backfill.api.context import BackfillQuery, NameQuery, PartitionQuery
from backfill.errors import Invalid
from backfill.states import RunState
from backfill.storage.queries.runs import RunFilter

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIME_HELP = "ISO 8601; UTC when it names no zone."


def run_filter(
    backfill: BackfillQuery = None,
    partition_set: NameQuery = None,
    partition: PartitionQuery = None,
    pipeline: NameQuery = None,
    state: Annotated[list[RunState] | None, Query(description="Any of these.")] = None,
    created_after: Annotated[
        datetime | None, Query(description=f"Made at this time or later. {_TIME_HELP}")
    ] = None,
    created_before: Annotated[
        datetime | None, Query(description=f"Made before this time. {_TIME_HELP}")
    ] = None,
) -> RunFilter:
    """Return the filter that the query parameters of a request make."""
    return RunFilter(
        backfill,
        partition_set,
        partition,
        pipeline,
        state,
        microseconds(created_after),
        microseconds(created_before),
    )


def microseconds(time: datetime | None) -> int | None:
    """Return a time in microseconds since the epoch; without a zone it is in UTC."""
    if time is None:
        return None
    aware = time if time.tzinfo is not None else time.replace(tzinfo=UTC)
    try:
        since = aware - _EPOCH
    except OverflowError:
        raise Invalid(f"{time} is not a time that can be used here.") from None
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


RunsWanted = Annotated[RunFilter, Depends(run_filter)]
