"""A leashed program ends when its parent does, however that ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from backfill.embedded.leash import KERNEL_LEASH, Leashed, start
from tests.support.waiting import all_gone, descendants, is_alive, wait_until

FOREVER = "import signal; signal.pause()"
PARENT = """
import sys, signal
from backfill.embedded.leash import start
child = start([sys.executable, "-c", "import signal; signal.pause()"], kernel_leash={kernel})
print(child.pid, flush=True)
signal.pause()
"""
BOTH = pytest.mark.parametrize("kernel", [KERNEL_LEASH, False], ids=["kernel", "pipe"])


@BOTH
def test_a_program_is_gone_after_its_parent_was_killed(kernel: bool) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT.format(kernel=kernel)], stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        family = wait_until(lambda: descendants(child), "the child to run")
        parent.kill()
        wait_until(all_gone(family), "the child to end", 10)


@BOTH
def test_a_program_ends_with_its_own_exit_status(kernel: bool) -> None:
    child = start([sys.executable, "-c", "raise SystemExit(7)"], kernel_leash=kernel)
    assert wait_until(child.exit_code, "the exit", 10) == 7


@BOTH
def test_a_program_that_was_killed_says_so(kernel: bool) -> None:
    script = "import os; os.kill(os.getpid(), 9)"
    child = start([sys.executable, "-c", script], kernel_leash=kernel)
    assert wait_until(child.exit_code, "the exit", 10) == -signal.SIGKILL


@BOTH
def test_a_program_gets_the_signal_that_asks_it_to_stop(kernel: bool, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    script = (
        "import pathlib, signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(3));"
        f"pathlib.Path({str(ready)!r}).touch(); signal.pause()"
    )
    child = start([sys.executable, "-c", script], kernel_leash=kernel)
    wait_until(ready.exists, "the program to start", 10)
    assert child.stop(grace_seconds=10) == 3


def test_a_program_that_does_not_stop_in_time_is_killed_with_its_children(tmp_path: Path) -> None:
    child = _stubborn_family(tmp_path)
    family = descendants(child.pid)
    assert len(family) == 2
    assert child.stop(grace_seconds=0.1) == -signal.SIGKILL
    wait_until(all_gone(family), "the family to end", 10)


def test_what_is_left_of_a_dead_program_is_killed(tmp_path: Path) -> None:
    child = _stubborn_family(tmp_path)
    (orphan,) = descendants(child.pid) - {child.pid}
    os.kill(child.pid, signal.SIGKILL)
    assert wait_until(child.exit_code, "the exit", 10) == -signal.SIGKILL
    wait_until(lambda: not is_alive(orphan), "the orphan to end", 10)


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as output:
        child = start(["no-such-program"], output=output)
    assert wait_until(child.exit_code, "the exit", 10) == 1
    assert log.read_text() == "Cannot start no-such-program: No such file or directory.\n"


def _stubborn_family(folder: Path) -> Leashed:
    ready = folder / "ready"
    script = (
        "import pathlib, signal, subprocess, sys\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"subprocess.Popen([sys.executable, '-c', {FOREVER!r}])\n"
        f"pathlib.Path({str(ready)!r}).touch()\n"
        "signal.pause()\n"
    )
    child = start([sys.executable, "-c", script])
    wait_until(ready.exists, "the program to start", 10)
    return child
