"""Static, dynamic and multi-dimensional partitions, ranges of dates and run policies."""

from __future__ import annotations

import itertools
import pickle
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backfill.definitions.keys import DimensionedKeys
from backfill.definitions.partitions import (
    BackfillPolicy,
    DailyPartitionsDefinition,
    DynamicPartitionsDefinition,
    HourlyPartitionsDefinition,
    MultiPartitionKey,
    MultiPartitionsDefinition,
    PartitionKeyRange,
    StaticPartitionsDefinition,
    date_partition_range,
)
from backfill.definitions.partitions.product import join_key, split_key
from backfill.errors import DefinitionError, NotFound

NOW = datetime(2024, 1, 4, tzinfo=UTC)
AWKWARD = ["a,b", 'say "hi"', "eu/fr", "naïve ✓", "a|b", "\\", "[x...y]", "*", " ", "all", "a\\|"]


def three_dimensions() -> MultiPartitionsDefinition:
    return MultiPartitionsDefinition(
        {
            "region": StaticPartitionsDefinition(AWKWARD),
            "date": DailyPartitionsDefinition("2024-01-01"),
            "size": StaticPartitionsDefinition(["s", "l"]),
        }
    )


def test_static_keys_keep_their_order_and_may_hold_any_characters() -> None:
    static = StaticPartitionsDefinition(AWKWARD)
    assert static.get_partition_keys() == AWKWARD
    assert static.get_first_partition_key() == "a,b"
    assert static.get_last_partition_key() == "a\\|"
    assert static.get_partition_keys_in_range(PartitionKeyRange("eu/fr", "a|b")) == [
        "eu/fr", "naïve ✓", "a|b",
    ]  # fmt: skip
    assert static.has_partition_key("*")
    assert not static.has_partition_key("a")
    assert static == StaticPartitionsDefinition(AWKWARD)


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        (["a", "b", "a"], 'several of "a"'),
        (["a", ""], "'' is empty"),
        (["a", 5], "5 is a int"),
        (["a\0"], "NUL"),
        (["\ud800"], "lone surrogate"),
        (["x" * 2000], "2000 bytes"),
    ],
)
def test_keys_that_cannot_be_keys_are_refused(keys: list[Any], problem: str) -> None:
    with pytest.raises(DefinitionError, match=problem):
        StaticPartitionsDefinition(keys)


def test_dynamic_keys_come_from_where_they_are_kept() -> None:
    customers = DynamicPartitionsDefinition(name="customers")
    kept = {"customers": ["acme", "zoo"]}
    assert customers.get_partition_keys(dynamic_partitions_store=kept.__getitem__) == [
        "acme",
        "zoo",
    ]
    assert customers.has_partition_key("zoo", dynamic_partitions_store=kept.__getitem__)
    with pytest.raises(DefinitionError, match='"customers" are kept in the database'):
        customers.get_partition_keys()


def test_dynamic_keys_may_be_computed() -> None:
    computed = DynamicPartitionsDefinition(lambda _: ["a", "b"])
    assert computed.get_partition_keys() == ["a", "b"]
    for arguments in ({}, {"name": "x", "partition_fn": lambda _: []}):
        with pytest.raises(DefinitionError, match="a name, or a partition_fn"):
            DynamicPartitionsDefinition(**arguments)  # type: ignore[arg-type]


def test_dimensions_multiply_in_the_order_of_their_names() -> None:
    pairs = MultiPartitionsDefinition(
        {
            "region": StaticPartitionsDefinition(["eu", "us"]),
            "date": DailyPartitionsDefinition("2024-01-01"),
        }
    )
    assert list(pairs.get_partition_keys(NOW))[:3] == [
        "2024-01-01|eu", "2024-01-01|us", "2024-01-02|eu",
    ]  # fmt: skip
    key = pairs.get_partition_keys(NOW)[1]
    assert key.keys_by_dimension == {"date": "2024-01-01", "region": "us"}
    assert key == MultiPartitionKey({"region": "us", "date": "2024-01-01"})
    assert pickle.loads(pickle.dumps(key)).keys_by_dimension == key.keys_by_dimension
    assert pairs.time_window_for_partition_key("2024-01-02|eu").start.day == 2
    assert pairs.get_partition_keys_in_range(
        PartitionKeyRange("2024-01-01|us", "2024-01-02|us")
    ) == ["2024-01-01|us", "2024-01-02|us"]


def test_any_number_of_dimensions_computes_its_keys_both_ways() -> None:
    space = three_dimensions().key_space(NOW)
    assert isinstance(space, DimensionedKeys)
    keys = list(space.slice(0, len(space)))
    assert len(keys) == len(set(keys)) == 3 * len(AWKWARD) * 2
    assert [space.key_at(i) for i in range(len(space))] == keys
    assert [space.index_of(key) for key in keys] == list(range(len(space)))
    for start, stop in itertools.product(range(0, len(space), 5), repeat=2):
        assert list(space.slice(start, stop)) == keys[start:stop]
    window = space.window_of(keys[-1])
    assert window is not None
    assert window.start.day == 3


