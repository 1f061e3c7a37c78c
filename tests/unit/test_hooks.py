"""Hooks of steps: whom they are told of, what they see, and that they change nothing."""

from __future__ import annotations

import sys
import threading
from typing import Any

import pytest

from backfill import (
    Failure,
    HookContext,
    RetryPolicy,
    build_hook_context,
    execute_pipeline,
    failure_hook,
    pipeline,
    step,
    success_hook,
)
from backfill.definitions.pipeline import PipelineDefinition
from backfill.errors import DefinitionError
from backfill.execution import capture
from backfill.execution import hooks as hooks_module
from backfill.execution.outcomes import RunEnd
from backfill.states import StepState
from tests.support.runs import Turned, run

TOLD: list[tuple[Any, ...]] = []


@pytest.fixture(autouse=True)
def _nothing_told() -> None:
    TOLD.clear()


@success_hook
def on_success(context: HookContext) -> None:
    TOLD.append(("success", context.step_name))


@failure_hook
def on_failure(context: HookContext) -> None:
    TOLD.append(("failure", context.step_name, str(context.solid_exception)))


@step
def one() -> int:
    return 1


@step
def two(x: int) -> int:
    return x + 1


@step
def broken(x: int) -> int:
    raise ValueError(f"no {x}")


def half() -> PipelineDefinition:
    @pipeline
    def work() -> None:
        broken(two(one()))

    return work


def test_hooks_of_a_pipeline_are_told_of_each_of_its_steps() -> None:
    result = execute_pipeline(half().with_hooks({on_success, on_failure}), raise_on_error=False)
    assert not result.success
    assert TOLD == [("success", "one"), ("success", "two"), ("failure", "broken", "no 2")]


def test_a_hook_above_a_pipeline_does_the_same() -> None:
    @on_failure
    @on_success
    @pipeline
    def work() -> None:
        two(one())

    assert isinstance(work, PipelineDefinition)
    execute_pipeline(work)
    assert TOLD == [("success", "one"), ("success", "two")]


def test_hooks_of_one_use_of_a_step_are_told_of_that_alone() -> None:
    @pipeline
    def work() -> None:
        two.with_hooks({on_success})(one())
        two.alias("again")(one.alias("first")())

    execute_pipeline(work)
    assert TOLD == [("success", "two")]


def test_a_step_may_bring_its_hooks() -> None:
    @step(hooks={on_success})
    def own() -> None:
        pass

    @pipeline(hooks=[on_success])
    def work() -> None:
        own.alias("other")()

    execute_pipeline(work)
    assert TOLD == [("success", "other")]  # once, though both have it


def test_a_hook_sees_its_run_its_step_and_what_it_yielded() -> None:
    seen: dict[str, Any] = {}

    @success_hook(name="told", required_resource_keys={"slack"})
    def tell(context: HookContext) -> None:
        seen.update(
            run=context.run_id,
            pipeline=context.pipeline_name,
            step=context.solid.name,
            key=context.step_key,
            hook=context.hook_def.name,
            config=context.solid_config,
            values=dict(context.solid_output_values),
            state=context.outcome.state,
            error=context.solid_exception,
            slack=context.resources.slack,
            keys=context.required_resource_keys,
        )
        context.log.info("told")

    @step(config_schema={"n": int})
    def count(context: Any) -> int:
        return int(context.step_config["n"])

    @pipeline(resource_defs={"slack": "the channel"})
    def work() -> None:
        count()

    config = {"steps": {"count": {"config": {"n": 3}}}}
    result = execute_pipeline(work.with_hooks({tell}), run_config=config)
    assert (seen["pipeline"], seen["step"], seen["key"]) == ("work", "count", "count")
    assert (seen["config"], seen["values"]) == ({"n": 3}, {"result": 3})
    assert (seen["state"], seen["error"]) == (StepState.SUCCEEDED, None)
    assert (seen["slack"], seen["keys"]) == ("the channel", frozenset({"slack"}))
    assert [line.message for line in result.log] == ["told"]


