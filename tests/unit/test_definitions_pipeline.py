"""Pipelines: wiring by calls and by dict, errors that name the place, versions."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from backfill import (
    In,
    Nothing,
    Out,
    PipelineDefinition,
    RetryPolicy,
    pipeline,
    pipeline_from_graph,
    resource,
    step,
)
from backfill.definitions.graph import Constant, Edge, FanIn, OutputRef
from backfill.errors import DefinitionError, NotFound


@step
def extract() -> int:
    return 1


@step
def transform(rows: int) -> int:
    return rows


@step
def load(rows: int, limit: int = 10) -> None: ...


@step(outs={"good": Out(), "bad": Out()})
def split(rows: int) -> None: ...


@step
def merge(parts: list[int]) -> None: ...


@step
def cleanup() -> None: ...


@step(ins={"start": In(Nothing)})
def notify() -> None: ...


def test_calls_of_steps_wire_a_pipeline_in_order() -> None:
    @pipeline
    def daily() -> None:
        """Every day."""
        load(transform(extract()))

    assert isinstance(daily, PipelineDefinition)
    assert daily.name == "daily"
    assert daily.description == "Every day."
    assert daily.step_names == ("extract", "transform", "load")
    assert daily.edges == (
        Edge("extract", "result", "transform", "rows"),
        Edge("transform", "result", "load", "rows"),
    )
    assert daily.step("load").upstream == ("transform",)


def test_steps_without_a_tie_keep_the_order_of_their_calls() -> None:
    @pipeline
    def daily() -> None:
        cleanup()
        extract()
        notify()

    assert daily.step_names == ("cleanup", "extract", "notify")


def test_several_outputs_are_taken_by_attribute_by_name_or_unpacked() -> None:
    @pipeline
    def daily() -> None:
        parts = split(extract())
        good, bad = parts
        load.alias("a")(parts.good)
        load.alias("b")(parts["bad"])
        load.alias("c")(good)
        load.alias("d")(rows=bad)

    ends = [(e.from_output, e.to_step) for e in daily.edges if e.from_step == "split"]
    assert ends == [("good", "a"), ("bad", "b"), ("good", "c"), ("bad", "d")]


def test_a_list_gathers_outputs_and_values() -> None:
    @pipeline
    def daily() -> None:
        merge([extract(), transform(extract.alias("other")()), 7])

    assert daily.step("merge").inputs["parts"] == FanIn(
        (OutputRef("extract", "result"), OutputRef("transform", "result"), Constant(7))
    )


def test_a_plain_value_stands_for_itself() -> None:
    @pipeline
    def daily() -> None:
        load(extract(), limit=3)
        merge([1, 2])

    assert daily.step("load").inputs["limit"] == Constant(3)
    assert daily.step("merge").inputs["parts"] == Constant([1, 2])


def test_after_waits_for_steps_without_taking_anything() -> None:
    @pipeline
    def daily() -> None:
        clean = cleanup()
        parts = split(extract())
        load(1, after=[clean, parts])
        merge([2], after=parts.good)
        notify(start=clean)

    assert daily.step("load").after == (("cleanup", None), ("split", None))
    assert daily.step("merge").after == (("split", "good"),)
    assert daily.step("notify").after == (("cleanup", None),)
    assert Edge("cleanup", None, "notify", None) in daily.edges


def test_a_step_is_used_twice_under_an_alias_with_tags_of_its_own() -> None:
    @pipeline
    def daily() -> None:
        extract()
        extract.alias("extract_eu").tag({"region": "eu"})()

    assert daily.step_names == ("extract", "extract_eu")
    assert daily.step("extract_eu").tags == {"region": "eu"}
    assert daily.step("extract").tags == {}


def _line(function: Any, text: str) -> int:
    """Return the number of the line of a function that holds a text."""
    lines, start = inspect.getsourcelines(function)
    return start + next(i for i, line in enumerate(lines) if text in line)


def _twice() -> None:
    extract()
    extract()


def _unknown_input() -> None:
    load(rowz=extract())


def _missing_input() -> None:
    load()


def _too_many() -> None:
    transform(1, 2)


def _given_twice() -> None:
    transform(1, rows=2)


def _all_outputs() -> None:
    load(split(1))


def _no_such_output() -> None:
    load(split(1).goood)


def _not_called() -> None:
    load(extract)


def _loops() -> None:
    for _ in extract():  # type: ignore[attr-defined]
        pass


def _tests() -> None:
    if extract():
        pass


def _looks_into() -> None:
    extract()["rows"]  # type: ignore[index]


def _nested_lists() -> None:
    merge([[extract()]])


def _after_text() -> None:
    load(1, after="extract")


def _same_name() -> None:
    @step(name="extract")
    def other() -> None: ...

    extract()
    other()


@pytest.mark.parametrize(
    ("function", "at", "says"),
    [
        (_twice, "    extract()", r'two steps named "extract".*extract\.alias'),
        (_same_name, "    other()", r'two steps named "extract".*rename one'),
        (_unknown_input, "rowz", r'no input "rowz"\. Did you mean "rows"\? It has: rows, limit'),
        (_missing_input, "load()", r"is not given: rows"),
        (_too_many, "transform", r"has 1 inputs and is given 2"),
        (_given_twice, "transform", r'given its input "rows" twice'),
        (_all_outputs, "load", r"choose one: good, bad"),
        (_no_such_output, "load", r'no output "goood"\. Did you mean "good"'),
        (_not_called, "load", r"call it"),
        (_loops, "for", r"cannot loop over .*Do it inside a step"),
        (_tests, "if", r"cannot test"),
        (_looks_into, "extract", r"cannot look into"),
        (_nested_lists, "merge", r"list of lists"),
        (_after_text, "load", r"after= takes what calls of steps returned"),
    ],
)
def test_wrong_wiring_names_pipeline_step_file_and_line(function: Any, at: str, says: str) -> None:
    with pytest.raises(DefinitionError, match=says) as error:
        pipeline(function)
    line = _line(function, at) + (at == "    extract()")
    assert f'Pipeline "{function.__name__}" ({__file__}:{line})' in error.value.detail


def test_an_output_of_another_pipeline_is_refused() -> None:
    kept = []

    @pipeline
    def first() -> None:
        kept.append(extract())

    with pytest.raises(DefinitionError, match='belongs to the pipeline "first"'):

        @pipeline
        def second() -> None:
            load(kept[0])


def test_a_pipeline_inside_a_pipeline_is_refused_and_leaves_no_trace() -> None:
    with pytest.raises(DefinitionError, match="inside another one"):

        @pipeline
        def outer() -> None:
            @pipeline
            def inner() -> None:
                extract()

    assert extract() == 1


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"name": "a-b"}, "letters, digits"),
        ({"max_parallel_steps": 0}, "1 or more"),
        ({"max_parallel_steps": True}, "1 or more"),
        ({"retry_policy": 3}, "RetryPolicy"),
        ({"timeout_seconds": -1}, "above 0"),
        ({"tags": {"a": 1}}, "str to str"),
    ],
)
def test_wrong_options_of_a_pipeline_are_refused(options: dict[str, Any], says: str) -> None:
    def daily() -> None:
        extract()

    with pytest.raises(DefinitionError, match=says):
        pipeline(**options)(daily)


def test_a_pipeline_needs_a_step_and_takes_no_parameters() -> None:
    def empty() -> None: ...

    def asks(day: str) -> None: ...

    with pytest.raises(DefinitionError, match="has no steps"):
        pipeline(empty)
    with pytest.raises(DefinitionError, match="takes no parameters"):
        pipeline(asks)  # type: ignore[call-overload]


def test_a_resource_nobody_defined_is_refused_where_it_is_needed() -> None:
    @step(required_resource_keys={"warehous"})
    def store() -> None: ...

    with pytest.raises(DefinitionError, match=r'"store" .*"warehous".*Did you mean "warehouse"'):

        @pipeline(resource_defs={"warehouse": 1})
        def daily() -> None:
            store()


def test_resources_that_need_each_other_in_a_circle_are_refused() -> None:
    @resource(required_resource_keys={"b"})
    def a() -> None: ...

    @resource(required_resource_keys={"a"})
    def b() -> None: ...

    with pytest.raises(DefinitionError, match="in a circle: a <- b <- a"):

        @pipeline(resource_defs={"a": a, "b": b})
        def daily() -> None:
            extract()


def test_a_resource_takes_the_context_or_nothing() -> None:
    with pytest.raises(DefinitionError, match="takes the context or nothing"):

        @resource
        def two(context: object, other: object) -> None: ...


def test_pools_of_a_pipeline_are_its_own_and_those_of_its_steps() -> None:
    @step(pool="api")
    def call() -> None: ...

    @pipeline(pool="warehouse")
    def daily() -> None:
        call()
        extract()

    assert daily.pools == {"api", "warehouse"}


def test_a_dict_of_dependencies_wires_the_same_pipeline() -> None:
    made = pipeline_from_graph(
        "daily",
        [load, split, extract, merge, cleanup, notify],
        {
            "load": {"rows": "split.good", "after": ["cleanup"]},
            "split": {"rows": "extract"},
            "merge": {"parts": ["split.good", "split.bad"]},
            "notify": {"start": "load"},
        },
        tags={"team": "data"},
    )
    assert made.step_names == ("extract", "split", "merge", "cleanup", "load", "notify")
    assert made.step("load").after == (("cleanup", None),)
    assert made.step("notify").after == (("load", None),)
    assert made.tags == {"team": "data"}
    assert isinstance(made.step("merge").inputs["parts"], FanIn)


@pytest.mark.parametrize(
    ("steps", "wires", "says"),
    [
        ([extract, transform], {"transform": {"rows": "transform"}}, "circle: transform <- tran"),
        (
            [transform, load],
            {"transform": {"rows": "load"}, "load": {"rows": "transform"}},
            r"circle: (transform <- load <- transform|load <- transform <- load)",
        ),
        ([extract, load], {"load": {"rows": "extrac"}}, 'Did you mean "extract"'),
        ([extract, load], {"lod": {"rows": "extract"}}, 'Did you mean "load"'),
        ([extract, load], {"load": {"rowz": "extract"}}, 'no input "rowz"'),
        ([extract, load], {"load": {"rows": "extract.two"}}, 'no output "two"'),
        ([extract, load], {}, "is not given: rows"),
        ([extract, extract], {}, 'two steps named "extract"'),
        ([extract], {"extract": {"after": ["cleanup"]}}, "no step of it"),
    ],
)
def test_wrong_dependencies_are_refused(steps: Any, wires: Any, says: str) -> None:
    with pytest.raises(DefinitionError, match=says):
        pipeline_from_graph("daily", steps, wires)


def test_an_unknown_step_is_not_found_with_a_guess() -> None:
    @pipeline
    def daily() -> None:
        extract()

    with pytest.raises(NotFound, match=r'has no step "extrakt"\. Did you mean "extract"'):
        daily.step("extrakt")


def test_a_pipeline_describes_itself_as_json() -> None:
    @step(config_schema={"date": str}, pool="api", retry_policy=RetryPolicy(max_retries=2))
    def fetch(context: object) -> None: ...

    @pipeline(resource_defs={"db": 1})
    def daily() -> None:
        merge([fetch(), 3])

    told = json.loads(json.dumps(daily.describe()))
    assert [one["name"] for one in told["steps"]] == ["fetch", "merge"]
    assert told["steps"][0]["max_retries"] == 2
    assert told["pools"] == ["api"]
    assert told["edges"][0]["to_input"] == "parts"
    assert told["run_config_schema"]["$defs"]["steps"]["required"] == ["fetch"]


_PROGRAM = """
from backfill import pipeline, step

