"""What a pending run waits for, as facts."""

from __future__ import annotations

from datetime import timedelta

from backfill.lifecycle.admission import backfill_waiting_for, waiting_for
from backfill.lifecycle.pooling import set_slots, set_tag_limit
from backfill.lifecycle.waiting import (
    Waiting,
    WaitsForExpansion,
    WaitsForPool,
    WaitsForPrevious,
    WaitsForTagLimit,
    WaitsForTurn,
    WaitsForWindow,
)
from tests.support.house import House


def of_run(house: House, backfill_id: int, partition: str) -> list[Waiting]:
    row = house.row(
        "SELECT id FROM runs WHERE backfill_id = :id AND partition = :key",
        id=backfill_id,
        key=partition,
    )
    with house.db.read() as conn:
        return list(waiting_for(house.db, conn, house.settings, row.id))


def of_backfill(house: House, backfill_id: int) -> list[Waiting]:
    with house.db.read() as conn:
        return list(backfill_waiting_for(house.db, conn, house.settings, backfill_id))


def test_a_run_that_only_waits_for_room_waits_for_nothing_here(house: House) -> None:
    backfill_id = house.ready(3)
    assert of_backfill(house, backfill_id) == []
    (run, *_) = house.admitted()
    with house.db.read() as conn:
        assert list(waiting_for(house.db, conn, house.settings, run)) == []


def test_a_pool_that_is_taken(house: House) -> None:
    house.worker(slots=8)
    set_slots(house.db, "warehouse", 2)
    backfill_id = house.submit("all", "stored")
    house.expand(backfill_id)
    held_by = tuple(house.admitted())
    wanted = WaitsForPool("warehouse", slots=2, used=2, needed=1, held_by=held_by)
    assert of_run(house, backfill_id, "s-9") == [wanted]
    assert of_backfill(house, backfill_id) == [wanted]


def test_a_limit_of_a_tag(house: House) -> None:
    house.worker(slots=8)
    set_tag_limit(house.db, "customer", None, 1)
    backfill_id = house.submit("all", "customers")
    house.expand(backfill_id)
    acme, bolt = house.admitted()
    assert of_run(house, backfill_id, "acme-5") == [
        WaitsForTagLimit("customer", "acme", limit=1, active=1, held_by=(acme,))
    ]
    assert of_run(house, backfill_id, "bolt-5") == [
        WaitsForTagLimit("customer", "bolt", limit=1, active=1, held_by=(bolt,))
    ]


def test_a_window_and_until_when(house: House) -> None:
    backfill_id = house.ready(2)
    with house.db.read() as conn:
        now = house.db.clock(conn)
    begins = now // 1_000_000 % 86_400 // 60 + 120
    text = f"{begins // 60 % 24:02}:{begins % 60:02}-{(begins // 60 + 1) % 24:02}:{begins % 60:02}"
    later = house.submit("[day-10...day-11]", windows=[text])
    house.expand(later)
    (found,) = of_backfill(house, later)
    assert isinstance(found, WaitsForWindow)
    assert found.until is not None
    wait = timedelta(seconds=found.until.timestamp() - now / 1e6)
    assert timedelta(minutes=119) <= wait <= timedelta(minutes=121)
    assert of_backfill(house, backfill_id) == []


def test_a_line_says_whose_turn_it_is_and_what_stops_it(house: House) -> None:
    house.worker(slots=4)
    backfill_id = house.ready(4, depends_on_previous=True)
    (run,) = house.admitted()
    (claim,) = house.claim([run])
    assert of_run(house, backfill_id, "day-03") == [WaitsForTurn(run, "day-00", "running")]
    house.fail(claim, retryable=False)
    house.fold()
    stopped = WaitsForPrevious("day-00", run, "failed", stopped=True)
    assert of_run(house, backfill_id, "day-01") == [stopped]
    assert of_backfill(house, backfill_id) == [stopped]
    second = house.row("SELECT id FROM runs WHERE partition = 'day-01'").id
    assert of_run(house, backfill_id, "day-03") == [
        WaitsForTurn(second, "day-01", "pending"),
        stopped,
    ]


def test_weights_are_waited_for_until_all_runs_are_made(house: House) -> None:
    backfill_id = house.submit("all", "weighed", ordering="weight")
    house.expand(backfill_id, limit=3)
    assert of_backfill(house, backfill_id) == [WaitsForExpansion(3, 8)]
    house.expand(backfill_id, limit=10)
    assert of_backfill(house, backfill_id) == []


def test_neighbours_that_run_together_wait_until_all_runs_are_made(house: House) -> None:
    backfill_id = house.submit("[day-00...day-07]", partitions_per_run=4)
    house.expand(backfill_id, limit=3)
    assert of_backfill(house, backfill_id) == [WaitsForExpansion(3, 8, by="ranges")]
    house.expand(backfill_id, limit=10)
    assert of_backfill(house, backfill_id) == []
