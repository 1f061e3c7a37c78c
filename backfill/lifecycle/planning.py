"""Planning: what a request chooses and whether its runs could start. Submitting is this, kept."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from backfill.definitions.calls import (
    Definitions,
    PartitionProblem,
    ResolvedConfig,
    SelectionResult,
)
from backfill.definitions.catalog import PipelineInfo
from backfill.errors import ConfigInvalid, Invalid, did_you_mean

CHECKED_AT_SUBMIT = 50
CHECKED_AT_ONCE = 1_000
PLAN_SECONDS = 5.0


@dataclass(frozen=True)
class BackfillRequest:
    """What a person asks for. `run_config` is merged over every partition's own."""

    partition_set: str
    selection: str
    max_active_runs: int | None = None
    priority: int = 0
    ordering: str = "oldest"
    max_failures: int = 0
    tags: Mapping[str, str] = field(default_factory=dict)
    run_config: Mapping[str, Any] | None = None
    steps: Sequence[str] | None = None
    note: str | None = None
    created_by: str | None = None
    idempotency_key: str | None = None

    def fingerprint(self) -> str:
        """Return a hash of what is asked, to tell a repeated request from another one."""
        asked = {k: v for k, v in self.__dict__.items() if k not in {"created_by"}}
        return hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest()


@dataclass(frozen=True)
class Choice:
    """What a request chose: the pipeline, the tags of its runs, and the partitions."""

    pipeline: PipelineInfo
    tags: Mapping[str, str]
    selected: SelectionResult


@dataclass(frozen=True)
class ConfigCheck:
    """How many partitions' run configs were looked at, and what is wrong with them."""

    checked: int
    invalid: int
    problems: Sequence[PartitionProblem]


@dataclass(frozen=True)
class Plan:
    """What would happen.

    Attributes:
        first_config: The resolved run config of the first partition; None when the user's
            function failed on it, which is then among the problems.
    """

    choice: Choice
    first_config: ResolvedConfig | None
    check: ConfigCheck


def plan(
    definitions: Definitions,
    request: BackfillRequest,
    *,
    at: datetime,
    limit: int,
    seconds: float = PLAN_SECONDS,
) -> Plan:
    """Say what submitting would do; validates as many partitions' configs as fit in the time.

    Raises:
        NotFound: No such partition set.
        SelectionInvalid: The selection does not parse, names unknown keys or is empty.
    """
    choice = choose(definitions, request, at=at, limit=limit)
    check = _check_all(definitions, request, choice, at, seconds)
    first = choice.selected.first_key
    config = None
    if all(p.partition != first or p.errors for p in check.problems):
        config = definitions.run_config(
            request.partition_set, first, at, override=request.run_config
        )
    return Plan(choice, config, check)


def choose(
    definitions: Definitions, request: BackfillRequest, *, at: datetime, limit: int
) -> Choice:
    """Check a request against the definitions and evaluate its selection."""
    _check_numbers(request)
    catalog = definitions.catalog()
    pipeline = catalog.pipeline(catalog.partition_set(request.partition_set).pipeline)
    check_steps(pipeline, request.steps)
    selected = definitions.select(request.partition_set, request.selection, at, limit=limit)
    return Choice(pipeline, {**pipeline.tags, **request.tags}, selected)


def check_steps(pipeline: PipelineInfo, steps: Sequence[str] | None) -> None:
    """Raise Invalid when a pipeline lacks one of the steps."""
    known = [step.name for step in pipeline.steps]
    for name in steps or ():
        if name not in known:
            raise Invalid(
                f'Pipeline "{pipeline.name}" has no step "{name}".{did_you_mean(name, known)} '
                f"It has: {', '.join(known)}."
            )


def require_configs(
    definitions: Definitions, request: BackfillRequest, choice: Choice, at: datetime
) -> None:
    """Raise ConfigInvalid unless the configs of the first and the last partitions are valid.

    The others are validated before their runs start, and by the plan.
    """
    count = choice.selected.count
    check = _check_span(definitions, request, choice, at, 0, CHECKED_AT_SUBMIT)
    if not check.problems and count > CHECKED_AT_SUBMIT:
        check = _check_span(definitions, request, choice, at, count - 1, 1)
    if check.problems:
        problem = check.problems[0]
        raise ConfigInvalid(
            f'The run config of partition "{problem.partition}" of set '
            f'"{request.partition_set}" is not valid: {problem.detail}',
            partition=problem.partition,
            errors=list(problem.errors),
            **({"traceback": problem.traceback} if problem.traceback else {}),
        )


def _check_numbers(request: BackfillRequest) -> None:
    if request.max_active_runs is not None and request.max_active_runs < 1:
        raise Invalid("max_active_runs must be at least 1; leave it out for no limit.")
    if request.ordering not in {"oldest", "newest"}:
        raise Invalid(f'Order "{request.ordering}" is not known; use oldest or newest.')
    if request.max_failures < 0:
        raise Invalid("max_failures must be 0 or more.")


def _check_all(
    definitions: Definitions,
    request: BackfillRequest,
    choice: Choice,
    at: datetime,
    seconds: float,
) -> ConfigCheck:
    ends_at = time.monotonic() + seconds
    checked = invalid = offset = 0
    problems: list[PartitionProblem] = []
    while offset < choice.selected.count and time.monotonic() < ends_at:
        found = definitions.validate_partitions(
            request.partition_set,
            choice.selected.key_ranges,
            offset=offset,
            limit=CHECKED_AT_ONCE,
            at=at,
            override=request.run_config,
        )
        checked += found.checked
        invalid += found.invalid
        problems += found.problems
        if found.next_offset <= offset:
            break
        offset = found.next_offset
    return ConfigCheck(checked, invalid, problems[:100])


def _check_span(
    definitions: Definitions,
    request: BackfillRequest,
    choice: Choice,
    at: datetime,
    offset: int,
    limit: int,
) -> ConfigCheck:
    found = definitions.validate_partitions(
        request.partition_set,
        choice.selected.key_ranges,
        offset=offset,
        limit=limit,
        at=at,
        override=request.run_config,
    )
    return ConfigCheck(found.checked, found.invalid, found.problems)
