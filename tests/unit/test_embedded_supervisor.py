"""The supervisor keeps its programs running, and stops them all."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from backfill.embedded.supervisor import (
    MAX_QUICK_DEATHS,
    QUICK_SECONDS,
    Change,
    Phase,
    Program,
    Supervisor,
    describe_exit,
)
from backfill.errors import Unavailable
from tests.support.waiting import all_gone, is_alive, wait_until

FOREVER = (sys.executable, "-c", "import signal; signal.pause()")


@contextmanager
def supervising(
    programs: Sequence[Program], logs: Path, changes: list[Change] | None = None
) -> Iterator[Supervisor]:
    supervisor = Supervisor(programs, logs=logs, tell=None if changes is None else changes.append)
    ready = threading.Event()
    thread = threading.Thread(target=supervisor.run, args=(ready.set,))
    thread.start()
    try:
        assert ready.wait(30), "The programs did not get ready."
        yield supervisor
    finally:
        supervisor.request_stop()
        thread.join(30)
        assert not thread.is_alive()


def test_a_killed_program_is_started_again(tmp_path: Path) -> None:
    changes: list[Change] = []
    with supervising([Program("one", FOREVER)], tmp_path, changes) as supervisor:
        first = supervisor.children["one"].process
        assert first is not None
        first.kill()
        child = supervisor.children["one"]
        wait_until(lambda: child.starts == 2 and child.phase is Phase.READY, "the restart")
        assert supervisor.pids()["one"] != first.pid
    assert Change("one", Phase.BACKING_OFF, "ended (killed by SIGKILL); it is started again.") in (
        changes
    )


def test_programs_start_after_those_they_need_and_stop_before_them(tmp_path: Path) -> None:
    changes: list[Change] = []
    programs = [
        Program("worker", FOREVER, after=["broker"]),
        Program("broker", FOREVER, is_ready=_at_the_third_time()),
    ]
    with supervising(programs, tmp_path, changes):
        pass
    assert [(c.program, c.phase) for c in changes] == [
        ("broker", Phase.STARTING),
        ("broker", Phase.READY),
        ("worker", Phase.STARTING),
        ("worker", Phase.READY),
        ("worker", Phase.STOPPED),
        ("broker", Phase.STOPPED),
    ]


def test_stopping_leaves_no_process(tmp_path: Path) -> None:
    with supervising([Program("a", FOREVER), Program("b", FOREVER)], tmp_path) as supervisor:
        pids = supervisor.pids().values()
        assert all(is_alive(pid) for pid in pids)
        waiting = all_gone(pids)
    assert waiting()


def test_a_program_that_will_not_stop_is_killed_when_asked_twice(tmp_path: Path) -> None:
    script = (
        "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True)\n"
        "while True: signal.pause()"
    )
    deaf = Program("deaf", (sys.executable, "-c", script), grace_seconds=3600)
    with supervising([deaf], tmp_path) as supervisor:
        log = tmp_path / "deaf.log"
        wait_until(lambda: log.exists() and "deaf" in log.read_text(), "the program to start")
        supervisor.request_stop()


def test_what_a_program_prints_is_in_its_log(tmp_path: Path) -> None:
    script = "import signal, sys; print('hello'); print('oh', file=sys.stderr); sys.stdout.flush()"
    talker = Program("talker", (sys.executable, "-c", f"{script}; signal.pause()"))
    log = tmp_path / "talker.log"
    with supervising([talker], tmp_path):
        wait_until(lambda: log.exists() and "hello" in log.read_text(), "the output")
    assert "oh\n" in log.read_text()


def test_a_vital_program_that_keeps_dying_stops_everything_and_shows_its_last_words(
    tmp_path: Path,
) -> None:
    broken = Program("broken", (sys.executable, "-c", "raise SystemExit('no such table')"))
    supervisor = Supervisor([broken, Program("other", FOREVER)], logs=tmp_path)
    with pytest.raises(Unavailable, match=r"(?s)broken ended \(exit status 1\).*no such table"):
        _tick_through_deaths(supervisor, "broken")
    other = supervisor.children["other"].process
    assert other is not None
    other.stop()


def test_a_program_that_is_not_vital_is_given_up_alone(tmp_path: Path) -> None:
    changes: list[Change] = []
    flower = Program("flower", (sys.executable, "-c", "raise SystemExit(1)"), vital=False)
    supervisor = Supervisor([flower], logs=tmp_path, tell=changes.append)
    _tick_through_deaths(supervisor, "flower")
    assert changes[-1].phase is Phase.GIVEN_UP
    assert supervisor.all_ready()


def test_a_death_long_after_the_start_is_not_counted_as_quick(tmp_path: Path) -> None:
    supervisor = Supervisor([Program("one", FOREVER)], logs=tmp_path)
    child = supervisor.children["one"]
    for start in range(MAX_QUICK_DEATHS + 1):
        supervisor.tick(start * (QUICK_SECONDS + 1))
        process = child.process
        assert process is not None
        process.kill()
        wait_until(lambda dead=process: not is_alive(dead.pid), "the death")
    supervisor.tick((start + 1) * (QUICK_SECONDS + 1))
    assert child.quick_deaths == 0
    assert child.starts == MAX_QUICK_DEATHS + 2
    assert child.process is not None
    child.process.stop()


def test_a_program_is_told_how_often_it_died_before_it_starts(tmp_path: Path) -> None:
    told: list[int] = []
    dying = Program("dying", (sys.executable, "-c", ""), prepare=told.append, vital=False)
    _tick_through_deaths(Supervisor([dying], logs=tmp_path), "dying")
    assert told == list(range(MAX_QUICK_DEATHS))


def test_an_exit_is_described_in_words() -> None:
    assert describe_exit(3) == "exit status 3"
    assert describe_exit(-signal.SIGSEGV) == "killed by SIGSEGV"
    assert describe_exit(-99) == "killed by signal 99"


def _tick_through_deaths(supervisor: Supervisor, name: str) -> None:
    """Tick until a program is given up, with the waits between its starts left out."""
    child = supervisor.children[name]
    deadline = time.monotonic() + 30
    while child.phase is not Phase.GIVEN_UP:
        assert time.monotonic() < deadline
        supervisor.tick(child.due_at)
        process = child.process
        if process is not None:
            process.popen.wait(timeout=30)


def _at_the_third_time() -> Callable[[], bool]:
    answers = iter([False, False])
    return lambda: next(answers, True)
