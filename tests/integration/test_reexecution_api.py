"""Doing again through the API and the command line: runs, backfills, lineage."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backfill.api.app import create_app
from backfill.execution.outcomes import ErrorInfo, RunEnd, RunOutcome, StepOutcome
from backfill.lifecycle import retrying
from backfill.lifecycle.moves import Report
from backfill.settings import Settings
from backfill.states import RunState, StepState
from backfill.storage.database import Database
from backfill.storage.queries.matrix import matrix_page
from tests.support.house import DEFINITIONS, NOON, House
from tests.support.loading import loaded
from tests.support.web import TestClient


@pytest.fixture
def house(database: Database, tmp_path: Path) -> Iterator[House]:
    with loaded(DEFINITIONS, tmp_path) as definitions:
        yield House(database, definitions, Settings())


@pytest.fixture
def api(house: House) -> Iterator[TestClient]:
    app = create_app(house.settings, house.db, house.definitions, clock=lambda: NOON)
    with TestClient(app, base_url="http://127.0.0.1:8000") as client:
        yield client


def post(api: TestClient, path: str, expect: int = 200, **body: Any) -> Any:
    answer = api.post(f"/api/v1{path}", json=body)
    assert answer.status_code == expect, answer.text
    return answer.json()


def failed_runs(house: House, count: int = 2) -> list[int]:
    claims = house.running(count)
    house.fail(*claims)
    return [claim.run_id for claim in claims]


def test_a_run_is_re_executed_by_a_new_one_with_its_lineage_kept(
    house: House, api: TestClient
) -> None:
    (first,) = failed_runs(house, 1)
    made = post(api, f"/runs/{first}/re-execute", 201)
    assert (made["parent_id"], made["root_id"], made["mode"]) == (
        str(first),
        str(first),
        "from_failure",
    )
    assert (made["partition"], made["backfill_id"], made["state"]) == ("day-00", None, "pending")
    told = post(api, f"/runs/{first}/re-execute", 409)
    assert f"by run {made['id']}" in told["detail"]
    api.post(f"/api/v1/runs/{made['id']}/cancel")
    again = post(api, f"/runs/{made['id']}/re-execute", 201, from_step="b")
    assert (again["steps"], again["mode"]) == (["b"], "steps")
    for run in (first, made["id"], again["id"]):
        lineage = api.get(f"/api/v1/runs/{run}/lineage").json()
        assert lineage["root"] == str(first)
        assert [r["id"] for r in lineage["runs"]] == [str(first), made["id"], again["id"]]


def test_what_cannot_be_re_executed_is_said(house: House, api: TestClient) -> None:
    (claim,) = house.running(1)
    told = post(api, f"/runs/{claim.run_id}/re-execute", 409)
    assert told["detail"].startswith(f"Run {claim.run_id} cannot be re-executed: it is running.")
    house.succeed(claim)
    told = post(api, f"/runs/{claim.run_id}/re-execute", 409)
    assert "there is no failure to go on from" in told["detail"]
    assert (
        "has no step" in post(api, f"/runs/{claim.run_id}/re-execute", 422, steps=["z"])["detail"]
    )
    post(api, f"/runs/{claim.run_id}/re-execute", 422, mode="steps")
    post(api, f"/runs/{claim.run_id}/re-execute", 422, mode="all", steps=["a"])
    post(api, f"/runs/{claim.run_id}/re-execute", 422, from_step="a", steps=["a"])
    post(api, "/runs/99/re-execute", 404)
    assert api.get("/api/v1/runs/99/lineage").status_code == 404
    assert post(api, f"/runs/{claim.run_id}/re-execute", 201, mode="all")["steps"] is None


def test_a_re_execution_keeps_what_the_backfill_gave_its_runs(
    house: House, api: TestClient
) -> None:
    config = {"resources": {}}
    backfill_id = house.ready(1, tags={"team": "sales"}, run_config=config, steps=["b"])
    (claim,) = house.claim(house.admitted())
    house.fail(claim)
    made = post(api, f"/runs/{claim.run_id}/re-execute", 201, tags={"why": "repair"})
    assert made["tags"] == {"team": "sales", "why": "repair"}
    assert (made["run_config"], made["steps"]) == (config, ["b"])
    assert house.backfill(backfill_id).generation == 0


def test_many_runs_are_re_executed_by_a_filter_each_once(house: House, api: TestClient) -> None:
    ids = failed_runs(house, 3)
    assert "Say which runs" in post(api, "/runs/re-execute", 422)["detail"]
    told = post(api, "/runs/re-execute", partition_set="days", limit=2)
    assert (told["made"], told["more"]) == (2, True)
    told = post(api, "/runs/re-execute", partition_set="days", limit=2)
    assert (told["made"], told["more"]) == (1, False)
    assert post(api, "/runs/re-execute", partition_set="days")["made"] == 0
    parents = {
        row.parent_id
        for row in house.rows("SELECT parent_id FROM runs WHERE mode = 'from_failure'")
    }
    assert parents == set(ids)


def test_a_backfill_is_retried(house: House, api: TestClient) -> None:
    failed_runs(house, 2)
    house.settle(1)
    told = post(api, "/backfills/1/retry", statuses=["failed"], note="the disk is mended")
    assert (told["state"], told["generation"]) == ("running", 1)
    assert retrying.retry_chunk(house.db, 1, limit=10) == 2
    events = api.get("/api/v1/backfills/1/events").json()["items"]
    assert events[0]["message"] == "what is failed runs again, from failure: the disk is mended"
    post(api, "/backfills/1/retry", 409)
    post(api, "/backfills/9/retry", 404)
    post(api, "/backfills/1/retry", 422, statuses=["lost"])


def test_a_run_on_its_way_from_a_failure_keeps_showing_what_succeeded(
    house: House, api: TestClient
) -> None:
    (claim,) = house.running(1)
    outcome = RunOutcome(RunEnd.FAILED, error=ErrorInfo("E", "no", ""), failed_step="b")
    steps = [
        StepOutcome("a", StepState.SUCCEEDED, 1, 1, 2),
        StepOutcome("b", StepState.FAILED, 1, 2, 3),
    ]
    house.record(Report(claim, steps=steps, outcome=outcome))
    made = post(api, f"/runs/{claim.run_id}/re-execute", 201)

    def boxes() -> list[str]:
        with house.db.read() as conn:
            (row,) = matrix_page(house.db, conn, "days", ["day-00"], ["a", "b"])
        return [row.boxes[step].status.value for step in ("a", "b")]

    assert boxes() == ["succeeded", "queued"]
    (again,) = house.claim(house.admitted())
    assert boxes() == ["succeeded", "queued"]
    house.record(
        Report(
            again,
            steps=[StepOutcome("b", StepState.SUCCEEDED, 1, 4, 5)],
            outcome=RunOutcome(RunEnd.SUCCEEDED),
        )
    )
    assert boxes() == ["succeeded", "succeeded"]
    assert house.state(int(made["id"])) is RunState.SUCCEEDED
