"""Which runs a request means: the filter that lists and exports share."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Query

from backfill.api.context import BackfillQuery, NameQuery, PartitionQuery
from backfill.errors import Invalid
from backfill.schemas.exports import RunsToCancel
from backfill.states import RunState
from backfill.storage.queries.runs import RunFilter

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIME_HELP = "ISO 8601; UTC when it names no zone."
MAX_TAGS = 10

TagQuery = Annotated[
    list[str] | None,
    Query(
        max_length=MAX_TAGS,
        description="`name=value`, the run's own or its backfill's; all of these.",
        examples=[["team=sales"]],
    ),
]


def run_filter(
    backfill: BackfillQuery = None,
    partition_set: NameQuery = None,
    partition: PartitionQuery = None,
    pipeline: NameQuery = None,
    state: Annotated[list[RunState] | None, Query(description="Any of these.")] = None,
    tag: TagQuery = None,
    schedule: Annotated[
        str | None, Query(max_length=200, description="Only of ticks of this schedule.")
    ] = None,
    created_after: Annotated[
        datetime | None, Query(description=f"Made at this time or later. {_TIME_HELP}")
    ] = None,
    created_before: Annotated[
        datetime | None, Query(description=f"Made before this time. {_TIME_HELP}")
    ] = None,
) -> RunFilter:
    """Return the filter that the query parameters of a request make."""
    return RunFilter(
        backfill_id=backfill,
        partition_set=partition_set,
        partition=partition,
        pipeline=pipeline,
        states=state,
        since=microseconds(created_after),
        until=microseconds(created_before),
        tags=tags_of(tag),
        schedule=schedule,
    )


def filter_of(body: RunsToCancel) -> RunFilter:
    """Return the filter of a body; one that narrows nothing is a mistake."""
    wanted = RunFilter(
        backfill_id=body.backfill,
        partition_set=body.partition_set,
        partition=body.partition,
        pipeline=body.pipeline,
        states=body.state,
        since=microseconds(body.created_after),
        until=microseconds(body.created_before),
        tags=body.tags or None,
        schedule=body.schedule,
    )
    if wanted == RunFilter():
        raise Invalid(
            "Say which runs: a backfill, a set, a partition, a pipeline, states, tags, a schedule "
            "or times."
        )
    return wanted


def tags_of(given: Sequence[str] | None) -> dict[str, str] | None:
    """Return the tags that `name=value` texts ask for.

    Raises:
        Invalid: One is not such a text, or two ask for different values of one name.
    """
    tags: dict[str, str] = {}
    for text in given or ():
        name, is_one, value = text.partition("=")
        if not is_one or not name:
            raise Invalid(f'"{text[:100]}" is not a tag. Give name=value.')
        if tags.setdefault(name, value) != value:
            raise Invalid(f'A run has one value of the tag "{name}"; two were asked for.')
    return tags or None


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
