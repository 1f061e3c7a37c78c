"""Steps: what a function becomes, and what is refused."""

from __future__ import annotations

import pytest

from backfill import In, InputDefinition, Nothing, Out, OutputDefinition, RetryPolicy, solid, step
from backfill.definitions.config_schema import NOT_GIVEN
from backfill.errors import DefinitionError


def test_a_function_becomes_a_step_under_its_name_and_docstring() -> None:
    @step
    def extract() -> int:
        """Read the rows."""
        return 1

    assert extract.name == "extract"
    assert extract.description == "Read the rows."
    assert not extract.takes_context
    assert extract.place.file == __file__


def test_solid_is_the_same_thing_as_step() -> None:
    assert solid is step


@pytest.mark.parametrize("name", ["context", "_context", "context_", "ctx", "_"])
def test_a_first_parameter_named_context_is_the_context_and_no_input(name: str) -> None:
    namespace: dict[str, object] = {}
    exec(f"def load({name}, rows): ...", namespace)
    load = step(namespace["load"])  # type: ignore[call-overload]
    assert load.takes_context
    assert list(load.ins) == ["rows"]


def test_inputs_take_their_types_and_defaults_from_the_signature() -> None:
    @step
    def load(context: object, rows: list[int], limit: int = 10) -> None: ...

    assert load.ins["rows"].type == list[int]
    assert load.ins["limit"].default_value == 10
    assert load.required_inputs == ("rows",)


def test_what_is_declared_of_an_input_wins_over_its_annotation() -> None:
    @step(ins={"rows": In(dict, "by day", default_value=None)})
    def load(rows: list[int]) -> None: ...

    assert load.ins["rows"].type is dict
    assert load.ins["rows"].description == "by day"
    assert load.required_inputs == ()


def test_annotations_that_cannot_be_resolved_are_left_unchecked() -> None:
    @step
    def load(rows: "NoSuchType") -> None: ...  # type: ignore[name-defined] # noqa: F821, UP037

    assert load.ins["rows"].type is not NOT_GIVEN


def test_an_input_of_type_nothing_needs_no_parameter() -> None:
    @step(ins={"start": In(Nothing)})
    def load() -> None: ...

    assert load.ins["start"].type is Nothing
    assert load.required_inputs == ()


def test_the_seeds_words_for_inputs_and_outputs_work() -> None:
    @solid(
        input_defs=[InputDefinition("rows", list)],
        output_defs=[OutputDefinition(int, "count"), OutputDefinition(name="rest")],
    )
    def split(_, rows):  # type: ignore[no-untyped-def]
        ...

    assert split.ins["rows"].type is list
    assert list(split.outs) == ["count", "rest"]
    assert split.outs["count"].type is int


def test_outputs_may_be_given_as_types_or_as_one_out() -> None:
    @step(outs={"small": int, "large": Out(int)})
    def split() -> None: ...

    @step(out=Out(int, "how many"))
    def count() -> int:
        return 1

    assert split.outs["small"].type is int
    assert count.outs["result"].description == "how many"


def test_outside_a_pipeline_a_step_is_its_function() -> None:
    @step
    def add(a: int, b: int) -> int:
        return a + b

    assert add(1, b=2) == 3
    assert add.alias("plus")(1, 2) == 3


def test_an_alias_and_tags_leave_the_step_as_it_was() -> None:
    @step(tags={"team": "data"})
    def extract() -> None: ...

    other = extract.alias("extract_eu").tag({"region": "eu"})
    assert other.name == "extract_eu"
    assert other.tags == {"region": "eu"}
    assert extract.name == "extract"


def _star(*rows: object) -> None: ...


def _after(after: object) -> None: ...


def _positional(rows: object, /) -> None: ...


async def _async() -> None: ...


def _plain() -> None: ...


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: step(_star), r"take one list"),
        (lambda: step(_after), r'"after" is kept for the order'),
        (lambda: step(_positional), r"positional-only"),
        (lambda: step(_async), r"not on an async one"),
        (lambda: step(5), r"put on a function, not on 5"),
        (lambda: step(name="no dash-es")(_plain), r"letters, digits and underscores"),
        (lambda: step(ins={"rowz": In(int)})(_plain), r'no parameter for its input "rowz"'),
        (lambda: step(outs={"a b": Out()})(_plain), r"no name for an output"),
        (lambda: step(outs={"a": Out(serializer="xml")})(_plain), r"no serializer 'xml'"),
        (lambda: step(retry_policy=3)(_plain), r"must be a RetryPolicy"),
        (lambda: step(timeout_seconds=0)(_plain), r"must be above 0"),
        (lambda: step(timeout_seconds=True)(_plain), r"must be above 0"),
        (lambda: step(tags={"a": 1})(_plain), r"map str to str"),
        (lambda: step(_plain).alias("a b"), r"letters, digits"),
        (lambda: step(_plain).tag({"a": 1}), r"map str to str"),
        (lambda: step(config_schema={"rows": 5})(_plain), r"config_schema\.rows: 5 is no config"),
    ],
)
def test_what_cannot_be_a_step_is_refused_with_the_place(make: object, says: str) -> None:
    with pytest.raises(DefinitionError, match=says) as error:
        make()  # type: ignore[operator]
    if "put on a function" not in says:
        assert "test_definitions_steps.py" in error.value.detail


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"max_retries": -1}, "max_retries"),
        ({"max_retries": True}, "max_retries"),
        ({"delay": -1}, "delay"),
        ({"delay": float("inf")}, "delay"),
        ({"delay": float("nan")}, "delay"),
        ({"backoff": "x"}, "need a delay"),
    ],
)
def test_a_retry_policy_that_makes_no_sense_is_refused(given: dict, says: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(DefinitionError, match=says):
        RetryPolicy(**given)
