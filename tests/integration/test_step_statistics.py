"""How the steps of a set do: failures, durations, and a point per partition."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from backfill.api.app import create_app
from backfill.api.routes.statistics import MOST
from backfill.client import Client
from backfill.execution.outcomes import ErrorInfo, RunEnd, RunOutcome, StepOutcome
from backfill.lifecycle.moves import Claim, Report
from backfill.states import StepState
from tests.support.house import NOON, SECOND, House
from tests.support.web import TestClient

PATH = "/api/v1/partition-sets/days/step-statistics"


@pytest.fixture
def api(house: House) -> Iterator[TestClient]:
    app = create_app(house.settings, house.db, house.definitions, clock=lambda: NOON)
    with TestClient(app, base_url="http://127.0.0.1:8000") as client:
        yield client


def step(name: str, seconds: float, state: StepState = StepState.SUCCEEDED) -> StepOutcome:
    return StepOutcome(
        name, state, tries=1, started_at=SECOND, finished_at=SECOND + int(seconds * SECOND)
    )


def succeed(house: House, claim: Claim, seconds: float) -> None:
    outcome = RunOutcome(RunEnd.SUCCEEDED)
    house.record(Report(claim, outcome=outcome, steps=[step("a", seconds), step("b", 1)]))


def fail(house: House, claim: Claim) -> None:
    error = ErrorInfo("ValueError", "no", "Traceback: no")
    outcome = RunOutcome(RunEnd.FAILED, error=error, failed_step="b", retryable=False)
    steps = [step("a", 9), step("b", 1, StepState.FAILED)]
    house.record(Report(claim, outcome=outcome, steps=steps))


def test_steps_tell_failures_durations_and_a_series(house: House, api: TestClient) -> None:
    claims = house.running(4)
    for claim, seconds in zip(claims, (1, 2, 3), strict=False):
        succeed(house, claim, seconds)
    fail(house, claims[3])
    told = api.get(PATH, params={"first": "day-00", "last": "day-04"}).json()
    assert (told["first"], told["last"], told["count"]) == ("day-00", "day-04", 5)
    a, b = told["steps"]
    assert (a["ended"], a["failed"], a["failure_percent"]) == (4, 0, 0.0)
    assert (b["ended"], b["failed"], b["failure_percent"]) == (4, 1, 25.0)
    assert a["durations"] == {
        "count": 4,
        "mean": 3.75,
        "p50": 2.0,
        "p90": 9.0,
        "p99": 9.0,
        "longest": 9.0,
    }
    assert b["durations"]["count"] == 3
    assert [point["seconds"] for point in a["series"]] == [1.0, 2.0, 3.0, 9.0, None]
    assert [point["status"] for point in b["series"][2:]] == ["succeeded", "failed", "missing"]


def test_without_keys_the_newest_partitions_are_looked_at(house: House, api: TestClient) -> None:
    told = api.get(PATH, params={"newest": 2}).json()
    assert (told["first"], told["last"], told["count"]) == ("day-58", "day-59", 2)
    assert told["steps"][0]["failure_percent"] is None
    assert told["steps"][0]["durations"] is None


def test_the_client_gives_statistics(house: House, api: TestClient) -> None:
    client = Client("http://127.0.0.1:8000", http=api)
    told = client.step_statistics("days", first="day-57")
    assert [point.partition for point in told.steps[1].series] == ["day-57", "day-58", "day-59"]


def test_statistics_are_bounded(api: TestClient) -> None:
    assert api.get(PATH, params={"newest": MOST + 1}).status_code == 422
    assert api.get(PATH, params={"first": "day-99"}).status_code == 404
    assert api.get(PATH, params={"first": "day-09", "last": "day-01"}).status_code == 422
