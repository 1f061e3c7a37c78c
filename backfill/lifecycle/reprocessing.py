"""Reprocessing: which of the selected partitions run again, and why the others do not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from backfill.definitions.calls import SelectionResult
from backfill.definitions.facts import INCOMPLETE, NOT_TAKEN, Group
from backfill.errors import Invalid, did_you_mean
from backfill.lifecycle.statuses import Facts

IN_FLIGHT = "in_flight"
NEW = "new"


class Reprocess(StrEnum):
    """Which of the selected partitions a backfill takes."""

    MISSING = "missing"  # all but those that succeeded
    FAILED = "failed"  # those whose last outcome is a failure
    ALL = "all"
    STALE = "stale"  # those whose last success is from another version of the pipeline


class Action(StrEnum):
    """What submitting does with a group of the selected partitions."""

    RUN = "run"
    WAIT = "wait"  # its run waits for another one of the same partition
    SKIP = "skip"


@dataclass(frozen=True)
class PlanGroup:
    """Selected partitions with which the same happens for the same reason.

    Attributes:
        reason: `new`, `failed`, `canceled`, `succeeded`, `stale`, `incomplete` of those that run;
            `in_flight` of those that wait; `succeeded`, `not_failed`, `never_succeeded`, `current`
            of those that are left out.
        sentence: The same for people.
        backfill_id: What those that wait are in flight in; None: runs outside a backfill.
    """

    action: Action
    reason: str
    sentence: str
    count: int
    first: str
    last: str
    backfill_id: int | None = None

    @property
    def name(self) -> str:
        """The group's name among the counts of a plan, such as `wait:in_flight:7`."""
        waits_for = f":{self.backfill_id}" if self.backfill_id is not None else ""
        return f"{self.action}:{self.reason}{waits_for}"


_SENTENCES = {
    (Action.SKIP, "blocked"): "blocked by an operator",
    (Action.SKIP, NOT_TAKEN): "not among the few that were asked for",
    (Action.SKIP, "succeeded"): "succeeded before",
    (Action.SKIP, "not_failed"): "did not fail",
    (Action.SKIP, "never_succeeded"): "never succeeded",
    (Action.SKIP, "current"): "succeeded with this version of the pipeline",
    (Action.RUN, NEW): "never ran",
    (Action.RUN, "failed"): "failed before",
    (Action.RUN, "canceled"): "canceled before",
    (Action.RUN, "succeeded"): "succeeded before, and runs again",
    (Action.RUN, "stale"): "last succeeded with another version of the pipeline",
    (Action.RUN, INCOMPLETE): "runs although its time window has not ended yet",
}
_NEEDED = {
    Reprocess.MISSING: {"succeeded"},
    Reprocess.FAILED: {"succeeded", "failed"},
    Reprocess.ALL: set[str](),
    Reprocess.STALE: {"ever_succeeded", "stale"},
}
_TOLD_APART = ("failed", "canceled", "succeeded")


def reprocess_of(
    asked: str | None, *, words: Collection[str], steps: Sequence[str] | None
) -> Reprocess:
    """Return how a request reprocesses.

    Who names statuses or steps has said what to run again: then it is `all`. Else good work is
    not done twice: `missing`.

    Raises:
        Invalid: It asks for something else than the four.
    """
    if asked is None:
        return Reprocess.ALL if words or steps else Reprocess.MISSING
    try:
        return Reprocess(asked)
    except ValueError:
        known = [policy.value for policy in Reprocess]
        raise Invalid(
            f'Reprocessing "{asked}" is not known.{did_you_mean(asked, known)} '
            f"Use one of {', '.join(known)}."
        ) from None


def needed(policy: Reprocess) -> frozenset[str]:
    """Return the words whose facts decide what a policy leaves out."""
    return frozenset(_NEEDED[policy])


def needed_to_explain() -> frozenset[str]:
    """Return the words whose facts tell apart what would run and what would wait."""
    return frozenset({"running", *_TOLD_APART})


def left_out(policy: Reprocess, facts: Facts) -> dict[str, Sequence[str]]:
    """Return the facts that leave a selected partition out, by reason."""
    keys = facts.keys
    if policy is Reprocess.MISSING:
        return {"succeeded": keys["succeeded"]}
    if policy is Reprocess.FAILED:
        return {"succeeded": keys["succeeded"], "!not_failed": keys["failed"]}
    if policy is Reprocess.STALE:
        return {"!never_succeeded": keys["ever_succeeded"], "!current": keys["stale"]}
    return {}


def marks(policy: Reprocess, facts: Facts) -> dict[str, Sequence[str]]:
    """Return the facts that tell apart what would wait and what would run."""
    waiting: dict[str, list[str]] = defaultdict(list)
    for run in sorted(facts.in_flight, key=lambda run: (run.backfill_id or 0, run.partition)):
        waiting[f"{IN_FLIGHT}:{run.backfill_id or ''}"].append(run.partition)
    told_apart = () if policy is Reprocess.STALE else _TOLD_APART
    return {**waiting, INCOMPLETE: (), **{word: facts.keys[word] for word in told_apart}}


def skipped_groups(selected: SelectionResult) -> list[PlanGroup]:
    """Return what was left out, as groups of a plan."""
    return [_group(Action.SKIP, told.name, told) for told in selected.left_out]


def asked_groups(policy: Reprocess, selected: SelectionResult) -> list[PlanGroup]:
    """Return what would run, the largest group first, and what would wait."""
    rest = "stale" if policy is Reprocess.STALE else NEW
    runs: list[PlanGroup] = []
    waits: list[PlanGroup] = []
    if selected.unmarked is not None:
        runs.append(_group(Action.RUN, rest, selected.unmarked))
    for told in selected.marked:
        if told.name.startswith(f"{IN_FLIGHT}:"):
            waits.append(_waiting(told))
        else:
            runs.append(_group(Action.RUN, told.name, told))
    return sorted(runs, key=lambda group: -group.count) + waits


def _group(action: Action, reason: str, told: Group) -> PlanGroup:
    sentence = _SENTENCES[(action, reason)]
    return PlanGroup(action, reason, sentence, told.size, told.first, told.last)


def _waiting(told: Group) -> PlanGroup:
    backfill = told.name.removeprefix(f"{IN_FLIGHT}:")
    where = f"backfill {backfill}" if backfill else "a run outside any backfill"
    return PlanGroup(
        action=Action.WAIT,
        reason=IN_FLIGHT,
        sentence=f"in flight in {where}, and waits for it",
        count=told.size,
        first=told.first,
        last=told.last,
        backfill_id=int(backfill) if backfill else None,
    )
