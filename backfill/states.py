"""States and the named moves between them, as data.

Every state change of the product is one of the moves below. `lifecycle.moves` performs them as
guarded statements; the diagram in the docs, the colours of the app and the cross-product test are
generated from here. Spelling: canceled, canceling.
"""

from __future__ import annotations

from enum import Enum, StrEnum


class RunState(StrEnum):
    """Where a run is: one execution of a pipeline for a partition, several of them, or none."""

    PENDING = "pending"
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    SKIPPED = "skipped"


class StepState(StrEnum):
    """The outcome of one step in one attempt of a run."""

    RUNNING = "running"
    RETRYING = "retrying"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELED = "canceled"


class BackfillState(StrEnum):
    """Where a backfill is."""

    REQUESTED = "requested"
    RUNNING = "running"
    PAUSED = "paused"
    CANCELING = "canceling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"


class AttemptEnd(StrEnum):
    """How one attempt of a run ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    LOST = "lost"
    RELEASED = "released"
    CANCELED = "canceled"


class ReexecutionMode(StrEnum):
    """Which steps a run made from another one executes."""

    FROM_FAILURE = "from_failure"
    STEPS = "steps"
    ALL = "all"


class ScheduleState(StrEnum):
    """Whether a schedule ticks."""

    RUNNING = "running"
    STOPPED = "stopped"


class TickState(StrEnum):
    """How one tick of a schedule stands: started ones were interrupted and are done again."""

    STARTED = "started"
    SUCCESS = "success"
    SKIPPED = "skipped"
    FAILURE = "failure"


class BoxStatus(StrEnum):
    """What a box of the Run Matrix (one partition x step) shows."""

    MISSING = "missing"
    QUEUED = "queued"
    RUNNING = "running"
    RETRYING = "retrying"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELED = "canceled"
    BLOCKED = "blocked"
    REMOVED = "removed"


RUN_FINAL = frozenset({RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELED, RunState.SKIPPED})
RUN_ACTIVE = frozenset({RunState.QUEUED, RunState.RUNNING})
STEP_FINAL = frozenset(
    {StepState.SUCCEEDED, StepState.FAILED, StepState.SKIPPED, StepState.CANCELED}
)
BACKFILL_FINAL = frozenset({BackfillState.SUCCEEDED, BackfillState.FAILED, BackfillState.CANCELED})


class RunMove(Enum):
    """A named move of a run: the states it may start from, where it ends, and when it happens."""

    sources: frozenset[RunState]
    target: RunState
    sentence: str

    def __init__(self, sources: set[RunState], target: RunState, sentence: str) -> None:
        self.sources = frozenset(sources)
        self.target = target
        self.sentence = sentence

    ADMIT = (
        {RunState.PENDING},
        RunState.QUEUED,
        "a slot is free, the limits allow it and its partition holds are taken",
    )
    RECALL = (
        {RunState.QUEUED},
        RunState.PENDING,
        "its backfill was paused before a worker claimed it; its holds are freed",
    )
    CLAIM = (
        {RunState.QUEUED},
        RunState.RUNNING,
        "a worker holds the lease; the attempt is counted",
    )
    SUCCEED = ({RunState.RUNNING}, RunState.SUCCEEDED, "every step did its work")
    FAIL = ({RunState.RUNNING}, RunState.FAILED, "a step failed and no retry is left")
    RETRY_LATER = (
        {RunState.RUNNING},
        RunState.PENDING,
        "it failed with budget left; due again later, its holds kept",
    )
    RELEASE = (
        {RunState.RUNNING},
        RunState.PENDING,
        "its worker shut down and handed it back; nothing is counted against it",
    )
    LOSE = (
        {RunState.RUNNING},
        RunState.PENDING,
        "its lease expired with crash budget left",
    )
    LOSE_FINALLY = (
        {RunState.RUNNING},
        RunState.FAILED,
        "its lease expired and the crash budget is spent",
    )
    STOP = ({RunState.RUNNING}, RunState.CANCELED, "it was told to stop and has stopped")
    CANCEL = (
        {RunState.PENDING, RunState.QUEUED},
        RunState.CANCELED,
        "canceled before a worker claimed it",
    )
    SKIP = ({RunState.PENDING}, RunState.SKIPPED, "its partition was left out, with a reason")
    LEAVE_OUT = (
        {RunState.RUNNING},
        RunState.SKIPPED,
        "its partition turned out to have left the set; none of its steps began",
    )


class BackfillMove(Enum):
    """A named move of a backfill."""

    sources: frozenset[BackfillState]
    target: BackfillState
    sentence: str

    def __init__(self, sources: set[BackfillState], target: BackfillState, sentence: str) -> None:
        self.sources = frozenset(sources)
        self.target = target
        self.sentence = sentence

    START = (
        {BackfillState.REQUESTED},
        BackfillState.RUNNING,
        "the first chunk of its partitions was expanded into runs",
    )
    PAUSE = (
        {BackfillState.REQUESTED, BackfillState.RUNNING},
        BackfillState.PAUSED,
        "an operator or a guard stopped admission; the reason is kept",
    )
    RESUME = ({BackfillState.PAUSED}, BackfillState.RUNNING, "an operator let it go on")
    CANCEL = (
        {BackfillState.REQUESTED, BackfillState.RUNNING, BackfillState.PAUSED},
        BackfillState.CANCELING,
        "an operator gave it up; nothing of it starts any more",
    )
    SETTLE_SUCCEEDED = (
        {BackfillState.RUNNING, BackfillState.PAUSED},
        BackfillState.SUCCEEDED,
        "fully expanded, and every run succeeded or was skipped",
    )
    SETTLE_FAILED = (
        {BackfillState.RUNNING, BackfillState.PAUSED},
        BackfillState.FAILED,
        "fully expanded, every run is final and at least one did not succeed",
    )
    SETTLE_CANCELED = (
        {BackfillState.CANCELING},
        BackfillState.CANCELED,
        "nothing of it is active any more",
    )
    REOPEN = (
        {BackfillState.SUCCEEDED, BackfillState.FAILED, BackfillState.CANCELED},
        BackfillState.RUNNING,
        "some of its partitions are tried again as its next generation",
    )
