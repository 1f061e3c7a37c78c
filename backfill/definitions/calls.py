"""What can be asked of definitions, whichever process holds them.

`LocalDefinitions` answers in this process, `DefinitionsProcess` in a child with time limits. Every
`at` is a timezone-aware time: nothing behind these calls reads a clock to decide what exists.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from backfill.definitions.catalog import Catalog
from backfill.definitions.facts import Group, Take
from backfill.states import TickState

NO_TAGS: Mapping[str, str] = MappingProxyType({})


class KeyRange(NamedTuple):
    """Consecutive keys of a set, frozen: both ends (inclusive) and how many there were."""

    first: str
    last: str
    size: int


@dataclass(frozen=True)
class SelectionResult:
    """What a selection chose, in the set's order; empty only when all of it was left out.

    Attributes:
        ranges: (first index, last index) of each run of consecutive keys, both inclusive.
        key_ranges: The same by key: what a submitted backfill keeps.
        whole: What was selected before anything was left out.
        left_out: Why how many of it were.
        marked: What is left divided by the marks asked for, and `unmarked`: the rest of it.
        keys: The keys themselves, when there are few.
    """

    count: int
    ranges: Sequence[tuple[int, int]]
    key_ranges: Sequence[KeyRange]
    whole: Group
    left_out: Sequence[Group] = ()
    marked: Sequence[Group] = ()
    unmarked: Group | None = None
    keys: Sequence[str] | None = None

    @property
    def first_key(self) -> str:
        return self.key_ranges[0].first

    @property
    def last_key(self) -> str:
        return self.key_ranges[-1].last

    @classmethod
    def unpacked(cls, data: Mapping[str, Any]) -> SelectionResult:
        """Return it as it was before it travelled as small data."""
        return cls(
            data["count"],
            [(first, last) for first, last in data["ranges"]],
            [KeyRange(*key_range) for key_range in data["key_ranges"]],
            whole=Group(*data["whole"]),
            left_out=[Group(*told) for told in data["left_out"]],
            marked=[Group(*told) for told in data["marked"]],
            unmarked=None if data["unmarked"] is None else Group(*data["unmarked"]),
            keys=data["keys"],
        )


class Listing(NamedTuple):
    """Consecutive keys of a set.

    Attributes:
        size: How many the set has.
        found: Where the key stands that was asked for; None when the set lacks it, or for none.
        start: Where the first of the keys stands.
    """

    size: int
    found: int | None
    start: int
    keys: Sequence[str]


class ExpandedPartition(NamedTuple):
    """A partition to make a run of, with the tags that its set's function gives it."""

    key: str
    tags: Mapping[str, str]


@dataclass(frozen=True)
class Expansion:
    """A chunk of the partitions of key ranges; small data, whichever way it travels.

    Attributes:
        tags: Of the partitions that have any, by their place in `keys`.
        next_offset: Where the next chunk starts; the count of the ranges when this is the last.
        vanished: Ends of ranges that the set has no longer; what is left between was taken.
        drifted: Whether a range now holds more or fewer keys than when it was frozen.
    """

    keys: Sequence[str]
    next_offset: int
    vanished: Sequence[str] = ()
    drifted: bool = False
    tags: Mapping[int, Mapping[str, str]] = field(default_factory=dict)

    @property
    def partitions(self) -> list[ExpandedPartition]:
        """Each key with its tags: an object per partition, which big chunks go without."""
        return [
            ExpandedPartition(key, self.tags.get(n, NO_TAGS)) for n, key in enumerate(self.keys)
        ]

    def reversed(self) -> Expansion:
        """Return the same partitions from the last to the first."""
        last = len(self.keys) - 1
        tags = {last - place: own for place, own in self.tags.items()}
        return replace(self, keys=self.keys[::-1], tags=tags)

    def without_first(self, count: int) -> Expansion:
        """Return the same partitions but for so many at its beginning."""
        tags = {place - count: own for place, own in self.tags.items() if place >= count}
        return replace(self, keys=self.keys[count:], tags=tags)

    def packed(self) -> dict[str, Any]:
        """Return it as JSON has it, whose objects have no numbers for names."""
        return {**vars(self), "tags": list(self.tags.items())}

    @classmethod
    def unpacked(cls, data: Mapping[str, Any], skipped: int) -> Expansion:
        """Return what was packed, its offset counted from `skipped` keys earlier."""
        offset = data["next_offset"] + skipped
        return cls(**{**data, "next_offset": offset, "tags": dict(data["tags"])})


@dataclass(frozen=True)
class ResolvedConfig:
    """The run config of one partition; `errors` is empty when it fits the pipeline's schemas."""

    config: Mapping[str, Any]
    tags: Mapping[str, str]
    errors: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True)
class PartitionProblem:
    """Why the run of one partition could not start: what raised, or every config error."""

    partition: str
    detail: str
    errors: Sequence[Mapping[str, Any]] = ()
    traceback: str | None = None


