"""What happens when a step fails: retry policies, and what a step can raise to decide itself."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from backfill.errors import DefinitionError

MAX_DELAY_SECONDS = 7 * 24 * 3600.0


class Backoff(Enum):
    """How the delay grows with the number of the retry n, counted from 1."""

    LINEAR = "linear"  # n * delay
    EXPONENTIAL = "exponential"  # (2^n - 1) * delay


class Jitter(Enum):
    """How the delay is spread, so that many failed runs do not come back at one moment."""

    FULL = "full"  # between 0 and the delay
    PLUS_MINUS = "plus_minus"  # between 0 and twice the delay, the delay on average


@dataclass(frozen=True)
class RetryPolicy:
    """How often and when something that failed is tried again.

    Attributes:
        max_retries: Retries after the first try.
        delay: Seconds before the first retry; None retries at once.
        backoff: How the delay grows; None keeps it the same.
        jitter: How the delay is spread; None keeps it exact.
    """

    max_retries: int = 1
    delay: float | None = None
    backoff: Backoff | None = None
    jitter: Jitter | None = None

    def __post_init__(self) -> None:
        if type(self.max_retries) is not int or self.max_retries < 0:
            raise DefinitionError(
                f"RetryPolicy(max_retries={self.max_retries!r}): expected an int of 0 or more."
            )
        if self.delay is not None and not _is_seconds(self.delay):
            raise DefinitionError(
                f"RetryPolicy(delay={self.delay!r}): expected seconds of 0 or more, or None."
            )
        if self.delay is None and (self.backoff or self.jitter):
            raise DefinitionError("RetryPolicy: backoff and jitter need a delay to work on.")

    def delay_seconds(self, retry: int, *, draw: Callable[[], float] = random.random) -> float:
        """Return the seconds before a retry, at most a week.

        Args:
            retry: Number of the retry, counted from 1.
            draw: Gives a number in [0, 1) for the jitter.
        """
        if self.delay is None:
            return 0.0
        factor = 1
        if self.backoff is Backoff.LINEAR:
            factor = retry
        elif self.backoff is Backoff.EXPONENTIAL:
            factor = (1 << min(retry, 64)) - 1
        seconds = self.delay * factor
        if self.jitter is Jitter.FULL:
            seconds *= draw()
        elif self.jitter is Jitter.PLUS_MINUS:
            seconds *= 2 * draw()
        return min(seconds, MAX_DELAY_SECONDS)


class RetryRequested(Exception):
    """Raised by a step that wants to be tried again, whatever its policy says.

    `raise RetryRequested(max_retries=3, seconds_to_wait=30) from error` keeps the cause.
    """

    def __init__(self, max_retries: int = 1, seconds_to_wait: float | None = None) -> None:
        if type(max_retries) is not int or max_retries < 0:
            raise ValueError(f"max_retries must be an int of 0 or more, not {max_retries!r}")
        if seconds_to_wait is not None and not _is_seconds(seconds_to_wait):
            raise ValueError(f"seconds_to_wait must be 0 or more, not {seconds_to_wait!r}")
        super().__init__(f"the step asked for a retry (at most {max_retries})")
        self.max_retries = max_retries
        self.seconds_to_wait = seconds_to_wait


class Failure(Exception):
    """Raised by a step to fail with words, facts and a verdict of its own.

    Args:
        description: What went wrong.
        metadata: Kept with the step's outcome, as what `Metadata` takes.
        retryable: False fails the step and its run for good, whatever the policies say.
    """

    def __init__(
        self,
        description: str = "the step failed",
        *,
        metadata: Mapping[str, Any] | None = None,
        retryable: bool = True,
    ) -> None:
        super().__init__(description)
        self.description = description
        self.metadata = metadata
        self.retryable = retryable


class Skip(Exception):
    """Raised by a step that has nothing to do: it and what depends on it are skipped."""

    def __init__(self, reason: str = "the step had nothing to do") -> None:
        super().__init__(reason)
        self.reason = reason


def _is_seconds(value: object) -> bool:
    """Tell whether a value is a finite number of seconds, 0 or more."""
    return (
        isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < float("inf")
    )
