"""Time limits of steps that really stop the work.

In the main thread of a process an alarm (SIGALRM) raises inside the step. Elsewhere Python cannot
be interrupted: the step runs in a thread of its own which is given up at the deadline; it fails,
its context raises at its next use, and what the thread does without its context goes on until it
returns.
"""

from __future__ import annotations

import contextvars
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

from backfill.execution.interrupts import StepTimeout

AGAIN_SECONDS = 5.0  # a step that swallowed the interruption is interrupted again

_SOON_SECONDS = 0.01
_HERE = Path(__file__).resolve().parent
_OURS = (f"{_HERE}/", f"{_HERE.parent.parent / 'workers'}/")

T = TypeVar("T")


def can_interrupt() -> bool:
    """Return whether the calling thread can be interrupted by an alarm."""
    return hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()


def call_with_alarm(body: Callable[[], T], seconds: float, error: StepTimeout) -> T:
    """Call `body` in the main thread and return what it returns.

    The alarm waits while one of our own functions is at work, so that it cannot leave anything of
    ours half done. A timer that was running (another tool's) goes on afterwards.

    Raises:
        BaseException: What `body` raised, or `error` when it takes longer.
    """
    armed = True

    def ring(_number: int, frame: FrameType | None) -> None:
        if not armed:
            return
        if _at_users_code(frame):
            raise error
        signal.setitimer(signal.ITIMER_REAL, _SOON_SECONDS, AGAIN_SECONDS)

    left, interval = signal.getitimer(signal.ITIMER_REAL)
    started = time.monotonic()
    handler = signal.signal(signal.SIGALRM, ring)
    try:
        signal.setitimer(signal.ITIMER_REAL, max(seconds, _SOON_SECONDS), AGAIN_SECONDS)
        return body()
    finally:
        armed = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        if left:
            left = max(left - (time.monotonic() - started), _SOON_SECONDS)
            signal.setitimer(signal.ITIMER_REAL, left, interval)


def _at_users_code(frame: FrameType | None) -> bool:
    """Return whether users' code was interrupted, and not a function of ours that it called."""
    if frame is None or _is_ours(frame):
        return False
    in_ours = False
    while frame is not None and frame.f_code is not call_with_alarm.__code__:
        ours = _is_ours(frame)
        if in_ours and not ours:
            return False
        in_ours = ours
        frame = frame.f_back
    return True


def _is_ours(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(_OURS)


def call_in_thread(
    body: Callable[[], T], seconds: float, error: StepTimeout, give_up: Callable[[], None]
) -> T:
    """Call `body` in a thread of its own and return what it returns.

    Args:
        give_up: Called when the time is over, before `error` is raised here.

    Raises:
        BaseException: What `body` raised, or `error`.
    """
    ended: dict[str, Any] = {}
    context = contextvars.copy_context()

    def work() -> None:
        try:
            ended["value"] = context.run(body)
        except BaseException as raised:
            ended["error"] = raised

    thread = threading.Thread(target=work, name="backfill-step", daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        give_up()
        raise error
    if "error" in ended:
        raise ended["error"]
    value: T = ended["value"]
    return value
