"""What every partition definition can do, told by the keys it has at a moment."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import ClassVar, NamedTuple

from backfill.definitions.keys import KeySpace
from backfill.errors import NotFound

DynamicKeys = Callable[[str], Sequence[str]]
"""Returns the keys of the dynamic partitions definition of a name, in the order they were added."""


class PartitionKeyRange(NamedTuple):
    """A range of partition keys; both ends belong to it."""

    start: str
    end: str


class PartitionsDefinition(ABC):
    """A kind of partitions. `current_time` is the present moment when it is not given."""

    kind: ClassVar[str]
    """`time_window`, `static`, `dynamic` or `multi`."""

    @abstractmethod
    def key_space(
        self,
        current_time: datetime | None = None,
        *,
        dynamic_partitions_store: DynamicKeys | None = None,
    ) -> KeySpace:
        """Return the ordered keys at a moment; nothing is listed that can be computed.

        Args:
            current_time: Decides how far time windows reach; a naive time is of the set's zone.
            dynamic_partitions_store: Where dynamic definitions find their keys.
        """

    def get_partition_keys(
        self,
        current_time: datetime | None = None,
        dynamic_partitions_store: DynamicKeys | None = None,
    ) -> Sequence[str]:
        """List every key."""
        keys = self.key_space(current_time, dynamic_partitions_store=dynamic_partitions_store)
        return list(keys.slice(0, len(keys)))

    def get_num_partitions(
        self,
        current_time: datetime | None = None,
        dynamic_partitions_store: DynamicKeys | None = None,
    ) -> int:
        """Return how many keys there are."""
        return len(self.key_space(current_time, dynamic_partitions_store=dynamic_partitions_store))

    def get_first_partition_key(
        self,
        current_time: datetime | None = None,
        dynamic_partitions_store: DynamicKeys | None = None,
    ) -> str | None:
        """Return the first key, or None when there is none."""
        keys = self.key_space(current_time, dynamic_partitions_store=dynamic_partitions_store)
        return keys.key_at(0) if len(keys) else None

    def get_last_partition_key(
        self,
        current_time: datetime | None = None,
        dynamic_partitions_store: DynamicKeys | None = None,
    ) -> str | None:
        """Return the last key, or None when there is none."""
        keys = self.key_space(current_time, dynamic_partitions_store=dynamic_partitions_store)
        return keys.key_at(len(keys) - 1) if len(keys) else None

    def has_partition_key(
        self,
        partition_key: str,
        current_time: datetime | None = None,
        dynamic_partitions_store: DynamicKeys | None = None,
    ) -> bool:
        """Tell whether a key is one of the set."""
        keys = self.key_space(current_time, dynamic_partitions_store=dynamic_partitions_store)
        return keys.index_of(partition_key) is not None

    def get_partition_keys_in_range(
        self,
        partition_key_range: PartitionKeyRange,
        dynamic_partitions_store: DynamicKeys | None = None,
    ) -> Sequence[str]:
        """List the keys from the first to the second, both included.

        Raises:
            NotFound: One of them is not a key of the set.
        """
        keys = self.key_space(dynamic_partitions_store=dynamic_partitions_store)
        first = known_index(keys, partition_key_range[0])
        last = known_index(keys, partition_key_range[1])
        return list(keys.slice(first, last + 1))


def known_index(keys: KeySpace, key: str) -> int:
    """Return the index of a key, or raise NotFound naming the nearest ones."""
    index = keys.index_of(key)
    if index is None:
        raise unknown_key(keys, key)
    return index


def unknown_key(keys: KeySpace, key: str) -> NotFound:
    """Return the error for a key that is not one of the set."""
    near = list(keys.nearest(key))
    hint = f" Nearest: {', '.join(near)}." if near else ""
    return NotFound(f'No partition "{key}".{hint}', nearest=near)


def moment(current_time: datetime | None) -> datetime:
    """Return the time given, or the present one when none is."""
    return datetime.now(UTC) if current_time is None else current_time
