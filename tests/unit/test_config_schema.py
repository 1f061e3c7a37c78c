"""Config schemas: what is accepted, what the step is given, what every error says."""

from __future__ import annotations

import datetime
import enum
import json
from collections.abc import Mapping
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, SecretStr
from pydantic import Field as ModelField

from backfill import (
    Array,
    Enum,
    EnumValue,
    Field,
    Map,
    Noneable,
    Permissive,
    Secret,
    Selector,
    Shape,
    pipeline,
    resource,
    step,
)
from backfill.definitions.pipeline import (
    PipelineDefinition,
    run_config_json_schema,
    validate_run_config,
)
from backfill.errors import ConfigInvalid, DefinitionError


class Color(enum.Enum):
    RED = 1
    BLUE = 2


class Inner(BaseModel):
    depth: int


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid")

    date: datetime.date
    rows: int = ModelField(default=5, ge=0)
    inner: Inner | None = None
    secret: SecretStr | None = None


def of(schema: Any) -> PipelineDefinition:
    """Return a pipeline of one step with a schema."""

    @step(config_schema=schema)
    def load(context: object) -> None: ...

    @pipeline
    def daily() -> None:
        load()

    return daily


def given_to_step(schema: Any, config: Any) -> Any:
    return validate_run_config(of(schema), {"steps": {"load": {"config": config}}}).steps["load"]


def errors_of(schema: Any, config: Any) -> list[dict[str, Any]]:
    with pytest.raises(ConfigInvalid) as error:
        given_to_step(schema, config)
    errors: list[dict[str, Any]] = error.value.facts["errors"]
    return errors


@pytest.mark.parametrize(
    ("schema", "config", "expected"),
    [
        (str, "a", "a"),
        (int, 3, 3),
        (float, 3, 3.0),
        (float, 2.5, 2.5),
        (bool, True, True),
        (Any, {"a": [1, None]}, {"a": [1, None]}),
        ({"a": int}, {"a": 1}, {"a": 1}),
        ({"a": {"b": str}}, {"a": {"b": "x"}}, {"a": {"b": "x"}}),
        ([int], [1, 2], [1, 2]),
        (Array({"a": int}), [{"a": 1}], [{"a": 1}]),
        (list, ["a", 1], ["a", 1]),
        (dict, {"x": 1}, {"x": 1}),
        (list[int], [1], [1]),
        (dict[str, int], {"a": 1}, {"a": 1}),
        (Map(str, int), {"a b": 1}, {"a b": 1}),
        (Noneable(int), None, None),
        (int | None, 4, 4),
        (Enum("Size", ["small", "large"]), "small", "small"),
        (Enum("Size", [EnumValue("small", 1)]), "small", 1),
        (Color, "RED", Color.RED),
        (Literal["a", "b"], "b", "b"),
        (Selector({"csv": {"path": str}, "db": int}), {"db": 3}, {"db": 3}),
        (Selector({"a": Field({"sep": Field(str, ",")}), "b": int}), "a", {"a": {"sep": ","}}),
        (Permissive({"a": int}), {"a": 1, "z": [2]}, {"a": 1, "z": [2]}),
        (Permissive(), {"z": 2}, {"z": 2}),
        (Shape({"a": Field(int, default_value=3)}), {}, {"a": 3}),
        ({"a": Field(int, is_required=False)}, {}, {}),
        ({"a": Noneable(int)}, {}, {"a": None}),
        ({"a": {"b": Field(int, default_value=1)}}, {}, {"a": {"b": 1}}),
        ({"a": Field([int], default_value=[1])}, {}, {"a": [1]}),
        (Field(int, description="how many"), 3, 3),
        (Secret(), "hush", "hush"),
    ],
)
def test_a_config_that_fits_is_given_to_the_step(schema: Any, config: Any, expected: Any) -> None:
    assert given_to_step(schema, config) == expected


