"""The partition of a run in its set, as this worker's code and the database have it now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from backfill.definitions.keys import TimeWindow
from backfill.definitions.partition import Partition
from backfill.definitions.partition_set import PartitionSetDefinition
from backfill.definitions.partitions import DynamicKeys
from backfill.errors import NotFound
from backfill.execution.outcomes import ErrorInfo, RunEnd, RunOutcome

HANDED_BACK_TIMES = 6
FIRST_DELAY_SECONDS = 10.0


class Place(NamedTuple):
    """A partition, and its time window if it has one."""

    partition: Partition
    window: TimeWindow | None


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


def find_partition(
    partition_set: PartitionSetDefinition,
    key: str,
    at: datetime,
    *,
    dynamic_keys: DynamicKeys,
    same_code: bool,
) -> Place:
    """Find a partition in its set.

    Args:
        at: Not before the moment the partition was selected.

    Raises:
        PartitionGone: The set does not have it.
    """
    try:
        partition = partition_set.get_partition(key, at, dynamic_keys=dynamic_keys)
    except NotFound:
        raise PartitionGone(partition_set.name, key, same_code) from None
    window = partition_set.key_space(at, dynamic_keys=dynamic_keys).window_of(key)
    return Place(partition, window)


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
