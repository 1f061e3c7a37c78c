"""The API: one door, strict and plain, on both databases."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from backfill.api.app import create_app
from backfill.api.guarding import MAX_BODY_BYTES
from backfill.execution.outcomes import LogLine, RunEnd, RunOutcome
from backfill.lifecycle.moves import Claim, Report
from backfill.settings import Settings
from backfill.storage.database import Database
from tests.support.house import NOON, House, steps_ok
from tests.support.loading import loaded
from tests.support.web import TestClient

DEFINITIONS = """
from backfill import Partition, PartitionSetDefinition, pipeline, step

@step(config_schema={"day": str})
def a(context):
    return context.step_config["day"]

@step
def b(x):
    return x

@pipeline(tags={"team": "sales"})
def work():
    b(a())

days = PartitionSetDefinition(
    name="days",
    pipeline_name="work",
    partition_fn=lambda: [Partition(f"day-{n:02}") for n in range(60)],
    run_config_fn_for_partition=lambda p: {"steps": {"a": {"config": {"day": p.name}}}},
    tags_fn_for_partition=lambda p: {"day": p.name},
)
"""


@pytest.fixture
def house(database: Database, tmp_path: Path) -> Iterator[House]:
    with loaded(DEFINITIONS, tmp_path) as definitions:
        yield House(database, definitions, Settings(flower_url="http://flower:5555/"))


@pytest.fixture
def api(house: House) -> Iterator[TestClient]:
    app = create_app(house.settings, house.db, house.definitions, clock=lambda: NOON)
    with TestClient(app, base_url="http://127.0.0.1:8000") as client:
        yield client


def submitted(
    api: TestClient, selection: str = "[day-00...day-04]", **wanted: Any
) -> dict[str, Any]:
    body = {"partition_set": "days", "selection": selection, **wanted}
    answer = api.post("/api/v1/backfills", json=body)
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


def claims(house: House, backfill: dict[str, Any]) -> list[Claim]:
    house.expand(int(backfill["id"]))
    house.worker()
    return house.claim([run for message in house.admit() for run in message.run_ids])


# -- definitions ----------------------------------------------------------------------------------


def test_definitions_tell_graph_schema_and_sets(api: TestClient) -> None:
    told = api.get("/api/v1/definitions").json()
    assert [s["name"] for s in told["pipelines"][0]["steps"]] == ["a", "b"]
    assert told["pipelines"][0]["steps"][1]["upstream"] == ["a"]
    assert told["partition_sets"][0]["name"] == "days"
    assert told["problems"] == []
    pipeline = api.get("/api/v1/pipelines/work").json()
    assert pipeline["run_config_schema"]["type"] == "object"
    assert api.get("/api/v1/partition-sets/days").json()["pipeline"] == "work"


def test_an_unknown_name_gets_did_you_mean(api: TestClient) -> None:
    answer = api.get("/api/v1/partition-sets/dayz")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"] == "not_found"
    assert 'Did you mean "days"?' in problem["detail"]


def test_partitions_are_paged_in_both_orders(api: TestClient) -> None:
    first = api.get("/api/v1/partition-sets/days/partitions?limit=2").json()
    assert [p["key"] for p in first["items"]] == ["day-00", "day-01"]
    assert first["count"] == 60
    path, newest = "/api/v1/partition-sets/days/partitions", {"order": "newest", "limit": 50}
    page = api.get(path, params=newest).json()
    rest = api.get(path, params={**newest, "cursor": page["next"]}).json()
    assert page["items"][0] == {"key": "day-59", "index": 59}
    assert [p["key"] for p in rest["items"]] == [f"day-{n:02}" for n in range(9, -1, -1)]
    assert rest["next"] is None


def test_partitions_can_begin_anywhere(api: TestClient) -> None:
    path = "/api/v1/partition-sets/days/partitions"
    page = api.get(path, params={"start": "day-30", "limit": 1}).json()
    assert page["items"] == [{"key": "day-30", "index": 30}]
    assert api.get(path, params={"start": "day-99"}).status_code == 404


def test_the_config_of_a_partition_is_resolved(api: TestClient) -> None:
    told = api.get("/api/v1/partition-sets/days/config", params={"partition": "day-07"}).json()
    assert told["config"] == {"steps": {"a": {"config": {"day": "day-07"}}}}
    assert told["tags"]["day"] == "day-07"
    assert told["errors"] == []


def test_a_config_that_does_not_fit_is_told_with_paths(api: TestClient) -> None:
    body: dict[str, Any] = {"run_config": {"steps": {"a": {"config": {"day": 7}}}}}
    told = api.post("/api/v1/pipelines/work/validate", json=body).json()
    assert told["valid"] is False
    assert "day" in told["errors"][0]["path"]
    body = {"run_config": {"steps": {"a": {"config": {"day": "x"}}}}}
    assert api.post("/api/v1/pipelines/work/validate", json=body).json() == {
        "valid": True,
        "errors": [],
    }


# -- backfills ------------------------------------------------------------------------------------


def test_a_plan_says_what_would_run_and_keeps_nothing(api: TestClient) -> None:
    body = {"partition_set": "days", "selection": "[day-10...day-19],day-30"}
    plan = api.post("/api/v1/backfills/plan", json=body).json()
    assert (plan["count"], plan["first"], plan["last"]) == (11, "day-10", "day-30")
    assert plan["ranges"][0] == {"first": "day-10", "last": "day-19", "count": 10}
    assert plan["config"]["config"]["steps"]["a"]["config"] == {"day": "day-10"}
    assert (plan["checked"], plan["invalid"]) == (11, 0)
    assert api.get("/api/v1/backfills").json()["items"] == []


def test_a_plan_tells_every_partition_that_could_not_run(api: TestClient) -> None:
    override = {"steps": {"a": {"config": {"day": 5}}}}
    body = {"partition_set": "days", "selection": "[day-00...day-02]", "run_config": override}
    plan = api.post("/api/v1/backfills/plan", json=body).json()
    assert plan["invalid"] == 3
    assert plan["problems"][0]["partition"] == "day-00"
    assert plan["problems"][0]["errors"][0]["path"].endswith("day")


def test_a_submitted_backfill_is_shown_with_counts_and_progress(
    api: TestClient, house: House
) -> None:
    told = submitted(api, max_active_runs=2, note="first try")
    assert told["state"] == "requested"
    assert told["counts"]["pending"] == 5
    assert told["tags"] == {"team": "sales"}
    assert told["created_at"].endswith("Z")
    done = claims(house, told)[0]
    house.record(Report(done, steps=steps_ok(), outcome=RunOutcome(RunEnd.SUCCEEDED)))
    house.fold()
    shown = api.get(f"/api/v1/backfills/{told['id']}").json()
    assert shown["state"] == "running"
    assert shown["progress"]["finished"] == 1
    assert shown["progress"]["of"] == 5
    assert shown["progress"]["runs_per_second"] > 0


def test_the_same_request_with_the_same_key_gives_the_same_backfill(api: TestClient) -> None:
    body = {"partition_set": "days", "selection": "day-01"}
    headers = {"Idempotency-Key": "k1"}
    first = api.post("/api/v1/backfills", json=body, headers=headers)
    again = api.post("/api/v1/backfills", json=body, headers=headers)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]
    other = api.post("/api/v1/backfills", json={**body, "selection": "day-02"}, headers=headers)
    assert other.status_code == 409
    assert other.json()["code"] == "conflict"


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"selection": "day-99"}, "selection_invalid"),
        ({"selection": "day-01", "run_config": {"steps": {"a": {"config": 1}}}}, "config_invalid"),
        ({"selection": "day-01", "steps": ["c"]}, "invalid"),
        ({"selection": "day-01", "max_active_runs": 0}, "invalid"),
        ({"selection": "day-01", "surprise": 1}, "invalid"),
        ({"selection": "day-01", "note": "a\0b"}, "invalid"),
        ({"selection": "day-01", "run_config": {"a\0": 1}}, "invalid"),
    ],
)
def test_a_wrong_request_is_refused_and_nothing_is_created(
    api: TestClient, wrong: dict[str, Any], code: str
) -> None:
    answer = api.post("/api/v1/backfills", json={"partition_set": "days", **wrong})
    assert answer.status_code == 422, answer.text
    assert answer.json()["code"] == code
    assert api.get("/api/v1/backfills").json()["items"] == []


def test_backfills_are_listed_in_pages_and_by_state(api: TestClient) -> None:
    ids = [submitted(api, "day-01")["id"] for _ in range(3)]
    api.post(f"/api/v1/backfills/{ids[0]}/pause", json={"note": "lunch"})
    page = api.get("/api/v1/backfills?limit=2").json()
    rest = api.get("/api/v1/backfills", params={"limit": 2, "cursor": page["next"]}).json()
    assert [b["id"] for b in [*page["items"], *rest["items"]]] == ids[::-1]
    assert rest["next"] is None
    paused = api.get("/api/v1/backfills?state=paused&state=canceled").json()["items"]
    assert [(b["id"], b["pause_reason"]) for b in paused] == [(ids[0], "lunch")]


def test_the_verbs_steer_a_backfill_and_are_told_as_events(api: TestClient) -> None:
    path = f"/api/v1/backfills/{submitted(api)['id']}"
    assert api.post(f"{path}/pause").json()["state"] == "paused"
    assert api.post(f"{path}/pause").status_code == 409
    assert api.post(f"{path}/resume").json()["state"] == "running"
    assert api.post(f"{path}/cancel", json={"note": "wrong month"}).json()["state"] == "canceling"
    events = api.get(f"{path}/events").json()["items"]
    assert [e["kind"] for e in events] == [
        "backfill.canceled",
        "backfill.resumed",
        "backfill.paused",
        "backfill.submitted",
    ]
    assert events[0]["message"] == "wrong month"


def test_what_does_not_exist_is_not_found(api: TestClient) -> None:
    for path in ("backfills/404", "backfills/404/runs", "backfills/404/events", "runs/404"):
        answer = api.get(f"/api/v1/{path}")
        assert answer.status_code == 404, path
        assert answer.json()["code"] == "not_found"
    assert api.post("/api/v1/backfills/404/pause").status_code == 404
    assert api.post("/api/v1/runs/404/cancel").status_code == 404


# -- runs -----------------------------------------------------------------------------------------


def test_a_launched_run_is_pending_and_can_be_canceled(api: TestClient) -> None:
    body = {"pipeline": "work", "partition_set": "days", "partition": "day-03"}
    answer = api.post("/api/v1/runs", json=body)
    assert answer.status_code == 201, answer.text
    run = answer.json()
    assert (run["state"], run["partition"], run["backfill_id"]) == ("pending", "day-03", None)
    path = f"/api/v1/runs/{run['id']}"
    assert api.post(f"{path}/cancel", json={"note": "no"}).json()["state"] == "canceled"
    assert [e["kind"] for e in api.get(f"{path}/events").json()["items"]] == [
        "run.canceled",
        "run.launched",
    ]


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"pipeline": "werk"}, 404),
        ({"pipeline": "work"}, 422),  # its config is missing
        ({"pipeline": "work", "partition": "day-01"}, 422),
        ({"pipeline": "work", "partition_set": "days", "partition": "day-99"}, 404),
        ({"pipeline": "work", "partition_set": "days", "partition": "day-01", "steps": ["z"]}, 422),
    ],
)
def test_a_run_that_could_not_work_is_not_launched(
    api: TestClient, wrong: dict[str, Any], status: int
) -> None:
    assert api.post("/api/v1/runs", json=wrong).status_code == status
    assert api.get("/api/v1/runs").json()["items"] == []


def test_runs_are_filtered_and_link_to_flower(api: TestClient, house: House) -> None:
    backfill = submitted(api)
    claimed = claims(house, backfill)
    house.succeed(claimed[0])
    path = f"/api/v1/backfills/{backfill['id']}/runs"
    assert len(api.get(path).json()["items"]) == 5
    succeeded = api.get(f"{path}?state=succeeded").json()["items"]
    assert [run["id"] for run in succeeded] == [str(claimed[0].run_id)]
    (run,) = api.get("/api/v1/runs?partition_set=days&partition=day-00").json()["items"]
    assert run["flower_url"] == f"http://flower:5555/task/{run['message_id']}"
    assert api.get("/api/v1/runs", params={"backfill": backfill["id"]}).json()["items"]


def test_the_steps_of_a_run_are_told_by_attempt(api: TestClient, house: House) -> None:
    claim = claims(house, submitted(api))[0]
    house.record(Report(claim, steps=steps_ok(), outcome=RunOutcome(RunEnd.SUCCEEDED)))
    told = api.get(f"/api/v1/runs/{claim.run_id}/steps").json()
    assert [(s["step"], s["state"], s["attempt"]) for s in told["steps"]] == [
        ("a", "succeeded", 1),
        ("b", "succeeded", 1),
    ]
    assert told["attempts"][0]["ending"] == "succeeded"


def test_a_log_is_followed_until_it_ended(api: TestClient, house: House) -> None:
    claim = claims(house, submitted(api))[0]
    path = f"/api/v1/runs/{claim.run_id}/logs"
    empty = api.get(path).json()
    assert (empty["items"], empty["ended"]) == ([], False)
    lines = [LogLine("a", n, "info", f"line {n} <b>&\x1b[31m") for n in range(3)]
    house.record(Report(claim, logs=lines))
    first = api.get(path, params={"cursor": empty["next"], "limit": 2}).json()
    assert [line["message"] for line in first["items"]] == [line.message for line in lines[:2]]
    house.succeed(claim)
    rest = api.get(path, params={"cursor": first["next"]}).json()
    assert [line["message"] for line in rest["items"]] == [lines[2].message]
    assert rest["ended"] is True
    assert api.get(path, params={"step": "b"}).json()["items"] == []


def test_secrets_of_an_override_are_not_shown(api: TestClient) -> None:
    override = {"steps": {"a": {"config": {"day": "x"}}}, "resources": {}}
    body = {"pipeline": "work", "run_config": override, "tags": {"k": "v"}}
    run = api.post("/api/v1/runs", json=body).json()
    assert run["run_config"]["steps"] == override["steps"]
    assert run["tags"] == {"team": "sales", "k": "v"}


# -- matrix and fleet -----------------------------------------------------------------------------


def test_the_matrix_shows_newest_partitions_first(api: TestClient, house: House) -> None:
    backfill = submitted(api, "[day-57...day-59]")
    claim = claims(house, backfill)[2]
    house.record(Report(claim, steps=steps_ok(), outcome=RunOutcome(RunEnd.SUCCEEDED)))
    page = api.get("/api/v1/partition-sets/days/matrix?limit=4").json()
    assert page["steps"] == ["a", "b"]
    assert [row["key"] for row in page["items"]] == ["day-59", "day-58", "day-57", "day-56"]
    shown = [[box["status"] for box in row["boxes"]] for row in page["items"]]
    assert shown == [
        ["succeeded", "succeeded"],
        ["queued", "queued"],
        ["queued", "queued"],
        ["missing", "missing"],
    ]
    older = api.get(
        "/api/v1/partition-sets/days/matrix", params={"limit": 1, "cursor": page["next"]}
    ).json()
    assert older["items"][0]["key"] == "day-55"


def test_a_box_tells_its_history(api: TestClient, house: House) -> None:
    claim = claims(house, submitted(api))[0]
    house.record(Report(claim, steps=steps_ok(), outcome=RunOutcome(RunEnd.SUCCEEDED)))
    path = "/api/v1/partition-sets/days/box"
    told = api.get(path, params={"partition": "day-00", "step": "b"}).json()
    assert told["items"][0]["run_id"] == str(claim.run_id)
    assert told["items"][0]["outcomes"][0]["state"] == "succeeded"
    assert api.get(path, params={"partition": "day-00", "step": "zz"}).status_code == 404


def test_the_fleet_is_shown(api: TestClient, house: House) -> None:
    house.worker("w1@host")
    told = api.get("/api/v1/fleet").json()
    assert told["workers"][0]["name"] == "w1@host"
    assert told["queues"][0]["slots"] == 2
    assert told["coordinator"] is None


# -- the door -----------------------------------------------------------------------------------


def test_health_is_told(api: TestClient) -> None:
    assert api.get("/healthz").json()["status"] == "ok"


def test_every_answer_carries_security_headers(api: TestClient) -> None:
    for path in ("/api/v1/fleet", "/api/v1/nothing", "/healthz"):
        headers = api.get(path).headers
        assert "frame-ancestors 'none'" in headers["content-security-policy"], path
        assert headers["x-content-type-options"] == "nosniff"
    assert api.get("/api/v1/fleet").headers["cache-control"] == "no-store"


def test_an_unknown_path_or_method_is_a_problem(api: TestClient) -> None:
    assert api.get("/api/v1/nothing").json()["code"] == "not_found"
    assert api.delete("/api/v1/runs").json()["code"] == "method_not_allowed"


@pytest.mark.parametrize("cursor", ["x", "!!", "W10", "WyJhIl0", "e30", "WzEsMl0", "WzFlOTldIA"])
def test_a_cursor_of_another_list_is_refused(api: TestClient, cursor: str) -> None:
    answer = api.get("/api/v1/runs", params={"cursor": cursor})
    assert answer.status_code == 422
    assert answer.json()["code"] == "cursor_invalid"


def test_another_web_page_cannot_steer_it(api: TestClient) -> None:
    path = f"/api/v1/backfills/{submitted(api)['id']}/cancel"
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        assert api.post(path, headers=headers).status_code == 403
    rebound = api.get("/api/v1/backfills", headers={"Host": "evil.example"})
    assert rebound.status_code == 403
    own = {"Origin": "http://127.0.0.1:8000", "Sec-Fetch-Site": "same-origin"}
    assert api.post(path, headers=own).status_code == 200


def test_a_huge_body_is_refused_declared_or_not(api: TestClient) -> None:
    huge = b" " * (MAX_BODY_BYTES + 1)
    headers = {"Content-Type": "application/json"}
    assert api.post("/api/v1/runs", content=huge, headers=headers).status_code == 413
    pieces = (huge[:100_000] for _ in range(50))
    answer = api.post("/api/v1/runs", content=pieces, headers=headers)
    assert answer.status_code == 413
    assert answer.json()["code"] == "body_too_large"


def test_large_answers_are_compressed(api: TestClient) -> None:
    answer = api.get("/api/v1/definitions", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"


def test_what_did_not_change_is_not_sent_again(api: TestClient) -> None:
    first = api.get("/api/v1/backfills")
    known = {"If-None-Match": first.headers["etag"]}
    again = api.get("/api/v1/backfills", headers=known)
    assert (again.status_code, again.content) == (304, b"")
    submitted(api)
    changed = api.get("/api/v1/backfills", headers=known)
    assert changed.status_code == 200
    assert changed.headers["etag"] != first.headers["etag"]


def test_the_docs_page_lists_every_route_and_runs_no_script(api: TestClient) -> None:
    page = api.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    for path in api.get("/api/v1/openapi.json").json()["paths"]:
        assert path in page.text
    assert "<script" not in page.text


def test_a_nul_character_anywhere_is_a_plain_error(api: TestClient) -> None:
    for path in (
        "backfills?partition_set=%00",
        "runs?partition=a%00",
        "partition-sets/days/matrix?start=%00",
        "partition-sets/days/box?partition=%00&step=a",
        "partition-sets/%00/matrix",
        "pipelines/a%00b",
    ):
        assert api.get(f"/api/v1/{path}").status_code == 422, path


def test_malformed_json_is_a_plain_error(api: TestClient) -> None:
    headers = {"Content-Type": "application/json"}
    answer = api.post("/api/v1/runs", content=b"{", headers=headers)
    assert answer.status_code == 422
    assert "not valid JSON" in answer.json()["detail"]


def test_a_list_page_needs_few_statements(api: TestClient, house: House) -> None:

    claims(house, submitted(api))
    seen: list[str] = []

    def note(*args: Any) -> None:
        if threading.current_thread().name != "feed":  # the one reader of live events
            seen.append(str(args[2]))

    event.listen(house.db.engine, "before_cursor_execute", note)
    for path in (
        "backfills",
        "runs",
        "runs?partition_set=days",
        "partition-sets/days/matrix",
        "partition-sets/days/box?partition=day-00&step=a",
        "fleet",
    ):
        seen.clear()
        assert api.get(f"/api/v1/{path}").status_code == 200
        statements = [s for s in seen if not s.startswith(("BEGIN", "PRAGMA"))]
        assert len(statements) <= 5, (path, statements)
