"""Plans, dynamic partitions and drift through the API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backfill.api.app import create_app
from backfill.execution.outcomes import RunEnd
from backfill.lifecycle.dynamic import stored_keys
from backfill.settings import Settings
from backfill.storage.database import Database
from tests.support.ended import ended, finish
from tests.support.house import NOON, House
from tests.support.loading import loaded
from tests.support.web import TestClient

DEFINITIONS = """
from backfill import PartitionSetDefinition, pipeline, step
from backfill.definitions.partitions import DailyPartitionsDefinition, DynamicPartitionsDefinition

@step(config_schema={"day": str, "password": str})
def a(context):
    return context.step_config["day"]

@pipeline
def work():
    a()

def config(partition):
    day = 7 if partition.name.endswith("-13") else partition.name
    return {"steps": {"a": {"config": {"day": day, "password": "hunter2"}}}}

days = PartitionSetDefinition(
    name="days",
    pipeline_name="work",
    partitions_def=DailyPartitionsDefinition("2020-01-01", end_date="2024-01-01"),
    run_config_fn_for_partition=config,
)
customers = PartitionSetDefinition(
    name="customers",
    pipeline_name="work",
    partitions_def=DynamicPartitionsDefinition(name="customers"),
    run_config_fn_for_partition=config,
)
"""


@pytest.fixture
def house(database: Database, tmp_path: Path) -> Iterator[House]:
    with loaded(DEFINITIONS, tmp_path, dynamic_keys=stored_keys(database)) as definitions:
        yield House(database, definitions, Settings())


@pytest.fixture
def api(house: House) -> Iterator[TestClient]:
    app = create_app(house.settings, house.db, house.definitions, clock=lambda: NOON)
    with TestClient(app, base_url="http://127.0.0.1:8000/api/v1") as client:
        yield client


def told(api: TestClient, path: str, body: Any = None, *, status: int = 200) -> Any:
    answer = api.get(path) if body is None else api.post(path, json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


def asked(selection: str, **wanted: Any) -> dict[str, Any]:
    return {"partition_set": "days", "selection": selection, **wanted}


# -- plans --------------------------------------------------------------------------------------


def test_a_plan_tells_groups_counts_and_an_estimate(house: House, api: TestClient) -> None:
    ended(house, "[2020-01-01...2020-01-05]", version="old")
    ended(house, "2020-01-02", RunEnd.FAILED)
    house.fold()
    plan = told(api, "/backfills/plan", asked("[2020-01-01...2020-01-10]"))
    assert plan["reprocess"] == "missing"
    assert (plan["selected"], plan["count"]) == (10, 6)
    assert plan["counts"] == {"run:new": 5, "run:failed": 1, "skip:succeeded": 4}
    assert plan["groups"][1] == {
        "name": "run:failed",
        "action": "run",
        "reason": "failed",
        "sentence": "failed before",
        "count": 1,
        "first": "2020-01-02",
        "last": "2020-01-02",
        "backfill_id": None,
    }
    assert plan["estimate"]["run_seconds"] == 1.0
    assert plan["estimate"]["finish_at"].endswith("Z")
    assert plan["config"]["config"]["steps"]["a"]["config"]["password"] != "hunter2"


def test_a_plan_shows_the_config_of_the_partition_asked_for(api: TestClient) -> None:
    path = "/backfills/plan?partition=2021-05-05"
    plan = told(api, path, asked("all"))
    assert plan["config"]["partition"] == "2021-05-05"
    assert plan["config"]["config"]["steps"]["a"]["config"]["day"] == "2021-05-05"
    told(api, "/backfills/plan?partition=nonsense", asked("all"), status=404)


def test_a_submit_tells_what_changed_and_what_it_left_out(house: House, api: TestClient) -> None:
    plan = told(api, "/backfills/plan", asked("[2020-01-01...2020-01-05]"))
    ended(house, "2020-01-03")
    body = asked("[2020-01-01...2020-01-05]", planned=plan["counts"])
    submitted = told(api, "/backfills", body, status=201)
    assert submitted["changes"] == [
        {"group": "run:new", "planned": 5, "now": 4},
        {"group": "skip:succeeded", "planned": 0, "now": 1},
    ]
    shown = told(api, f"/backfills/{submitted['id']}")
    assert (shown["total"], shown["reprocess"], shown["left_out"]) == (
        4,
        "missing",
        {"succeeded": 1},
    )


def test_a_submit_of_what_succeeded_says_so_and_makes_nothing(
    house: House, api: TestClient
) -> None:
    ended(house, "2020-01-03")
    problem = told(api, "/backfills", asked("2020-01-03"), status=422)
    assert problem["code"] == "nothing_to_run"
    assert problem["left_out"] == {"succeeded": 1}
    assert "1 succeeded before" in problem["detail"]
    again = told(api, "/backfills", asked("2020-01-03", reprocess="all"), status=201)
    assert again["total"] == 1
    told(api, "/backfills", asked("2020-01-04", reprocess="some"), status=422)


def test_every_config_is_validated_in_a_stream_of_lines(api: TestClient) -> None:
    with api.stream("POST", "/backfills/plan/validation", json=asked("all")) as answer:
        assert answer.headers["content-type"].startswith("application/x-ndjson")
        lines = [json.loads(line) for line in answer.iter_lines()]
    assert [line["checked"] for line in lines] == [1000, 1461]
    assert lines[-1]["of"] == 1461
    assert lines[-1]["invalid"] == 48
    assert lines[-1]["problems"][0]["partition"] == "2020-01-13"
    assert lines[-1]["error"] is None
    told(api, "/backfills/plan/validation", asked("[a"), status=422)


# -- dynamic partitions -------------------------------------------------------------------------


def test_keys_are_added_listed_and_removed(api: TestClient) -> None:
    path = "/partition-sets/customers/dynamic-partitions"
    assert told(api, "/partition-sets/customers")["dynamic"] == ["customers"]
    added = told(api, path, {"keys": ["a, b", "ü/1", "a, b"]})
    assert added == {"definition": "customers", "changed": ["a, b", "ü/1"], "unchanged": 0}
    page = told(api, f"{path}?limit=1")
    assert [item["key"] for item in page["items"]] == ["a, b"]
    assert page["items"][0]["added_by"] == "local"
    rest = told(api, f"{path}?limit=1&cursor={page['next']}")
    assert [item["key"] for item in rest["items"]] == ["ü/1"]
    assert rest["next"] is None
    removed = told(api, f"{path}/remove", {"keys": ["ü/1", "nobody"]})
    assert (removed["changed"], removed["unchanged"]) == (["ü/1"], 1)
    assert told(api, "/partition-sets/customers/partitions")["count"] == 1


def test_a_set_without_dynamic_partitions_says_where_its_keys_come_from(api: TestClient) -> None:
    path = "/partition-sets/days/dynamic-partitions"
    assert "change with the code" in told(api, path, {"keys": ["x"]}, status=422)["detail"]
    told(api, path, status=422)
    told(api, "/partition-sets/nothing/dynamic-partitions", {"keys": ["x"]}, status=404)
    bad = told(api, "/partition-sets/customers/dynamic-partitions", {"keys": ["a\nb"]}, status=422)
    assert "a control character" in bad["detail"]


# -- drift --------------------------------------------------------------------------------------


def test_drift_is_told_and_adopted(house: House, api: TestClient) -> None:
    keys = "/partition-sets/customers/dynamic-partitions"
    told(api, keys, {"keys": ["ann", "bob"]})
    body = {"partition_set": "customers", "selection": "all"}
    backfill_id = int(told(api, "/backfills", body, status=201)["id"])
    house.expand(backfill_id)
    told(api, keys, {"keys": ["cy"]})
    told(api, f"{keys}/remove", {"keys": ["ann"]})
    assert told(api, f"/backfills/{backfill_id}/drift") == {
        "gone": 1,
        "gone_keys": ["ann"],
        "joined": 1,
        "joined_keys": ["cy"],
        "vanished": 0,
        "code_changed": False,
        "problem": None,
    }
    assert api.post(f"/backfills/{backfill_id}/retarget").json() == {
        "added": 1,
        "skipped": 1,
        "left": 0,
        "problem": None,
    }
    finish(house)
    house.fold()
    shown = told(api, f"/backfills/{backfill_id}")
    assert (shown["total"], shown["counts"]["succeeded"], shown["counts"]["skipped"]) == (3, 2, 1)
    events = told(api, f"/backfills/{backfill_id}/events")["items"]
    messages = [event["message"] for event in events]
    assert "joined the set and run now: 1; left it and skipped: 1" in messages
    told(api, "/backfills/99/drift", status=404)
