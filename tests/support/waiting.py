"""Waiting for a condition with a deadline, and looking at processes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

import psutil

T = TypeVar("T")

POLL_SECONDS = 0.02


def wait_until(condition: Callable[[], T | None], what: str, seconds: float = 30.0) -> T:
    """Return the condition's value once it is true.

    Raises:
        AssertionError: It was not within the time; says what was waited for.
    """
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not (value := condition()):
        assert time.monotonic() < deadline, f"Waited {seconds:g} s in vain for {what}."
        pause.wait(POLL_SECONDS)
    return value


def is_alive(pid: int) -> bool:
    """Tell whether a process runs; one that only waits to be reaped does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def descendants(pid: int) -> set[int]:
    """Return the ids of all processes below one, itself included."""
    try:
        root = psutil.Process(pid)
        return {root.pid, *(child.pid for child in root.children(recursive=True))}
    except psutil.NoSuchProcess:
        return set()


def all_gone(pids: Iterable[int]) -> Callable[[], bool]:
    """Return a condition: none of the processes runs any more."""
    remembered = tuple(pids)
    return lambda: not any(is_alive(pid) for pid in remembered)
