"""Executing a run: order, values, skipping, config, what is recorded."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from typing import Any

import pytest

from backfill import (
    Failure,
    In,
    MarkdownValue,
    Metadata,
    Nothing,
    Out,
    Output,
    PipelineDefinition,
    Skip,
    UrlValue,
    pipeline,
    step,
)
from backfill.errors import NotFound
from backfill.execution.engine import compile_plan
from backfill.execution.outcomes import RunEnd
from tests.support.runs import run


@step
def extract() -> int:
    return 3


@step
def double(x: int) -> int:
    return 2 * x


@step
def fail(x: int = 0) -> int:
    raise ValueError(f"bad {x}")


@step
def total(parts: list) -> int:  # type: ignore[type-arg]
    return sum(parts)


@step
def cleanup() -> None: ...


@step(outs={"good": Out(), "bad": Out()})
def split(x: int) -> Iterator[Output]:
    if x % 2:
        yield Output(x, "bad")
    else:
        yield Output(x, "good")


def value(ran: Any, step: str, output: str = "result") -> Any:
    planned = next(s for s in ran.execution.plan.steps if s.name == step)
    slot = next(o.slot for o in planned.outputs if o.name == output)
    return ran.execution.values[slot]


def test_values_go_from_step_to_step() -> None:
    @pipeline
    def daily() -> None:
        total([double(extract()), extract.alias("other")(), 10])

    ran = run(daily)
    assert ran.outcome.end is RunEnd.SUCCEEDED
    assert value(ran, "total") == 19
    assert list(ran.states) == ["extract", "double", "other", "total"]
    assert set(ran.states.values()) == {"succeeded"}


def test_every_step_is_recorded_with_its_times_and_tries() -> None:
    @pipeline
    def daily() -> None:
        double(extract())

    ran = run(daily)
    first, second = ran.outcome.steps
    assert (first.started_at, first.finished_at) == (1_000_000, 2_000_000)
    assert (second.started_at, second.finished_at) == (3_000_000, 4_000_000)
    assert first.tries == 1
    assert ran.kept.events == [
        ("started 1", "extract"),
        ("succeeded", "extract"),
        ("started 1", "double"),
        ("succeeded", "double"),
    ]
    assert ran.kept.finished == list(ran.outcome.steps)


def test_defaults_stand_for_inputs_that_are_not_connected() -> None:
    @step
    def add(a: int, b: int = 5) -> int:
        return a + b

    @pipeline
    def daily() -> None:
        add(extract())

    assert value(run(daily), "add") == 8


def test_what_depends_on_a_failed_step_is_skipped_and_the_rest_executes() -> None:
    @pipeline
    def daily() -> None:
        double.alias("after_double")(double(fail(1)))
        cleanup()

    ran = run(daily)
    assert ran.outcome.end is RunEnd.FAILED
    assert ran.outcome.failed_step == "fail"
    assert ran.outcome.error is not None
    assert ran.outcome.error.message == "bad 1"
    assert ran.states == {
        "fail": "failed",
        "double": "skipped",
        "after_double": "skipped",
        "cleanup": "succeeded",
    }
    assert ran.steps["double"].reason == 'step "fail" failed'
    assert ran.steps["after_double"].reason == 'step "double" was skipped'
    assert ran.steps["double"].tries == 0


def test_the_first_failure_is_the_runs() -> None:
    @pipeline
    def daily() -> None:
        fail(1)
        fail.alias("again")(2)

    assert run(daily).outcome.failed_step == "fail"


def test_an_output_that_is_not_yielded_skips_what_takes_it() -> None:
    @pipeline
    def daily() -> None:
        parts = split(extract())
        double.alias("of_good")(parts.good)
        double.alias("of_bad")(parts.bad)
        cleanup(after=parts.good)

    ran = run(daily)
    assert ran.outcome.end is RunEnd.SUCCEEDED
    assert ran.states["of_good"] == "skipped"
    assert ran.states["cleanup"] == "skipped"
    assert ran.states["of_bad"] == "succeeded"
    assert ran.steps["of_good"].reason == 'step "split" yielded no output "good"'
    assert ran.steps["split"].outputs == {"bad": "unkept:", "good": "unset:"}


def test_a_gathered_list_holds_what_was_yielded() -> None:
    @pipeline
    def daily() -> None:
        parts = split(extract())
        total([parts.good, parts.bad])
        total.alias("none")([parts.good])

    ran = run(daily)
    assert value(ran, "total") == 3
    assert ran.states["none"] == "skipped"


def test_a_gathered_list_is_not_made_when_a_member_failed() -> None:
    @pipeline
    def daily() -> None:
        total([extract(), double(fail())])

    ran = run(daily)
    assert ran.states["total"] == "skipped"


def test_order_alone_waits_for_success_and_passes_nothing() -> None:
    seen: list[str] = []

    @step
    def first() -> None:
        seen.append("first")

    @step(ins={"start": In(Nothing)})
    def second() -> None:
        seen.append("second")

    @pipeline
    def daily() -> None:
        second(start=first())
        cleanup(after=fail())

    ran = run(daily)
    assert seen == ["first", "second"]
    assert ran.states["cleanup"] == "skipped"


def test_a_step_may_skip_itself_with_a_reason() -> None:
    @step
    def maybe() -> int:
        raise Skip("nothing new")

    @pipeline
    def daily() -> None:
        double(maybe())
        cleanup(after=maybe.alias("other")())

    ran = run(daily)
    assert ran.outcome.end is RunEnd.SUCCEEDED
    assert ran.states == dict.fromkeys(ran.states, "skipped")
    assert ran.steps["maybe"].reason == "nothing new"
    assert ran.steps["double"].reason == 'step "maybe" was skipped'
    assert ran.steps["maybe"].tries == 1


def test_a_step_may_return_its_outputs_in_every_form() -> None:
    @step(outs={"a": int, "b": int})
    def as_tuple() -> tuple[int, int]:
        return 1, 2

    @step(outs={"a": int, "b": int})
    def as_outputs() -> list[Output]:
        return [Output(2, "b"), Output(1, "a")]

    @step
    def as_output() -> Output:
        return Output(7, metadata={"rows": 7})

    @step
    def as_list() -> list[int]:
        return [1, 2]

    @pipeline
    def daily() -> None:
        total([*as_tuple(), *as_outputs(), as_output()])
        as_list()

    ran = run(daily)
    assert value(ran, "total") == 13
    assert value(ran, "as_list") == [1, 2]
    assert ran.steps["as_output"].metadata == {"rows": 7}


def test_a_step_tells_metadata_that_is_kept_with_its_outcome() -> None:
    @step
    def report(context: Any) -> Iterator[Any]:
        context.add_metadata(rows=3)
        yield Metadata(report=MarkdownValue("**ok**"), url=UrlValue("https://example.org"))
        yield Output(5, metadata={"share": 0.5, "by_day": {"mon": 1}})

    @pipeline
    def daily() -> None:
        double(report())

    ran = run(daily)
    assert ran.steps["report"].metadata == {
        "rows": 3,
        "report": {"type": "markdown", "value": "**ok**"},
        "url": {"type": "url", "value": "https://example.org"},
        "share": 0.5,
        "by_day": {"type": "json", "value": {"mon": 1}},
    }
    assert value(ran, "double") == 10


def test_a_failure_keeps_its_metadata_and_what_was_told_before_it() -> None:
    @step
    def check(context: Any) -> None:
        context.add_metadata(rows=3)
        raise Failure("half is missing", metadata={"missing": 0.5, "odd": object()})

    @pipeline
    def daily() -> None:
        check()

    ran = run(daily)
    told = ran.steps["check"]
    assert told.metadata is not None
    assert told.metadata["rows"] == 3
    assert told.metadata["missing"] == 0.5
    assert "odd" in told.metadata["metadata_error"]
    assert told.error is not None
    assert (told.error.type, told.error.message) == ("Failure", "half is missing")


def _yields_int() -> Any:
    yield 5


def _yields_unknown() -> Any:
    yield Output(1, "rezult")


def _yields_twice() -> Any:
    yield Output(1)
    yield Output(2)


def _yields_and_returns() -> Any:
    yield Output(1)
    return 2


def _bad_metadata() -> Any:
    yield Metadata(rows=object())


def _bad_metadata_key() -> Any:
    yield Metadata({5: 1})  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("function", "says", "kind"),
    [
        (_yields_int, "yielded 5; a step yields Output", "OutputWrong"),
        (_yields_unknown, 'no output "rezult". Did you mean "result"', "OutputWrong"),
        (_yields_twice, "twice", "OutputWrong"),
        (_yields_and_returns, "yields and returns 2", "OutputWrong"),
        (_bad_metadata, 'Metadata "rows"', "MetadataWrong"),
        (_bad_metadata_key, "is a text, not a int", "MetadataWrong"),
    ],
)
def test_a_step_that_yields_something_wrong_fails_with_a_typed_error(
    function: Any, says: str, kind: str
) -> None:
    wrong = step(function)

    @pipeline
    def daily() -> None:
        wrong()

    ran = run(daily)
    error = ran.outcome.error
    assert error is not None
    assert says in error.message
    assert error.type == kind
    assert not ran.outcome.retryable


def test_a_generator_is_closed_when_what_it_yields_is_wrong() -> None:
    seen = []

    @step
    def wrong() -> Any:
        try:
            yield 5
        finally:
            seen.append("closed")

    @pipeline
    def daily() -> None:
        wrong()

    run(daily)
    assert seen == ["closed"]


def test_types_of_inputs_and_outputs_are_checked() -> None:
    @step(out=Out(int))
    def lies() -> Any:
        return "x"

    @step
    def text() -> Any:
        return "x"

    @pipeline
    def daily() -> None:
        lies()
        double(text())
        total(total.alias("t")([1]))

    ran = run(daily)
    assert ran.steps["lies"].error is not None
    assert ran.steps["double"].error is not None
    assert ran.steps["total"].error is not None
    assert 'Output "result" of step "lies" must be int, not str' in ran.steps["lies"].error.message
    assert 'Input "x" of step "double" must be int, not str' in ran.steps["double"].error.message
    assert 'Input "parts" of step "total" must be list' in ran.steps["total"].error.message


@pytest.mark.parametrize("returned", [None, (1,), (1, 2, 3), 5, []])
def test_a_step_with_several_outputs_must_give_all_it_returns(returned: Any) -> None:
    @step(outs={"a": int, "b": int})
    def wrong() -> Any:
        return returned

    @pipeline
    def daily() -> None:
        wrong()

    error = run(daily).outcome.error
    assert error is not None
    assert "return a tuple of 2" in error.message


def test_a_required_output_must_be_yielded() -> None:
    @step(outs={"a": Out(is_required=True), "b": Out()})
    def wrong() -> Any:
        yield Output(1, "b")

    @pipeline
    def daily() -> None:
        wrong()

    error = run(daily).outcome.error
    assert error is not None
    assert 'required output "a"' in error.message


def test_a_config_that_does_not_fit_fails_the_run_before_any_step() -> None:
    @step(config_schema={"date": str})
    def load(context: Any) -> None: ...

    @pipeline
    def daily() -> None:
        cleanup()
        load()

    ran = run(daily, {"steps": {"load": {"config": {"date": 5}}}})
    assert ran.outcome.end is RunEnd.FAILED
    assert ran.outcome.steps == ()
    assert not ran.outcome.retryable
    assert ran.outcome.error is not None
    assert ran.outcome.error.type == "ConfigInvalid"
    assert "steps.load.config.date" in ran.outcome.error.message
    assert "backfill/definitions" not in ran.outcome.error.traceback
    assert ran.kept.events == []


def test_what_a_run_really_used_is_recorded_without_secrets() -> None:
    seen = []

    @step(config_schema={"password": str, "rows": int})
    def load(context: Any) -> None:
        seen.append(context.step_config)
        context.log.info("connecting with %s", context.step_config["password"])
        raise ValueError(context.step_config["password"])

    @pipeline
    def daily() -> None:
        load()

    ran = run(daily, {"solids": {"load": {"config": {"password": "hush-hush", "rows": 1}}}})
    assert seen == [{"password": "hush-hush", "rows": 1}]
    assert ran.outcome.run_config == {
        "steps": {"load": {"config": {"password": "[redacted]", "rows": 1}}}
    }
    assert "hush" not in repr((ran.outcome, ran.kept))


def test_only_selected_steps_execute() -> None:
    @pipeline
    def daily() -> None:
        extract()
        cleanup(after=extract.alias("before")())

    ran = run(daily, steps=["cleanup"])
    assert ran.states == {"cleanup": "succeeded"}


def test_a_selected_step_that_takes_from_one_that_is_not_is_told_so() -> None:
    @pipeline
    def daily() -> None:
        double(extract())

    ran = run(daily, steps=["double"])
    assert ran.outcome.end is RunEnd.FAILED
    assert ran.outcome.failed_step == "double"
    assert ran.outcome.error is not None
    assert 'takes the output "result" of step "extract"' in ran.outcome.error.message
    assert ran.outcome.steps == ()


def test_an_unknown_step_cannot_be_selected() -> None:
    @pipeline
    def daily() -> None:
        extract()

    with pytest.raises(NotFound, match='no step "extrakt"'):
        compile_plan(daily, ["extrakt"])


def test_values_are_let_go_when_nothing_takes_them_any_more() -> None:
    from backfill.execution.engine import execute
    from backfill.execution.outcomes import RunInfo
    from tests.support.runs import Kept, Ticking, Turned

    class Big:
        alive = 0

        def __init__(self) -> None:
            Big.alive += 1

        def __del__(self) -> None:
            Big.alive -= 1

    @step
    def make() -> Big:
        return Big()

    @step
    def use(x: Any) -> None:
        assert Big.alive == 1

    @step
    def look() -> None:
        assert Big.alive == 0

    @pipeline
    def daily() -> None:
        use(make())
        look()

    outcome = execute(
        compile_plan(daily),
        info=RunInfo(1, 1, "daily"),
        run_config={},
        recorder=Kept(),
        control=Turned(),
        clock=Ticking(),
        captures=False,
    )
    assert outcome.end is RunEnd.SUCCEEDED, outcome.error


def test_outcomes_can_be_sent_to_another_process() -> None:
    @pipeline
    def daily() -> None:
        fail()

    outcome = run(daily).outcome
    assert pickle.loads(pickle.dumps(outcome)) == outcome


def test_a_plan_is_used_again_and_again() -> None:
    @pipeline
    def daily() -> None:
        double(extract())

    assert isinstance(daily, PipelineDefinition)
    assert run(daily).outcome == run(daily).outcome
