"""Partitions that are a list of names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from typing_extensions import override

from backfill.definitions.keys import KeySpace, ListedKeys
from backfill.definitions.partition import key_problem
from backfill.definitions.partitions.base import DynamicKeys, PartitionsDefinition
from backfill.definitions.text import shown
from backfill.errors import DefinitionError


class StaticPartitionsDefinition(PartitionsDefinition):
    """A fixed list of keys, in the order given; any characters are allowed."""

    kind = "static"

    def __init__(self, partition_keys: Sequence[str]) -> None:
        """Take the keys.

        Raises:
            DefinitionError: A key is not text, empty or cannot be stored, or there are two of one.
        """
        self._keys = ListedKeys(checked_keys(partition_keys))

    @override
    def key_space(
        self,
        current_time: datetime | None = None,
        *,
        dynamic_partitions_store: DynamicKeys | None = None,
    ) -> KeySpace:
        return self._keys

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StaticPartitionsDefinition) and self._keys == other._keys

    def __hash__(self) -> int:
        return hash(self._keys.keys)

    def __repr__(self) -> str:
        return f"StaticPartitionsDefinition(partition_keys={list(self._keys.keys)!r})"


def checked_keys(keys: Sequence[str]) -> tuple[str, ...]:
    """Return the keys as they are.

    Raises:
        DefinitionError: A key is not text, empty or cannot be stored, or there are two of one.
    """
    listed = tuple(keys)
    for key in listed:
        if not isinstance(key, str):
            raise DefinitionError(
                f"Partition keys are text, but {shown(key)} is a {type(key).__name__}."
            )
        if problem := key_problem(key):
            raise DefinitionError(f"The partition key {shown(key)} {problem}.")
    if len(set(listed)) < len(listed):
        twice = [key for key, count in Counter(listed).items() if count > 1]
        names = ", ".join(f'"{key}"' for key in twice[:5])
        raise DefinitionError(f"Partition keys must be unique, but there are several of {names}.")
    return listed
