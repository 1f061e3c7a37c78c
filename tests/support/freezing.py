"""Processes that stand still for a while, as if their machine slept."""

from __future__ import annotations

import fcntl
import os
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from backfill.storage.database import Database
from tests.support.waiting import wait_until


@contextmanager
def frozen(pids: Iterable[int], db: Database | None = None) -> Iterator[None]:
    """Stop processes with SIGSTOP, and let them go on at the end.

    Args:
        db: Where it is SQLite they are not stopped in the middle of a transaction: the whole
            house would stand still.
    """
    family = sorted(pids)
    wait_until(lambda: _stop(family, db), "a moment between two transactions")
    try:
        yield
    finally:
        _signal(family, signal.SIGCONT)


def _stop(pids: list[int], db: Database | None) -> bool:
    _signal(pids, signal.SIGSTOP)
    wait_until(lambda: all(_stands_still(pid) for pid in pids), "processes to stop")
    if db is None or db.postgres or _is_free(db):
        return True
    _signal(pids, signal.SIGCONT)
    return False


def _stands_still(pid: int) -> bool:
    """Tell whether no thread runs: a signal to stop takes effect only after a system call."""
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
        states = [(t / "stat").read_text().rpartition(")")[2].split()[0] for t in threads]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return all(state in "TtZX" for state in states)


def _is_free(db: Database) -> bool:
    with open(f"{db.url.database}.lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def _signal(pids: Iterable[int], number: int) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
