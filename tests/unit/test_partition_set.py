"""Partition sets: which partitions there are, their run config and tags, and what goes wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from backfill import Partition, PartitionSetDefinition
from backfill.definitions.partitions import (
    DailyPartitionsDefinition,
    DynamicPartitionsDefinition,
    MultiPartitionsDefinition,
    StaticPartitionsDefinition,
)
from backfill.errors import DefinitionError, NotFound, UserCodeError

AT = datetime(2020, 6, 1, 12, tzinfo=UTC)


def may() -> list[Partition]:
    return [Partition(f"2020-05-{day:02}") for day in range(1, 32)]


def a_set(partition_fn: Any = may, name: str = "days", **options: Any) -> PartitionSetDefinition:
    return PartitionSetDefinition(name, "daily_sales", partition_fn, **options)


def test_a_partition_is_named_by_its_value_unless_it_has_a_name() -> None:
    assert Partition(5).name == "5"
    assert Partition(datetime(2020, 5, 5, tzinfo=UTC), "2020-05-05").key == "2020-05-05"
    assert Partition("a") == Partition("a")
    assert Partition("a") != Partition("a", "b")
    assert len({Partition(["x"], "x"), Partition(["x"], "x")}) == 1


def test_a_partition_whose_name_is_no_text_is_refused() -> None:
    with pytest.raises(DefinitionError, match=r"must be a str, not 5 \(int\)"):
        Partition("a", 5)  # type: ignore[arg-type]


def test_a_set_lists_the_partitions_of_its_function_in_order() -> None:
    days = a_set()
    assert days.get_partitions(AT)[4] == Partition("2020-05-05")
    assert days.get_partition_names(AT)[-1] == "2020-05-31"
    assert days.get_partition("2020-05-05", AT) == Partition("2020-05-05")
    assert len(days.key_space(AT)) == 31
    assert days.kind == "function"


def test_a_text_in_the_list_is_a_partition_of_that_value() -> None:
    assert a_set(lambda: ["eu", "us"]).get_partitions(AT) == [Partition("eu"), Partition("us")]


def test_a_partition_function_may_take_the_current_time() -> None:
    hours = a_set(lambda now: [f"{now:%H}", f"{now:%H}:30"])
    assert hours.get_partition_names(AT) == ["12", "12:30"]
    assert hours.get_partition_names(AT + timedelta(hours=1)) == ["13", "13:30"]


def test_a_partition_function_of_two_arguments_is_refused() -> None:
    with pytest.raises(DefinitionError, match='set "days" must take no argument or one'):
        a_set(lambda a, b: [])


def test_functions_are_given_the_partition_with_the_value_it_was_made_with() -> None:
    days = a_set(
        lambda: [Partition({"bucket": n}, f"b{n}") for n in range(3)],
        run_config_fn_for_partition=lambda partition: {"n": partition.value["bucket"]},
        tags_fn_for_partition=lambda partition: {"bucket": str(partition.value["bucket"])},
    )
    assert days.run_config_for_partition("b2", AT) == {"n": 2}
    assert days.run_config_for_partition(Partition({"bucket": 7}, "b7")) == {"n": 7}
    assert days.own_tags(days.get_partition("b1", AT)) == {"bucket": "1"}


def test_every_partition_is_tagged_with_itself_and_its_set() -> None:
    days = a_set(tags_fn_for_partition=lambda _: {"backfill/priority": "3", "team": "sales"})
    assert days.tags_for_partition("2020-05-05", AT) == {
        "backfill/priority": "3",
        "team": "sales",
        "backfill/partition": "2020-05-05",
        "backfill/partition_set": "days",
    }
    assert a_set(tags_fn_for_partition=lambda _: None).own_tags(Partition("x")) == {}


def test_without_functions_config_and_tags_are_empty() -> None:
    assert a_set().run_config_for_partition("2020-05-05", AT) == {}
    assert a_set().own_tags(Partition("2020-05-05")) == {}


def test_an_unknown_partition_is_told_with_the_nearest_ones() -> None:
    with pytest.raises(NotFound) as raised:
        a_set().run_config_for_partition("2020-05-32", AT)
    assert 'set "days" has no partition "2020-05-32". Did you mean "2020-05-3' in str(raised.value)
    assert '31 partitions, "2020-05-01" to "2020-05-31"' in str(raised.value)


@pytest.mark.parametrize(
    ("returned", "told"),
    [
        (["a", "b", "a"], 'returned these keys more than once: "a"'),
        ([Partition(1), Partition("1")], 'returned these keys more than once: "1"'),
        (["a", 5], r"returned 5 \(int\) at place 1 of its list; expected Partition or str"),
        (None, r"returned None \(NoneType\); expected a list of Partition or str"),
        ({"a": 1}, r"\(dict\); expected a list"),
        ("abc", r"\(str\); expected a list"),
        (["a", ""], "a partition whose key '' is empty"),
        (["a\0b"], "holds a NUL character"),
        (["\ud800"], "is not valid unicode"),
        (["x" * 2000], "is 2000 bytes long; at most 1024"),
    ],
)
def test_a_partition_function_that_returns_something_else_is_named(
    returned: Any, told: str
) -> None:
    with pytest.raises(DefinitionError, match=told) as raised:
        a_set(lambda: returned).key_space(AT)
    assert 'set "days"' in str(raised.value)
    assert raised.value.facts["partition_set"] == "days"


def test_a_partition_function_that_raises_is_told_with_its_own_traceback() -> None:
    def broken() -> list[str]:
        raise ValueError("no such bucket")

    with pytest.raises(UserCodeError) as raised:
        a_set(broken).get_partitions(AT)
    assert str(raised.value) == (
        'The partition function of set "days" raised ValueError: no such bucket'
    )
    traceback = raised.value.facts["traceback"]
    assert "in broken" in traceback
    assert "user_code.py" not in traceback


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            {"run_config_fn_for_partition": lambda partition: None},
            r'run config function of set "days" for partition "2020-05-05" returned None',
        ),
        (
            {"run_config_fn_for_partition": lambda partition: 1 / 0},
            r'set "days" for partition "2020-05-05" raised ZeroDivisionError',
        ),
        (
            {"tags_fn_for_partition": lambda partition: {"n": 1}},
            r"tags function of set \"days\" for partition \"2020-05-05\" returned the tag 'n': 1",
        ),
        ({"tags_fn_for_partition": lambda partition: "x"}, "expected a dict of str to str"),
        ({"tags_fn_for_partition": lambda partition: {"backfill/set": "x"}}, "is reserved"),
    ],
)
def test_wrong_returns_name_the_set_and_the_partition(options: Any, told: str) -> None:
    days = a_set(**options)
    function = days.tags_for_partition if days.has_tags_fn else days.run_config_for_partition
    with pytest.raises(UserCodeError, match=told) as raised:
        function("2020-05-05", AT)
    assert raised.value.facts["partition"] == "2020-05-05"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"name": "daily sales"}, "'daily sales' cannot name a partition set"),
        ({"name": 5}, "5 cannot name"),
        ({"pipeline_name": None}, 'set "days" needs a pipeline'),
        ({"partition_fn": None}, "give either partition_fn or partitions_def"),
        ({"partitions_def": StaticPartitionsDefinition(["a"])}, "give either partition_fn or"),
        ({"partition_fn": ["a"]}, "partition_fn of set \"days\" must be a function, not \\['a'\\]"),
        ({"partition_fn": None, "partitions_def": ["a"]}, "must be a partitions definition"),
        ({"tags_fn_for_partition": {}}, "tags_fn_for_partition of set"),
        ({"solid_selection": "load"}, "must be a list of step names, not 'load'"),
        ({"solid_selection": ["a"], "step_selection": ["a"]}, "give one"),
    ],
)
def test_a_set_that_is_put_together_wrongly_is_refused(arguments: Any, told: str) -> None:
    with pytest.raises(DefinitionError, match=told):
        PartitionSetDefinition(
            **{"name": "days", "pipeline_name": "p", "partition_fn": may, **arguments}
        )


def test_time_window_sets_compute_their_keys_and_give_the_window() -> None:
    daily = a_set(None, partitions_def=DailyPartitionsDefinition("2020-05-01"))
    partition = daily.get_partition("2020-05-05", AT)
    assert partition.time_window is not None
    assert partition.value == partition.time_window
    assert partition.time_window.start == datetime(2020, 5, 5, tzinfo=UTC)
    assert len(daily.get_partitions(AT)) == 31
    assert daily.kind == "time_window"


def test_static_and_dynamic_sets_give_the_key_as_value() -> None:
    static = a_set(None, partitions_def=StaticPartitionsDefinition(["eu", "us"]))
    assert static.get_partitions(AT) == [Partition("eu"), Partition("us")]
    dynamic = a_set(None, partitions_def=DynamicPartitionsDefinition(name="regions"))
    keys = dynamic.key_space(AT, dynamic_keys=lambda name: [f"{name}/eu"])
    assert keys.key_at(0) == "regions/eu"
    assert (static.kind, dynamic.kind) == ("static", "dynamic")


def test_a_partition_of_several_dimensions_has_the_key_of_each_as_value() -> None:
    multi = a_set(
        None,
        partitions_def=MultiPartitionsDefinition(
            {
                "day": DailyPartitionsDefinition("2020-05-01"),
                "region": StaticPartitionsDefinition(["eu", "us"]),
            }
        ),
        run_config_fn_for_partition=lambda partition: dict(partition.value.keys_by_dimension),
    )
    assert multi.run_config_for_partition("2020-05-05|us", AT) == {
        "day": "2020-05-05",
        "region": "us",
    }
    window = multi.get_partition("2020-05-05|us", AT).time_window
    assert window is not None
    assert window.start == datetime(2020, 5, 5, tzinfo=UTC)
    with pytest.raises(NotFound, match=r'no partition "2020-05-05\|asia"'):
        multi.get_partition("2020-05-05|asia", AT)


def test_a_hundred_thousand_partitions_are_listed_once_for_many_lookups() -> None:
    calls = []

    def many() -> list[str]:
        calls.append(1)
        return [f"k{n:06}" for n in range(100_000)]

    days = a_set(many)
    assert days.get_partition("k099999", AT).value == "k099999"
    assert all(days.get_partition(f"k{n:06}", AT).value == f"k{n:06}" for n in range(1000))
    assert len(calls) == 1


def test_a_partition_that_appeared_after_the_list_was_kept_is_found() -> None:
    keys = ["a"]
    days = a_set(lambda: list(keys))
    assert days.get_partition("a", AT)
    keys.append("b")
    assert days.get_partition("b", AT) == Partition("b")