@pytest.mark.parametrize(
    ("schema", "config", "path", "expected", "kind"),
    [
        (str, 3, "", "str", "wrong_type"),
        (str, datetime.date(2020, 5, 5), "", "put it in quotes", "wrong_type"),
        (int, True, "", "int", "wrong_type"),
        (int, "3", "", "int", "wrong_type"),
        (int, 2.0, "", "int", "wrong_type"),
        (int, 1 << 2000, "", "1000 bits", "invalid"),
        (float, "x", "", "float", "wrong_type"),
        (float, True, "", "float", "wrong_type"),
        (float, float("nan"), "", "finite float", "invalid"),
        (float, 1 << 2000, "", "finite float", "invalid"),
        (bool, 1, "", "bool", "wrong_type"),
        ({"a": int}, 3, "", 'a dict of "a"', "wrong_type"),
        ({"a": int}, {"a": "x"}, ".a", "int", "wrong_type"),
        ({"a": int}, {"a": 1, "b": 2}, ".b", 'a dict of "a"', "unexpected"),
        ({"a": int}, {"a": 1, 5: 2}, "['5']", 'a dict of "a"', "unexpected"),
        ({"a": {"b": [int]}}, {"a": {"b": [1, "x"]}}, ".a.b[1]", "int", "wrong_type"),
        ({"a b": int}, {"a b": "x"}, "['a b']", "int", "wrong_type"),
        ([int], {"a": 1}, "", "a list of int", "wrong_type"),
        (Map(str, int), {"k": "v"}, ".k", "int", "wrong_type"),
        (Map(str, int), {3: 1}, "['3']", "a text key", "unexpected"),
        (Noneable(int), "x", "", "int or None", "wrong_type"),
        (Enum("Size", ["small"]), "big", "", 'one of "small"', "wrong_type"),
        (Selector({"a": int}), {}, "", 'exactly one of "a"', "missing"),
        (Selector({"a": int, "b": int}), {"a": 1, "b": 2}, "", "exactly one", "invalid"),
        (Selector({"a": int}), {"c": 1}, ".c", "exactly one", "unexpected"),
        (Selector({"a": int}), {"a": "x"}, ".a", "int", "wrong_type"),
        (Selector({"a": int}), 5, "", "exactly one", "wrong_type"),
        (Any, object(), "", "a JSON value", "wrong_type"),
        (Any, {"a": {1: 2}}, ".a['1']", "a text key", "unexpected"),
        (Permissive(), {"a": {1, 2}}, ".a", "a JSON value", "wrong_type"),
        (Model, {"date": "2020-05-05", "rows": -1}, ".rows", "greater than or equal", "invalid"),
        (Model, {"date": "2020-05-05", "x": 1}, ".x", "not permitted", "unexpected"),
        (Model, 5, "", "the fields of Model", "wrong_type"),
    ],
)
def test_an_error_carries_path_value_and_what_was_expected(
    schema: Any, config: Any, path: str, expected: str, kind: str
) -> None:
    (error,) = errors_of(schema, config)
    assert error["path"] == f"steps.load.config{path}"
    assert expected in error["expected"]
    assert error["kind"] == kind
    assert error["path"] in error["message"]


@pytest.mark.parametrize(
    ("schema", "path", "sample"),
    [
        ({"a": str}, ".a", {"a": "..."}),
        ({"a": {"b": int, "c": Field(int, default_value=1)}}, ".a", {"a": {"b": 0}}),
        ({"a": [float]}, ".a", {"a": [0.0]}),
        ({"a": Selector({"x": bool})}, ".a", {"a": {"x": False}}),
        ({"a": Color}, ".a", {"a": "RED"}),
        ({"a": Map(str, int)}, ".a", {"a": {"...": 0}}),
        ({"a": Any}, ".a", {"a": None}),
        (Model, ".date", {"date": "..."}),
    ],
)
def test_a_missing_entry_comes_with_a_sample(schema: Any, path: str, sample: Any) -> None:
    (error,) = errors_of(schema, {})
    assert error["kind"] == "missing"
    assert error["path"] == f"steps.load.config{path}"
    assert error["sample"] == sample


