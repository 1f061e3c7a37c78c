"""A worker that has a session of its own yields to the other sessions of its machine."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

MINE = Path("/proc/self/autogroup")
YIELD = "from workers.processes import yield_session; yield_session(7); "
TELL = "print(open('/proc/self/autogroup').read())"


def niceness(code: Sequence[str], *, new_session: bool) -> int:
    """Return the niceness of the session of a process that ran this code."""
    done = subprocess.run(
        [sys.executable, "-c", *code],
        start_new_session=new_session,
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout.rpartition("nice")[2])


@pytest.mark.skipif(not MINE.exists(), reason="this system does not group by session")
def test_a_session_of_its_own_yields_as_a_whole() -> None:
    assert niceness([YIELD + TELL], new_session=True) == 7


@pytest.mark.skipif(not MINE.exists(), reason="this system does not group by session")
def test_a_session_that_others_share_is_left_as_it_is() -> None:
    shared = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {YIELD + TELL!r}])"
    assert niceness([shared], new_session=True) == 0


def test_where_there_are_no_such_groups_nothing_happens() -> None:
    nowhere = (
        "import pathlib; pathlib.Path.write_text = lambda *given: open('/nowhere/at/all', 'w'); "
    )
    done = subprocess.run(
        [sys.executable, "-c", nowhere + YIELD + "print('goes on')"],
        start_new_session=True,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "goes on"
