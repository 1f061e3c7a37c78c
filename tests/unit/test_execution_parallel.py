"""Steps of one run at once."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from backfill import Output, PipelineDefinition, RetryPolicy, pipeline, resource, step
from backfill.execution.outcomes import RunEnd
from tests.support.runs import Turned, run

PATIENCE = 60


def fan(bodies: list[Callable[..., Any]], *, limit: int, **options: Any) -> PipelineDefinition:
    """Return a pipeline whose steps s0, s1, … have nothing to do with each other, and a last."""
    steps = [step(name=f"s{i}", **options)(body) for i, body in enumerate(bodies)]

    @step
    def last(parts: list) -> int:  # type: ignore[type-arg]
        return len(parts)

    @pipeline(max_parallel_steps=limit)
    def daily() -> None:
        last([one() for one in steps])

    return daily


def test_branches_execute_at_once_up_to_the_limit() -> None:
    meeting = threading.Barrier(3)

    def body() -> int:
        meeting.wait(PATIENCE)
        return 1

    ran = run(fan([body] * 6, limit=3))
    assert ran.outcome.end is RunEnd.SUCCEEDED, ran.outcome.error
    assert ran.execution.values[-1] == 6
    assert len(ran.outcome.steps) == 7
    assert ran.outcome.steps[-1].step == "last"


def test_without_the_wish_steps_execute_one_after_another() -> None:
    threads = set()
    run(fan([lambda: threads.add(threading.current_thread())] * 3, limit=1))
    assert threads == {threading.current_thread()}


def test_no_more_than_the_limit_execute_at_once() -> None:
    lock = threading.Lock()
    now = [0, 0]
    pairs = threading.Barrier(2)

    def body() -> None:
        with lock:
            now[0] += 1
            now[1] = max(now)
        pairs.wait(PATIENCE)
        with lock:
            now[0] -= 1

    run(fan([body] * 4, limit=2))
    assert now == [0, 2]


def test_a_failure_skips_what_depends_on_it_and_lets_the_rest_end() -> None:
    def bad() -> None:
        raise ValueError

    ran = run(fan([bad, lambda: 1], limit=2))
    assert ran.outcome.end is RunEnd.FAILED
    assert ran.states == {"s0": "failed", "s1": "succeeded", "last": "skipped"}


def test_a_step_that_is_skipped_by_an_unset_output_is_skipped_here_too() -> None:
    @step
    def nothing() -> Any:
        if False:
            yield Output(1)

    @step
    def take(x: Any) -> None: ...

    @pipeline(max_parallel_steps=2)
    def daily() -> None:
        take(nothing())

    assert run(daily).states == {"nothing": "succeeded", "take": "skipped"}


def test_a_cancel_reaches_every_running_step_and_starts_no_other() -> None:
    control = Turned()
    meeting = threading.Barrier(2)

    def body(context: Any) -> None:
        meeting.wait(PATIENCE)
        control.cancel = True
        context.log.info("never")

    ran = run(fan([body, body, body], limit=2), control=control)
    assert ran.outcome.end is RunEnd.CANCELED
    assert set(ran.states.values()) == {"canceled"}
    assert len(ran.states) == 4
    assert ran.lines() == []


def test_a_long_wait_of_one_step_hands_the_run_back_when_the_others_ended() -> None:
    def bad() -> None:
        raise ValueError

    daily = fan([bad, bad], limit=2, retry_policy=RetryPolicy(delay=60))
    ran = run(daily)
    assert ran.outcome.end is RunEnd.RETRY
    assert set(ran.states.values()) == {"retrying"}


def test_a_step_over_its_time_is_given_up_and_the_run_goes_on() -> None:
    hold = threading.Event()
    ended = threading.Event()

    def stuck(context: Any) -> None:
        hold.wait(PATIENCE)
        try:
            context.log.info("too late")
        finally:
            ended.set()

    ran = run(fan([stuck], limit=2, timeout_seconds=0.05))
    hold.set()
    assert ended.wait(PATIENCE)
    assert ran.states == {"s0": "failed", "last": "skipped"}
    assert ran.outcome.error is not None
    assert ran.outcome.error.type == "StepTimeout"
    assert ran.lines() == []


def test_a_shutdown_while_steps_run_in_threads_hands_the_run_back() -> None:
    hold = threading.Event()
    started = threading.Event()
    ended = threading.Event()
    told: list[BaseException] = []

    class Exits(Turned):
        def canceled(self) -> bool:
            if threading.current_thread() is main and started.is_set() and not self.release:
                self.release = True
                sys.exit(1)
            return False

    main = threading.current_thread()

    def stuck(context: Any) -> None:
        started.set()
        hold.wait(PATIENCE)
        try:
            context.log.info("too late")
        except BaseException as error:
            told.append(error)
        ended.set()

    def quick() -> None:
        started.wait(PATIENCE)

    ran = run(fan([stuck, quick, quick], limit=2), control=Exits())
    assert ran.outcome.end is RunEnd.RELEASED
    events = len(ran.kept.events)
    hold.set()
    assert ended.wait(PATIENCE)
    assert [type(error).__name__ for error in told] == ["RunCanceled"]
    assert len(ran.kept.events) == events
    assert ran.lines() == []


def test_a_resource_is_set_up_once_for_all_threads() -> None:
    made = []
    meeting = threading.Barrier(4)

    @resource
    def shared() -> int:
        made.append(1)
        return len(made)

    def body(context: Any) -> int:
        meeting.wait(PATIENCE)
        return int(context.resources.shared)

    steps = [
        step(name=f"s{i}", required_resource_keys={"shared"})(lambda context: body(context))
        for i in range(4)
    ]

    @pipeline(max_parallel_steps=4, resource_defs={"shared": shared})
    def daily() -> None:
        for one in steps:
            one()

    assert run(daily).outcome.end is RunEnd.SUCCEEDED
    assert made == [1]


@pytest.mark.parametrize("limit", [1, 4])
def test_many_steps_end_the_same_one_by_one_and_at_once(limit: int) -> None:
    @step
    def number(context: Any, before: list) -> int:  # type: ignore[type-arg]
        context.log.info("%d", len(before))
        return sum(before) + 1

    @pipeline(max_parallel_steps=limit)
    def daily() -> None:
        layers: list[list[Any]] = [[1]]
        for layer in range(4):
            names = [f"n{layer}_{i}" for i in range(4)]
            layers.append([number.alias(name)(layers[-1]) for name in names])

    ran = run(daily)
    assert ran.outcome.end is RunEnd.SUCCEEDED
    assert ran.execution.values[-4:] == [149, 149, 149, 149]
    assert len(ran.kept.lines) == 16