def test_a_missing_config_comes_with_a_sample_of_the_whole() -> None:
    with pytest.raises(ConfigInvalid) as error:
        validate_run_config(of({"date": str}), {})
    (told,) = error.value.facts["errors"]
    assert told["path"] == "steps.load.config"
    assert told["sample"] == {"config": {"date": "..."}}
    assert 'pipeline "daily"' in error.value.detail


def test_every_error_is_told_at_once() -> None:
    errors = errors_of({"a": int, "b": {"c": str}, "d": [int]}, {"b": {}, "d": ["x", "y"], "e": 1})
    assert [error["path"].removeprefix("steps.load.config.") for error in errors] == [
        "a",
        "b.c",
        "d[0]",
        "d[1]",
        "e",
    ]


def test_there_is_an_end_to_how_many_errors_are_told() -> None:
    assert len(errors_of([int], ["x"] * 100_000)) == 50
    assert len(errors_of(Any, [object()] * 100_000)) == 50
    assert len(errors_of({}, {f"k{i}": 1 for i in range(1000)})) == 50


def test_a_step_changes_nothing_by_changing_its_config() -> None:
    daily = of({"rows": Field([int], default_value=[1]), "any": Any})
    config = {"steps": {"load": {"config": {"any": {"deep": [1]}}}}}
    first = validate_run_config(daily, config)
    first.steps["load"]["rows"].append(2)
    first.steps["load"]["any"]["deep"].append(2)
    assert first.recorded == {"steps": {"load": {"config": {"rows": [1], "any": {"deep": [1]}}}}}
    assert validate_run_config(daily, config).steps["load"] == {"rows": [1], "any": {"deep": [1]}}


def test_what_is_recorded_is_json_whatever_the_step_is_given() -> None:
    daily = of({"color": Color, "size": Enum("Size", [EnumValue("s", object())]), "sep": str})
    config = {"color": "BLUE", "size": "s", "sep": "\0"}
    valid = validate_run_config(daily, {"steps": {"load": {"config": config}}})
    assert valid.steps["load"]["color"] is Color.BLUE
    assert valid.steps["load"]["sep"] == "\0"
    recorded = valid.recorded["steps"]["load"]["config"]
    assert recorded == {"color": "BLUE", "size": "s", "sep": "\N{SYMBOL FOR NULL}"}


def test_a_pydantic_model_gives_the_step_an_instance() -> None:
    config = {"date": "2020-05-05", "inner": {"depth": 1}, "secret": "hush-hush"}
    valid = validate_run_config(of(Model), {"steps": {"load": {"config": config}}})
    assert valid.steps["load"].date == datetime.date(2020, 5, 5)
    recorded = valid.recorded["steps"]["load"]["config"]
    assert recorded["rows"] == 5
    assert "hush-hush" not in str(recorded)
    assert "hush-hush" in valid.secrets


def test_a_model_of_which_nothing_must_be_given_may_be_absent() -> None:
    class Lenient(BaseModel):
        rows: int = 5

    valid = validate_run_config(of(Lenient), {})
    assert valid.steps["load"].rows == 5


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        (5, "is no config schema"),
        ({"a": "str"}, r"config_schema\.a: 'str' is no config schema"),
        ([int, str], "exactly one schema"),
        ([], "exactly one schema"),
        ({1: int}, "is not a str"),
        ({"a": [Field(int)]}, r"config_schema\.a\[\]: a Field stands for an entry"),
        (Selector({}), "at least one entry"),
        (Enum("Size", []), "has no values"),
        (Enum("Size", ["a", "a"]), "different texts"),
        (Map(int, str), "keys of a Map are str"),
        ({"a": Field(int, default_value="x")}, "does not fit its own schema"),
        (dict[int, str], "is no config schema"),
        (lambda: None, "is no config schema"),
    ],
)
def test_what_is_no_schema_is_refused_when_it_is_defined(schema: Any, says: str) -> None:
    with pytest.raises(DefinitionError, match=says) as error:
        of(schema)
    assert 'Step "load"' in error.value.detail
    assert "test_config_schema.py" in error.value.detail