@step{options}
def extract():
    return {value}

@step
def load(rows): ...

@pipeline
def daily():
    load({call})

print(daily.version)
"""


def _version(folder: Path, *, value: int = 1, call: str = "extract()", options: str = "") -> str:
    file = folder / "daily.py"
    file.write_text(textwrap.dedent(_PROGRAM).format(value=value, call=call, options=options))
    done = subprocess.run(
        [sys.executable, str(file)], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.strip()


def test_the_version_follows_the_source_and_the_wiring(tmp_path: Path) -> None:
    first = _version(tmp_path)
    assert first == _version(tmp_path)
    assert len(first) == 16
    assert first != _version(tmp_path, value=2)
    assert first != _version(tmp_path, call="2, after=extract()")


def test_a_step_with_a_version_of_its_own_counts_by_that(tmp_path: Path) -> None:
    options = '(version="7")'
    assert _version(tmp_path, options=options) == _version(tmp_path, options=options, value=2)
    assert _version(tmp_path, options=options) != _version(tmp_path, options='(version="8")')


def test_a_version_that_was_given_is_kept() -> None:
    @pipeline(version="2024.1")
    def daily() -> None:
        extract()

    assert daily.version == "2024.1"


def test_values_of_any_kind_leave_the_version_stable() -> None:
    def version(value: object) -> str:
        @pipeline(resource_defs={"db": value})
        def daily() -> None:
            merge([value])

        return daily.version

    class Own: ...

    assert version(Own()) == version(Own())
    assert version({"a": 1, "b": [2]}) == version({"b": [2], "a": 1})
    assert version({"a": 1}) != version({"a": 2})


def test_steps_typed_in_without_a_file_have_a_version_too() -> None:
    def version(value: int) -> str:
        space: dict[str, Any] = {"step": step, "pipeline": pipeline}
        code = f"@step\ndef a(): return [x + {value} for x in (1,)]\n@pipeline\ndef p(): a()\n"
        exec(compile(code, "<typed in>", "exec"), space)
        return str(space["p"].version)

    assert version(1) == version(1)
    assert version(1) != version(2)
