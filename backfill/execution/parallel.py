"""Steps of one run at once, each in a thread."""

from __future__ import annotations

import contextvars
import queue
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from backfill.execution.inputs import Standing
from backfill.execution.outcomes import Control, ErrorInfo, LogLine, Recorder, StepOutcome
from backfill.execution.plan import PlannedStep

if TYPE_CHECKING:
    from backfill.execution.run_execution import RunExecution


class OneAtATime:
    """A recorder that takes the calls of several threads one after another, until closed."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._lock = threading.Lock()
        self._open = True

    def close(self) -> None:
        """Take no more calls."""
        with self._lock:
            self._open = False

    def step_started(self, step: str, tries: int, at: int) -> None:
        with self._lock:
            if self._open:
                self._recorder.step_started(step, tries, at)

    def step_retrying(self, step: str, tries: int, at: int, error: ErrorInfo) -> None:
        with self._lock:
            if self._open:
                self._recorder.step_retrying(step, tries, at, error)

    def step_finished(self, outcome: StepOutcome) -> None:
        with self._lock:
            if self._open:
                self._recorder.step_finished(outcome)

    def log(self, line: LogLine) -> None:
        with self._lock:
            if self._open:
                self._recorder.log(line)

    def hook_failed(self, step: str, hook: str, error: ErrorInfo) -> None:
        with self._lock:
            if self._open:
                self._recorder.hook_failed(step, hook, error)


class Revocable:
    """A control that can say canceled by itself, to threads that were given up."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._revoked = False

    def revoke(self) -> None:
        """Have every context say that the run was canceled."""
        self._revoked = True

    def canceled(self) -> bool:
        return self._revoked or self._control.canceled()

    def released(self) -> bool:
        return self._control.released()


def execute_in_threads(run: RunExecution, steps: Sequence[PlannedStep], limit: int) -> None:
    """Execute steps, at most `limit` at once, each as soon as what it waits for has ended.

    Raises:
        BaseException: What interrupted this thread, or an error of the engine itself.
    """
    ended: queue.SimpleQueue[tuple[PlannedStep, BaseException | None]] = queue.SimpleQueue()
    waiting = list(steps)
    running = 0
    while waiting or running:
        ready = _ready(waiting, run) if run.told_to_stop() is None else []
        for step in ready[: limit - running]:
            waiting.remove(step)
            running += 1
            _start(run, step, ended)
        if running == 0:
            return
        _, error = ended.get()
        running -= 1
        if error is not None:
            raise error


def _ready(waiting: Sequence[PlannedStep], run: RunExecution) -> list[PlannedStep]:
    return [
        step
        for step in waiting
        if all(run.standings[i] is not Standing.WAITING for i in step.upstream)
    ]


def _start(
    run: RunExecution,
    step: PlannedStep,
    ended: queue.SimpleQueue[tuple[PlannedStep, BaseException | None]],
) -> None:
    context = contextvars.copy_context()

    def work() -> None:
        try:
            context.run(run.execute_step, step)
        except BaseException as error:
            ended.put((step, error))
        else:
            ended.put((step, None))

    threading.Thread(target=work, name=f"backfill-step-{step.name}", daemon=True).start()
