"""What narrows the Run Matrix: a selection, a backfill, tags; and where a page begins."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backfill.api.app import create_app
from backfill.lifecycle.retargeting import retarget
from backfill.settings import Settings
from backfill.storage.database import Database
from tests.support.house import NOON, House
from tests.support.loading import loaded
from tests.support.web import TestClient

DEFINITIONS = """
from backfill import DynamicPartitionsDefinition, Partition, PartitionSetDefinition, pipeline, step

@step
def a(context):
    return 1

@step
def b(x):
    return x

@pipeline
def work():
    b(a())

days = PartitionSetDefinition(
    name="days",
    pipeline_name="work",
    partition_fn=lambda: [Partition(f"day-{n:02}") for n in range(20)],
)
shops = PartitionSetDefinition(
    name="shops",
    pipeline_name="work",
    partitions_def=DynamicPartitionsDefinition(name="shops"),
)
"""


@pytest.fixture
def house(database: Database, tmp_path: Path) -> Iterator[House]:
    shops: list[str] = []
    with loaded(DEFINITIONS, tmp_path, dynamic_keys=lambda _: list(shops)) as definitions:
        yield House(database, definitions, Settings(), shops=shops)


@pytest.fixture
def api(house: House) -> Iterator[TestClient]:
    app = create_app(house.settings, house.db, house.definitions, clock=lambda: NOON)
    with TestClient(app, base_url="http://127.0.0.1:8000") as client:
        yield client


def matrix(api: TestClient, of: str = "days", **params: Any) -> dict[str, Any]:
    answer = api.get(f"/api/v1/partition-sets/{of}/matrix", params={"order": "oldest", **params})
    assert answer.status_code == 200, answer.text
    page: dict[str, Any] = answer.json()
    return page


def keys(page: dict[str, Any]) -> list[str]:
    return [item["key"] for item in page["items"]]


def run(
    house: House, selection: str, of: str = "days", *, fails: bool = False, **wanted: Any
) -> int:
    """Run the partitions of a selection as one backfill; return its id."""
    backfill_id = house.submit(selection, of, **wanted)
    house.expand(backfill_id)
    claims = house.claim([i for message in house.admit() for i in message.run_ids])
    for claim in claims:
        (house.fail if fails else house.succeed)(claim)
    return backfill_id


def test_a_page_begins_at_a_place(api: TestClient) -> None:
    page = matrix(api, place=7, limit=3)
    assert keys(page) == ["day-07", "day-08", "day-09"]
    assert [item["index"] for item in page["items"]] == [7, 8, 9]
    assert (page["place"], page["count"]) == (7, 20)
    assert keys(matrix(api, cursor=page["next"], limit=2)) == ["day-10", "day-11"]
    assert keys(matrix(api, place=7, limit=3, order="newest")) == ["day-07", "day-06", "day-05"]


def test_a_place_behind_the_end_is_the_end(api: TestClient) -> None:
    assert keys(matrix(api, place=500)) == ["day-19"]


def test_a_selection_narrows_and_keeps_the_order(api: TestClient) -> None:
    page = matrix(api, select="day-03, [day-10...day-12], day-01", limit=3)
    assert keys(page) == ["day-01", "day-03", "day-10"]
    assert [item["index"] for item in page["items"]] == [1, 3, 10]
    assert page["count"] == 5
    assert keys(matrix(api, select="day-03, [day-10...day-12], day-01", cursor=page["next"])) == [
        "day-11",
        "day-12",
    ]


@pytest.mark.parametrize("order", ["oldest", "newest"])
def test_pages_of_what_is_narrowed_meet_without_gaps(api: TestClient, order: str) -> None:
    asked: dict[str, Any] = {"select": "! day-05, day-06", "limit": 4, "order": order}
    found: list[str] = []
    page = matrix(api, **asked)
    found += keys(page)
    while page["next"]:
        page = matrix(api, **asked, cursor=page["next"])
        found += keys(page)
    wanted = [f"day-{n:02}" for n in range(20) if n not in {5, 6}]
    assert found == (wanted if order == "oldest" else wanted[::-1])


def test_a_narrowed_page_begins_at_a_place_or_a_key(api: TestClient) -> None:
    page = matrix(api, select="[day-10...]", place=8)
    assert (keys(page), page["place"]) == (["day-18", "day-19"], 8)
    page = matrix(api, select="[day-10...]", start="day-17")
    assert (keys(page), page["place"]) == (["day-17", "day-18", "day-19"], 7)
    answer = api.get(
        "/api/v1/partition-sets/days/matrix", params={"select": "[day-10...]", "start": "day-03"}
    )
    assert answer.status_code == 404


def test_failures_and_gaps_are_a_selection(api: TestClient, house: House) -> None:
    house.worker(slots=50)
    run(house, "! day-05, day-06, day-07")
    run(house, "day-06", fails=True)
    assert keys(matrix(api, select="missing")) == ["day-05", "day-06", "day-07"]
    assert keys(matrix(api, select="failed")) == ["day-06"]


def test_a_selection_that_fits_nothing_leaves_an_empty_matrix(api: TestClient) -> None:
    page = matrix(api, select="failed")
    assert (page["items"], page["count"], page["next"]) == ([], 0, None)


def test_a_selection_with_a_mistake_is_told(api: TestClient) -> None:
    answer = api.get("/api/v1/partition-sets/days/matrix", params={"select": "day-99"})
    assert (answer.status_code, answer.json()["code"]) == (422, "selection_invalid")


def test_a_backfill_shows_its_partitions_and_only_what_it_did(
    api: TestClient, house: House
) -> None:
    house.worker(slots=50)
    first = run(house, "[day-02...day-04]", fails=True)
    second = run(house, "day-04, day-09")
    statuses = {
        item["key"]: item["boxes"][1]["status"] for item in matrix(api, backfill=first)["items"]
    }
    assert list(statuses) == ["day-02", "day-03", "day-04"]
    assert "succeeded" not in statuses.values()
    shown = {item["key"]: item["state"] for item in matrix(api, backfill=second)["items"]}
    assert shown == {"day-04": "succeeded", "day-09": "succeeded"}
    answer = api.get("/api/v1/partition-sets/days/matrix", params={"backfill": 999})
    assert answer.status_code == 404


def test_a_backfill_shows_what_joined_it_since(api: TestClient, house: House) -> None:
    house.shops += ["ada", "bob"]
    house.worker(slots=50)
    backfill_id = house.submit("all", "shops")
    house.expand(backfill_id)
    house.shops += ["cid", "dan"]
    retarget(house.db, house.definitions, backfill_id, at=NOON, limit=99)
    assert keys(matrix(api, "shops", backfill=backfill_id)) == ["ada", "bob", "cid", "dan"]


def test_a_tag_shows_the_partitions_of_its_runs(api: TestClient, house: House) -> None:
    house.worker(slots=50)
    run(house, "day-03, day-05", tags={"team": "sales"})
    run(house, "day-03, day-08", fails=True, tags={"team": "ops"})
    shown = {item["key"]: item["state"] for item in matrix(api, tag="team=sales")["items"]}
    assert shown == {"day-03": "succeeded", "day-05": "succeeded"}


def test_the_status_before_is_told_where_it_is_asked_for(api: TestClient, house: House) -> None:
    house.worker(slots=50)
    run(house, "day-03")
    house.expand(house.submit("day-03, day-04"))
    page = matrix(api, select="day-03, day-04", previous=True)
    boxes = [(box["status"], box["previous"]) for item in page["items"] for box in item["boxes"]]
    assert boxes == [("queued", "succeeded")] * 2 + [("queued", None)] * 2
    page = matrix(api, select="day-03")
    assert page["items"][0]["boxes"][0]["previous"] is None


def test_a_selection_is_told_by_its_places(api: TestClient) -> None:
    answer = api.get(
        "/api/v1/partition-sets/days/places", params={"select": "[day-03...day-05], day-09"}
    )
    assert answer.json() == {
        "count": 4,
        "range_count": 2,
        "ranges": [
            {"start": 3, "stop": 6, "first": "day-03", "last": "day-05"},
            {"start": 9, "stop": 10, "first": "day-09", "last": "day-09"},
        ],
    }
    answer = api.get("/api/v1/partition-sets/days/places", params={"select": "failed"})
    assert answer.json() == {"count": 0, "range_count": 0, "ranges": []}


@pytest.mark.parametrize("narrowed", ["backfill", "tag"])
def test_partitions_that_left_the_set_are_shown_as_removed_where_a_filter_knows_them(
    api: TestClient, house: House, narrowed: str
) -> None:
    house.shops += ["ada", "bob", "cid", "dan", "eve", "fay"]
    house.worker(slots=50)
    backfill_id = run(house, "[ada...eve]", "shops", tags={"team": "sales"})
    house.expand(house.submit("cid", "shops", tags={"team": "sales"}))  # and cid is on its way
    house.shops[:] = ["bob", "dan", "fay", "gil"]

    only: dict[str, Any] = {"backfill": backfill_id}
    if narrowed == "tag":
        only = {"tag": "team=sales"}
    page = matrix(api, "shops", **only)
    shown = [(i["key"], i["index"], {b["status"] for b in i["boxes"]}) for i in page["items"]]
    of_cid = {"queued"} if narrowed == "tag" else {"removed"}
    assert shown == [
        ("ada", None, {"removed"}),
        ("cid", None, of_cid),
        ("eve", None, {"removed"}),
        ("bob", 0, {"succeeded"}),
        ("dan", 1, {"succeeded"}),
    ]
    assert (page["count"], page["place"]) == (5, 0)
    assert all(box["run_id"] for item in page["items"] for box in item["boxes"])
    newest = matrix(api, "shops", order="newest", limit=3, **only)
    assert keys(newest) == ["dan", "bob", "eve"]
    rest = matrix(api, "shops", order="newest", cursor=newest["next"], **only)
    assert (keys(rest), rest["next"]) == (["cid", "ada"], None)
    assert keys(matrix(api, "shops", start="eve", limit=2, **only)) == ["eve", "bob"]
    box = api.get("/api/v1/partition-sets/shops/box", params={"partition": "ada", "step": "a"})
    assert [run["state"] for run in box.json()["items"]] == ["succeeded"]

    assert keys(matrix(api, "shops", select="all", **only)) == ["bob", "dan"]
    assert keys(matrix(api, "shops")) == ["bob", "dan", "fay", "gil"]
    listed = api.get("/api/v1/partition-sets/shops/partitions", params=only).json()
    assert ([item["key"] for item in listed["items"]], listed["count"]) == (["bob", "dan"], 2)