def test_a_field_cannot_be_required_and_have_a_default() -> None:
    with pytest.raises(DefinitionError, match="exclude each other"):
        Field(int, default_value=1, is_required=True)


def test_a_schema_that_holds_itself_is_refused() -> None:
    schema: dict[str, Any] = {}
    schema["again"] = schema
    with pytest.raises(DefinitionError, match="levels deep"):
        of(schema)


# -- the whole run config -------------------------------------------------------------------------


@resource(config_schema={"url": str})
def database(context: object) -> None: ...


@step(config_schema={"date": str})
def process(context: object) -> None: ...


@step
def post() -> None: ...


@pipeline(resource_defs={"database": database})
def whole() -> None:
    process()
    post()


GOOD: Mapping[str, Any] = {
    "steps": {"process": {"config": {"date": "2020-05-05"}}},
    "resources": {"database": {"config": {"url": "sqlite://"}}},
}


def test_steps_and_solids_mean_the_same() -> None:
    other = {"solids": GOOD["steps"], "resources": GOOD["resources"]}
    assert validate_run_config(whole, other) == validate_run_config(whole, GOOD)
    assert validate_run_config(whole, {**GOOD, "solids": {}}).steps["process"]


@pytest.mark.parametrize(
    ("config", "path"),
    [
        (None, "steps.process.config"),
        ([], ""),
        ("x", ""),
        ({**GOOD, "solids": GOOD["steps"]}, "solids"),
        ({**GOOD, "stepz": {}}, "stepz"),
        ({**GOOD, 5: {}}, "['5']"),
        ({**GOOD, "steps": 5}, "steps"),
        ({**GOOD, "steps": {"process": 5}}, "steps.process"),
        ({**GOOD, "steps": {**GOOD["steps"], "posst": {}}}, "steps.posst"),
        ({**GOOD, "steps": {**GOOD["steps"], 7: {}}}, "steps['7']"),
        ({**GOOD, "steps": {"process": {"cfg": 1}}}, "steps.process.cfg"),
        ({**GOOD, "steps": {"process": {"config": {"date": 5}}}}, "steps.process.config.date"),
        ({**GOOD, "resources": {}}, "resources.database.config"),
        ({**GOOD, "resources": {**GOOD["resources"], "db": {}}}, "resources.db"),
    ],
)
def test_errors_outside_the_schemas_are_told_with_their_path(config: Any, path: str) -> None:
    with pytest.raises(ConfigInvalid) as error:
        validate_run_config(whole, config)
    assert path in [one["path"] for one in error.value.facts["errors"]]


def test_an_unknown_step_is_told_with_a_guess() -> None:
    with pytest.raises(ConfigInvalid, match=r'no step named "posst"\. Did you mean "post"'):
        validate_run_config(whole, {**GOOD, "steps": {**GOOD["steps"], "posst": {}}})


def test_a_step_without_a_schema_takes_any_config() -> None:
    steps = {**GOOD["steps"], "post": {"config": {"to": ["a"]}}}
    valid = validate_run_config(whole, {**GOOD, "steps": steps})
    assert valid.steps["post"] == {"to": ["a"]}
    assert valid.recorded["steps"]["post"] == {"config": {"to": ["a"]}}


def test_sections_left_empty_in_yaml_are_empty() -> None:
    daily = of(Field(int, default_value=1))
    assert validate_run_config(daily, {"steps": None}).steps == {"load": 1}
    assert validate_run_config(daily, {"steps": {"load": None}}).steps == {"load": 1}


