"""The reporter: one thread per worker process that commits many runs' outcomes at a time.

A lease ends only with the commit of its outcome. A step still running when the reporter passes by
is written as running, so the matrix is live without a write per tiny step.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Protocol

import structlog
from sqlalchemy.exc import SQLAlchemyError

from backfill.errors import Unavailable
from backfill.execution.outcomes import ErrorInfo, LogLine, RunOutcome, StepOutcome
from backfill.lifecycle.moves import Claim, Report, record_in_few_trips
from backfill.settings import Settings
from backfill.states import StepState
from backfill.storage.database import Database
from workers.salvaging import refusal, salvaged

log = structlog.get_logger(__name__)

LIVE_SECONDS = 0.25
RING_NS = 20_000_000
BUSY_SECONDS = 0.1  # a commit so long ago means that more are coming
BUSY_PATIENCE = 1.5
FEW_PATIENCE = 3  # while only a few come at a time, a commit for each would cost more than they do
FEW = 8
GIVE_UP_SECONDS = 3600.0


_Live = tuple[StepState, int, int]  # of a step that has not ended: state, tries, since when


class RunRecorder:
    """What one attempt says while it executes; the reporter takes it from here."""

    def __init__(self, claim: Claim, *, log_limit: int) -> None:
        self.claim = claim
        self.fenced = False
        self.version: str | None = None
        self._log_left = log_limit
        self._log_limit = log_limit
        self._lock = threading.Lock()
        self._report = Report(claim)
        self._begun = False
        self._live: dict[str, _Live] = {}
        self._live_told: dict[str, _Live] = {}

    # -- what the engine calls ----------------------------------------------------------------

    def step_started(self, step: str, tries: int, at: int) -> None:
        self._live[step] = (StepState.RUNNING, tries, at)

    def step_retrying(self, step: str, tries: int, at: int, error: ErrorInfo) -> None:
        with self._lock:
            self._live[step] = (StepState.RETRYING, tries, at)
            self._report.errors.append((step, tries, at, error))

    def step_finished(self, outcome: StepOutcome) -> None:
        with self._lock:
            self._live.pop(outcome.step, None)
            self._live_told.pop(outcome.step, None)
            self._report.steps.append(outcome)
            if outcome.error is not None:
                self._report.errors.append(
                    (outcome.step, outcome.tries, outcome.finished_at or 0, outcome.error)
                )

    def log(self, line: LogLine) -> None:
        if self._log_left > 0:
            self._log_left -= 1
            with self._lock:
                self._report.logs.append(line)
        elif self._log_left == 0:
            self._log_left = -1
            words = f"Further lines are dropped: this run has logged {self._log_limit} of them."
            with self._lock:
                self._report.logs.append(LogLine(line.step, line.at, "warning", words))

    def hook_failed(self, step: str, hook: str, error: ErrorInfo) -> None:
        with self._lock:
            self._report.hook_errors.append((step, hook, error))

    # -- what the reporter calls --------------------------------------------------------------

    def take(self) -> Report | None:
        """Take what is new since the last call, running steps included; None when nothing is."""
        with self._lock:
            report, self._report = self._report, Report(self.claim)
            new = {n: told for n, told in self._live.items() if self._live_told.get(n) != told}
            self._live_told.update(new)
        report.steps += [
            StepOutcome(step, state, tries=tries, started_at=at)
            for step, (state, tries, at) in new.items()
        ]
        if not (report.steps or report.logs or report.errors or report.hook_errors):
            return None
        self._begun = True
        return report

    def end(self, outcome: RunOutcome, *, at: int, busy_us: int) -> Report:
        """Take the last report of this attempt, its end included."""
        with self._lock:
            report, self._report = self._report, Report(self.claim)
        report.outcome = outcome
        report.whole = not self._begun
        report.version = self.version
        report.busy_us = busy_us
        if outcome.error is not None and outcome.failed_step is None:
            report.errors.append(("", 0, at, outcome.error))
        return report


class Ring(Protocol):
    """When somebody of this worker last began to wake coordinator and API."""

    rung_ns: int


class Reporter:
    """Commits reports in groups; one per worker process.

    Args:
        token_done: Called with each token whose every run is recorded.
        ring: Shared by the processes of a worker: one of them rings for all, every RING_NS at
            most. Who begins to ring after a commit rings for it.
    """

    def __init__(
        self,
        db: Database,
        settings: Settings,
        *,
        token_done: Callable[[int], None],
        ring: Ring,
    ) -> None:
        self._db = db
        self._last_ring = ring
        self._settings = settings
        self._token_done = token_done
        self._changed = threading.Condition()
        self._ended: list[Report] = []
        self._open: Counter[int] = Counter()
        self._active: RunRecorder | None = None
        self._spoiled: dict[int, Exception] = {}
        self._hurry = False
        self._closing = False
        self._committing = False
        self._commit_at = 0.0
        self._next_live = 0.0
        self._committed_ns = 0
        self._came_together = 0
        self._thread = threading.Thread(target=self._work, name="reporter", daemon=True)
        self._thread.start()

    def expect(self, token: int, runs: int) -> None:
        """Note that `runs` runs were claimed under a token; it is done when all are recorded."""
        with self._changed:
            self._open[token] = runs

    def watch(self, recorder: RunRecorder | None) -> None:
        """Make `recorder` the one whose running steps are shown live."""
        self._active = recorder
        if recorder is not None:
            self._next_live = time.monotonic() + LIVE_SECONDS

    def finish(self, report: Report) -> None:
        """Hand in the end of an attempt; it is committed within milliseconds."""
        with self._changed:
            self._ended.append(report)
            if len(self._ended) == 1:
                self._commit_at = time.monotonic() + self._patience()
                self._changed.notify()

    def flush(self, timeout: float = 30.0) -> bool:
        """Wait until everything handed in is committed; return whether it is."""
        with self._changed:
            self._hurry = True
            self._changed.notify_all()
            return self._changed.wait_for(lambda: not self._ended and not self._committing, timeout)

    def close(self) -> None:
        """Commit what is left and end the thread."""
        self.flush()
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(timeout=5)

    # -- the thread ---------------------------------------------------------------------------

    def _work(self) -> None:
        while not self._closing:
            batch = self._gather()
            if batch:
                self._commit(batch)
            if self._closing or self._until_ring() <= 0:
                self._ring()

    def _gather(self) -> list[Report]:
        """Wait for something to do; let what ended gather for some milliseconds.

        Returns an empty list where there is only somebody to be woken.
        """
        with self._changed:
            while not self._closing and (seconds := self._until_due()) > 0:
                self._changed.wait(seconds)
            batch: list[Report] = []
            if self._closing or self._until_commit() <= 0:
                batch, self._ended = self._ended, []
                self._hurry = False
            self._committing = bool(batch)
        return batch + self._live_report(batch)

    def _until_due(self) -> float:
        """Return in how many seconds there is something to do; not more than LIVE_SECONDS."""
        live = LIVE_SECONDS
        if self._active is not None and not self._ended:
            live = self._next_live - time.monotonic()
        return min(self._until_commit(), live, self._until_ring())

    def _until_commit(self) -> float:
        if not self._ended:
            return LIVE_SECONDS
        return 0.0 if self._hurry else self._commit_at - time.monotonic()

    def _patience(self) -> float:
        """Return for how many seconds reports gather: longer while one commit follows another."""
        seconds = self._settings.flush_milliseconds / 1000
        if time.monotonic_ns() - self._committed_ns >= BUSY_SECONDS * 1e9:
            return seconds
        return seconds * (FEW_PATIENCE if self._came_together < FEW else BUSY_PATIENCE)

    def _live_report(self, batch: list[Report]) -> list[Report]:
        active = self._active
        if active is None or time.monotonic() < self._next_live:
            return []
        self._next_live = time.monotonic() + LIVE_SECONDS
        if any(r.claim.run_id == active.claim.run_id for r in batch):
            return []
        report = active.take()
        return [] if report is None else [report]

    def _commit(self, batch: list[Report]) -> None:
        """Record a batch, however long the database is away; a lost lease ends the waiting."""
        if self._spoiled:
            batch = [self._unspoiled(report) for report in batch]
        try:
            self._record(batch)
        except Unavailable as error:
            log.error("reports.given_up", count=len(batch), error=str(error)[:200])
        except Exception as error:  # whatever it is, this thread must go on
            self._one_by_one(batch, error)
        self._done(batch)

    def _one_by_one(self, batch: list[Report], error: Exception) -> None:
        """Keep one report that cannot be written from taking the others with it."""
        if len(batch) == 1:
            self._salvage(batch[0], error)
            return
        for report in batch:
            try:
                self._record([report])
            except Exception as refused:
                self._salvage(report, refused)

    def _salvage(self, report: Report, error: Exception) -> None:
        """Write what can be written of a report; a run whose end is lost is reaped."""
        run_id = report.claim.run_id
        log.error("run.unrecordable", run=run_id, error=refusal(error))
        if report.outcome is None:
            self._spoiled[run_id] = error
        try:
            self._record([salvaged(report, error)])
        except Exception as refused:
            log.error("run.lost_its_report", run=run_id, error=refusal(refused))

    def _unspoiled(self, report: Report) -> Report:
        """Fail a run some of whose earlier reports was refused: what it kept is incomplete."""
        if report.outcome is None:
            return report
        error = self._spoiled.pop(report.claim.run_id, None)
        return report if error is None else salvaged(report, error)

    def _record(self, batch: list[Report]) -> None:
        retry_us = int(self._settings.retry_delay_seconds * 1e6)
        recorded = record_in_few_trips(
            self._db, batch, retry_delay_us=retry_us, give_up_after=GIVE_UP_SECONDS
        )
        for claim in recorded.fenced:
            log.warning("run.fenced", run=claim.run_id, attempt=claim.attempt)
            if self._active is not None and self._active.claim == claim:
                self._active.fenced = True

    def _done(self, batch: list[Report]) -> None:
        with self._changed:
            for report in batch:
                if report.outcome is None:
                    continue
                token = report.claim.token
                self._open[token] -= 1
                if self._open[token] <= 0:
                    del self._open[token]
                    self._token_done(token)
            self._committing = False
            self._committed_ns = time.monotonic_ns()
            self._came_together = len(batch)
            self._changed.notify_all()

    def _until_ring(self) -> float:
        """Return in how many seconds somebody has to ring for the last commit."""
        if self._last_ring.rung_ns >= self._committed_ns:
            return LIVE_SECONDS
        return (self._last_ring.rung_ns + RING_NS - time.monotonic_ns()) / 1e9

    def _ring(self) -> None:
        """Wake coordinator and API."""
        self._last_ring.rung_ns = time.monotonic_ns()
        try:
            self._db.notify(calm=True)
        except SQLAlchemyError as error:
            log.warning("reporter.notify_failed", error=str(error)[:200])
