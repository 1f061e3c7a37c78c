"""Dynamic partitions: keys come and go while everything runs, and work wherever keys do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from backfill.definitions.process import DefinitionsProcess
from backfill.errors import Invalid, NotFound
from backfill.lifecycle import backfills, dynamic
from backfill.lifecycle.dynamic import KeysChanged, stored_keys
from backfill.settings import Settings
from backfill.storage.database import Database
from backfill.storage.queries.dynamic import list_keys
from tests.support.ended import finish
from tests.support.house import NOON, House
from tests.support.loading import loaded

DYNAMIC = """
from backfill import PartitionSetDefinition, pipeline, step
from backfill.definitions.partitions import (
    DailyPartitionsDefinition, DynamicPartitionsDefinition, MultiPartitionsDefinition,
)

@step
def a():
    return 1

@pipeline
def work():
    a()

customers = PartitionSetDefinition(
    name="customers",
    pipeline_name="work",
    partitions_def=DynamicPartitionsDefinition(name="customers"),
)
sales = PartitionSetDefinition(
    name="sales",
    pipeline_name="work",
    partitions_def=MultiPartitionsDefinition({
        "customer": DynamicPartitionsDefinition(name="customers"),
        "day": DailyPartitionsDefinition("2025-12-30"),
    }),
)
trade = PartitionSetDefinition(
    name="trade",
    pipeline_name="work",
    partitions_def=MultiPartitionsDefinition({
        "customer": DynamicPartitionsDefinition(name="customers"),
        "shop": DynamicPartitionsDefinition(name="shops"),
    }),
)
days = PartitionSetDefinition(
    name="days",
    pipeline_name="work",
    partitions_def=DailyPartitionsDefinition("2025-12-30"),
)
"""


@pytest.fixture
def house(database: Database, tmp_path: Path) -> Iterator[House]:
    with loaded(DYNAMIC, tmp_path, dynamic_keys=stored_keys(database)) as definitions:
        yield House(database, definitions, Settings())


def add(house: House, *keys: str, to: str = "customers", **which: str) -> KeysChanged:
    return dynamic.add_keys(house.db, house.definitions, to, keys, **which)


def remove(house: House, *keys: str, to: str = "customers") -> KeysChanged:
    return dynamic.remove_keys(house.db, house.definitions, to, keys)


def page(house: House, set_name: str = "customers") -> list[str]:
    return list(house.definitions.page(set_name, 0, 100, NOON))


def test_keys_keep_the_order_in_which_they_were_added(house: House) -> None:
    assert page(house) == []
    assert add(house, "zoe", "ann").changed == ["zoe", "ann"]
    add(house, "bob")
    assert page(house) == ["zoe", "ann", "bob"]


def test_adding_and_removing_may_be_repeated(house: House) -> None:
    add(house, "ann", "bob")
    assert add(house, "bob", "cy", "cy") == KeysChanged("customers", ["cy"], 1)
    assert remove(house, "ann", "nobody") == KeysChanged("customers", ["ann"], 1)
    assert remove(house, "ann").changed == []
    assert page(house) == ["bob", "cy"]


def test_a_key_that_comes_back_stands_at_the_end(house: House) -> None:
    add(house, "ann", "bob")
    remove(house, "ann")
    add(house, "ann")
    assert page(house) == ["bob", "ann"]


def test_keys_belong_to_their_definition(house: House) -> None:
    add(house, "ann")
    add(house, "berlin", to="trade", definition="shops")
    assert page(house, "trade") == ["ann|berlin"]
    assert page(house, "sales") == ["ann|2025-12-30", "ann|2025-12-31"]


def test_which_definition_is_asked_when_a_set_has_several(house: House) -> None:
    with pytest.raises(Invalid, match="say which of customers, shops"):
        add(house, "x", to="trade")
    with pytest.raises(Invalid, match=r'no dynamic partitions "shop".*Did you mean "shops"'):
        add(house, "x", to="trade", definition="shop")
    with pytest.raises(Invalid, match='"days" has no dynamic partitions'):
        add(house, "x", to="days")
    with pytest.raises(NotFound, match="customerz"):
        add(house, "x", to="customerz")


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("", "is empty"),
        ("a\0b", "NUL"),
        ("a\nb", "a control character"),
        ("a\u2028b", "a line break"),
        ("\ud800", "not valid unicode"),
        ("x" * 501, "501 characters"),
        ("ü" * 513, "513 characters"),
    ],
)
def test_what_cannot_be_a_key_is_refused_and_nothing_is_added(
    house: House, key: str, why: str
) -> None:
    with pytest.raises(Invalid, match=why):
        add(house, "fine", key)
    assert page(house) == []


def test_any_other_characters_work(house: House) -> None:
    odd = ["a, b", 'say "hi"', "übung/1", "100%", "x|y", "\\", "日本", "x" * 500, " a ", "all"]
    add(house, *odd)
    assert page(house) == odd
    backfill_id = house.submit("all", "customers")
    house.expand(backfill_id)
    assert house.keys(backfill_id) == odd


def test_who_added_what_is_kept(house: House) -> None:
    dynamic.add_keys(house.db, house.definitions, "customers", ["ann", "bob"], actor="eve")
    with house.db.read() as conn:
        listed = list_keys(house.db, conn, "customers", limit=1)
        rest = list_keys(house.db, conn, "customers", limit=9, after=listed.items[0].id)
    assert [(view.key, view.added_by) for view in listed.items] == [("ann", "eve")]
    assert listed.more
    assert [view.key for view in rest.items] == ["bob"]
    event = house.row("SELECT kind, actor, message FROM events")
    assert tuple(event) == ("partitions.added", "eve", 'added partitions of "customers": 2')


def test_many_keys_at_once(house: House) -> None:
    keys = [f"c{n:05}" for n in range(5_000)]
    add(house, *keys)
    assert house.definitions.count("customers", NOON) == 5_000
    assert page(house) == keys[:100]
    with pytest.raises(Invalid, match="too many at once"):
        add(house, *map(str, range(dynamic.MAX_AT_ONCE + 1)))


def test_the_definitions_process_asks_the_database(database: Database, tmp_path: Path) -> None:
    file = tmp_path / "dynamic_definitions.py"
    file.write_text(DYNAMIC)
    with DefinitionsProcess(str(file), dynamic_keys=stored_keys(database)) as definitions:
        assert definitions.catalog().partition_set("sales").dynamic == ["customers"]
        dynamic.add_keys(database, definitions, "customers", ["ann"])
        assert definitions.page("customers", 0, 9, NOON) == ["ann"]
        dynamic.add_keys(database, definitions, "customers", ["bob"])
        assert definitions.page("customers", 0, 9, NOON) == ["ann", "bob"]
        request = backfills.BackfillRequest("sales", "customer=bob")
        assert backfills.submit(database, definitions, request, at=NOON, limit=10).total == 2


def test_new_keys_are_missing_and_removed_ones_keep_their_history(house: House) -> None:
    add(house, "ann", "bob")
    first = house.submit("all", "customers")
    house.expand(first)
    finish(house)
    remove(house, "ann")
    add(house, "cy")
    second = house.submit("missing", "customers")
    house.expand(second)
    assert house.keys(second) == ["cy"]
    assert house.states(first) == {"succeeded": 2}
