"""Runs through the API: launched once for one key, found by whatever they are asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
from typer.testing import CliRunner

from backfill.api.app import create_app
from backfill.cli.app import app as cli
from backfill.client import Client
from backfill.errors import Conflict, Invalid
from tests.support.house import NOON, House
from tests.support.serving import serving
from tests.support.web import TestClient

RUNS = "/api/v1/runs"


@pytest.fixture
def api(house: House) -> Iterator[TestClient]:
    app = create_app(house.settings, house.db, house.definitions, clock=lambda: NOON)
    with TestClient(app, base_url="http://127.0.0.1:8000") as client:
        yield client


@pytest.fixture
def client(api: TestClient) -> Client:
    return Client("http://127.0.0.1:8000", http=api)


def test_the_same_launch_under_the_same_key_makes_one_run(house: House, api: TestClient) -> None:
    key = {"Idempotency-Key": "one"}
    first = api.post(RUNS, json={"pipeline": "work"}, headers=key)
    again = api.post(RUNS, json={"pipeline": "work"}, headers=key)
    other = api.post(RUNS, json={"pipeline": "work", "priority": 3}, headers=key)
    alone = api.post(RUNS, json={"pipeline": "work"})
    assert (first.status_code, again.status_code, alone.status_code) == (201, 200, 201)
    assert again.json()["id"] == first.json()["id"] != alone.json()["id"]
    assert (other.status_code, other.json()["code"]) == (409, "conflict")
    assert "'one' was used for run" in other.json()["detail"]
    assert house.row("SELECT count(*) AS n FROM runs").n == 2


def test_a_client_gets_the_same_run_for_the_same_key(client: Client) -> None:
    first = client.launch("work", idempotency_key="k")
    assert client.launch("work", idempotency_key="k").id == first.id
    with pytest.raises(Conflict, match="Use a new key for a new run"):
        client.launch("other", idempotency_key="k")


def test_runs_are_listed_by_tag_schedule_and_time(house: House, client: Client) -> None:
    backfill = client.submit("days", "[day-00...day-02]", tags={"team": "red"})
    house.expand(int(backfill.id))
    alone = client.launch("work", tags={"team": "blue", "why": "a=b"})

    def ids(**wanted: object) -> list[str]:
        return [run.id for run in client.runs(**wanted)]  # type: ignore[arg-type]

    assert len(ids(tags={"team": "red"})) == 3
    assert ids(tags={"team": "blue", "why": "a=b"}) == [alone.id]
    assert ids(tags={"team": "blue", "why": "c"}) == []
    assert ids(schedule="nightly") == []
    at = alone.info.created_at
    assert alone.id in ids(created_after=at, created_before=at + timedelta(seconds=1))
    assert ids(created_before=at - timedelta(days=1)) == []


def test_a_tag_that_is_none_or_two_is_refused_with_a_sentence(api: TestClient) -> None:
    for given, told in (
        (["team"], '"team" is not a tag. Give name=value.'),
        (["team=red", "team=blue"], 'A run has one value of the tag "team"; two were asked for.'),
    ):
        answer = api.get(RUNS, params={"tag": given})
        assert (answer.status_code, answer.json()["detail"]) == (422, told)


def test_runs_are_canceled_and_exported_by_tag(house: House, client: Client) -> None:
    red, _ = (client.launch("work", tags={"team": team}) for team in ("red", "blue"))
    assert client.cancel_runs(tags={"team": "red"}).canceled == 1
    assert red.refresh().state == "canceled"
    lines = b"".join(client.export("runs", format="jsonl", tags={"team": "blue"})).splitlines()
    assert [json.loads(line)["tags"]["team"] for line in lines] == ["blue"]
    with pytest.raises(Invalid, match="Say which runs"):
        client.cancel_runs()


def test_the_command_line_lists_runs_by_tag(house: House) -> None:
    app = create_app(house.settings, house.db, house.definitions, clock=lambda: NOON)
    with serving(app) as url, Client(url) as client:
        run = client.launch("work", tags={"team": "red"})
        client.launch("work")

        def said(*words: str) -> str:
            done = CliRunner().invoke(cli, ["--url", url, *words], catch_exceptions=False)
            assert done.exit_code == 0, done.output
            return done.stdout

        listed = json.loads(said("runs", "--tags", "team=red", "--json"))
        assert [row["id"] for row in listed] == [run.id]
        assert said("runs", "--schedule", "nightly") == "No runs.\n"
        assert "1 runs canceled" in said("cancel-runs", "--tags", "team=red")
