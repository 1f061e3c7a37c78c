"""Guards through the API, the client and the command line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backfill.api.app import create_app
from tests.integration.test_guards import claims_of, fail_with
from tests.support.command_line import Run, command_line
from tests.support.house import NOON, House
from tests.support.serving import serving
from tests.support.web import TestClient

API = "/api/v1"


@pytest.fixture
def api(house: House) -> Iterator[TestClient]:
    app = create_app(house.settings, house.db, house.definitions, clock=lambda: NOON)
    with TestClient(app, base_url="http://127.0.0.1:8000") as client:
        yield client


def post(api: TestClient, path: str, status: int = 200, /, **body: Any) -> Any:
    answer = api.post(f"{API}{path}", json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


def get(api: TestClient, path: str, **params: Any) -> Any:
    answer = api.get(f"{API}{path}", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_guards_of_a_submit_are_shown(api: TestClient) -> None:
    shown = post(
        api,
        "/backfills",
        201,
        partition_set="days",
        selection="all",
        canary=3,
        canary_percent=60,
        breaker={"in_row": 5, "percent": 50, "last": 20},
        on_conflict="skip",
        sample=10,
    )
    assert (shown["canary"], shown["canary_percent"], shown["canary_state"]) == (3, 60, "waiting")
    assert shown["breaker"] == {"in_row": 5, "in_all": None, "percent": 50, "last": 20}
    assert (shown["on_conflict"], shown["narrowed"]) == ("skip", {"sample": 10})
    assert shown["total"] == 10
    assert shown["left_out"] == {"not_taken": 50}
    plan = post(api, "/backfills/plan", partition_set="days", selection="all", limit=7)
    assert (plan["count"], plan["selected"]) == (7, 60)
    assert plan["counts"]["skip:not_taken"] == 53


@pytest.mark.parametrize(
    "wanted",
    [
        {"canary": 0},
        {"breaker": {}},
        {"breaker": {"percent": 10}},
        {"on_conflict": "never"},
        {"limit": 1, "sample": 1},
        {"canary_only": True},
    ],
)
def test_guards_that_make_no_sense_are_refused(api: TestClient, wanted: dict[str, Any]) -> None:
    post(api, "/backfills", 422, partition_set="days", selection="all", **wanted)


def test_failures_come_by_error_with_a_selection(api: TestClient, house: House) -> None:
    house.worker(slots=20)
    backfill_id = house.ready(4)
    for n, claim in enumerate(claims_of(house, house.admitted())):
        fail_with(house, f"no file {n}", claim)
    found = get(api, f"/backfills/{backfill_id}/failures")
    (group,) = found["items"]
    assert (found["count"], found["groups"]) == (4, 1)
    assert group["key"] == "ValueError: no file #"
    assert group["selection"] == "[day-00...day-03]"
    assert group["steps"] == {"b": 4}
    assert api.get(f"{API}/backfills/999/failures").status_code == 404


def test_partitions_are_blocked_listed_and_unblocked(api: TestClient) -> None:
    made = post(api, "/partition-sets/days/block", 201, selection="day-01,day-03", reason="no")
    assert (made["count"], made["reason"]) == (2, "no")
    assert [block["id"] for block in get(api, "/blocks")["items"]] == [made["id"]]
    assert get(api, "/blocks", partition_set="shops")["items"] == []
    row = get(api, "/partition-sets/days/matrix", start="day-01", order="oldest", limit=1)
    assert row["items"][0]["blocked"] == "no"
    assert {box["status"] for box in row["items"][0]["boxes"]} == {"blocked"}
    post(api, "/runs", 409, pipeline="work", partition_set="days", partition="day-01")
    assert post(api, "/partition-sets/days/unblock", selection="day-01") == {"count": 1}
    assert post(api, "/partition-sets/days/unblock", block_id=made["id"]) == {"count": 1}
    post(api, "/partition-sets/days/unblock", 404, block_id=made["id"])
    post(api, "/partition-sets/days/unblock", 422)
    post(api, "/partition-sets/nights/block", 404, selection="all", reason="no")


def test_outcomes_are_marked_listed_and_unmarked(api: TestClient) -> None:
    marked = post(
        api, "/partition-sets/days/mark", selection="day-01", status="succeeded", note="by hand"
    )
    assert marked == {"count": 1}
    post(api, "/partition-sets/days/mark", selection="day-02", status="missing", steps=["b"])
    row = get(api, "/partition-sets/days/matrix", start="day-01", order="oldest", limit=1)
    assert row["items"][0]["mark"]["note"] == "by hand"
    assert [box["marked"] for box in row["items"][0]["boxes"]] == [True, True]
    first = get(api, "/partition-sets/days/marks", limit=1)
    second = get(api, "/partition-sets/days/marks", limit=1, cursor=first["next"])
    told = [(m["partition"], m["step"]) for m in first["items"] + second["items"]]
    assert sorted(told) == [("day-01", None), ("day-02", "b")]
    assert second["next"] is None
    assert post(api, "/partition-sets/days/unmark", selection="all") == {"count": 2}
    post(api, "/partition-sets/days/mark", 422, selection="day-01", status="failed")
    assert api.get(f"{API}/partition-sets/days/marks?cursor=nonsense").status_code == 422


def test_a_launch_is_refused_while_its_partition_is_active(api: TestClient, house: House) -> None:
    house.running(1)
    answer = post(
        api,
        "/runs",
        409,
        pipeline="work",
        partition_set="days",
        partition="day-00",
        on_conflict="refuse",
    )
    assert "is on its way in run" in answer["detail"]


# -- on the command line --------------------------------------------------------------------------


@pytest.fixture
def run(
    house: House,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> Iterator[Run]:
    """Run a command in this process, against a real server; output, errors, exit status."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))

    app = create_app(house.settings, house.db, house.definitions, clock=lambda: NOON)
    with serving(app) as url:
        yield command_line(url, monkeypatch, capsys)