def test_a_hook_that_fails_is_recorded_and_the_step_stands() -> None:
    @success_hook
    def fails(context: HookContext) -> None:
        raise RuntimeError("no network")

    @pipeline
    def work() -> None:
        two(one())

    ran = run(work.with_hooks({fails}))
    kept = ran.kept
    assert ran.outcome.end is RunEnd.SUCCEEDED
    assert kept.hook_errors == [("one", "fails", "no network"), ("two", "fails", "no network")]
    assert 'Hook "fails" failed; the step stands as it is.' in kept.lines[0].message


@pytest.mark.parametrize("raised", [SystemExit(3), GeneratorExit(), Failure("no")])
def test_whatever_a_hook_raises_hurts_nothing(raised: BaseException) -> None:
    @success_hook
    def leaves(context: HookContext) -> None:
        raise raised

    @pipeline
    def work() -> None:
        two(one())

    ran = run(work.with_hooks({leaves}))
    kept = ran.kept
    assert ran.outcome.end is RunEnd.SUCCEEDED
    assert len(kept.hook_errors) == 2


def test_a_hook_is_told_once_of_a_step_that_was_retried() -> None:
    tries: list[int] = []

    @step(retry_policy=RetryPolicy(max_retries=2))
    def shaky() -> None:
        tries.append(1)
        if len(tries) < 3:
            raise ValueError("not yet")

    @pipeline
    def work() -> None:
        shaky()

    execute_pipeline(work.with_hooks({on_success, on_failure}))
    assert TOLD == [("success", "shaky")]


def test_a_quiet_run_tells_nobody() -> None:
    run(half().with_hooks({on_success, on_failure}), quiet=True)
    assert TOLD == []


def test_a_canceled_run_tells_nobody_any_more() -> None:
    control = Turned()

    @step
    def canceling() -> None:
        control.cancel = True

    @pipeline
    def work() -> None:
        canceling()

    run(work.with_hooks({on_success}), control=control)
    assert TOLD == []


def test_a_hook_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks_module, "HOOK_SECONDS", 0.05)
    never = threading.Event()

    @success_hook
    def hangs(context: HookContext) -> None:
        never.wait(30)

    @pipeline
    def work() -> None:
        one()

    ran = run(work.with_hooks({hangs}))
    kept = ran.kept
    assert ran.outcome.end is RunEnd.SUCCEEDED
    assert kept.hook_errors == [("one", "hangs", 'hook "hangs" took longer than 0.05 s')]
    never.set()


def test_hooks_work_beside_steps_in_threads() -> None:
    @pipeline(max_parallel_steps=2)
    def work() -> None:
        one()
        one.alias("other")()

    run(work.with_hooks({on_success}))
    assert sorted(TOLD) == [("success", "one"), ("success", "other")]


def test_what_a_hook_prints_is_logged() -> None:
    @success_hook
    def prints(context: HookContext) -> None:
        sys.stdout.write("hello\n")

    @pipeline
    def work() -> None:
        one()

    capture.install()
    try:
        kept = run(work.with_hooks({prints}), captures=True).kept
    finally:
        capture.uninstall()
    assert [(line.step, line.level, line.message) for line in kept.lines] == [
        ("one", "stdout", "hello")
    ]


def test_a_hook_is_called_with_a_context_of_ones_own_in_a_test() -> None:
    messages: list[str] = []

    @failure_hook(required_resource_keys={"slack"})
    def tell(context: HookContext) -> None:
        context.resources.slack.append(f"{context.solid.name}: {context.step_exception}")

    tell(build_hook_context({"slack": messages}, step_name="load", exception=ValueError("no")))
    assert messages == ["load: no"]


def test_a_hook_without_its_resource_is_refused() -> None:
    @failure_hook(required_resource_keys={"slak"})
    def tell(context: HookContext) -> None: ...

    with pytest.raises(DefinitionError, match=r'needs the resource "slak".*Did you mean "slack"'):

        @pipeline(resource_defs={"slack": 1}, hooks={tell})
        def work() -> None:
            one()


def test_a_hook_takes_one_context() -> None:
    with pytest.raises(DefinitionError, match=r"it takes the context, not \(\)"):

        @success_hook
        def nothing() -> None: ...


def test_something_else_is_no_hook() -> None:
    with pytest.raises(DefinitionError, match="hooks are made with @success_hook"):
        half().with_hooks({lambda context: None})


def test_hooks_do_not_change_a_pipelines_version() -> None:
    assert half().with_hooks({on_success}).version == half().version
