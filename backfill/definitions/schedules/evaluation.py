"""What a tick of a schedule is to do: asks the schedule's functions, decides, writes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from inspect import isgenerator
from typing import Any

from backfill.definitions.calls import TickResult, TickRun
from backfill.definitions.partition import Partition
from backfill.definitions.partition_set import PartitionSetDefinition
from backfill.definitions.partitions import DynamicKeys
from backfill.definitions.partitions.zones import load_zone
from backfill.definitions.schedules.answers import RunRequest, ScheduleContext, SkipReason
from backfill.definitions.schedules.definition import ScheduleDefinition
from backfill.definitions.tags import tags_problem
from backfill.definitions.text import bounded, shown, storable
from backfill.definitions.user_code import call_user, describe
from backfill.errors import BackfillError, UserCodeError
from backfill.states import TickState

MAX_RUNS = 10_000
MAX_REASON = 2_000
MAX_KEY = 1_024


def evaluate_tick(
    schedule: ScheduleDefinition, tick_at: datetime, *, dynamic_keys: DynamicKeys | None = None
) -> TickResult:
    """Return what a tick is to do; what the schedule's functions raise makes it a FAILURE.

    Args:
        tick_at: The tick; also the time at which the partitions of its set are looked at.
        dynamic_keys: Where dynamic partitions find their keys.
    """
    zone = load_zone(schedule.execution_timezone)
    tick = _Tick(schedule, ScheduleContext(schedule.name, tick_at.astimezone(zone), dynamic_keys))
    try:
        found = tick.of_pipeline() if schedule.partition_set is None else tick.of_partitions()
    except BackfillError as error:
        trace = error.facts.get("traceback")
        return TickResult(TickState.FAILURE, reason=error.detail, error=trace or error.detail)
    if isinstance(found, SkipReason):
        reason = bounded(storable(found.skip_message or "skipped without a reason"), MAX_REASON)
        return TickResult(TickState.SKIPPED, reason=reason)
    if len(found) > MAX_RUNS:
        reason = f"{tick.who} wants {len(found):,} runs at one tick; at most {MAX_RUNS:,} are made."
        return TickResult(TickState.FAILURE, reason=reason, error=reason)
    return TickResult(TickState.SUCCESS, tuple(found.values()))


Runs = dict[str, TickRun]


class _Tick:
    def __init__(self, schedule: ScheduleDefinition, context: ScheduleContext) -> None:
        self.who = f'Schedule "{schedule.name}"'
        self._schedule = schedule
        self._context = context

    def of_partitions(self) -> Runs | SkipReason:
        schedule = self._schedule
        assert schedule.partition_set is not None
        selected = self._selected(schedule.partition_set)
        if isinstance(selected, SkipReason):
            return selected
        if not selected:
            return SkipReason("The partition selector returned no partition.")
        at = self._context.scheduled_execution_time
        keys = schedule.partition_set.key_space(at, dynamic_keys=self._context.dynamic_keys)
        unknown = [p.name for p in selected if keys.index_of(p.name) is None]
        if unknown:
            named = ", ".join(f'"{name}"' for name in unknown[:5])
            return SkipReason(
                f"The partition selector returned {named}, which set "
                f'"{schedule.partition_set.name}" does not have at this tick.'
            )
        if refused := self._refused():
            return refused
        return {
            p.name: TickRun(p.name, p.name, schedule.partition_set.own_tags(p)) for p in selected
        }

    def of_pipeline(self) -> Runs | SkipReason:
        if refused := self._refused():
            return refused
        schedule = self._schedule
        if schedule.execution_fn is not None:
            answer = self._call("The execution function", _collected, schedule.execution_fn)
            return self._requested(answer)
        config: Any = schedule.run_config or {}
        if schedule.run_config_fn is not None:
            config = self._call("The run config function", schedule.run_config_fn)
        return self._runs([RunRequest(run_config=self._config(config))])

    def _selected(self, partition_set: PartitionSetDefinition) -> list[Partition] | SkipReason:
        what = f"The partition selector of {self.who[0].lower()}{self.who[1:]}"
        selector = self._schedule.partition_selector
        assert selector is not None
        answer = call_user(
            what, selector, self._context, partition_set, schedule=self._schedule.name
        )
        if isinstance(answer, SkipReason):
            return answer
        listed = [answer] if isinstance(answer, Partition) else answer
        if isinstance(listed, list | tuple):
            wrong = next((item for item in listed if not isinstance(item, Partition)), None)
            if wrong is None:
                return list(listed)
            answer = wrong
        raise UserCodeError(
            f"{what} returned {shown(answer)} ({type(answer).__name__}); expected a Partition, a "
            "list of them, or SkipReason.",
            schedule=self._schedule.name,
        )

    def _refused(self) -> SkipReason | None:
        if self._schedule.should_execute is None:
            return None
        if self._call("should_execute", self._schedule.should_execute):
            return None
        return SkipReason("should_execute said no.")

    def _requested(self, answer: Any) -> Runs | SkipReason:
        items = answer if isinstance(answer, list | tuple) else [answer]
        skips = [item for item in items if isinstance(item, SkipReason)]
        if skips or not items:
            return skips[0] if skips else SkipReason("The execution function asked for no run.")
        if len(items) == 1 and isinstance(items[0], Mapping):
            return self._runs([RunRequest(run_config=self._config(items[0]))])
        for item in items:
            if not isinstance(item, RunRequest):
                raise self._wrong(
                    f"The execution function returned {shown(item)} ({type(item).__name__}); "
                    "expected a run config, RunRequest or SkipReason"
                )
        return self._runs(items)

    def _runs(self, requests: list[RunRequest] | tuple[RunRequest, ...]) -> Runs:
        common = self._schedule.tags or {}
        if self._schedule.tags_fn is not None:
            common = self._call("The tags function", self._schedule.tags_fn) or {}
        keys = [self._key(request.run_key, n) for n, request in enumerate(requests)]
        return {
            key: TickRun(
                key,
                None,
                self._tags({**self._tags(common), **self._tags(request.tags or {})}),
                self._config(request.run_config or {}),
            )
            for key, request in zip(keys, requests, strict=True)
        }

    def _config(self, config: Any) -> Mapping[str, Any]:
        if not isinstance(config, Mapping):
            raise self._wrong(
                f"Its run config is {shown(config)} ({type(config).__name__}); expected a dict"
            )
        try:
            json.dumps(config, allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            raise self._wrong(f"Its run config cannot be kept as JSON: {describe(error)}") from None
        return dict(config)

    def _key(self, key: object, place: int) -> str:
        """Return a run key; requests without one are told apart by their place."""
        if key is None:
            return f"#{place + 1}" if place else ""
        if not isinstance(key, str) or storable(key) != key or len(key) > MAX_KEY:
            raise self._wrong(
                f"{shown(key)} cannot be a run key: use a text without control characters, of at "
                f"most {MAX_KEY} characters"
            )
        return key

    def _tags(self, tags: Any) -> Mapping[str, str]:
        if problem := tags_problem(tags):
            raise self._wrong(f"The tags function {problem}")
        return dict(tags)

    def _call(self, what: str, function: Callable[..., Any], *before: Any) -> Any:
        of = f"{what} of {self.who[0].lower()}{self.who[1:]}"
        return call_user(of, function, *before, self._context, schedule=self._schedule.name)

    def _wrong(self, problem: str) -> UserCodeError:
        return UserCodeError(f"{self.who}: {problem}.", schedule=self._schedule.name)


def _collected(function: Callable[[ScheduleContext], Any], context: ScheduleContext) -> Any:
    """Call a function and read all it yields."""
    answer = function(context)
    return list(answer) if isgenerator(answer) or isinstance(answer, Iterator) else answer
