"""When a backfill will be done: from its own runs, earlier ones of its partitions, its pipeline."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from backfill.api.app import create_app
from backfill.client.watching import summary
from backfill.lifecycle.forecasting import Forecast, forecast
from backfill.lifecycle.moves import Claim
from backfill.schemas.backfills import Backfill
from backfill.storage.queries.backfills import get_backfill
from tests.support.house import NOON, House
from tests.support.web import TestClient


@pytest.fixture
def api(house: House) -> Iterator[TestClient]:
    app = create_app(house.settings, house.db, house.definitions, clock=lambda: NOON)
    with TestClient(app, base_url="http://127.0.0.1:8000") as client:
        yield client


def told(house: House, backfill_id: int, rate: float | None = None) -> Forecast | None:
    house.fold()
    with house.db.read() as conn:
        view = get_backfill(house.db, conn, backfill_id)
        assert view is not None
        return forecast(house.db, conn, house.settings, view, rate=rate)


def claims(house: House) -> list[Claim]:
    return [claim for run in house.admitted() for claim in house.claim([run])]


def work_off(house: House, count: int, seconds: float = 10) -> None:
    """Let the next runs take so long, one after another."""
    for claim in claims(house)[:count]:
        house.db.transact(
            lambda conn, claim=claim: conn.execute(
                house.db.sql("UPDATE runs SET started_at = {now} WHERE id = :id"),
                {"id": claim.run_id},
            )
        )
        house.advance(seconds)
        house.worker(slots=4)
        house.succeed(claim)
    house.fold()


def test_before_any_run_ended_nothing_is_known(house: House) -> None:
    house.worker()
    forecasted = told(house, house.ready(5))
    assert forecasted is not None
    assert forecasted.unknown == 'no run of pipeline "work" has ended yet'
    assert (forecasted.runs, forecasted.likely_seconds) == (5, None)


def test_a_backfill_goes_by_its_own_runs_once_there_are_enough(house: House) -> None:
    house.worker(slots=4)
    backfill_id = house.ready(30)
    work_off(house, 10)
    forecasted = told(house, backfill_id)
    assert forecasted is not None
    assert (forecasted.source, forecasted.based_on) == ("backfill", 10)
    assert (forecasted.runs, forecasted.concurrency, forecasted.run_seconds) == (20, 4, 10.0)
    assert forecasted.work_seconds == 200.0
    assert forecasted.likely_seconds == 50.0
    assert forecasted.low_seconds == forecasted.high_seconds == 50.0
    assert forecasted.finish_at is not None


def test_the_first_forecast_comes_from_earlier_runs_of_the_same_partitions(house: House) -> None:
    house.worker(slots=4)
    house.ready(10)
    work_off(house, 10)
    again = told(house, house.ready(10))
    assert again is not None
    assert (again.source, again.based_on) == ("partitions", 10)
    other = house.submit("[day-30...day-39]")
    house.expand(other)
    of_pipeline = told(house, other)
    assert of_pipeline is not None
    assert of_pipeline.source == "pipeline"


def test_limits_and_rivals_take_their_share(house: House) -> None:
    house.worker(slots=4)
    house.ready(10)
    work_off(house, 10)
    limited = told(house, house.ready(10, max_active_runs=1))
    assert limited is not None
    assert limited.concurrency == 1
    rival = house.submit("[day-30...day-39]", priority=5)
    house.expand(rival)
    house.fold()
    among_two = told(house, rival)
    assert among_two is not None
    assert among_two.concurrency == 4  # higher: nobody is before it
    second = house.submit("[day-40...day-49]")
    house.expand(second)
    shared = told(house, second)
    assert shared is not None
    assert shared.concurrency == 1  # four slots among three


def test_a_recent_rate_decides_where_there_is_one(house: House) -> None:
    house.worker(slots=4)
    backfill_id = house.ready(30)
    work_off(house, 10)
    forecasted = told(house, backfill_id, rate=0.1)
    assert forecasted is not None
    assert forecasted.likely_seconds == 200.0
    assert (forecasted.low_seconds or 0) < 200.0 < (forecasted.high_seconds or 0)


def test_hours_are_waited_for(house: House) -> None:
    house.worker(slots=4)
    house.ready(10)
    work_off(house, 10)
    nightly = told(house, house.ready(10, windows=["22:00-04:00"]))
    assert nightly is not None
    assert 9 * 3600 < (nightly.likely_seconds or 0) < 10 * 3600


def test_what_stands_still_has_work_left_and_no_end(house: House) -> None:
    house.worker(slots=4)
    backfill_id = house.ready(30)
    work_off(house, 10)
    house.pause(backfill_id)
    paused = told(house, backfill_id)
    assert paused is not None
    assert (paused.unknown, paused.work_seconds) == ("it is paused", 200.0)
    house.resume(backfill_id)
    house.advance(100)
    silent = told(house, backfill_id)
    assert silent is not None
    assert silent.unknown == 'no worker listens on queue "backfill"'


def test_a_backfill_that_ended_has_no_forecast(house: House) -> None:
    house.worker(slots=4)
    backfill_id = house.ready(2)
    work_off(house, 2)
    house.settle(backfill_id)
    assert told(house, backfill_id) is None


def test_the_api_shows_the_forecast_of_one_and_the_watcher_its_range(
    house: House, api: TestClient
) -> None:
    house.worker(slots=4)
    backfill_id = house.ready(30)
    work_off(house, 8, 10)
    work_off(house, 8, 14)
    shown = api.get(f"/api/v1/backfills/{backfill_id}").json()
    progress = shown["progress"]
    assert progress["forecast"]["source"] == "backfill"
    assert progress["seconds_left"] == round(progress["forecast"]["likely_seconds"], 1)
    line = summary(Backfill.model_validate(shown))
    assert "left (" in line
    assert " to " in line
    (listed,) = api.get("/api/v1/backfills").json()["items"]
    assert listed["progress"]["forecast"] is None
