"""The partitions of a set at one time: listed by a user's function, or computed."""

from __future__ import annotations

import inspect
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Protocol

from backfill.definitions.keys import KeySpace, ListedKeys, TimeWindow
from backfill.definitions.partition import Partition, key_problem
from backfill.definitions.partitions.base import PartitionsDefinition
from backfill.definitions.partitions.keyspace import TimeWindowKeys
from backfill.definitions.partitions.multi import MultiPartitionsDefinition
from backfill.definitions.text import shown
from backfill.definitions.user_code import call_user
from backfill.errors import DefinitionError

_KEPT = 4
_SHORTEST = timedelta(milliseconds=250)
_LONGEST = timedelta(seconds=30)
_COST_FACTOR = 50


class Partitions(Protocol):
    """The partitions of a set at one time."""

    @property
    def keys(self) -> KeySpace:
        """Return their keys, in order."""
        ...

    def find(self, key: str) -> Partition | None:
        """Return the partition of a key, or None; cheap in a set of any size."""
        ...

    def between(self, start: int, stop: int) -> Iterator[Partition]:
        """Yield the partitions with start <= index < stop, clipped to the set."""
        ...


@dataclass(frozen=True)
class Listed:
    """Partitions that a function listed; a str s stands for Partition(s)."""

    items: Sequence[Partition | str]
    keys: ListedKeys

    def find(self, key: str) -> Partition | None:
        index = self.keys.index_of(key)
        if index is None:
            return None
        return _partition(self.items[index])

    def between(self, start: int, stop: int) -> Iterator[Partition]:
        return map(_partition, self.items[max(start, 0) : max(stop, 0)])


@dataclass(frozen=True)
class Computed:
    """Partitions of a definition: their value is the time window, else the key.

    The value of a partition of several dimensions is its key with the keys of each dimension.
    """

    keys: KeySpace
    definition: PartitionsDefinition | None = None

    def find(self, key: str) -> Partition | None:
        index = self.keys.index_of(key)
        if index is None:
            return None
        if isinstance(self.keys, TimeWindowKeys):
            return self._partition(key, self.keys.window_at(index))
        return self._partition(key, self.keys.window_of(key))

    def between(self, start: int, stop: int) -> Iterator[Partition]:
        for index, key in enumerate(self.keys.slice(start, stop), start=max(start, 0)):
            if isinstance(self.keys, TimeWindowKeys):
                yield self._partition(key, self.keys.window_at(index))
            else:
                yield self._partition(key, self.keys.window_of(key))

    def _partition(self, key: str, window: TimeWindow | None) -> Partition:
        if isinstance(self.definition, MultiPartitionsDefinition):
            parts = self.definition.get_partition_key_from_str(key)
            return Partition(parts, key, time_window=window)
        return Partition(key if window is None else window, key, time_window=window)


def _partition(item: Partition | str) -> Partition:
    return Partition(item) if isinstance(item, str) else item


class PartitionFunction:
    """A user's partition function of no argument or one (the current time).

    What it returned is kept for the time it was asked for, and for a while after: 50 times as long
    as the call took, but no longer than 30 seconds. So a slow function is not called again for
    every partition, and the answer of a fast one is never old.
    """

    def __init__(self, set_name: str, function: Callable[..., Any]) -> None:
        self._set_name = set_name
        self._function = function
        self._takes_time = _takes_time(set_name, function)
        self._kept: OrderedDict[datetime, tuple[Listed, timedelta]] = OrderedDict()
        self._lock = threading.Lock()

    def listed(self, at: datetime, *, fresh: bool = False) -> Listed:
        """Return the partitions at a time; `fresh` asks the function itself.

        Raises:
            UserCodeError: The function raised.
            DefinitionError: It returned something else than distinct partitions.
        """
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
        with self._lock:
            kept = None if fresh else self._find_kept(at)
            if kept is not None:
                return kept
            began = time.perf_counter()
            listed = self._call(at)
            took = timedelta(seconds=time.perf_counter() - began)
            self._kept[at] = listed, min(max(took * _COST_FACTOR, _SHORTEST), _LONGEST)
            self._kept.move_to_end(at)
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
            return listed

    def _find_kept(self, at: datetime) -> Listed | None:
        for known in reversed(self._kept):
            listed, good_for = self._kept[known]
            if known <= at <= known + good_for:
                self._kept.move_to_end(known)
                return listed
        return None

    def _call(self, at: datetime) -> Listed:
        returned = call_user(
            f'The partition function of set "{self._set_name}"',
            self._function,
            *([at] if self._takes_time else []),
            partition_set=self._set_name,
        )
        items = self._items(returned)
        keys = tuple(item if isinstance(item, str) else item.name for item in items)
        self._check_keys(keys)
        return Listed(items, ListedKeys(keys))

    def _items(self, returned: object) -> Sequence[Partition | str]:
        if not isinstance(returned, (list, tuple)):
            raise self._wrong(
                f"returned {shown(returned)} ({type(returned).__name__}); "
                "expected a list of Partition or str"
            )
        for index, item in enumerate(returned):
            if not isinstance(item, (str, Partition)):
                raise self._wrong(
                    f"returned {shown(item)} ({type(item).__name__}) at place {index} of its "
                    "list; expected Partition or str"
                )
        return tuple(returned)

    def _check_keys(self, keys: Sequence[str]) -> None:
        for key in keys:
            if problem := key_problem(key):
                raise self._wrong(f"returned a partition whose key {shown(key, 60)} {problem}")
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
    return len(positional) == 1
