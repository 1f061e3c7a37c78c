"""Order: how a request's runs go, what each waits for and when they may start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from backfill.definitions.calls import Definitions, SelectionResult
from backfill.definitions.catalog import PartitionSetInfo
from backfill.definitions.hours import Hours, parse_hours
from backfill.definitions.tags import WEIGHT_TAG, weight_of
from backfill.errors import Invalid, did_you_mean
from backfill.lifecycle.statuses import look_up
from backfill.storage.database import Database

ORDERINGS = ("oldest", "newest", "listed", "weight")
MOST_WINDOWS = 50
WEIGHT_STEPS = 1_000_000  # weights are told apart to this part of one
HEAVIEST = 1 << 58  # sorts within this keep clear of the canaries
RANGES_CHECKED = 1_000


class Ordered(Protocol):
    """What of a request concerns order; see `BackfillRequest`."""

    @property
    def ordering(self) -> str: ...
    @property
    def sequential(self) -> bool: ...
    @property
    def depends_on_previous(self) -> bool: ...
    @property
    def max_active_runs(self) -> int | None: ...
    @property
    def windows(self) -> Sequence[str | Mapping[str, Any]] | None: ...


def check_order(request: Ordered) -> None:
    """Raise Invalid for an order that is not known, or for two wishes that exclude each other."""
    if request.ordering not in ORDERINGS:
        raise Invalid(
            f'Order "{request.ordering}" is not known.{did_you_mean(request.ordering, ORDERINGS)} '
            f"Use one of {', '.join(ORDERINGS)}."
        )
    hours_of(request.windows)
    if not (request.sequential or request.depends_on_previous):
        return
    how = "depends on the previous partition" if request.depends_on_previous else "is sequential"
    if request.max_active_runs is not None and request.max_active_runs > 1:
        raise Invalid(
            f"A backfill that {how} runs one partition at a time: leave max_active_runs out."
        )
    if not request.depends_on_previous:
        return
    if request.ordering != "oldest":
        raise Invalid(
            f"A backfill that {how} goes oldest first; ordering {request.ordering} would wait for "
            "what comes later. Leave one of the two out."
        )


def check_order_of_set(request: Ordered, partition_set: PartitionSetInfo) -> None:
    """Raise Invalid when the partitions of a set have nothing to be ordered by."""
    if request.ordering == "weight" and not partition_set.has_tags_fn:
        raise Invalid(
            f'The partitions of set "{partition_set.name}" have no weight: give the set a '
            f'weight_fn_for_partition, or have its tags function give the tag "{WEIGHT_TAG}".'
        )


def check_previous(
    db: Database,
    definitions: Definitions,
    set_name: str,
    selected: SelectionResult,
    *,
    version: str,
    at: datetime,
) -> None:
    """Refuse a line of which a partition would wait for one that can never succeed.

    That is one outside the selection which neither succeeded nor has a run on its way. Of more
    than RANGES_CHECKED gaps the rest is found when the line comes to them: it stops, and says so.

    Raises:
        Invalid: There is such a partition.
    """
    firsts = [first for first, _ in selected.ranges[:RANGES_CHECKED] if first > 0]
    before = {definitions.page(set_name, first - 1, first, at)[0]: first for first in firsts}
    if not before:
        return
    with db.snapshot() as conn:
        words = {"succeeded", "running"}
        facts = look_up(db, conn, set_name, words, version=version, only=list(before))
    hopeful = {*facts.keys["succeeded"], *(run.partition for run in facts.in_flight)}
    for key, first in before.items():
        if key not in hopeful:
            waiting = definitions.page(set_name, first, first + 1, at)[0]
            raise Invalid(
                f'Partition "{waiting}" would wait for ever: the one before it, "{key}", never '
                "succeeded, has no run on its way and is not selected. Select it too, run it "
                "first, or submit without depends_on_previous.",
                partition=waiting,
                previous=key,
            )


def order_columns(request: Ordered) -> dict[str, Any]:
    """Return the columns of a backfill that a request's order fills."""
    return {
        "ordering": request.ordering,
        "sequential": request.sequential,
        "depends_on_previous": request.depends_on_previous,
        "windows": packed_windows(request.windows),
    }


def hours_of(windows: Sequence[str | Mapping[str, Any]] | None) -> list[Hours]:
    """Return windows that are given as texts or as JSON has them.

    Raises:
        Invalid: One makes no sense, or there are too many.
    """
    if windows is not None and len(windows) > MOST_WINDOWS:
        raise Invalid(f"At most {MOST_WINDOWS} windows are taken.")
    return [parse_hours(w) if isinstance(w, str) else Hours.unpacked(w) for w in windows or ()]


def packed_windows(
    windows: Sequence[str | Mapping[str, Any]] | None,
) -> list[dict[str, Any]] | None:
    """Return windows as they are stored; None for none."""
    return [hours.packed() for hours in hours_of(windows)] or None


def sort_of(place: int, tags: Mapping[str, str], *, ordering: str) -> int:
    """Return what a run is sorted by: the place of its partition, or how heavy that is."""
    if ordering != "weight":
        return place
    return max(-HEAVIEST, min(HEAVIEST, -round(weight_of(tags) * WEIGHT_STEPS)))


def previous_keys(
    definitions: Definitions, set_name: str, keys: Sequence[str], at: datetime
) -> dict[str, str]:
    """Return for each of these partitions the one before it in the set; the first has none."""
    places = dict(zip(keys, definitions.index_of(set_name, keys, at), strict=True))
    wanted = sorted({place - 1 for place in places.values() if place})
    found: dict[int, str] = {}
    start = 0
    for end in range(1, len(wanted) + 1):
        if end == len(wanted) or wanted[end] != wanted[end - 1] + 1:
            first, stop = wanted[start], wanted[end - 1] + 1
            page = definitions.page(set_name, first, stop, at)
            found |= dict(zip(range(first, stop), page, strict=False))
            start = end
    return {key: found[place - 1] for key, place in places.items() if place and place - 1 in found}
