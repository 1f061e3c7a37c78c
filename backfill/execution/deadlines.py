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
from types import FrameType, TracebackType
from typing import Any, TypeVar

from backfill.execution.interrupts import StepTimeout

AGAIN_SECONDS = 5.0  # a step that swallowed the interruption is interrupted again

T = TypeVar("T")


def can_interrupt() -> bool:
    """Return whether the calling thread can be interrupted by an alarm."""
    return hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()


class Alarm:
    """Raises `error` in the main thread when its body takes longer than `seconds`.

    A timer that was running (another tool's) goes on afterwards.
    """

    def __init__(self, seconds: float, error: StepTimeout) -> None:
        self._seconds = max(seconds, 1e-6)
        self._error = error
        self._armed = False

    def __enter__(self) -> None:
        self._armed = True
        self._handler = signal.signal(signal.SIGALRM, self._ring)
        self._started = time.monotonic()
        self._earlier = signal.setitimer(signal.ITIMER_REAL, self._seconds, AGAIN_SECONDS)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._armed = False
        left, interval = self._earlier
        if left:
            left = max(left - (time.monotonic() - self._started), 1e-6)
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self._handler)
        if left:
            signal.setitimer(signal.ITIMER_REAL, left, interval)

    def _ring(self, _number: int, _frame: FrameType | None) -> None:
        if self._armed:
            raise self._error


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
