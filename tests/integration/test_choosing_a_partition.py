"""What the Playground asks for: a partition of many, its config, and a run with just that one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backfill.api.app import create_app
from backfill.settings import Settings
from backfill.storage.database import Database
from tests.support.house import NOON, House
from tests.support.loading import loaded
from tests.support.web import TestClient

DEFINITIONS = """
from backfill import DailyPartitionsDefinition, Field, PartitionSetDefinition, pipeline, step

@step(config_schema={"day": str, "rows": Field(int, is_required=False), "password": str})
def load(context):
    return context.step_config

@pipeline
def work():
    load()

def config(partition):
    given = {"day": partition.name, "rows": 3, "password": "hunter2"}
    return {"steps": {"load": {"config": given}}}

days = PartitionSetDefinition(
    name="days",
    pipeline_name="work",
    partitions_def=DailyPartitionsDefinition(start_date="2020-01-01"),
    run_config_fn_for_partition=config,
)
"""


@pytest.fixture
def house(database: Database, tmp_path: Path) -> Iterator[House]:
    with loaded(DEFINITIONS, tmp_path) as definitions:
        yield House(database, definitions, Settings())


@pytest.fixture
def api(house: House) -> Iterator[TestClient]:
    app = create_app(house.settings, house.db, house.definitions, clock=lambda: NOON)
    with TestClient(app, base_url="http://127.0.0.1:8000") as client:
        yield client


def partitions(api: TestClient, **params: Any) -> dict[str, Any]:
    answer = api.get("/api/v1/partition-sets/days/partitions", params=params)
    assert answer.status_code == 200, answer.text
    page: dict[str, Any] = answer.json()
    return page


def keys(page: dict[str, Any]) -> list[str]:
    return [item["key"] for item in page["items"]]


def test_partitions_are_found_by_a_part_of_their_key(api: TestClient) -> None:
    found = partitions(api, search="02-29", limit=2)
    assert keys(found) == ["2020-02-29", "2024-02-29"]
    assert partitions(api, search="no such day")["count"] == 0


def test_what_is_searched_is_text_and_no_selection(api: TestClient) -> None:
    for text in ('a, "b', "[2020-01-01...", "*", "&", "(all)"):
        assert partitions(api, search=text)["count"] == 0


def test_a_search_goes_on_where_its_page_ended(api: TestClient) -> None:
    first = partitions(api, search="-03-01", limit=3)
    second = partitions(api, search="-03-01", limit=3, cursor=first["next"])
    assert keys(first) + keys(second) == [f"{year}-03-01" for year in range(2020, 2026)]


def test_partitions_are_narrowed_by_status_and_time(api: TestClient, house: House) -> None:
    backfill_id = house.submit("2020-01-03, 2020-02-01")
    house.expand(backfill_id)
    assert keys(partitions(api, select="running")) == ["2020-01-03", "2020-02-01"]
    both = partitions(api, select="running", search="2020-01")
    assert (keys(both), both["count"]) == (["2020-01-03"], 1)
    assert keys(partitions(api, select="[2020-01-30...2020-02-02]", order="newest")) == [
        "2020-02-02", "2020-02-01", "2020-01-31", "2020-01-30",
    ]  # fmt: skip


def test_an_exact_config_is_all_the_run_gets(api: TestClient) -> None:
    asked = {"pipeline": "work", "partition_set": "days", "partition": "2020-01-03"}
    config = {"steps": {"load": {"config": {"day": "monday", "password": "[redacted]"}}}}
    answer = api.post("/api/v1/runs", json={**asked, "run_config": config, "config_mode": "exact"})
    assert answer.status_code == 201, answer.text
    assert answer.json()["run_config"] == config


def test_an_exact_config_is_checked_as_a_whole(api: TestClient) -> None:
    asked = {"pipeline": "work", "partition_set": "days", "partition": "2020-01-03"}
    answer = api.post("/api/v1/runs", json={**asked, "run_config": {}, "config_mode": "exact"})
    assert answer.status_code == 422
    assert "steps.load.config is missing" in answer.json()["detail"]
    assert api.post("/api/v1/runs", json={**asked, "run_config": {}}).status_code == 201
