"""Whether something that failed is tried again, and when."""

from __future__ import annotations

from backfill.definitions.policies import Failure, RetryPolicy, RetryRequested
from backfill.execution.faults import StepFault
from backfill.execution.interrupts import StepTimeout

WAIT_IN_PLACE_SECONDS = 5.0  # a longer wait gives the worker's slot back


def is_retryable(error: BaseException) -> bool:
    """Return whether trying again could end differently, as far as the error itself tells."""
    if isinstance(error, Failure):
        return error.retryable
    return not isinstance(error, StepFault)


def step_delay(error: BaseException, policy: RetryPolicy | None, retries: int) -> float | None:
    """Return the seconds until a failed step is tried again, or None when it is not.

    Args:
        retries: How often it was tried again already, in this and earlier attempts.
    """
    if not is_retryable(error) or (isinstance(error, StepTimeout) and error.of_run):
        return None
    if isinstance(error, RetryRequested):
        return (error.seconds_to_wait or 0.0) if retries < error.max_retries else None
    if policy is None or retries >= policy.max_retries:
        return None
    return policy.delay_seconds(retries + 1)


def run_delay(error: BaseException, policy: RetryPolicy | None, failures: int) -> float | None:
    """Return the seconds until a failed run is due again, or None when it is not."""
    if policy is None or failures >= policy.max_retries or not is_retryable(error):
        return None
    return policy.delay_seconds(failures + 1)
