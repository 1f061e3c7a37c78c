"""The warden: the parent process's thread that keeps the leases of living children.

It runs no user code, so a step that holds the interpreter lock cannot keep it from beating. It
also sees what a dead child held, tells children of cancels, ends those that do not listen, and
hands back what a stopping worker cannot finish.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from backfill.errors import BackfillError
from backfill.execution.outcomes import ErrorInfo, RunEnd, RunOutcome
from backfill.lifecycle import fleet, moves
from backfill.lifecycle.fleet import WorkerHello
from backfill.lifecycle.moves import Claim, Report
from backfill.settings import Settings
from backfill.storage.database import BY_ID, Database
from backfill.storage.forking import not_forking
from backfill.telemetry import announce_ready
from workers.slots import Board, Left, Slot

log = structlog.get_logger(__name__)

LOOK_SECONDS = 0.5
KILL_AFTER_PRESS_SECONDS = 3.0
GONE_SECONDS = 2.0  # how long a process may take to be gone that was killed


class Warden:
    """Beats for one worker; started when the worker is ready, stopped when it is gone."""

    def __init__(
        self,
        settings: Settings,
        board: Board,
        hello: Callable[[], WorkerHello],
        *,
        is_ending: Callable[[], bool] = lambda: False,
    ) -> None:
        """Take what to look after.

        Args:
            hello: What the worker says of itself.
            is_ending: Whether Celery ends its children now, without any grace.
        """
        self._settings = settings
        self._board = board
        self._hello = hello
        self._is_ending = is_ending
        self._db = Database(
            settings.effective_database_url(), pool_size=1, forking=True, tuning=BY_ID
        )
        self._stop = threading.Event()
        self._press_at: float | None = None
        self._pressed_at: float | None = None
        self._next_beat = 0.0
        self._canceled_since: dict[tuple[int, int], float] = {}
        self._thread = threading.Thread(target=self._work, name="warden", daemon=True)

    def start(self) -> None:
        """Register the worker as soon as the database answers, then keep beating."""
        self._thread.start()

    def stopping(self) -> None:
        """Let children finish for the grace period, then have them hand back."""
        grace = self._settings.shutdown_seconds
        self._press_at = time.monotonic() + grace
        log.info("worker.stopping", grace_seconds=grace)

    def close(self) -> None:
        """Stop beating and say that the worker is gone; what its children hold goes back first."""
        self._stop.set()
        self._thread.join(timeout=5)
        try:
            self._outlive_children()
            self._hand_back_of_dead()
            fleet.worker_stopped(self._db, self._board.worker_id)
        except (SQLAlchemyError, BackfillError) as error:
            log.warning("worker.goodbye_failed", error=str(error)[:200])
        self._db.dispose()

    # -- the thread ---------------------------------------------------------------------------

    def _work(self) -> None:
        while not self._stop.is_set():
            try:
                with not_forking():
                    if not self._board.worker_id:
                        self._register()
                    self.look()
            except (SQLAlchemyError, BackfillError) as error:
                log.warning("worker.database_lost", error=str(error)[:200])
            except Exception:  # whatever it is, somebody must renew the leases
                log.exception("worker.warden_failed")
            self._stop.wait(LOOK_SECONDS)

    def _register(self) -> None:
        hello = self._hello()
        self._board.worker_id = fleet.worker_started(self._db, hello)
        log.info("worker.registered", worker=self._board.worker_id, **_facts(hello))
        announce_ready(self._settings.ready_file)

    def look(self) -> None:
        """Look after the children once."""
        self._press_to_stop()
        self._hand_back_of_dead()
        if time.monotonic() >= self._next_beat:
            self._next_beat = time.monotonic() + self._settings.beat_seconds
            self._beat()
        self._look_for_cancels()
        self._look_for_overdue()

    def _beat(self) -> None:
        holders = [
            (slot, token)
            for slot in self._board.occupied()
            if _alive(slot.pid)
            for token in slot.tokens()
        ]
        tokens = [token for _, token in holders]
        lease_us = int(self._settings.lease_seconds * 1e6)
        slots = self._hello().slots

        def work(conn: Connection) -> set[int]:
            fleet.worker_beat(self._db, conn, self._board.worker_id, slots=slots)
            rows = moves.renew(self._db, conn, tokens, lease_us) if tokens else ()
            return {row.token for row in rows}

        asked_at = time.monotonic()
        renewed = self._db.transact(work)
        for slot, token in holders:
            if token not in renewed:  # claimed this moment, just recorded, or given to another
                slot.ask_cancel()
        self._board.renewed(asked_at=asked_at, lease_seconds=self._settings.lease_seconds)

    def _hand_back_of_dead(self) -> None:
        """Report at once what a killed child held, instead of letting its leases run out."""
        for slot in self._board.occupied():
            pid = slot.pid
            if _alive(pid):
                continue
            left = slot.left()
            if left.tokens:
                self._lose(left, pid)
            slot.vacate(pid, left.tokens)

    def _lose(self, left: Left, pid: int) -> None:
        if self._pressed_at is not None:
            reason = "its worker was shutting down"
            runs = self._db.transact(
                lambda conn: moves.release(self._db, conn, left.tokens, reason=reason)
            )
            log.info("runs.released", pid=pid, count=len(runs))
        else:
            lost = self._db.transact(
                lambda conn: moves.lose(
                    self._db,
                    conn,
                    left.tokens,
                    max_crashes=self._settings.max_crashes,
                    executing=left.run,
                )
            )
            log.warning("child.died", pid=pid, runs=[r.id for r, _ in lost][:20], count=len(lost))
        self._db.notify()

    # -- cancel -------------------------------------------------------------------------------

    def _look_for_cancels(self) -> None:
        """Hint children whose runs were asked to cancel; end those that do not stop in time."""
        holders = {t: slot for slot in self._board.occupied() for t in slot.tokens()}
        if not holders:
            self._canceled_since.clear()
            return
        with self._db.read() as conn:
            rows = conn.execute(
                self._db.sql(
                    "SELECT id, attempt, token FROM runs WHERE state = 'running' "
                    "AND worker_id = :worker AND cancel_requested_at IS NOT NULL"
                ),
                {"worker": self._board.worker_id},
            ).all()
        now = time.monotonic()
        asked = {(row.id, row.attempt) for row in rows}
        for gone in set(self._canceled_since) - asked:
            del self._canceled_since[gone]
        for row in rows:
            slot = holders.get(row.token)
            if slot is None:
                continue
            since = self._canceled_since.get((row.id, row.attempt))
            if since is None:
                self._canceled_since[(row.id, row.attempt)] = now
                slot.ask_cancel()
            elif now - since > self._settings.cancel_grace_seconds:
                self._end(slot, Claim(row.id, row.attempt, row.token))

    def _end(self, slot: Slot, claim: Claim) -> None:
        """End the child whose canceled run does not stop, and with it the run."""
        reason = "canceled; it did not stop in time and was ended with its process"

        def stop(conn: Connection) -> None:
            moves.stop(self._db, conn, [claim], reason=reason)

        self._end_with_process(slot, claim, stop, "it shared a process with a canceled run")

    def _end_with_process(
        self,
        slot: Slot,
        claim: Claim,
        record: Callable[[Connection], None],
        released_because: str,
        *,
        deadline_ns: int | None = None,
    ) -> None:
        """Kill the child that executes this run, never one that has moved on to another.

        Args:
            record: Writes what becomes of the run.
            released_because: Why the other runs that the child holds are handed back.
            deadline_ns: The deadline this attempt had; a later one of the same run has another.
        """
        pid = slot.pid
        if not _freeze(pid):
            return
        moved_on = slot.pid != pid or slot.run != claim.run_id or claim.token not in slot.tokens()
        if moved_on or deadline_ns not in (None, slot.deadline_ns):
            os.kill(pid, signal.SIGCONT)
            return
        os.kill(pid, signal.SIGKILL)
        log.warning("run.ended_with_its_process", run=claim.run_id, pid=pid)
        self._db.transact(record)
        tokens = slot.tokens()
        self._db.transact(
            lambda conn: moves.release(self._db, conn, tokens, reason=released_because)
        )
        slot.vacate(pid, tokens)
        self._db.notify()

    # -- time limits --------------------------------------------------------------------------

    def _look_for_overdue(self) -> None:
        """End the children whose step goes on after its time, or the run's, is over."""
        late = time.monotonic_ns() - int(self._settings.cancel_grace_seconds * 1e9)
        for slot in self._board.occupied():
            deadline_ns, run_id = slot.deadline_ns, slot.run
            if run_id and 0 < deadline_ns < late:
                claims = self._claims_of(run_id)
                if claims:
                    self._end_overdue(slot, claims, deadline_ns)

    def _claims_of(self, run_id: int) -> list[Claim]:
        """Return the claim on a run that executes, and on those executed together with it."""
        with self._db.read() as conn:
            rows = conn.execute(
                self._db.sql(
                    "SELECT o.id, o.attempt, o.token FROM runs r JOIN runs o ON o.id = r.id "
                    "OR (o.state = 'running' AND o.token = r.token AND o.span = r.span) "
                    "WHERE r.id = :id AND r.state = 'running' AND r.worker_id = :worker "
                    "ORDER BY o.id <> r.id, o.id"
                ),
                {"id": run_id, "worker": self._board.worker_id},
            ).all()
        return [Claim(row.id, row.attempt, row.token) for row in rows]

    def _end_overdue(self, slot: Slot, claims: list[Claim], deadline_ns: int) -> None:
        """End a run whose time is over with its process: it failed, for that reason."""
        told = "its time was over; it did not stop and was ended with its process"
        error = ErrorInfo("RunTimeout", told, "")
        reports = [Report(c, outcome=RunOutcome(RunEnd.FAILED, error=error)) for c in claims]
        delay_us = int(self._settings.retry_delay_seconds * 1e6)

        def fail(conn: Connection) -> None:
            moves.record(self._db, conn, reports, retry_delay_us=delay_us)

        shared = "it shared a process with a run whose time was over"
        self._end_with_process(slot, claims[0], fail, shared, deadline_ns=deadline_ns)

    # -- stopping -----------------------------------------------------------------------------

    def _press_to_stop(self) -> None:
        """Have children hand back what they hold when the grace is over; end those that do not."""
        now = time.monotonic()
        if self._is_ending() and self._pressed_at is None:
            log.info("worker.stopping", grace_seconds=0)
            self._press(now)
        elif self._press_at is not None and now >= self._press_at and self._pressed_at is None:
            self._press(now)
            for slot in self._board.occupied():
                if slot.tokens():
                    _signal(slot.pid, signal.SIGTERM)
        elif self._pressed_at is not None and now - self._pressed_at > KILL_AFTER_PRESS_SECONDS:
            for slot in self._board.occupied():
                if slot.tokens():
                    _signal(slot.pid, signal.SIGKILL)

    def _outlive_children(self) -> None:
        """Wait for children that hand back, and end the others.

        Celery may leave before a child does that does not listen. It dies with this process, and
        nobody would be left to say that its run is not to be charged.
        """
        if self._pressed_at is None:
            self._press(time.monotonic())
        kill_at = time.monotonic() + KILL_AFTER_PRESS_SECONDS
        while time.monotonic() < kill_at + GONE_SECONDS:
            left = [s for s in self._board.occupied() if s.tokens() and _alive(s.pid)]
            if not left:
                return
            if time.monotonic() >= kill_at:
                for slot in left:
                    _signal(slot.pid, signal.SIGKILL)
            time.sleep(0.02)

    def _press(self, now: float) -> None:
        self._pressed_at = now
        for slot in self._board.occupied():
            slot.release = True


def _alive(pid: int) -> bool:
    """Say whether a child still runs; a zombie its parent has not reaped yet does not."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except FileNotFoundError:
        if os.path.isdir("/proc/self"):
            return False
    try:  # no /proc on this system
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _freeze(pid: int) -> bool:
    """Stop a process and wait until it is stopped; return False when it is gone."""
    if not _signal(pid, signal.SIGSTOP):
        return False
    for _ in range(200):
        try:
            with open(f"/proc/{pid}/stat") as file:
                state = file.read().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return False
        if state in "Tt":
            return True
        time.sleep(0.005)
    return True


def _signal(pid: int, number: int) -> bool:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def _facts(hello: WorkerHello) -> dict[str, object]:
    return {"name": hello.name, "slots": hello.slots, "queues": ",".join(hello.queues)}