@dataclass(frozen=True)
class Validation:
    """A chunk of partitions whose run config was resolved and validated.

    Attributes:
        checked: How many were looked at; fewer than asked for when time ran out.
        next_offset: Where to go on; the count of the ranges at the end.
        invalid: How many of them cannot run.
        problems: The first of those.
    """

    checked: int
    next_offset: int
    invalid: int = 0
    problems: Sequence[PartitionProblem] = field(default_factory=tuple)


@dataclass(frozen=True)
class TickRun:
    """A run that a schedule's tick wants; `run_key` tells the runs of one tick apart."""

    run_key: str
    partition: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    run_config: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class TickResult:
    """What one tick of a schedule is to do, and why.

    Attributes:
        state: SUCCESS with runs, SKIPPED with a reason, or FAILURE with an error.
        error: The user's traceback, of a failure.
    """

    state: TickState
    runs: Sequence[TickRun] = ()
    reason: str | None = None
    error: str | None = None


class Definitions(Protocol):
    """Every call raises DefinitionsUnavailable when the code cannot be loaded, UserCodeStuck (one
    of those) when the call crashes or hangs, NotFound for an unknown set or pipeline,
    UserCodeError when a user's function fails, and DefinitionError when it returns something
    impossible."""

    def catalog(self) -> Catalog:
        """Return what is defined; cheap when nothing has changed."""
        ...

    def count(self, set_name: str, at: datetime) -> int:
        """Return how many partitions a set has."""
        ...

    def page(self, set_name: str, start: int, stop: int, at: datetime) -> Sequence[str]:
        """Return the keys with start <= index < stop, clipped to the set."""
        ...

    def listing(
        self,
        set_name: str,
        at: datetime,
        *,
        limit: int,
        backward: bool,
        key: str | None = None,
        place: int | None = None,
        skip: bool = False,
    ) -> Listing:
        """Return the keys from a key on, or to it: a page in one call.

        Args:
            backward: The keys before the one asked for, with it, instead of those behind it.
            key: Where to begin; without any at an end of the set.
            place: Where to begin when there is no such key; beyond the end is the end. Without
                it there are no keys then.
            skip: Begin next to it.
        """
        ...

    def index_of(self, set_name: str, keys: Sequence[str], at: datetime) -> Sequence[int | None]:
        """Return where each key stands in the set's order; None for one that is not in it."""
        ...

    def select(
        self,
        set_name: str,
        selection: str,
        at: datetime,
        *,
        limit: int,
        statuses: Mapping[str, Sequence[str]] | None = None,
        leave_out: Mapping[str, Sequence[str]] | None = None,
        mark: Mapping[str, Sequence[str]] | None = None,
        take: Take | None = None,
        listed: bool = False,
    ) -> SelectionResult:
        """Evaluate a selection.

        Args:
            limit: More partitions than this are refused.
            statuses: For each of `status_words(parse(selection))` the keys it is true of; or,
                under the word with a `!` before it, the keys it is not true of.
            leave_out: Facts, told in the same way; partitions they are true of are taken away,
                each counted by the first of them.
            mark: Facts that what is left is divided by, each partition by the first of them.
                `incomplete` needs no keys: the time window ends after `at`.
            take: So many of what is left; the others are left out as `NOT_TAKEN`.
            listed: Have the ranges come in the order in which the text names them.

        Raises:
            SelectionInvalid: It cannot be read, names unknown keys, or selects none or too many.
        """
        ...

    def expand(
        self,
        set_name: str,
        key_ranges: Sequence[KeyRange],
        *,
        offset: int,
        limit: int,
        at: datetime,
        after: str | None = None,
    ) -> Expansion:
        """Return the partitions of frozen ranges, counted as they were when frozen.

        Args:
            offset: How many were taken before; go on with `next_offset`.
            limit: At most about this many; fewer when the tags function is slow.
            after: The key taken last: keeps the place when the set changes between chunks.
        """
        ...

    def run_config(
        self,
        set_name: str,
        key: str,
        at: datetime,
        *,
        override: Mapping[str, Any] | None = None,
    ) -> ResolvedConfig:
        """Resolve the run config of a partition, the override merged over it, and validate it."""
        ...

    def validate_config(
        self, pipeline: str, config: Mapping[str, Any]
    ) -> Sequence[Mapping[str, Any]]:
        """Return every error of a run config: path, value, expected, sample."""
        ...

    def validate_partitions(
        self,
        set_name: str,
        key_ranges: Sequence[KeyRange],
        *,
        offset: int,
        limit: int,
        at: datetime,
        override: Mapping[str, Any] | None = None,
    ) -> Validation:
        """Resolve and validate the run config of a chunk of partitions."""
        ...

    def tell_hook(self, set_name: str, hook: str, told: Mapping[str, Any]) -> None:
        """Call a hook of a set's backfills with what `HookedBackfill` takes.

        Raises:
            NotFound: The set has no such hook any more.
        """
        ...

    def evaluate_tick(self, schedule: str, tick_at: datetime) -> TickResult:
        """Ask a schedule's functions what a tick is to do; what they raise is a FAILURE."""
        ...
