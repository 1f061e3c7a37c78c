"""Keeps a set of programs running: starts them in order, restarts those that die, stops them all.

The supervisor's thread must live as long as the programs: they are on its leash. Nothing here
knows what the programs are.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from backfill.embedded.leash import Leashed, start
from backfill.errors import Unavailable

QUICK_SECONDS = 10.0
MAX_QUICK_DEATHS = 6
FIRST_BACKOFF_SECONDS = 0.2
MAX_BACKOFF_SECONDS = 5.0
PROBE_SECONDS = 0.1
IDLE_SECONDS = 5.0
POLL_SECONDS = 0.25  # where the kernel cannot tell us that a program has ended
MAX_LOG_BYTES = 20_000_000


def _always() -> bool:
    return True


def _nothing(_: int) -> None:
    return


@dataclass(frozen=True)
class Program:
    """One program to keep running.

    Attributes:
        name: Unique; names its log file.
        env: Added to our own environment.
        after: Names of the programs that must be ready before it starts.
        is_ready: Asked after a start until it says yes; answers within about a second.
        prepare: Called before every start with the number of quick deaths in a row.
        vital: The set is of no use without it: when it cannot be started, all stop.
    """

    name: str
    command: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    after: Sequence[str] = ()
    is_ready: Callable[[], bool] = _always
    prepare: Callable[[int], None] = _nothing
    stop_signal: int = signal.SIGTERM
    grace_seconds: float = 10.0
    vital: bool = True


class Phase(StrEnum):
    """Where a program is."""

    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    BACKING_OFF = "backing off"
    GIVEN_UP = "given up"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Change:
    """Something a person may want to know about a program, with one sentence about it."""

    program: str
    phase: Phase
    sentence: str


class Child:
    """A program, its process if it has one now, and what is due for it."""

    def __init__(self, program: Program, log: Path) -> None:
        self.program = program
        self.log = log
        self.phase = Phase.WAITING
        self.process: Leashed | None = None
        self.starts = 0
        self.quick_deaths = 0
        self.started_at = 0.0
        self.due_at = 0.0

    def start(self, now: float) -> None:
        """Start the program's process; its output goes to the end of its log."""
        program = self.program
        program.prepare(self.quick_deaths)
        with self.log.open("ab") as output:
            self.process = start(program.command, env=os.environ | program.env, output=output)
        self.phase = Phase.STARTING
        self.starts += 1
        self.started_at = now

    def end(self, now: float) -> None:
        """Note that the process has ended, and when to start it again."""
        self.process = None
        quick = now - self.started_at < QUICK_SECONDS
        self.quick_deaths = self.quick_deaths + 1 if quick else 0
        if self.quick_deaths >= MAX_QUICK_DEATHS:
            self.phase = Phase.GIVEN_UP
            return
        self.phase = Phase.BACKING_OFF
        delay = FIRST_BACKOFF_SECONDS * 2**self.quick_deaths if quick else 0.0
        self.due_at = now + min(delay, MAX_BACKOFF_SECONDS)

    def last_words(self, lines: int = 8) -> str:
        """Return the last lines of the program's log."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - 8192))
            return "\n".join(log.read().decode(errors="replace").rstrip().splitlines()[-lines:])


class Supervisor:
    """Runs programs until told to stop."""

    def __init__(
        self,
        programs: Sequence[Program],
        *,
        logs: Path,
        tell: Callable[[Change], None] | None = None,
    ) -> None:
        """Take the programs; nothing is started yet.

        Args:
            logs: The folder of their log files, `<name>.log`.
            tell: Called, in the supervisor's thread, with what a person may want to know.
        """
        self.children = {
            program.name: Child(program, logs / f"{program.name}.log") for program in programs
        }
        self._logs = logs
        self._tell = tell or (lambda _: None)
        self._stopping = False
        self._hurrying = False
        self._waking, self._wake = os.pipe()
        os.set_blocking(self._wake, False)

    def run(self, on_ready: Callable[[], None] | None = None) -> None:
        """Start the programs and keep them running until `request_stop`; then stop them.

        Raises:
            Unavailable: A vital program could not be started; all are stopped by then.
        """
        self._logs.mkdir(parents=True, exist_ok=True)
        for child in self.children.values():
            _rotate(child.log)
        try:
            while not self._stopping:
                self.tick(time.monotonic())
                if on_ready is not None and self.all_ready():
                    on_ready()
                    on_ready = None
                self._sleep()
        finally:
            self._stop_all()

    def request_stop(self) -> None:
        """Make `run` stop the programs and return; the second time, kill them.

        May be called from a signal handler or another thread.
        """
        self._hurrying = self._stopping
        self._stopping = True
        with suppress(OSError):  # full, or closed after the end
            os.write(self._wake, b".")

    def all_ready(self) -> bool:
        """Tell whether every vital program is ready."""
        children = self.children.values()
        return all(c.phase is Phase.READY for c in children if c.program.vital)

    def pids(self) -> dict[str, int]:
        """Return the process id of each program that runs now."""
        return {n: c.process.pid for n, c in self.children.items() if c.process is not None}

    def tick(self, now: float) -> None:
        """Do what is due at `now` (monotonic seconds), without waiting."""
        for child in self.children.values():
            self._reap(child, now)
        for child in self.children.values():
            if self._is_due(child, now):
                self._start(child, now)
            elif child.phase is Phase.STARTING and child.program.is_ready():
                child.phase = Phase.READY
                self._say(child, "is ready." if child.starts == 1 else "is ready again.")

    def _reap(self, child: Child, now: float) -> None:
        if child.process is None or (code := child.process.exit_code()) is None:
            return
        child.end(now)
        ended = f"ended ({describe_exit(code)})"
        if child.phase is not Phase.GIVEN_UP:
            self._say(child, f"{ended}; it is started again.")
            return
        words = (
            f"{ended} {child.quick_deaths} times right after its start. "
            f"The end of {child.log}:\n{child.last_words()}"
        )
        if child.program.vital:
            raise Unavailable(f"{child.program.name} {words}")
        self._say(child, words)

    def _is_due(self, child: Child, now: float) -> bool:
        if child.phase is Phase.WAITING:
            before = [self.children[name].phase for name in child.program.after]
            return all(phase is Phase.READY for phase in before)
        return child.phase is Phase.BACKING_OFF and now >= child.due_at

    def _start(self, child: Child, now: float) -> None:
        child.start(now)
        if child.starts == 1:
            self._say(child, "starts.")

    def _say(self, child: Child, sentence: str) -> None:
        self._tell(Change(child.program.name, child.phase, sentence))

    def _sleep(self, at_most: float = IDLE_SECONDS) -> None:
        """Wait until a program ends, somebody wakes us or something is due."""
        now = time.monotonic()
        phases = {child.phase for child in self.children.values()}
        if Phase.STARTING in phases or Phase.WAITING in phases:
            at_most = min(at_most, PROBE_SECONDS)
        due = [c.due_at - now for c in self.children.values() if c.phase is Phase.BACKING_OFF]
        running = [c.process for c in self.children.values() if c.process is not None]
        watched = [process.exit_fd for process in running if process.exit_fd is not None]
        if len(watched) < len(running):
            at_most = min(at_most, POLL_SECONDS)
        awake, _, _ = select.select([self._waking, *watched], [], [], max(0, min([at_most, *due])))
        if self._waking in awake:
            os.read(self._waking, 4096)

    def _stop_all(self) -> None:
        """Stop the programs, those that others need last; kill what is left of each."""
        try:
            while wave := self._next_to_stop():
                self._stop_wave(wave)
        finally:
            for child in self.children.values():
                if child.process is not None:
                    child.process.kill()
                    child.process.exit_code()
                child.phase = Phase.STOPPED
            os.close(self._waking)
            os.close(self._wake)

    def _next_to_stop(self) -> list[Child]:
        running = [child for child in self.children.values() if child.process is not None]
        needed = {name for child in running for name in child.program.after}
        return [child for child in running if child.program.name not in needed] or running

    def _stop_wave(self, wave: Sequence[Child]) -> None:
        asked_at = time.monotonic()
        for child in wave:
            if child.process is not None:
                child.process.send(child.program.stop_signal)
        while left := [child for child in wave if child.process is not None]:
            waited = time.monotonic() - asked_at
            for child in left:
                self._stop_one(child, waited)
            if any(child.process is not None for child in left):
                self._sleep(PROBE_SECONDS)

    def _stop_one(self, child: Child, waited: float) -> None:
        assert child.process is not None
        if self._hurrying or waited > child.program.grace_seconds:
            child.process.kill()
        if (code := child.process.exit_code()) is not None:
            child.process = None
            child.phase = Phase.STOPPED
            self._say(child, f"stopped ({describe_exit(code)}).")


def describe_exit(code: int) -> str:
    """Say in words how a process ended: `exit status 1` or `killed by SIGKILL`."""
    if code >= 0:
        return f"exit status {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"


def _rotate(log: Path) -> None:
    if log.exists() and log.stat().st_size > MAX_LOG_BYTES:
        log.replace(log.with_suffix(".log.1"))
