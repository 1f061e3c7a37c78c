"""Validating: whether the runs of a backfill could start, partition by partition."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from backfill.definitions.calls import Definitions, KeyRange, PartitionProblem
from backfill.errors import ConfigInvalid

CHECKED_AT_SUBMIT = 50
CHECKED_AT_ONCE = 1_000
PROBLEMS_TOLD = 100


@dataclass(frozen=True)
class ConfigCheck:
    """How many partitions' run configs were looked at, and what is wrong with them.

    Attributes:
        invalid: How many of the checked ones cannot run.
        problems: The first of those.
    """

    checked: int
    invalid: int
    problems: Sequence[PartitionProblem]


@dataclass(frozen=True)
class Validating:
    """Which partitions are to be validated, and what is merged over their run configs."""

    partition_set: str
    key_ranges: Sequence[KeyRange]
    override: Mapping[str, Any] | None
    at: datetime

    @property
    def count(self) -> int:
        """How many partitions there are."""
        return sum(key_range.size for key_range in self.key_ranges)


def validate_all(definitions: Definitions, wanted: Validating) -> Iterator[ConfigCheck]:
    """Validate every partition, chunk by chunk; yield after each what was found so far."""
    checked = invalid = offset = 0
    problems: list[PartitionProblem] = []
    while offset < wanted.count:
        found = definitions.validate_partitions(
            wanted.partition_set,
            wanted.key_ranges,
            offset=offset,
            limit=CHECKED_AT_ONCE,
            at=wanted.at,
            override=wanted.override,
        )
        checked += found.checked
        invalid += found.invalid
        problems += found.problems[: PROBLEMS_TOLD - len(problems)]
        yield ConfigCheck(checked, invalid, list(problems))
        if found.next_offset <= offset:
            return
        offset = found.next_offset


def require_configs(definitions: Definitions, wanted: Validating) -> None:
    """Raise ConfigInvalid unless the configs of the first and the last partitions are valid.

    The others are validated before their runs start, and by the plan.
    """
    problem = _problem_at(definitions, wanted, 0, CHECKED_AT_SUBMIT)
    if problem is None and wanted.count > CHECKED_AT_SUBMIT:
        problem = _problem_at(definitions, wanted, wanted.count - 1, 1)
    if problem is not None:
        raise ConfigInvalid(
            f'The run config of partition "{problem.partition}" of set '
            f'"{wanted.partition_set}" is not valid: {problem.detail}',
            partition=problem.partition,
            errors=list(problem.errors),
            **({"traceback": problem.traceback} if problem.traceback else {}),
        )


def _problem_at(
    definitions: Definitions, wanted: Validating, offset: int, limit: int
) -> PartitionProblem | None:
    found = definitions.validate_partitions(
        wanted.partition_set,
        wanted.key_ranges,
        offset=offset,
        limit=limit,
        at=wanted.at,
        override=wanted.override,
    )
    return found.problems[0] if found.problems else None
