"""Deciding: what becomes of an attempt, as pure functions of its row and its report."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row

from backfill.execution.outcomes import ErrorInfo, LogLine, RunEnd, RunOutcome, StepOutcome
from backfill.states import AttemptEnd, RunMove

CRASH_PAUSE_US = 1_000_000  # a lost run is due again after this, times its crashes


@dataclass(frozen=True)
class Claim:
    """A run, its attempt (counted from 1) and lease token: the fence of every worker write."""

    run_id: int
    attempt: int
    token: int


@dataclass
class Report:
    """What a worker has to say about one attempt since it last said something.

    Attributes:
        outcome: Set when the attempt ended.
        steps: Step outcomes so far unreported; running and retrying ones may come again.
        errors: (step, try, at, error) of every failed try.
        hook_errors: (step, hook, error) of every hook that failed.
        busy_us: Time the attempt took, when it ended.
        whole: It tells everything of an attempt that ended: no step of it was written before.
    """

    claim: Claim
    steps: list[StepOutcome] = field(default_factory=list)
    errors: list[tuple[str, int, int, ErrorInfo]] = field(default_factory=list)
    logs: list[LogLine] = field(default_factory=list)
    hook_errors: list[tuple[str, str, ErrorInfo]] = field(default_factory=list)
    outcome: RunOutcome | None = None
    version: str | None = None
    busy_us: int = 0
    whole: bool = False


@dataclass(frozen=True)
class Ending:
    """What becomes of one attempt."""

    row: Row[Any]
    move: RunMove
    end: AttemptEnd
    delay_us: int = 0
    failed: int = 0
    crashed: int = 0
    alone: bool = False
    reason: str | None = None
    report: Report | None = None


def reported(report: Report, row: Row[Any], retry_delay_us: int) -> Ending:
    """Decide what becomes of an attempt that ended by itself.

    A failure comes as RETRY while the pipeline's retry policy lasts. Where that is spent, or there
    is none, the run's own budget may allow more: both count the same failures, so that a run is
    tried again as often as the larger of the two allows.
    """
    outcome = report.outcome
    assert outcome is not None
    if outcome.end is RunEnd.SUCCEEDED:
        return Ending(row, RunMove.SUCCEED, AttemptEnd.SUCCEEDED, report=report)
    if outcome.end is RunEnd.CANCELED or row.cancel_requested_at is not None:
        reason = row.reason or "canceled"
        return Ending(row, RunMove.STOP, AttemptEnd.CANCELED, reason=reason, report=report)
    if outcome.end is RunEnd.RELEASED:
        delay = int((outcome.retry_in_seconds or 0) * 1e6)
        reason = outcome.error.message if outcome.error else "its worker was shutting down"
        return Ending(
            row, RunMove.RELEASE, AttemptEnd.RELEASED, delay_us=delay, reason=reason, report=report
        )
    reason = outcome.error.message if outcome.error else None
    if outcome.end is RunEnd.SKIPPED:
        return Ending(row, RunMove.LEAVE_OUT, AttemptEnd.RELEASED, reason=reason, report=report)
    if outcome.end is RunEnd.RETRY:
        delay = int((outcome.retry_in_seconds or 0) * 1e6)
        return Ending(
            row,
            RunMove.RETRY_LATER,
            AttemptEnd.FAILED,
            delay_us=delay,
            failed=int(outcome.counted),
            reason=reason,
            report=report,
        )
    if outcome.retryable and row.failures < row.max_failures:
        return Ending(
            row,
            RunMove.RETRY_LATER,
            AttemptEnd.FAILED,
            delay_us=retry_delay_us << min(row.failures, 10),
            failed=1,
            reason=reason,
            report=report,
        )
    return Ending(row, RunMove.FAIL, AttemptEnd.FAILED, failed=1, reason=reason, report=report)


def released(row: Row[Any], reason: str) -> Ending:
    if row.cancel_requested_at is not None:
        return Ending(row, RunMove.STOP, AttemptEnd.CANCELED, reason=row.reason or "canceled")
    return Ending(row, RunMove.RELEASE, AttemptEnd.RELEASED, reason=reason)


def lost(row: Row[Any], max_crashes: int, *, innocent: bool = False) -> Ending:
    """Decide about a run whose process died.

    Args:
        innocent: Another run was executing in it: this one had ended and was not recorded yet.
            Runs of one span are executed together: none of them is.
    """
    if row.cancel_requested_at is not None:
        reason = row.reason or "canceled"
        return Ending(row, RunMove.STOP, AttemptEnd.CANCELED, reason=reason)
    if row.message_size > 1 and row.span is None:
        reason = "its worker died while several runs shared a message; it goes on alone"
        return Ending(row, RunMove.LOSE, AttemptEnd.LOST, alone=True, reason=reason)
    if innocent and row.span is None:
        reason = "its worker process died of another run before it was recorded"
        return Ending(row, RunMove.LOSE, AttemptEnd.LOST, reason=reason)
    crashes = row.crashes + 1
    if crashes >= max_crashes:
        reason = f"its worker died {crashes} times while it ran alone"
        return Ending(row, RunMove.LOSE_FINALLY, AttemptEnd.LOST, crashed=1, reason=reason)
    return Ending(
        row,
        RunMove.LOSE,
        AttemptEnd.LOST,
        delay_us=CRASH_PAUSE_US * crashes,
        crashed=1,
        reason="its worker died or lost its lease",
    )
