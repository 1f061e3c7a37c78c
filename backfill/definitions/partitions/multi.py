"""Partitions of several dimensions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import product
from typing import NamedTuple

from typing_extensions import override

from backfill.definitions.keys import TimeWindow
from backfill.definitions.partitions.base import (
    DynamicKeys,
    PartitionKeyRange,
    PartitionsDefinition,
    moment,
    unknown_key,
)
from backfill.definitions.partitions.product import ProductKeys, join_key, split_key
from backfill.definitions.partitions.time_window import TimeWindowPartitionsDefinition
from backfill.errors import DefinitionError, did_you_mean


class PartitionDimensionDefinition(NamedTuple):
    """One dimension: its name and its partitions."""

    name: str
    partitions_def: PartitionsDefinition


class MultiPartitionKey(str):
    """A key of several dimensions: the text that identifies it, and its parts by dimension."""

    keys_by_dimension: Mapping[str, str]

    def __new__(cls, keys_by_dimension: Mapping[str, str]) -> MultiPartitionKey:
        parts = dict(sorted(keys_by_dimension.items()))
        key = super().__new__(cls, join_key(list(parts.values())))
        key.keys_by_dimension = parts
        return key

    def __getnewargs__(self) -> tuple[Mapping[str, str]]:  # type: ignore[override]
        return (self.keys_by_dimension,)


class MultiPartitionsDefinition(PartitionsDefinition):
    """The cross product of any number of dimensions, ordered by their names.

    A key joins the keys of the dimensions with `|`. A `|` inside a dimension's key is written as a
    backslash and a `|`.

    Args:
        partitions_defs: Dimension name -> its partitions.

    Raises:
        DefinitionError: There are fewer than two dimensions, or one is itself of several.
    """

    kind = "multi"

    def __init__(self, partitions_defs: Mapping[str, PartitionsDefinition]) -> None:
        if len(partitions_defs) < 2:
            raise DefinitionError("MultiPartitionsDefinition needs at least two dimensions.")
        for name, partitions_def in partitions_defs.items():
            if not name or not isinstance(name, str):
                raise DefinitionError(f"A dimension needs a name, not {name!r}.")
            if isinstance(partitions_def, MultiPartitionsDefinition) or not isinstance(
                partitions_def, PartitionsDefinition
            ):
                raise DefinitionError(
                    f'The dimension "{name}" must be a partitions definition of one dimension, '
                    f"not {partitions_def!r}."
                )
        self.partitions_defs: Sequence[PartitionDimensionDefinition] = [
            PartitionDimensionDefinition(name, partitions_defs[name])
            for name in sorted(partitions_defs)
        ]

    @property
    def partition_dimension_names(self) -> list[str]:
        """The names of the dimensions, in their order."""
        return [dimension.name for dimension in self.partitions_defs]

    @property
    def time_window_dimension(self) -> PartitionDimensionDefinition:
        """The only dimension of time windows."""
        found = [
            dimension
            for dimension in self.partitions_defs
            if isinstance(dimension.partitions_def, TimeWindowPartitionsDefinition)
        ]
        if len(found) != 1:
            raise DefinitionError(
                f"{self!r} has {len(found)} dimensions of time windows: a partition has a time "
                "window when there is exactly one."
            )
        return found[0]

    @override
    def key_space(
        self,
        current_time: datetime | None = None,
        *,
        dynamic_partitions_store: DynamicKeys | None = None,
    ) -> ProductKeys:
        now = moment(current_time)
        return ProductKeys(
            tuple(
                (name, definition.key_space(now, dynamic_partitions_store=dynamic_partitions_store))
                for name, definition in self.partitions_defs
            )
        )

    @override
    def get_partition_keys(
        self,
        current_time: datetime | None = None,
        dynamic_partitions_store: DynamicKeys | None = None,
    ) -> Sequence[MultiPartitionKey]:
        keys = super().get_partition_keys(current_time, dynamic_partitions_store)
        return [self.get_partition_key_from_str(key) for key in keys]

    @override
    def get_partition_keys_in_range(
        self,
        partition_key_range: PartitionKeyRange,
        dynamic_partitions_store: DynamicKeys | None = None,
    ) -> Sequence[MultiPartitionKey]:
        """List the combinations of what lies between the two keys in each dimension."""
        first, last = (self.get_partition_key_from_str(key) for key in partition_key_range)
        between = [
            definition.get_partition_keys_in_range(
                PartitionKeyRange(first.keys_by_dimension[name], last.keys_by_dimension[name]),
                dynamic_partitions_store,
            )
            for name, definition in self.partitions_defs
        ]
        names = self.partition_dimension_names
        return [
            MultiPartitionKey(dict(zip(names, parts, strict=True))) for parts in product(*between)
        ]

    def get_partition_key_from_str(self, partition_key: str) -> MultiPartitionKey:
        """Return a key with its parts.

        Raises:
            NotFound: It does not have a part for each dimension.
        """
        parts = split_key(partition_key)
        if len(parts) != len(self.partitions_defs):
            raise unknown_key(self.key_space(), partition_key)
        return MultiPartitionKey(dict(zip(self.partition_dimension_names, parts, strict=True)))

    def get_partitions_def_for_dimension(self, dimension_name: str) -> PartitionsDefinition:
        """Return the partitions of a dimension."""
        for name, partitions_def in self.partitions_defs:
            if name == dimension_name:
                return partitions_def
        known = self.partition_dimension_names
        raise DefinitionError(
            f'No dimension "{dimension_name}".{did_you_mean(dimension_name, known)} '
            f"The dimensions are {', '.join(known)}."
        )

    def time_window_for_partition_key(self, partition_key: str) -> TimeWindow:
        """Return the window of the only dimension of time windows."""
        name, definition = self.time_window_dimension
        assert isinstance(definition, TimeWindowPartitionsDefinition)
        part = self.get_partition_key_from_str(partition_key).keys_by_dimension[name]
        return definition.time_window_for_partition_key(part)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, MultiPartitionsDefinition)
            and self.partitions_defs == other.partitions_defs
        )

    def __hash__(self) -> int:
        return hash(tuple(self.partitions_defs))

    def __repr__(self) -> str:
        return f"MultiPartitionsDefinition({dict(self.partitions_defs)!r})"
