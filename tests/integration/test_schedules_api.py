"""Schedules through the API: what is shown, started, stopped and ticked by hand."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from backfill.api.app import create_app
from tests.support.house import NOON
from tests.support.loading import loaded
from tests.support.reports import REPORTS
from tests.support.schedules import Ticking, open_ticking
from tests.support.web import TestClient

URL = "/api/v1/schedules"


@pytest.fixture
def ticking(database_url: str, tmp_path: Path) -> Iterator[Ticking]:
    with open_ticking(database_url, tmp_path, REPORTS) as opened:
        yield opened


@pytest.fixture
def api(ticking: Ticking) -> Iterator[TestClient]:
    house = ticking.house
    app = create_app(house.settings, house.db, house.definitions, clock=lambda: NOON)
    with TestClient(app, base_url="http://127.0.0.1:8000") as client:
        yield client


def post(api: TestClient, path: str, status: int = 200, **body: Any) -> dict[str, Any]:
    answer = api.post(f"{URL}/{path}", json=body or None)
    assert answer.status_code == status, answer.text
    told: dict[str, Any] = answer.json()
    return told


def repair(ticking: Ticking) -> None:
    """Let the selector that fails work again."""
    for module in list(sys.modules.values()):
        if hasattr(module, "broken") and hasattr(module, "failing"):
            module.broken["selector"] = False


def test_schedules_are_listed_with_their_definitions_and_ticks(
    api: TestClient, ticking: Ticking
) -> None:
    items = api.get(URL).json()["items"]
    assert [item["name"] for item in items] == ["daily", "failing", "idle"]
    daily = items[0]
    assert (daily["state"], daily["next_ticks"], daily["last_tick"]) == ("stopped", [], None)
    assert daily["definition"]["cron"] == "0 6 * * *"
    assert daily["definition"]["timezone"] == "America/New_York"
    assert daily["definition"]["partition_set"] == "daily_partitions"
    assert daily["definition"]["description"] == "Yesterday's report."

    started = post(api, "daily/start")
    assert (started["state"], started["changed_by"]) == ("running", "local")
    assert started["next_ticks"][:2] == ["2026-01-02T11:00:00Z", "2026-01-03T11:00:00Z"]
    assert post(api, "daily/start") == started

    ticking.next("daily")
    ticking.tick()
    (daily, *_) = api.get(URL).json()["items"]
    assert daily["last_tick"]["state"] == "success"
    run_id = daily["last_tick"]["run_ids"][0]
    run = api.get(f"/api/v1/runs/{run_id}").json()
    assert (run["partition_set"], run["partition"]) == ("daily_partitions", "2026-01-01")
    assert run["tags"]["backfill/schedule"] == "daily"

    stopped = post(api, "daily/stop")
    assert (stopped["state"], stopped["next_ticks"]) == ("stopped", [])
    assert api.get(f"{URL}/daily").json() == stopped


def test_a_list_takes_few_statements(api: TestClient, ticking: Ticking) -> None:
    statements: list[str] = []

    def note(*args: Any) -> None:
        if threading.current_thread().name != "feed":  # the one reader of live events
            statements.append(str(args[2]))

    event.listen(ticking.db.engine, "before_cursor_execute", note)
    assert api.get(URL).status_code == 200
    assert len([s for s in statements if not s.startswith(("BEGIN", "PRAGMA"))]) <= 5


def test_ticks_are_paged_newest_first_with_their_reasons(api: TestClient, ticking: Ticking) -> None:
    ticking.start("idle", "failing")
    for _ in range(5):
        ticking.next("idle")
        ticking.tick()
    page = api.get(f"{URL}/idle/ticks", params={"limit": 3}).json()
    rest = api.get(f"{URL}/idle/ticks", params={"limit": 3, "cursor": page["next"]}).json()
    ticks = page["items"] + rest["items"]
    assert [tick["tick_at"] for tick in ticks] == [
        f"2026-01-01T{hour}:00:00Z" for hour in (17, 16, 15, 14, 13)
    ]
    assert {(tick["state"], tick["reason"]) for tick in ticks} == {("skipped", "nothing to do")}
    assert rest["next"] is None
    failed = api.get(f"{URL}/failing/ticks", params={"state": "failure"}).json()["items"]
    assert len(failed) == 5
    assert "ValueError: no such table" in failed[0]["reason"]
    assert "in fail" in failed[0]["error"]
    only = {"state": ["success", "skipped"]}
    assert api.get(f"{URL}/failing/ticks", params=only).json()["items"] == []


def test_the_next_ticks_are_shown_running_or_not(api: TestClient) -> None:
    told = api.get(f"{URL}/daily/next", params={"count": 2}).json()
    assert told["timezone"] == "America/New_York"
    assert told["items"] == ["2026-01-02T11:00:00Z", "2026-01-03T11:00:00Z"]
    since = {"count": 2, "since": "2026-03-07T12:00:00Z"}
    across = api.get(f"{URL}/daily/next", params=since).json()["items"]
    assert across == ["2026-03-08T10:00:00Z", "2026-03-09T10:00:00Z"]  # the clocks change


def test_a_dry_run_says_what_a_tick_would_do_and_does_nothing(
    api: TestClient, ticking: Ticking
) -> None:
    told = post(api, "daily/tick", at="2026-03-01T06:00:00", dry_run=True)
    assert (told["state"], told["run_count"], told["dry_run"]) == ("success", 1, True)
    assert told["tick_at"] == "2026-03-01T11:00:00Z"
    (run,) = told["runs"]
    assert (run["partition"], run["tags"], run["run_config"]) == ("2026-02-28", {"day": "28"}, None)
    failed = post(api, "failing/tick", dry_run=True)
    assert failed["state"] == "failure"
    assert "in fail" in failed["error"]
    assert ticking.house.rows("SELECT id FROM runs") == []
    assert ticking.house.rows("SELECT id FROM ticks") == []


def test_a_dry_run_names_the_runs_that_are_in_the_way(api: TestClient, ticking: Ticking) -> None:
    made = post(api, "daily/tick")
    told = post(api, "daily/tick", dry_run=True)
    assert told["runs"][0]["waits_for"] == made["run_ids"][0]
    assert told["handled"]["state"] == "success"


def test_a_tick_by_hand_makes_its_runs_once_and_says_who_asked(
    api: TestClient, ticking: Ticking
) -> None:
    told = post(api, "daily/tick", at="2026-01-01T06:00:00-05:00")
    assert (told["state"], told["run_count"]) == ("success", 1)
    again = post(api, "daily/tick", 409, at="2026-01-01T11:00:00+00:00")
    assert told["run_ids"][0] in again["detail"]
    (tick,) = api.get(f"{URL}/daily/ticks").json()["items"]
    assert (tick["by_hand"], tick["asked_by"]) == (True, "local")
    assert api.get(f"{URL}/daily").json()["state"] == "stopped"
    assert ticking.partitions("daily") == ["2025-12-31"]


def test_a_tick_by_hand_takes_none_from_the_coordinator(api: TestClient, ticking: Ticking) -> None:
    ticking.start("idle")
    ticking.pass_(hours=3, minutes=1)
    post(api, "idle/tick")  # the last of three that are due
    ticking.tick()
    assert [time.hour for time, _, _ in ticking.ticks("idle")] == [13, 14, 15]


def test_a_failed_tick_can_be_done_again_by_hand(api: TestClient, ticking: Ticking) -> None:
    ticking.start("failing")
    ticking.next("failing")
    ticking.tick()
    assert post(api, "failing/tick")["state"] == "failure"
    repair(ticking)
    told = post(api, "failing/tick")
    assert (told["state"], told["run_count"]) == ("success", 2)
    assert ticking.states("failing") == ["success"]
    assert ticking.partitions("failing") == ["2025-12-30", "2025-12-31"]
    ticking.pass_(minutes=30)
    assert ticking.tick() == []


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("dayly/start", {}, 404, 'Did you mean "daily"?'),
        ("dayly/stop", {}, 404, 'Did you mean "daily"?'),
        ("dayly/tick", {}, 404, 'Did you mean "daily"?'),
        ("daily/tick", {"at": "2026-01-01T06:01:00"}, 422, "2025-12-31T06:00:00-05:00"),
        ("daily/tick", {"at": "2026-01-01T06:01:00"}, 422, "2026-01-01T06:00:00-05:00"),
        ("daily/tick", {"at": "2026-01-02T06:00:00"}, 422, "a dry run shows"),
        ("daily/tick", {"at": "0001-01-01T00:00:00"}, 422, "between 1970 and 2100"),
        ("daily/tick", {"at": "9999-12-31T23:59:59+00:00"}, 422, "between 1970 and 2100"),
        ("daily/tick", {"at": "soon"}, 422, "at: "),
        ("daily/tick", {"when": "2026-01-01"}, 422, "there is no such field"),
    ],
)
def test_what_makes_no_sense_is_told(
    api: TestClient, path: str, body: dict[str, Any], status: int, words: str
) -> None:
    if words == "2025-12-31T06:00:00-05:00":
        words = "2026-01-01T06:00:00-05:00, 2026-01-02T06:00:00-05:00"
    assert words in post(api, path, status, **body)["detail"]


def test_unknown_schedules_and_foreign_cursors_are_told(api: TestClient) -> None:
    assert api.get(f"{URL}/a%00b").status_code == 422
    for path in ("dayly", "dayly/ticks", "dayly/next"):
        answer = api.get(f"{URL}/{path}")
        assert answer.status_code == 404
        assert answer.json()["code"] == "not_found"
    assert api.get(f"{URL}/daily/ticks?cursor=x").json()["code"] == "cursor_invalid"


def test_a_schedule_gone_from_the_code_is_shown_and_can_be_stopped(
    ticking: Ticking, tmp_path: Path
) -> None:
    ticking.start("idle")
    ticking.next("idle")
    ticking.tick()
    rest = REPORTS[: REPORTS.index('@schedule("0 * * * *"')]
    with loaded(rest, tmp_path) as definitions:
        app = create_app(ticking.house.settings, ticking.db, definitions, clock=lambda: NOON)
        with TestClient(app, base_url="http://127.0.0.1:8000") as api:
            gone = api.get(URL).json()["items"][-1]
            assert (gone["name"], gone["state"], gone["definition"]) == ("idle", "running", None)
            assert gone["last_tick"]["state"] == "skipped"
            assert len(api.get(f"{URL}/idle/ticks").json()["items"]) == 1
            assert post(api, "idle/stop")["state"] == "stopped"
            assert post(api, "idle/start", 404)["code"] == "not_found"