def test_only_the_config_of_selected_steps_must_be_there() -> None:
    schema = whole.config_for(["post"])
    valid = schema.validate({"resources": GOOD["resources"]})
    assert "process" not in valid.steps
    with pytest.raises(ConfigInvalid):
        schema.validate({**GOOD, "steps": {"process": {"config": {"date": 5}}}})


def test_the_json_schema_of_a_run_config_points_at_what_it_holds() -> None:
    schema = run_config_json_schema(of({"m": Model, "a": Field(int, 3, description="how many")}))
    config = schema["$defs"]["steps"]["properties"]["load"]["properties"]["config"]
    assert config["properties"]["a"] == {"type": "integer", "default": 3, "description": "how many"}
    assert config["required"] == ["m"]
    inner = config["properties"]["m"]["properties"]["inner"]["anyOf"][0]["$ref"]
    assert schema["$defs"][inner.removeprefix("#/$defs/")]["properties"]["depth"]
    assert schema["oneOf"] == [{"required": ["steps"]}, {"required": ["solids"]}]


@pytest.mark.parametrize(
    ("schema", "json_schema"),
    [
        (str, {"type": "string"}),
        (bool, {"type": "boolean"}),
        (float, {"type": "number"}),
        ([int], {"type": "array", "items": {"type": "integer"}}),
        (Noneable(int), {"anyOf": [{"type": "integer"}, {"type": "null"}]}),
        (Enum("Size", ["s"]), {"title": "Size", "enum": ["s"]}),
        (Map(str, int), {"type": "object", "additionalProperties": {"type": "integer"}}),
        (Secret(), {"type": "string", "writeOnly": True}),
        (Any, {}),
        (Permissive(), {"type": "object", "properties": {}, "additionalProperties": True}),
    ],
)
def test_each_kind_of_schema_has_its_json_schema(schema: Any, json_schema: Any) -> None:
    entry = of(schema).step("load").definition.config
    assert entry is not None
    assert entry.type.json_schema() == json_schema


def test_a_secret_default_is_not_shown_in_the_json_schema() -> None:
    schema = run_config_json_schema(of({"password": Field(str, default_value="hush-hush")}))
    assert "hush-hush" not in str(schema)


def test_a_sample_of_a_run_config_is_valid_itself() -> None:
    assert validate_run_config(whole, whole.config.sample())


# -- nothing else is ever raised ------------------------------------------------------------------

_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=1 << 1000, max_value=1 << 1010)
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["a", "b", "config", "RED", "date", "password"])
)
_KEYS = st.sampled_from(
    ["steps", "solids", "resources", "load", "config", "a", "b", "date", "password", "\0", "\ud800"]
)
_JSON = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3),
    max_leaves=12,
)
_EVERY_KIND = of(
    {
        "a": Noneable([int]),
        "b": Selector({"a": float, "b": Permissive({"a": Color})}),
        "password": Field(Any, default_value=None),
        "config": Map(str, Secret()),
        "date": Model,
    }
)


def _told(config: Any) -> ConfigInvalid | None:
    """Return what is wrong with a config, None when nothing is."""
    try:
        validate_run_config(_EVERY_KIND, config)
    except ConfigInvalid as error:
        return error
    return None


@settings(max_examples=150, deadline=None)
@given(config=_JSON)
def test_any_json_is_valid_or_told_to_be_invalid(config: Any) -> None:
    for whole_config in (config, {"steps": {"load": {"config": config}}}):
        told = _told(whole_config)
        if told is not None:
            assert told.facts["errors"]
            json.dumps(told.facts, allow_nan=False, ensure_ascii=False).encode()
            told.detail.encode()


def test_deep_nesting_is_told_and_not_fallen_into() -> None:
    deep: Any = 1
    for _ in range(10_000):
        deep = [deep]
    (error,) = errors_of(Any, deep)
    assert "at most 100 levels" in error["expected"]
    assert len(error["path"]) < 1000
    errors_of({"a": int}, deep)
