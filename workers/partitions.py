"""The partition of a run in its set, as this worker's code and the database have it now."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from backfill.definitions.keys import TimeWindow
from backfill.definitions.listing import Partitions
from backfill.definitions.partition import Partition
from backfill.definitions.partition_set import PartitionSetDefinition
from backfill.definitions.partitions import DynamicKeys, TimeWindowPartitionsDefinition
from backfill.errors import NotFound
from backfill.execution.outcomes import ErrorInfo, RunEnd, RunOutcome

HANDED_BACK_TIMES = 6
FIRST_DELAY_SECONDS = 10.0
KEPT_FOR = timedelta(seconds=0.5)


class Place(NamedTuple):
    """A partition, and its time window if it has one."""

    partition: Partition
    window: TimeWindow | None


def whole_window(places: Sequence[Place]) -> TimeWindow | None:
    """Return the time that neighbouring partitions cover; None where they are of no time."""
    first, last = places[0].window, places[-1].window
    if first is None or last is None:
        return None
    return TimeWindow(min(first.start, last.start), max(first.end, last.end))


@dataclass(eq=False)
class PartitionGone(Exception):
    """The set does not have the partition.

    Attributes:
        certain: Whether this worker's code is the code the partition was selected with, so that
            no other worker can know it either.
    """

    set_name: str
    partition: str
    certain: bool


class _Kept(NamedTuple):
    """The windows of a set as they were at a time."""

    partition_set: PartitionSetDefinition
    at: datetime
    partitions: Partitions


class Places:
    """Finds the partitions of runs in their sets.

    Runs come many at a time: the windows of a set are computed for one moment and serve the runs
    of the next half second. What is not among them is asked for anew.
    """

    def __init__(self) -> None:
        self._kept: dict[str, _Kept] = {}

    def find(
        self,
        partition_set: PartitionSetDefinition,
        key: str,
        at: datetime,
        *,
        dynamic_keys: Callable[[str], DynamicKeys],
        same_code: bool,
    ) -> Place:
        """Find a partition in its set.

        Args:
            at: Not before the moment the partition was selected.
            dynamic_keys: Returns where the dynamic parts of a key are found.

        Raises:
            PartitionGone: The set does not have it.
        """
        if partition_set.kind == TimeWindowPartitionsDefinition.kind:
            partition = self._windows(partition_set, at).find(key)
            if partition is not None:
                return Place(partition, partition.time_window)
        try:
            found = dynamic_keys(key)
            partition = partition_set.get_partition(key, at, dynamic_keys=found)
        except NotFound:
            raise PartitionGone(partition_set.name, key, same_code) from None
        window = partition_set.key_space(at, dynamic_keys=found).window_of(key)
        return Place(partition, window)

    def _windows(self, partition_set: PartitionSetDefinition, at: datetime) -> Partitions:
        kept = self._kept.get(partition_set.name)
        if kept is None or kept.partition_set is not partition_set or at - kept.at > KEPT_FOR:
            kept = _Kept(partition_set, at, partition_set.partitions(at))
            self._kept[partition_set.name] = kept
        return kept.partitions


def without_partition(gone: PartitionGone, *, attempt: int, reloads: bool) -> RunOutcome:
    """Decide what becomes of a run whose partition is gone: it never goes round for ever.

    Where the code may be older than the selection, another worker or the next deployment may know
    the partition: the run is handed back a few times, each time for longer.

    Args:
        attempt: Counted from 1.
        reloads: Whether workers follow changes of the code by themselves, within seconds.
    """
    left = f'its partition left the set "{gone.set_name}"'
    if gone.certain or attempt > (1 if reloads else HANDED_BACK_TIMES):
        return RunOutcome(RunEnd.SKIPPED, error=ErrorInfo("PartitionGone", left, ""))
    waits = (
        f'this worker\'s code has no partition "{gone.partition}" in set "{gone.set_name}"; '
        "another version may: it is tried again"
    )
    return RunOutcome(
        RunEnd.RELEASED,
        error=ErrorInfo("PartitionGone", waits, ""),
        retry_in_seconds=FIRST_DELAY_SECONDS * 2 ** (attempt - 1),
    )
