"""Many runs at once: exported as tables, canceled by a filter."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import CliRunner

from backfill.api.app import create_app
from backfill.api.tables import as_csv
from backfill.cli.app import app as cli
from backfill.client import Client
from backfill.schemas.exports import ExportedOutcome
from backfill.storage.queries import exports
from tests.support.house import NOON, House
from tests.support.serving import serving
from tests.support.web import TestClient


@pytest.fixture
def api(house: House) -> Iterator[TestClient]:
    app = create_app(house.settings, house.db, house.definitions, clock=lambda: NOON)
    with TestClient(app, base_url="http://127.0.0.1:8000") as client:
        yield client


@pytest.fixture
def client(api: TestClient) -> Client:
    return Client("http://127.0.0.1:8000", http=api)


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def worked(house: House) -> None:
    """Five runs: the first two succeeded, the third failed, two are queued."""
    claims = house.running(5)
    house.succeed(*claims[:2])
    house.fail(claims[2], retryable=False)


def test_runs_are_exported_as_they_are_listed(
    house: House, api: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "RUNS_PER_PAGE", 2)
    worked(house)
    listed = api.get("/api/v1/runs").json()["items"]
    answer = api.get("/api/v1/export/runs")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="runs.csv"'
    rows = table(answer.text)
    assert [row["id"] for row in rows] == [run["id"] for run in listed]
    assert [row["created_at"] for row in rows] == [run["created_at"] for run in listed]
    lines = api.get("/api/v1/export/runs", params={"format": "jsonl"}).text.splitlines()
    assert [json.loads(line) for line in lines] == listed


def test_outcomes_are_exported_with_their_runs(house: House, api: TestClient) -> None:
    worked(house)
    rows = table(api.get("/api/v1/export/outcomes").text)
    told = [(row["partition"], row["step"], row["state"]) for row in rows]
    assert ("day-00", "a", "succeeded") in told
    assert all(row["run_id"] and row["pipeline"] == "work" for row in rows)
    lines = api.get("/api/v1/export/outcomes", params={"format": "jsonl"}).text.splitlines()
    assert [json.loads(line)["step"] for line in lines] == [row["step"] for row in rows]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"state": "succeeded"}, ["day-01", "day-00"]),
        ({"state": ["succeeded", "failed"]}, ["day-02", "day-01", "day-00"]),
        ({"partition": "day-03"}, ["day-03"]),
        ({"partition_set": "nights"}, []),
        ({"created_after": "2999-01-01T00:00:00Z"}, []),
        ({"created_before": "2999-01-01T00:00:00Z", "state": "failed"}, ["day-02"]),
    ],
    ids=str,
)
def test_lists_and_exports_narrow_the_same_way(
    house: House, api: TestClient, wanted: dict[str, Any], expected: list[str]
) -> None:
    worked(house)
    rows = table(api.get("/api/v1/export/runs", params=wanted).text)
    listed = api.get("/api/v1/runs", params=wanted).json()["items"]
    assert [row["partition"] for row in rows] == expected
    assert [run["partition"] for run in listed] == expected


@pytest.mark.parametrize("start", list("=+-@\t\r\n＝") + [" ="])
def test_no_cell_of_a_table_is_a_formula(start: str) -> None:
    document = ExportedOutcome.model_validate(
        {
            **dict.fromkeys(ExportedOutcome.model_fields),
            "run_id": 1,
            "pipeline": "work",
            "run_state": "failed",
            "attempt": 1,
            "step": "a",
            "state": "failed",
            "tries": 1,
            "partition": f'{start}cmd|"x"!A1',
        }
    )
    [row] = table("".join(as_csv(["partition", "tries"], [[document]])))
    assert row == {"partition": f'\'{start}cmd|"x"!A1', "tries": "1"}


# -- canceling many ---------------------------------------------------------------------------


def test_unfinished_runs_are_canceled_by_filter(house: House, api: TestClient) -> None:
    claims = house.running(2)
    backfill = house.run(claims[0].run_id).backfill_id
    waiting = house.submit("[day-10...day-14]")
    house.expand(waiting)
    body = {"partition_set": "days", "limit": 4, "note": "wrong data"}
    first = api.post("/api/v1/runs/cancel", json=body)
    assert first.json() == {"canceled": 4, "told": 0, "more": True}
    second = api.post("/api/v1/runs/cancel", json=body).json()
    assert second == {"canceled": 1, "told": 2, "more": False}
    assert house.states(waiting) == {"canceled": 5}
    assert house.states(backfill) == {"running": 2}
    assert api.post("/api/v1/runs/cancel", json=body).json()["told"] == 0
    [audited] = house.rows("SELECT DISTINCT path, status FROM audit")
    assert tuple(audited) == ("/api/v1/runs/cancel", 200)
    [newest, _] = house.rows("SELECT * FROM events WHERE kind = 'runs.canceled' ORDER BY id DESC")
    assert newest.message == "1 runs canceled, 2 told to stop: wrong data"
    for claim in claims:
        house.succeed(claim)


def test_canceling_leaves_other_states_and_backfills_alone(house: House, api: TestClient) -> None:
    one, other = house.ready(2), house.submit("[day-10...day-11]")
    house.expand(other)
    body = {"backfill": one, "state": ["pending", "failed"]}
    assert api.post("/api/v1/runs/cancel", json=body).json()["canceled"] == 2
    assert house.states(other) == {"pending": 2}
    assert api.post("/api/v1/runs/cancel", json={"state": ["failed"]}).json()["canceled"] == 0


def test_canceling_must_say_which_runs(house: House, api: TestClient) -> None:
    refused = api.post("/api/v1/runs/cancel", json={"note": "all of it"})
    assert refused.status_code == 422
    assert refused.json()["detail"].startswith("Say which runs")


# -- the client and the command line ----------------------------------------------------------


def test_the_client_exports_and_cancels(house: House, client: Client) -> None:
    house.ready(3)
    lines = b"".join(client.export("runs", format="jsonl", states=["pending"])).splitlines()
    assert len(lines) == 3
    assert client.cancel_runs(partition="day-01").canceled == 1
    text = b"".join(client.export("runs", states=["canceled"])).decode()
    assert [row["partition"] for row in table(text)] == ["day-01"]


def test_the_command_line_exports_and_cancels(house: House, api: TestClient) -> None:
    house.ready(3)
    with serving(create_app(house.settings, house.db, house.definitions)) as url:
        printed = CliRunner().invoke(cli, ["--url", url, "export", "runs", "--state", "pending"])
        assert [row["state"] for row in table(printed.stdout)] == ["pending"] * 3
        canceled = CliRunner().invoke(cli, ["--url", url, "cancel-runs", "--set", "days"])
        assert canceled.stdout == "3 runs canceled, 0 running ones told to stop.\n"
        wrong = CliRunner().invoke(cli, ["--url", url, "export", "walks"])
        assert wrong.exit_code == 2