def test_a_guarded_backfill_is_submitted_and_shown(run: Run) -> None:
    out, _, status = run(
        *("submit", "days", "--all", "-y", "--canary", "3", "--canary-percent", "60"),
        *("--breaker", "row=5", "--breaker", "share=50/20", "--on-conflict", "skip"),
    )
    assert status == 0
    backfill_id = out.split()[1]
    shown, _, _ = run("show", backfill_id)
    # Whether its canary was made by now, right after the answer, is a matter of moments.
    assert re.search("3 partitions, (waiting|running), 60 percent needed", shown)
    assert "5 failures in a row, 50 percent of the last 20" in shown
    assert run("submit", "days", "--all", "-y", "--breaker", "rows=5")[2] == 2
    assert "1 partition" in run("submit", "days", "--all", "-y", "--limit", "1")[0]
    planned, _, _ = run("plan", "days", "--all", "--sample", "2")
    assert re.search("2 (run|wait)", planned)  # they wait for those above once these are made


def test_operators_block_mark_and_look_at_failures(run: Run, house: House) -> None:
    house.worker(slots=20)
    backfill_id = house.ready(2)
    fail_with(house, "no file 7", *claims_of(house, house.admitted()))
    told, _, _ = run("failures", str(backfill_id))
    assert "2 failed runs" in told
    assert "ValueError: no file #" in told
    assert "[day-00...day-01]" in told
    assert "2 partitions" in run("block", "days", "--select", "failed", "--reason", "broken")[0]
    assert "broken" in run("blocks")[0]
    assert "2 partitions" in run("unblock", "days", "--all")[0]
    assert "Nothing is blocked" in run("blocks", "--set", "days")[0]
    marked = run("mark", "days", "succeeded", "--partitions", "day-00", "--note", "by hand")
    assert "1 partition of days marked succeeded" in marked[0]
    assert "by hand" in run("marks", "days")[0]
    assert "1 mark of" in run("unmark", "days", "--all")[0]
    assert run("mark", "days", "failed", "--all")[2] == 1
    assert json.loads(run("marks", "days", "--json")[0]) == []
