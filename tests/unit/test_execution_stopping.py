"""Canceling, handing back, exits, retries and time limits."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from backfill import (
    Backoff,
    Failure,
    Jitter,
    Output,
    PipelineDefinition,
    RetryPolicy,
    RetryRequested,
    RunCanceled,
    StepTimeout,
    pipeline,
    resource,
    step,
)
from backfill.execution.outcomes import RunEnd
from tests.support.runs import Turned, run


@step
def cleanup() -> None: ...


def of(function: Callable[..., Any], **options: Any) -> PipelineDefinition:
    """Return a pipeline of a step made of a function, and one after it."""
    one = step(name="one", **options)(function)

    @pipeline
    def daily() -> None:
        cleanup(after=one())

    return daily


# -- canceling and handing back -------------------------------------------------------------------


def test_a_canceled_run_starts_no_step() -> None:
    ran = run(of(lambda: None), control=Turned(cancel=True))
    assert ran.outcome.end is RunEnd.CANCELED
    assert ran.states == {"one": "canceled", "cleanup": "canceled"}
    assert ran.steps["one"].reason == "the run was canceled"
    assert ran.steps["one"].tries == 0


def test_a_cancel_is_noticed_between_steps() -> None:
    control = Turned()

    def body() -> None:
        control.cancel = True

    ran = run(of(body), control=control)
    assert ran.outcome.end is RunEnd.CANCELED
    assert ran.states == {"one": "succeeded", "cleanup": "canceled"}


USES: list[Callable[[Any], Any]] = [
    lambda context: context.log.info("x"),
    lambda context: context.run_id,
    lambda context: context.step_config,
    lambda context: context.tags,
    lambda context: context.resources,
    lambda context: context.partition_keys,
    lambda context: context.add_metadata(a=1),
    lambda context: context.idempotency_key,
    lambda context: context.fencing_token,
    lambda context: context.retry_number,
]


@pytest.mark.parametrize("use", USES)
def test_the_next_use_of_the_context_ends_a_canceled_step(use: Callable[[Any], Any]) -> None:
    control = Turned()
    after = []

    def body(context: Any) -> None:
        control.cancel = True
        assert context.canceled
        try:
            use(context)
        except Exception:
            after.append("swallowed")
        after.append("went on")

    ran = run(of(body), control=control)
    assert ran.outcome.end is RunEnd.CANCELED
    assert ran.states["one"] == "canceled"
    assert after == []


def test_a_canceled_step_can_clean_up_with_its_context() -> None:
    control = Turned()

    def body(context: Any) -> None:
        control.cancel = True
        try:
            context.log.info("never written")
        finally:
            context.log.info("cleaning up")

    ran = run(of(body), control=control)
    assert ran.lines() == [("info", "cleaning up")]


def test_a_failure_after_a_cancel_is_a_failure_of_the_step_in_a_canceled_run() -> None:
    control = Turned()

    def body() -> None:
        control.cancel = True
        raise ValueError

    ran = run(of(body), control=control)
    assert ran.outcome.end is RunEnd.CANCELED
    assert ran.states == {"one": "failed", "cleanup": "canceled"}


def test_a_step_that_raises_runcanceled_by_itself_has_failed() -> None:
    def body() -> None:
        raise RunCanceled

    assert run(of(body)).states["one"] == "failed"


def test_a_released_run_goes_back_between_steps() -> None:
    control = Turned()

    def body() -> None:
        control.release = True

    ran = run(of(body), control=control)
    assert ran.outcome.end is RunEnd.RELEASED
    assert ran.states == {"one": "succeeded"}


@pytest.mark.parametrize("error", [SystemExit(-241), KeyboardInterrupt(), GeneratorExit()])
def test_an_exit_while_the_worker_goes_away_is_no_failure(error: BaseException) -> None:
    control = Turned()

    def body() -> None:
        control.release = True
        raise error

    ran = run(of(body, retry_policy=RetryPolicy()), control=control)
    assert ran.outcome.end is RunEnd.RELEASED
    assert ran.outcome.error is None
    assert ran.states == {"one": "canceled"}
    assert ran.steps["one"].reason == "the worker shut down and handed the run back"


def test_an_exit_of_a_canceled_run_is_its_end() -> None:
    control = Turned()

    def body() -> None:
        control.cancel = control.release = True
        sys.exit(1)

    assert run(of(body), control=control).outcome.end is RunEnd.CANCELED


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()])
def test_an_exit_of_the_users_own_is_a_failure_of_the_step(error: BaseException) -> None:
    def body() -> None:
        raise error

    ran = run(of(body))
    assert ran.outcome.end is RunEnd.FAILED
    assert ran.outcome.error is not None
    assert ran.outcome.error.type == type(error).__name__


def test_an_exit_between_steps_while_released_hands_the_run_back() -> None:
    class Exits(Turned):
        asked = 0

        def canceled(self) -> bool:
            self.asked += 1
            if self.asked == 2:
                self.release = True
                sys.exit(1)
            return False

    ran = run(of(lambda: None), control=Exits())
    assert ran.outcome.end is RunEnd.RELEASED


# -- retries --------------------------------------------------------------------------------------


def failing(times: int, error: Callable[[], BaseException] = ValueError) -> Callable[..., Any]:
    left = [times]

    def body(context: Any) -> int:
        context.log.info("try %d", context.retry_number)
        if left[0]:
            left[0] -= 1
            raise error()
        return context.retry_number  # type: ignore[no-any-return]

    return body


def test_a_step_is_tried_again_as_its_policy_says() -> None:
    waits: list[float] = []
    policy = RetryPolicy(max_retries=3, delay=1, backoff=Backoff.LINEAR)
    ran = run(of(failing(2), retry_policy=policy), wait=waits.append)
    assert ran.outcome.end is RunEnd.SUCCEEDED
    assert ran.steps["one"].tries == 3
    assert ran.steps["one"].error is None
    assert waits == [1, 2]
    assert ran.kept.events[:6] == [
        ("started 1", "one"),
        ("retrying 1", "one"),
        ("started 2", "one"),
        ("retrying 2", "one"),
        ("started 3", "one"),
        ("succeeded", "one"),
    ]
    assert ran.lines() == [("info", "try 0"), ("info", "try 1"), ("info", "try 2")]
    assert [error.type for error in ran.kept.retries] == ["ValueError", "ValueError"]


def test_a_spent_policy_fails_the_step() -> None:
    ran = run(of(failing(9), retry_policy=RetryPolicy(max_retries=2)))
    assert ran.outcome.end is RunEnd.FAILED
    assert ran.steps["one"].tries == 3


def test_a_long_delay_hands_the_run_back_and_it_goes_on_at_that_step() -> None:
    policy = RetryPolicy(max_retries=2, delay=60)
    daily = of(failing(9), retry_policy=policy)
    first = run(daily)
    assert first.outcome.end is RunEnd.RETRY
    assert first.outcome.retry_in_seconds == 60
    assert first.outcome.failed_step == "one"
    assert not first.outcome.counted
    assert first.states == {"one": "retrying"}
    assert first.steps["one"].error is not None
    second = run(daily, tried={"one": 1}, attempt=2)
    assert second.outcome.end is RunEnd.RETRY
    assert second.lines() == [("info", "try 1")]
    third = run(daily, tried={"one": 2}, attempt=3)
    assert third.outcome.end is RunEnd.FAILED


def test_a_step_asks_for_a_retry_of_its_own() -> None:
    waits: list[float] = []
    body = failing(9, lambda: RetryRequested(max_retries=2, seconds_to_wait=0.5))
    ran = run(of(body), wait=waits.append)
    assert ran.steps["one"].tries == 3
    assert waits == [0.5, 0.5]
    assert ran.outcome.error is not None
    assert ran.outcome.error.type == "RetryRequested"


def test_a_retry_asked_for_in_a_while_hands_the_run_back() -> None:
    ran = run(of(failing(1, lambda: RetryRequested(seconds_to_wait=3600))))
    assert ran.outcome.end is RunEnd.RETRY
    assert ran.outcome.retry_in_seconds == 3600


@pytest.mark.parametrize("seconds", [-1, float("nan"), True])
def test_a_retry_that_makes_no_sense_is_refused(seconds: Any) -> None:
    with pytest.raises(ValueError, match="seconds_to_wait"):
        RetryRequested(seconds_to_wait=seconds)


def test_a_failure_for_good_is_not_tried_again() -> None:
    body = failing(9, lambda: Failure("no", retryable=False))
    one = step(name="one", retry_policy=RetryPolicy(max_retries=5))(body)

    @pipeline(retry_policy=RetryPolicy(max_retries=5))
    def daily() -> None:
        one()

    ran = run(daily)
    assert ran.outcome.end is RunEnd.FAILED
    assert not ran.outcome.retryable
    assert ran.steps["one"].tries == 1


def test_a_failed_run_is_due_again_as_the_pipelines_policy_says() -> None:
    one = step(name="one")(failing(9))

    @pipeline(retry_policy=RetryPolicy(max_retries=2, delay=10, backoff=Backoff.EXPONENTIAL))
    def daily() -> None:
        one()

    first = run(daily)
    assert first.outcome.end is RunEnd.RETRY
    assert first.outcome.counted
    assert first.outcome.retry_in_seconds == 10
    assert first.states == {"one": "failed"}
    assert run(daily, failures=1).outcome.retry_in_seconds == 30
    assert run(daily, failures=2).outcome.end is RunEnd.FAILED


def test_a_wait_for_a_retry_ends_with_the_run() -> None:
    control = Turned()

    def cancel(seconds: float) -> None:
        control.cancel = True

    policy = RetryPolicy(delay=1)
    ran = run(of(failing(1), retry_policy=policy), control=control, wait=cancel)
    assert ran.outcome.end is RunEnd.CANCELED
    assert ran.states["one"] == "canceled"
    assert ran.steps["one"].error is not None


def test_the_real_wait_asks_whether_to_stop() -> None:
    from backfill.execution.step_execution import wait_in_slices

    asked = []

    class Stops:
        def told_to_stop(self) -> RunEnd | None:
            asked.append(1)
            return RunEnd.CANCELED

    wait_in_slices(1000, Stops())  # type: ignore[arg-type]
    assert asked == [1]


@pytest.mark.parametrize(
    ("policy", "delays"),
    [
        (RetryPolicy(3), [0, 0, 0]),
        (RetryPolicy(3, 2), [2, 2, 2]),
        (RetryPolicy(3, 2, Backoff.LINEAR), [2, 4, 6]),
        (RetryPolicy(3, 2, Backoff.EXPONENTIAL), [2, 6, 14]),
        (RetryPolicy(3, 2, Backoff.LINEAR, Jitter.FULL), [1, 2, 3]),
        (RetryPolicy(3, 2, Backoff.LINEAR, Jitter.PLUS_MINUS), [2, 4, 6]),
        (RetryPolicy(3, 2, jitter=Jitter.FULL), [1, 1, 1]),
    ],
)
def test_delays_grow_and_spread_as_the_policy_says(
    policy: RetryPolicy, delays: list[float]
) -> None:
    assert [policy.delay_seconds(n, draw=lambda: 0.5) for n in (1, 2, 3)] == delays


def test_no_delay_is_longer_than_a_week() -> None:
    policy = RetryPolicy(10**9, 10, Backoff.EXPONENTIAL)
    assert policy.delay_seconds(10**8) == 7 * 24 * 3600


# -- time limits ----------------------------------------------------------------------------------


def forever() -> None:
    threading.Event().wait(60)


def test_a_step_over_its_time_is_interrupted() -> None:
    ended = []

    def body() -> None:
        try:
            forever()
        except Exception:
            ended.append("swallowed")
        finally:
            ended.append("finally")

    ran = run(of(body, timeout_seconds=0.05))
    assert ended == ["finally"]
    assert ran.states == {"one": "failed", "cleanup": "skipped"}
    assert ran.outcome.error is not None
    assert ran.outcome.error.type == "StepTimeout"
    assert ran.outcome.error.message == 'step "one" took longer than its timeout of 0.05 s'


def test_a_step_over_its_time_is_tried_again() -> None:
    left = [1]

    def body() -> None:
        if left:
            left.pop()
            forever()

    ran = run(of(body, timeout_seconds=0.05, retry_policy=RetryPolicy()))
    assert ran.outcome.end is RunEnd.SUCCEEDED
    assert ran.steps["one"].tries == 2


def test_a_generator_over_its_time_is_interrupted() -> None:
    def body() -> Any:
        yield Output(1)
        forever()

    assert run(of(body, timeout_seconds=0.05)).states["one"] == "failed"


def test_a_step_that_does_nothing_but_log_is_interrupted_too() -> None:
    def body(context: Any) -> None:
        while True:
            context.log.info("still here")

    assert run(of(body, timeout_seconds=0.05)).states["one"] == "failed"


def test_a_step_that_swallows_the_interruption_is_interrupted_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("backfill.execution.deadlines.AGAIN_SECONDS", 0.05)
    swallowed = []

    def body() -> None:
        try:
            forever()
        except BaseException as error:
            swallowed.append(error)
        forever()

    assert run(of(body, timeout_seconds=0.05)).states["one"] == "failed"
    assert len(swallowed) == 1


def test_setting_up_a_resource_counts_as_the_steps_time() -> None:
    @resource
    def slow() -> None:
        forever()

    one = step(name="one", timeout_seconds=0.05, required_resource_keys={"slow"})(lambda: None)

    @pipeline(resource_defs={"slow": slow})
    def daily() -> None:
        one()

    error = run(daily).outcome.error
    assert error is not None
    assert error.type == "StepTimeout"


def test_a_run_over_its_time_is_stopped_and_not_tried_again_by_its_step() -> None:
    one = step(name="one", retry_policy=RetryPolicy(max_retries=9))(forever)

    @pipeline(timeout_seconds=0.05)
    def daily() -> None:
        one()
        cleanup()

    ran = run(daily)
    assert ran.states == {"one": "failed", "cleanup": "skipped"}
    assert ran.steps["one"].tries == 1
    assert ran.steps["cleanup"].reason == "the run took longer than its timeout of 0.05 s"
    assert ran.outcome.error is not None
    assert ran.outcome.error.type == "StepTimeout"


def test_a_step_within_its_time_leaves_no_alarm_behind() -> None:
    before = signal.getsignal(signal.SIGALRM)
    left, _ = signal.getitimer(signal.ITIMER_REAL)
    ran = run(of(lambda: None, timeout_seconds=60))
    assert ran.outcome.end is RunEnd.SUCCEEDED
    assert signal.getsignal(signal.SIGALRM) is before
    again, _ = signal.getitimer(signal.ITIMER_REAL)
    assert again <= left
    assert bool(again) == bool(left)


def test_a_step_over_its_time_in_another_thread_is_given_up() -> None:
    hold = threading.Event()
    told: list[BaseException] = []
    ended = threading.Event()

    def body(context: Any) -> None:
        hold.wait(60)
        sys.stdout.write("after the end\n")
        try:
            context.log.info("still here?")
        except BaseException as error:
            told.append(error)
        ended.set()

    ran: list[Any] = []
    thread = threading.Thread(
        target=lambda: ran.append(run(of(body, timeout_seconds=0.05), captures=True))
    )
    thread.start()
    thread.join(60)
    hold.set()
    assert ended.wait(60)
    assert ran[0].states == {"one": "failed", "cleanup": "skipped"}
    assert isinstance(told[0], StepTimeout)
    assert ran[0].lines() == []


def test_the_alarm_waits_while_a_function_of_ours_is_at_work() -> None:
    from types import SimpleNamespace

    from backfill.execution import deadlines

    def frames(*files: str) -> Any:
        """Return frames, the innermost first, the last called by `call_with_alarm`."""
        frame: Any = SimpleNamespace(f_code=deadlines.call_with_alarm.__code__, f_back=None)
        for file in reversed(files):
            code = SimpleNamespace(co_filename=file)
            frame = SimpleNamespace(f_code=code, f_back=frame)
        return frame

    ours = deadlines._OURS[0] + "context.py"
    at_users = deadlines._at_users_code
    assert at_users(frames("user.py", ours, ours))
    assert at_users(frames("threading.py", "user.py", ours))
    assert not at_users(frames(ours, "user.py", ours))
    assert not at_users(frames("threading.py", ours, "user.py", ours))
    assert not at_users(frames(ours, ours))
    assert not at_users(None)
