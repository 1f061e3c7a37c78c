"""The runner: claims the runs of a message, executes them, hands their outcomes on."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import structlog
from sqlalchemy import Connection, Row
from sqlalchemy.exc import SQLAlchemyError

from backfill.definitions.redaction import Redactor
from backfill.errors import BackfillError, DefinitionsUnavailable, NotFound, Unavailable
from backfill.execution.engine import execute
from backfill.execution.error_info import describe_error
from backfill.execution.outcomes import RunEnd, RunOutcome
from backfill.execution.outputs import FileOutputStore
from backfill.lifecycle import fleet, moves
from backfill.lifecycle.moves import Claim
from backfill.settings import Settings
from backfill.storage.database import BY_ID, Database
from workers.partitions import PartitionGone, without_partition
from workers.preparing import Preparer
from workers.processes import told_to_leave
from workers.reporter import Reporter, RunRecorder
from workers.slots import Left, Slot
from workers.together import Rows, spans, told_apart

log = structlog.get_logger(__name__)

UNKNOWN_DELAY_SECONDS = 5.0
UNKNOWN_DOUBLINGS = 7
ASK_AGAIN_SECONDS = 0.5
DATABASE_DELAY_SECONDS = 1.0


class _Control:
    """What the engine asks while a run executes; two memory reads when nothing happened."""

    def __init__(self, runner: Runner, recorder: RunRecorder) -> None:
        self._runner = runner
        self._recorder = recorder

    def canceled(self) -> bool:
        return self._recorder.fenced or self._runner.is_canceled(self._recorder.claim.run_id)

    def released(self) -> bool:
        return self._runner.leaving


class Runner:
    """Executes messages in one worker process."""

    def __init__(self, settings: Settings, slot: Slot, worker_id: int) -> None:
        url = settings.effective_database_url()
        self.slot = slot
        self._settings = settings
        self._worker_id = worker_id
        self._db = Database(url, pool_size=2, tuning=BY_ID)
        # A claim lost in a database crash is only run again: it need not wait for the disk.
        self._claims = Database(url, relaxed=True, pool_size=1, tuning=BY_ID)
        self._reporter = Reporter(self._db, settings, token_done=slot.drop, ring=slot)
        self._outputs = FileOutputStore(settings.effective_storage_url())
        self._preparer = Preparer(settings, self._claims)
        self._cancel_seen = slot.cancel_count
        self._ask_again_at = 0.0
        self._wanted: set[int] | None = None
        self._token = 0
        self._code_told: tuple[str | None, str | None] | None = None
        left = slot.take(os.getpid())
        if left.tokens:
            self._lose(left)
        self._tell_code()

    def handle(self, run_ids: Sequence[int]) -> None:
        """Do what a message asks: claim its runs, execute those it got, report.

        Raises:
            SystemExit: The process was told to end; everything is handed back by then.
        """
        if not self.leaving:  # else what is queued is sent again
            self._handle(run_ids)
        if told_to_leave():
            self._reporter.flush()
            raise SystemExit

    def _handle(self, run_ids: Sequence[int]) -> None:
        self._preparer.refresh()
        self._tell_code()
        token = secrets.randbits(62) | 1
        while not self.slot.hold(token):
            self._reporter.flush()
        self._token, self._wanted, self._ask_again_at = token, None, 0.0
        self._cancel_seen = self.slot.cancel_count
        rows = self._claim(run_ids, token)
        if not rows:
            self.slot.drop(token)
            return
        self._reporter.expect(token, len(rows))
        for together in spans(rows):
            self._run(together, token)

    def _tell_code(self) -> None:
        """Say which definitions this process has, when that changed; else with the next message."""
        code = self._preparer.code
        if code == self._code_told:
            return
        with suppress(BackfillError, SQLAlchemyError):
            fleet.note_code(self._db, self._worker_id, version=code[0], load_error=code[1])
            self._code_told = code

    @property
    def leaving(self) -> bool:
        """Whether what is not done is to be handed back: the worker stops, or this process does."""
        return self.slot.release or told_to_leave()

    def flush(self) -> bool:
        """Wait until everything that ended is recorded; return whether it is."""
        return self._reporter.flush()

    def close(self) -> None:
        """Commit everything that ended, hand back the rest; the process goes away."""
        self._reporter.close()
        try:
            self._hand_back(self.slot.tokens())
        except (SQLAlchemyError, BackfillError) as error:
            log.warning("runs.not_handed_back", error=str(error)[:200])
        self._db.dispose()
        self._claims.dispose()

    def is_canceled(self, run_id: int) -> bool:
        """Say whether a run was asked to cancel, or may be in the hands of another worker.

        Asks the database only after a hint, or when the leases may be over (this machine slept);
        where it does not answer, the run goes on.
        """
        hinted = self.slot.cancel_count
        if (hinted != self._cancel_seen or self.slot.is_unsure) and self._may_ask():
            try:
                self._wanted = self._still_wanted()
                self._cancel_seen = hinted
            except SQLAlchemyError as error:
                log.warning("run.cannot_ask", run=run_id, error=str(error)[:200])
        return self._wanted is not None and run_id not in self._wanted

    def _may_ask(self) -> bool:
        """Say whether the database was not asked just before; steps look at this in their loops."""
        now = time.monotonic()
        if now < self._ask_again_at:
            return False
        self._ask_again_at = now + ASK_AGAIN_SECONDS
        return True

    def _still_wanted(self) -> set[int]:
        """Return the runs of the current message that are ours and not asked to cancel."""
        with self._claims.read() as conn:
            rows = conn.execute(
                self._claims.sql(
                    "SELECT id FROM runs WHERE state = 'running' AND token = :token "
                    "AND cancel_requested_at IS NULL"
                ),
                {"token": self._token},
            )
            return {row.id for row in rows}

    # -- claiming -----------------------------------------------------------------------------

    def _claim(self, run_ids: Sequence[int], token: int) -> Sequence[Row[Any]]:
        lease_us = int(self._settings.lease_seconds * 1e6)
        tried = False

        def work(conn: Connection) -> Sequence[Row[Any]]:
            nonlocal tried
            if tried:  # the answer to the first claim may have been lost
                held = moves.claimed_already(self._claims, conn, run_ids, token)
                if held:
                    return held
            tried = True
            return moves.claim(
                self._claims,
                conn,
                run_ids,
                worker_id=self._worker_id,
                token=token,
                lease_us=lease_us,
            )

        return self._claims.transact(work, single=True)

    def _lose(self, left: Left) -> None:
        lost = self._db.transact(
            lambda conn: moves.lose(
                self._db,
                conn,
                left.tokens,
                max_crashes=self._settings.max_crashes,
                executing=left.run,
            )
        )
        if lost:
            log.warning("runs.lost", runs=[row.id for row, _ in lost][:20], count=len(lost))
            self._db.notify()

    def _hand_back(self, tokens: Sequence[int]) -> None:
        """Release what was claimed and not ended: the process was told to end."""
        if tokens:
            reason = "its worker process was told to end"
            self._db.transact(lambda conn: moves.release(self._db, conn, tokens, reason=reason))
            self._db.notify()

    # -- executing ----------------------------------------------------------------------------

    def _run(self, rows: Rows, token: int) -> None:
        """Execute a run, or several of neighbouring partitions at once."""
        row = rows[0]
        started = time.perf_counter_ns()
        claim = Claim(row.id, row.attempt, token)
        recorder = RunRecorder(claim, log_limit=self._settings.log_lines_per_run)
        self.slot.run = row.id
        self._reporter.watch(recorder)
        clock = _clock(row)
        try:
            outcome = self._outcome(rows, recorder, clock)
        finally:
            self._reporter.watch(None)
            self.slot.deadline_ns = 0
            self.slot.run = 0
        if outcome.end in _UNSURE and told_to_leave():
            # Being told to end may have looked like a failure: users' code turns it into others.
            outcome = RunOutcome(RunEnd.RELEASED)
        busy_us = (time.perf_counter_ns() - started) // 1000
        report = recorder.end(outcome, at=clock(), busy_us=busy_us)
        for told in told_apart(report, rows, token):
            self._reporter.finish(told)

    def _outcome(self, rows: Rows, recorder: RunRecorder, clock: Any) -> RunOutcome:
        """Execute a run; whatever happens ends as an outcome, or its lease would never end."""
        row = rows[0]
        control = _Control(self, recorder)
        if control.canceled():
            return RunOutcome(RunEnd.CANCELED)
        if control.released():
            return RunOutcome(RunEnd.RELEASED)
        try:
            return self._executed(rows, recorder, control, clock)
        except PartitionGone as gone:
            return without_partition(gone, attempt=row.attempt, reloads=self._settings.reload)
        except (NotFound, DefinitionsUnavailable) as error:
            # Another version of the code may know it: hand it back with a delay, and say so.
            delay = UNKNOWN_DELAY_SECONDS * 2 ** min(row.attempt - 1, UNKNOWN_DOUBLINGS)
            return _handed_back(error, delay)
        except (SQLAlchemyError, Unavailable) as error:
            log.warning("run.database_lost", run=row.id, error=str(error)[:200])
            return _handed_back(error, DATABASE_DELAY_SECONDS)
        except BackfillError as error:
            return RunOutcome(RunEnd.FAILED, error=describe_error(error, _PLAIN), retryable=False)
        except Exception as error:
            log.exception("run.engine_failed", run=row.id)
            return RunOutcome(RunEnd.FAILED, error=describe_error(error, _PLAIN))

    def _executed(
        self, rows: Rows, recorder: RunRecorder, control: _Control, clock: Any
    ) -> RunOutcome:
        prepared = self._preparer.prepare(rows[0], rows[1:])
        recorder.version = prepared.plan.pipeline.version
        seconds = prepared.timeout_seconds
        run_ends = _in(seconds)
        self.slot.deadline_ns = run_ends

        def limit(step_seconds: float | None) -> None:
            self.slot.deadline_ns = run_ends if step_seconds is None else _in(step_seconds)

        return execute(
            prepared.plan,
            info=prepared.info,
            run_config=prepared.config,
            recorder=recorder,
            control=control,
            clock=clock,
            outputs=self._outputs,
            done=prepared.done,
            tried=prepared.tried,
            quiet=prepared.quiet,
            timeout_seconds=seconds,
            on_limit=limit,
        )


_PLAIN = Redactor(())
_UNSURE = {RunEnd.FAILED, RunEnd.RETRY}


def _in(seconds: float | None) -> int:
    """Return when so many seconds are over, on the monotonic clock; 0 for no limit."""
    return 0 if seconds is None else time.monotonic_ns() + int(seconds * 1e9)


def _handed_back(error: Exception, seconds: float) -> RunOutcome:
    told = describe_error(error, _PLAIN)
    return RunOutcome(RunEnd.RELEASED, error=told, retry_in_seconds=seconds)


def _clock(row: Row[Any]) -> Any:
    """Return the database's clock as this host's monotonic clock carries it on."""
    base = row.at - time.perf_counter_ns() // 1000
    return lambda: base + time.perf_counter_ns() // 1000
