"""What stops a step from the outside. Not Exceptions: `except Exception` must not swallow them."""

from __future__ import annotations


class Interrupt(BaseException):
    """Raised inside a step to end it."""


class RunCanceled(Interrupt):
    """The run was canceled; raised at the step's next call on its context."""

    def __init__(self, message: str = "the run was canceled") -> None:
        super().__init__(message)


class StepTimeout(Interrupt):
    """The step, or its run, took longer than it may.

    Attributes:
        of_run: The run's own time is over, so that no retry within it makes sense.
    """

    def __init__(self, message: str, *, of_run: bool = False) -> None:
        super().__init__(message)
        self.of_run = of_run
