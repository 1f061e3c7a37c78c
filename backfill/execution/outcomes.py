"""What executing a run tells the outside: plain values, no database, no Celery.

The engine reports to a `Recorder` while it runs and returns a `RunOutcome` at the end. Times are
integer microseconds since the epoch (UTC) of the clock the caller handed in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

from backfill.definitions.keys import TimeWindow
from backfill.states import StepState


@dataclass(frozen=True)
class RunInfo:
    """What a run is, as its steps see it.

    Attributes:
        attempt: Counted from 1.
        partition_keys: One key, several for a run over a range, none without partitions.
        partition: The user's `Partition` of a run over one partition, if the caller has it.
        time_window: From the start of the first partition to the end of the last.
        failures: Earlier attempts of this run that ended as failures; the pipeline's retry
            policy counts them. Crashes, releases and waits for a step are not among them.
    """

    run_id: int
    attempt: int
    pipeline_name: str
    backfill_id: int | None = None
    partition_set: str | None = None
    partition_keys: tuple[str, ...] = ()
    partition: object | None = None
    time_window: TimeWindow | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    failures: int = 0


@dataclass(frozen=True)
class ErrorInfo:
    """An exception, made safe to store: bounded, no NUL bytes, no lone surrogates, redacted.

    Attributes:
        type: Qualified class name, such as `ValueError` or `shop.errors.NoData`.
        message: `str(exception)`.
        traceback: The formatted traceback; the user's frames, ours cut off.
        cause: The exception it was raised from, if any.
    """

    type: str
    message: str
    traceback: str
    cause: ErrorInfo | None = None


@dataclass(frozen=True)
class StepOutcome:
    """The outcome of one step in one attempt of a run.

    Attributes:
        tries: How often the step's body was entered in this attempt (0 when skipped).
        reason: For skipped and canceled: one sentence why.
        metadata: What the step yielded about itself, JSON-able, or None. A plain value stands
            for itself, others are `{"type": "markdown|url|path|size|json", "value": ...}`.
        outputs: Output name -> URL, for outputs that were kept; None when nothing was. An
            output that was yielded as None is left out; `unset:` marks one that was not yielded
            and `unkept:` one that a later attempt would have to compute again. The whole mapping
            goes back into `execute(done=...)`.
    """

    step: str
    state: StepState
    tries: int = 0
    started_at: int | None = None
    finished_at: int | None = None
    error: ErrorInfo | None = None
    reason: str | None = None
    metadata: Mapping[str, Any] | None = None
    outputs: Mapping[str, str] | None = None


@dataclass(frozen=True)
class LogLine:
    """One line of a run's log; `step` is None for lines of the run itself.

    `level` is `debug|info|warning|error|critical`, or `stdout|stderr` for captured output.
    """

    step: str | None
    at: int
    level: str
    message: str


class RunEnd(StrEnum):
    """How executing a run ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    RETRY = "retry"  # asks for the whole run to be tried again later
    RELEASED = "released"  # told to hand the run back (worker shutdown)
    SKIPPED = "skipped"  # left out before its steps began; the error says why


class PartitionReport(NamedTuple):
    """What a step said of one of its run's partitions."""

    succeeded: bool
    reason: str | None
    step: str


@dataclass(frozen=True)
class RunOutcome:
    """The end of one attempt: `retry_in_seconds` is set for RETRY only.

    Attributes:
        steps: One per step that ended in this attempt, in the order they ended; a step that
            waits for its retry ends as `retrying`.
        counted: False for a RETRY that a step's own policy asked for: such an attempt is no
            failure of the run. A RETRY the pipeline's policy asked for is one.
        run_config: The validated config, defaults applied, secrets redacted.
        partitions: What steps said of single partitions, by key.
    """

    end: RunEnd
    steps: Sequence[StepOutcome] = ()
    error: ErrorInfo | None = None
    failed_step: str | None = None
    retry_in_seconds: float | None = None
    retryable: bool = True
    counted: bool = True
    run_config: Mapping[str, Any] = field(default_factory=dict)
    partitions: Mapping[str, PartitionReport] = field(default_factory=dict)


class Recorder(Protocol):
    """Where the engine reports to while it runs. Calls must be cheap and must not raise."""

    def step_started(self, step: str, tries: int, at: int) -> None: ...

    def step_retrying(self, step: str, tries: int, at: int, error: ErrorInfo) -> None: ...

    def step_finished(self, outcome: StepOutcome) -> None: ...

    def log(self, line: LogLine) -> None: ...

    def hook_failed(self, step: str, hook: str, error: ErrorInfo) -> None:
        """Note that a hook of a step that has ended failed."""
        ...


class Control(Protocol):
    """How the outside talks to a run while it executes; asked between steps and by `context`.

    Both must be cheap: they are asked at every call a step makes on its context.
    """

    def canceled(self) -> bool:
        """Return whether the run was told to stop."""
        ...

    def released(self) -> bool:
        """Return whether the worker is going away and wants to hand the run back."""
        ...
