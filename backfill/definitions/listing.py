"""The partitions that a user's partition function lists, checked, and kept per minute."""

from __future__ import annotations

import inspect
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from backfill.definitions.keys import ListedKeys
from backfill.definitions.partition import Partition, key_problem
from backfill.definitions.text import shown
from backfill.definitions.user_code import call_user
from backfill.errors import DefinitionError

_KEPT = 4


@dataclass(frozen=True)
class Listing:
    """The partitions of a set at one time, in order; a key finds its partition in O(1)."""

    partitions: Sequence[Partition]
    keys: ListedKeys


class PartitionFunction:
    """A user's partition function of no argument or one (the current time)."""

    def __init__(self, set_name: str, function: Callable[..., Any]) -> None:
        self._set_name = set_name
        self._function = function
        self._takes_time = _takes_time(set_name, function)
        self._kept: OrderedDict[datetime, Listing] = OrderedDict()
        self._lock = threading.Lock()

    def listing(self, at: datetime) -> Listing:
        """Return the partitions at a time; asked again within a minute, the same ones.

        Raises:
            UserCodeError: The function raised.
            DefinitionError: It returned something else than distinct partitions.
        """
        minute = at.replace(second=0, microsecond=0)
        with self._lock:
            kept = self._kept.get(minute)
            if kept is None:
                kept = self._kept[minute] = self.call(at)
            self._kept.move_to_end(minute)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return kept

    def call(self, at: datetime) -> Listing:
        """Call the function now and check what it returns."""
        returned = call_user(
            f'The partition function of set "{self._set_name}"',
            self._function,
            *([at] if self._takes_time else []),
            partition_set=self._set_name,
        )
        partitions = self._partitions(returned)
        keys = tuple(partition.name for partition in partitions)
        self._check_keys(keys)
        return Listing(partitions, ListedKeys(keys))

    def _partitions(self, returned: object) -> Sequence[Partition]:
        if not isinstance(returned, (list, tuple)):
            raise self._wrong(
                f"returned {shown(returned)} ({type(returned).__name__}); "
                "expected a list of Partition or str"
            )
        partitions = []
        for index, item in enumerate(returned):
            if isinstance(item, str):
                partitions.append(Partition(item))
            elif isinstance(item, Partition):
                partitions.append(item)
            else:
                raise self._wrong(
                    f"returned {shown(item)} ({type(item).__name__}) at place {index} of its "
                    "list; expected Partition or str"
                )
        return tuple(partitions)

    def _check_keys(self, keys: Sequence[str]) -> None:
        for key in keys:
            if problem := key_problem(key):
                raise self._wrong(f"returned a partition whose key {shown(key)} {problem}")
        if len(set(keys)) == len(keys):
            return
        twice = [key for key, times in Counter(keys).items() if times > 1]
        named = ", ".join(f'"{key}"' for key in islice(twice, 5))
        more = f" and {len(twice) - 5} more" if len(twice) > 5 else ""
        raise self._wrong(f"returned these keys more than once: {named}{more}")

    def _wrong(self, what: str) -> DefinitionError:
        return DefinitionError(
            f'The partition function of set "{self._set_name}" {what}.',
            partition_set=self._set_name,
        )


def _takes_time(set_name: str, function: Callable[..., Any]) -> bool:
    if not callable(function):
        raise DefinitionError(
            f'partition_fn of set "{set_name}" must be a function, not {shown(function)}.'
        )
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    required = [p for p in positional if p.default is p.empty]
    keyword = [p for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty]
    if len(required) > 1 or keyword:
        raise DefinitionError(
            f'partition_fn of set "{set_name}" must take no argument or one (the current time).'
        )
    return len(required) == 1 or len(positional) == 1
