"""Partitions whose keys are added and removed while the system runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from typing_extensions import override

from backfill.definitions.keys import KeySpace, ListedKeys
from backfill.definitions.partitions.base import DynamicKeys, PartitionsDefinition
from backfill.definitions.partitions.static import checked_keys
from backfill.errors import DefinitionError


@dataclass(frozen=True)
class DynamicPartitionsDefinition(PartitionsDefinition):
    """Keys that are kept under `name` and changed through API, CLI and Python.

    Instead of a name, `partition_fn(current_time)` may compute the keys.

    Raises:
        DefinitionError: Not exactly one of both is given.
    """

    kind: ClassVar[str] = "dynamic"

    partition_fn: Callable[[datetime | None], Sequence[Any]] | None = None
    name: str | None = None

    def __post_init__(self) -> None:
        if (self.partition_fn is None) == (self.name is None):
            raise DefinitionError(
                "DynamicPartitionsDefinition needs a name, or a partition_fn, but not both."
            )

    @override
    def key_space(
        self,
        current_time: datetime | None = None,
        *,
        dynamic_partitions_store: DynamicKeys | None = None,
    ) -> KeySpace:
        """Return the keys at a moment.

        Raises:
            DefinitionError: The keys live in a store and none is given.
        """
        if self.partition_fn is not None:
            made = self.partition_fn(current_time)
            return ListedKeys(checked_keys([getattr(key, "name", key) for key in made]))
        assert self.name is not None
        if dynamic_partitions_store is None:
            raise DefinitionError(
                f'The keys of the dynamic partitions "{self.name}" are kept in the database: '
                "ask the API for them, or pass dynamic_partitions_store."
            )
        return ListedKeys(checked_keys(dynamic_partitions_store(self.name)))