def test_a_key_of_the_wrong_dimensions_is_unknown() -> None:
    several = three_dimensions()
    space = several.key_space(NOW)
    for key in ("2024-01-01", "2024-01-01|eu/fr", "2024-01-01|eu/fr|s|l", "2023-01-01|*|s", "x\\"):
        assert space.index_of(key) is None
    assert space.nearest("2024-01-09|eu/fr|s") == [f"2024-01-0{day}|eu/fr|s" for day in (1, 2, 3)]
    with pytest.raises(NotFound, match="No partition"):
        several.get_partition_key_from_str("2024-01-01")


def test_a_dimension_must_be_of_one_dimension() -> None:
    static = StaticPartitionsDefinition(["a"])
    with pytest.raises(DefinitionError, match="at least two"):
        MultiPartitionsDefinition({"a": static})
    with pytest.raises(DefinitionError, match='dimension "b" must be'):
        MultiPartitionsDefinition({"a": static, "b": three_dimensions()})
    with pytest.raises(DefinitionError, match=r'No dimension "regoin".*"region"'):
        three_dimensions().get_partitions_def_for_dimension("regoin")
    both = MultiPartitionsDefinition(
        {"a": static, "b": static, "c": HourlyPartitionsDefinition("2024-01-01-00:00")}
    )
    assert both.time_window_dimension.name == "c"
    with pytest.raises(DefinitionError, match="has 0 dimensions of time windows"):
        _ = MultiPartitionsDefinition({"a": static, "b": static}).time_window_dimension


@given(st.lists(st.text(alphabet="ab|\\", max_size=6), min_size=1, max_size=4))
def test_joined_keys_split_into_their_parts(parts: list[str]) -> None:
    assert split_key(join_key(parts)) == parts


@given(st.text(alphabet="ab|\\", max_size=12))
def test_every_text_splits_into_something(text: str) -> None:
    assert split_key(text)


def names(partition_fn: Any, *now: int) -> list[str]:
    return [partition.name for partition in partition_fn(datetime(*now, tzinfo=UTC))]  # type: ignore[arg-type,misc]


def test_a_range_of_dates_lists_complete_steps() -> None:
    days = date_partition_range(datetime(2024, 2, 27))  # noqa: DTZ001
    assert names(days, 2024, 3, 1, 12) == ["2024-02-27", "2024-02-28", "2024-02-29"]
    inclusive = date_partition_range(datetime(2024, 2, 29), inclusive=True)  # noqa: DTZ001
    assert names(inclusive, 2024, 3, 1, 12) == ["2024-02-29", "2024-03-01"]
    start, end = datetime(2024, 1, 1), datetime(2024, 3, 1)  # noqa: DTZ001
    bounded = date_partition_range(start, end, "weeks", fmt="%m/%d")
    assert names(bounded, 2030, 1, 1)[-1] == "02/19"


def test_months_from_the_31st_neither_drift_nor_get_lost() -> None:
    months = date_partition_range(datetime(2024, 1, 31), delta_range="months")  # noqa: DTZ001
    assert names(months, 2024, 6, 30) == [
        "2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30", "2024-05-31",
    ]  # fmt: skip


def test_a_range_that_starts_in_the_future_is_empty() -> None:
    assert names(date_partition_range(datetime(2030, 1, 1)), 2024, 1, 1) == []  # noqa: DTZ001


def test_repeated_hours_keep_apart_and_coarse_formats_are_refused() -> None:
    hours = date_partition_range(
        datetime(2024, 11, 3),  # noqa: DTZ001
        delta_range="hours",
        fmt="%Y-%m-%d-%H:%M",
        timezone="America/New_York",
    )
    assert names(hours, 2024, 11, 3, 8) == [
        "2024-11-03-00:00", "2024-11-03-01:00", "2024-11-03-01:00-0500", "2024-11-03-02:00",
    ]  # fmt: skip
    coarse = date_partition_range(datetime(2024, 1, 1), delta_range="hours")  # noqa: DTZ001
    with pytest.raises(DefinitionError, match="too coarse for steps by hours"):
        names(coarse, 2024, 1, 3)
    with pytest.raises(DefinitionError, match='"fortnights" is not one of'):
        date_partition_range(datetime(2024, 1, 1), delta_range="fortnights")  # noqa: DTZ001
    with pytest.raises(DefinitionError, match="before it starts"):
        date_partition_range(datetime(2024, 1, 2), datetime(2024, 1, 1))  # noqa: DTZ001


def test_a_run_takes_one_partition_some_or_all() -> None:
    assert BackfillPolicy.single_run().max_partitions_per_run is None
    assert BackfillPolicy.multi_run(7).max_partitions_per_run == 7
    assert BackfillPolicy.multi_run() == BackfillPolicy()
    with pytest.raises(DefinitionError, match="at least 1"):
        BackfillPolicy.multi_run(0)
