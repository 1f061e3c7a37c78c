"""Planning: what submitting a request would do, and why. Submitting is the same, kept."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from backfill.definitions.calls import Definitions, ResolvedConfig
from backfill.errors import UserCodeError
from backfill.lifecycle.choosing import Choice, check_steps, choose
from backfill.lifecycle.estimating import Estimate, estimate
from backfill.lifecycle.reprocessing import PlanGroup, asked_groups, skipped_groups
from backfill.lifecycle.requests import QUEUE_TAG, BackfillRequest
from backfill.lifecycle.validating import ConfigCheck, Validating, validate_all
from backfill.settings import Settings
from backfill.storage.database import Database

__all__ = [
    "BackfillRequest",
    "Change",
    "Choice",
    "Plan",
    "changes",
    "check_steps",
    "choose",
    "groups_of",
    "plan",
    "validate",
]

PLAN_SECONDS = 5.0


@dataclass(frozen=True)
class Plan:
    """What would happen.

    Attributes:
        groups: The selected partitions, each in one: what would run, wait or be left out.
        partition: Whose run config this shows: the first that would run, or the one asked for.
        config: Its resolved run config; None when the user's function failed on it.
        check: The run configs that could be validated in the time given.
    """

    choice: Choice
    groups: Sequence[PlanGroup]
    partition: str
    config: ResolvedConfig | None
    check: ConfigCheck
    estimate: Estimate

    @property
    def counts(self) -> Mapping[str, int]:
        """The size of every group by its name; a submit given this says what changed since."""
        return {group.name: group.count for group in self.groups}


@dataclass(frozen=True)
class Change:
    """A group that is not as large as it was planned to be."""

    group: str
    planned: int
    now: int


def plan(
    db: Database,
    definitions: Definitions,
    request: BackfillRequest,
    *,
    at: datetime,
    settings: Settings,
    partition: str | None = None,
    seconds: float = PLAN_SECONDS,
) -> Plan:
    """Say what submitting would do; validates as many partitions' configs as fit in the time.

    Args:
        partition: Show the run config of this one instead of the first.

    Raises:
        NotFound: No such partition set, or the set lacks the partition to show.
        SelectionInvalid: The selection does not parse, names unknown keys or is empty.
    """
    limit = settings.max_partitions
    choice = choose(db, definitions, request, at=at, limit=limit, explained=True)
    selected = choice.selected
    shown = partition or (selected.first_key if selected.count else selected.whole.first)
    return Plan(
        choice=choice,
        groups=groups_of(choice),
        partition=shown,
        config=_config(definitions, request, shown, at),
        check=_check(validate(definitions, request, choice, at=at), seconds),
        estimate=_estimate(db, settings, request, choice),
    )


def validate(
    definitions: Definitions, request: BackfillRequest, choice: Choice, *, at: datetime
) -> Iterator[ConfigCheck]:
    """Validate the run config of every chosen partition; yield what was found so far, often."""
    key_ranges = choice.selected.key_ranges
    wanted = Validating(request.partition_set, key_ranges, request.run_config, at)
    return validate_all(definitions, wanted)


def groups_of(choice: Choice) -> list[PlanGroup]:
    """Return the selected partitions as groups, each in one; of a choice that was explained."""
    selected = choice.selected
    return asked_groups(choice.reprocess, selected) + skipped_groups(selected)


def changes(planned: Mapping[str, int], groups: Sequence[PlanGroup]) -> list[Change]:
    """Return which groups grew or shrank since a plan."""
    now = {group.name: group.count for group in groups}
    names = dict.fromkeys([*planned, *now])
    found = (Change(name, planned.get(name, 0), now.get(name, 0)) for name in names)
    return [change for change in found if change.planned != change.now]


def _check(progress: Iterator[ConfigCheck], seconds: float) -> ConfigCheck:
    """Validate for as long as there is time; return what was found by then."""
    ends_at = time.monotonic() + seconds
    last = ConfigCheck(0, 0, ())
    for found in progress:
        last = found
        if time.monotonic() > ends_at:
            break
    return last


def _config(
    definitions: Definitions, request: BackfillRequest, key: str, at: datetime
) -> ResolvedConfig | None:
    try:
        return definitions.run_config(request.partition_set, key, at, override=request.run_config)
    except UserCodeError:
        return None  # it is among the problems of the check, with the user's traceback


def _estimate(
    db: Database, settings: Settings, request: BackfillRequest, choice: Choice
) -> Estimate:
    with db.read() as conn:
        return estimate(
            db,
            conn,
            settings,
            pipeline=choice.pipeline.name,
            steps=choice.steps,
            runs=choice.selected.count,
            max_active=request.max_active_runs,
            queue=choice.tags.get(QUEUE_TAG) or settings.default_queue,
        )
