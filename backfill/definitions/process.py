"""Definitions held by child processes, so that users' code can hang or crash nobody else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from backfill.definitions.calls import (
    Expansion,
    KeyRange,
    Listing,
    PartitionProblem,
    ResolvedConfig,
    SelectionResult,
    TickResult,
    TickRun,
    Validation,
)
from backfill.definitions.catalog import Catalog
from backfill.definitions.child_pool import ChildPool, Limits
from backfill.definitions.facts import Take
from backfill.definitions.partitions import DynamicKeys
from backfill.definitions.ranges import overlapping
from backfill.definitions.sources import parse_sources
from backfill.errors import DefinitionsUnavailable
from backfill.states import TickState


class DefinitionsProcess:
    """`Definitions` in a child process with time limits; thread-safe.

    A call that hangs or crashes ends its child and raises DefinitionsUnavailable; the next call
    gets a fresh one.

    Args:
        sources: Modules and files, comma-separated or as an iterable.
        call_seconds: The longest a call may take.
        reload: Load the definitions again when their files change; looked at once a second, when
            something is asked. When the new code cannot be loaded, the old one goes on answering
            and the catalog tells.
        load_seconds: The longest that importing the definitions may take.
        check_seconds: The longest that listing a set's partitions at a load may take; once this
            has passed, no further set is checked then.
        children: How many calls can be answered at the same time.
        dynamic_keys: Where definitions of dynamic partitions find their keys; asked in the
            thread that calls.
        clock: Gives the current time.
    """

    def __init__(
        self,
        sources: str | Path | Iterable[str | Path],
        *,
        call_seconds: float = 30.0,
        reload: bool = False,
        load_seconds: float = 60.0,
        check_seconds: float = 5.0,
        children: int = 2,
        dynamic_keys: DynamicKeys | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        parsed = parse_sources(sources)
        if not parsed:
            raise DefinitionsUnavailable(
                "No definitions are given: name a module with -m or a file with -f, or set "
                "BACKFILL_DEFINITIONS."
            )
        limits = Limits(call_seconds, load_seconds, min(check_seconds, call_seconds), children)
        self._pool = ChildPool(parsed, limits, clock=clock, watch=reload, dynamic_keys=dynamic_keys)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the child processes."""
        self._pool.close()

    def catalog(self) -> Catalog:
        """Return what is defined: the same object until that changes.

        Never raises: code that cannot be loaded is among its problems.
        """
        return self._pool.catalog()

    def count(self, set_name: str, at: datetime) -> int:
        return int(self._list("count", set_name, at))

    def page(self, set_name: str, start: int, stop: int, at: datetime) -> Sequence[str]:
        keys: list[str] = self._list("page", set_name, at, start=start, stop=stop)
        return keys

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
        told = self._list(
            "listing",
            set_name,
            at,
            limit=limit,
            backward=backward,
            key=key,
            place=place,
            skip=skip,
        )
        return Listing(*told)

    def index_of(self, set_name: str, keys: Sequence[str], at: datetime) -> Sequence[int | None]:
        indexes: list[int | None] = self._list("index_of", set_name, at, keys=list(keys))
        return indexes

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
        told = self._list(
            "select",
            set_name,
            at,
            selection=selection,
            limit=limit,
            statuses=statuses,
            leave_out=leave_out,
            mark=mark,
            take=take,
            listed=listed,
        )
        return SelectionResult.unpacked(told)

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
        touched, within = overlapping(key_ranges, offset, limit)
        told = self._pool.call(
            f'Expanding set "{set_name}"',
            "expand",
            {
                "set_name": set_name,
                "key_ranges": touched,
                "offset": within,
                "limit": limit,
                "at": at.isoformat(),
                "after": after,
            },
        )
        return Expansion.unpacked(told, offset - within)

    def run_config(
        self,
        set_name: str,
        key: str,
        at: datetime,
        *,
        override: Mapping[str, Any] | None = None,
    ) -> ResolvedConfig:
        told = self._pool.call(
            f'Resolving the run config of set "{set_name}" for partition "{key}"',
            "run_config",
            {"set_name": set_name, "key": key, "at": at.isoformat(), "override": override},
        )
        return ResolvedConfig(**told)

    def validate_config(
        self, pipeline: str, config: Mapping[str, Any]
    ) -> Sequence[Mapping[str, Any]]:
        errors: list[Mapping[str, Any]] = self._pool.call(
            f'Validating a run config of pipeline "{pipeline}"',
            "validate_config",
            {"pipeline": pipeline, "config": config},
        )
        return errors

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
        touched, within = overlapping(key_ranges, offset, limit)
        told = self._pool.call(
            f'The run config function of set "{set_name}"',
            "validate_partitions",
            {
                "set_name": set_name,
                "key_ranges": touched,
                "offset": within,
                "limit": limit,
                "at": at.isoformat(),
                "override": override,
            },
        )
        return Validation(
            told["checked"],
            told["next_offset"] + offset - within,
            told["invalid"],
            [PartitionProblem(**problem) for problem in told["problems"]],
        )

    def tell_hook(self, set_name: str, hook: str, told: Mapping[str, Any]) -> None:
        arguments = {"set_name": set_name, "hook": hook, "told": dict(told)}
        self._pool.call(f'Hook "{hook}" of set "{set_name}"', "tell_hook", arguments)

    def evaluate_tick(self, schedule: str, tick_at: datetime) -> TickResult:
        told = self._pool.call(
            f'Schedule "{schedule}"',
            "evaluate_tick",
            {"schedule": schedule, "tick_at": tick_at.isoformat()},
        )
        return TickResult(
            state=TickState(told["state"]),
            runs=[TickRun(**run) for run in told["runs"]],
            reason=told["reason"],
            error=told["error"],
        )

    def _list(self, method: str, set_name: str, at: datetime, **arguments: Any) -> Any:
        what = f'The partition function of set "{set_name}"'
        called = {"set_name": set_name, "at": at.isoformat(), **arguments}
        return self._pool.call(what, method, called)
