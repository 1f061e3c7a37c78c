"""Pools and limits of tags: named limits across everything, taken whole and always given back."""

from __future__ import annotations

from collections import Counter

import pytest

from backfill.errors import Invalid, NotFound
from backfill.lifecycle import runs
from backfill.lifecycle.pooling import (
    list_pools,
    list_tag_limits,
    remove_tag_limit,
    set_slots,
    set_tag_limit,
)
from backfill.lifecycle.runs import LaunchRequest
from backfill.states import RunState
from tests.support.failpoints import Racing
from tests.support.house import House


def used(house: House, name: str) -> int:
    with house.db.read() as conn:
        return {pool.name: pool.used for pool in list_pools(house.db, conn, house.settings)}[name]


def expanded(house: House, set_name: str, selection: str = "all", **wanted: object) -> int:
    backfill_id = house.submit(selection, set_name, **wanted)
    house.expand(backfill_id)
    return backfill_id


def sets(house: House, admitted: list[int]) -> Counter[int]:
    return Counter(house.run(run).backfill_id for run in admitted)


def test_a_run_takes_a_slot_of_its_pool_from_admission_to_its_end(house: House) -> None:
    house.worker(slots=8)
    set_slots(house.db, "warehouse", 3)
    expanded(house, "stored")
    admitted = house.admitted()
    assert len(admitted) == 3
    assert house.admit() == []
    claims = house.claim(admitted)
    house.succeed(claims[0])
    house.fail(claims[1], retryable=False)
    assert len(house.admitted()) == 2
    assert used(house, "warehouse") == 3


def test_a_pool_nobody_configured_has_one_slot_and_is_listed(house: House) -> None:
    house.worker(slots=8)
    expanded(house, "stored")
    assert len(house.admitted()) == 1
    with house.db.read() as conn:
        (pool,) = list_pools(house.db, conn, house.settings)
    assert (pool.name, pool.slots, pool.configured, pool.used) == ("warehouse", 1, False, 1)


def test_slots_change_while_runs_take_them(house: House) -> None:
    house.worker(slots=8)
    set_slots(house.db, "warehouse", 2)
    expanded(house, "stored")
    claims = house.claim(house.admitted())
    set_slots(house.db, "warehouse", 5)
    claims += house.claim(house.admitted())
    assert len(claims) == 5
    set_slots(house.db, "warehouse", 1)
    house.succeed(*claims[:4])
    assert house.admit() == [], "one is still taken, and there is one"
    house.succeed(claims[4])
    assert len(house.admitted()) == 1
    set_slots(house.db, "warehouse", 0)
    house.succeed(*house.claim([run.id for run in house.rows(QUEUED)]))
    assert house.admit() == [], "0 closes a pool"


QUEUED = "SELECT id FROM runs WHERE state = 'queued'"


def test_backfills_and_launches_share_a_pool(house: House) -> None:
    house.worker(slots=8)
    set_slots(house.db, "warehouse", 3)
    first, second = expanded(house, "stored", "[s-0...s-9]"), expanded(house, "exchanged")
    set_slots(house.db, "api", 9)
    house.admit()
    active = {i: house.states(i).get("queued", 0) for i in (first, second)}
    assert sum(active.values()) == 3
    assert min(active.values()) >= 1


def test_all_pools_of_a_run_are_taken_or_none(house: House) -> None:
    house.worker(slots=8)
    set_slots(house.db, "warehouse", 5)
    set_slots(house.db, "api", 0)
    expanded(house, "exchanged")
    assert house.admit() == []
    assert used(house, "warehouse") == 0
    set_slots(house.db, "api", 2)
    assert len(house.admitted()) == 2
    assert (used(house, "warehouse"), used(house, "api")) == (2, 2)


def test_what_waits_for_a_pool_stops_nothing_that_needs_it_not(house: House) -> None:
    house.worker(slots=1)
    set_slots(house.db, "warehouse", 0)
    pooled = expanded(house, "stored", priority=9)
    free = house.ready(4)
    admitted = house.admitted()
    assert sets(house, admitted) == {free: 4}
    assert house.states(pooled) == {"pending": 20}


def test_a_launch_waiting_for_a_pool_lets_those_behind_it_pass(house: House) -> None:
    house.worker(slots=2)
    set_slots(house.db, "warehouse", 0)
    pools = {"warehouse": 1}
    for _ in range(20):
        runs.launch(house.db, LaunchRequest(pipeline="storing"), pools=pools)
    free = runs.launch(house.db, LaunchRequest(pipeline="work"))
    assert house.admitted() == [free]
    set_slots(house.db, "warehouse", 2)
    assert len(house.admitted()) == 2


def test_a_run_may_take_several_slots_and_all_when_it_needs_more(house: House) -> None:
    house.worker(slots=8)
    set_slots(house.db, "warehouse", 5)
    expanded(house, "moved")
    first = house.admitted()
    assert len(first) == 2
    assert used(house, "warehouse") == 4
    house.succeed(*house.claim(first))
    set_slots(house.db, "warehouse", 1)
    assert len(house.admitted()) == 1
    assert used(house, "warehouse") == 1


def test_who_needs_two_slots_is_not_passed_over_by_those_who_need_one(house: House) -> None:
    house.worker(slots=8)
    set_slots(house.db, "warehouse", 2)
    expanded(house, "stored")
    claims = house.claim(house.admitted())
    two = expanded(house, "moved", priority=1)
    house.succeed(claims[0])
    assert house.admit() == [], "the free slot is kept for the run of higher priority"
    house.succeed(claims[1])
    assert sets(house, house.admitted()) == {two: 1}


def test_every_end_of_a_run_gives_its_slots_back(house: House) -> None:
    house.worker(slots=8)
    set_slots(house.db, "warehouse", 8)
    house.settings = house.settings.model_copy(update={"max_crashes": 1})
    backfill_id = expanded(house, "stored", "[s-0...s-7]")
    claims = house.claim(house.admitted()[:6])
    house.succeed(claims[0])
    house.fail(claims[1], retryable=False)
    runs.cancel_run(house.db, claims[2].run_id)
    house.fail(claims[2])
    house.pause(backfill_id)
    assert used(house, "warehouse") == 3
    house.advance(house.settings.lease_seconds + 1)
    house.reap()
    assert used(house, "warehouse") == 0


def test_pooled_runs_are_never_packed(house: House) -> None:
    house.worker(slots=1)
    set_slots(house.db, "warehouse", 9)
    expanded(house, "stored")
    house.db.transact(
        lambda conn: conn.execute(
            house.db.sql("UPDATE pipelines SET runs = 100, mean_run_us = 100")
        )
    )
    assert {len(message.run_ids) for message in house.admit()} == {1}


@pytest.mark.parametrize("statement", range(4, 14))
def test_two_admitters_cannot_both_take_the_last_slot_of_a_pool(
    house: House, racing: Racing, statement: int
) -> None:
    set_slots(house.db, "warehouse", 2)
    expanded(house, "stored", "[s-0...s-9]")
    house.worker(slots=4)
    assert house.clock is not None
    other = House(house.clock.open(), house.definitions, house.settings)
    raced = racing.race(house.db, house.admit, other.admit, statement=statement)
    if raced is None:
        return
    assert used(house, "warehouse") == 2


def test_wrong_names_and_numbers_are_refused(house: House) -> None:
    with pytest.raises(Invalid, match="cannot name a pool"):
        set_slots(house.db, "tag:x=y", 2)
    with pytest.raises(Invalid, match="slots"):
        set_slots(house.db, "warehouse", -1)
    with pytest.raises(NotFound, match="customer"):
        remove_tag_limit(house.db, "customer", None)


# -- limits of tags --------------------------------------------------------------------------------


def customers(house: House, admitted: list[int]) -> Counter[str]:
    return Counter(house.run(run).partition.split("-")[0] for run in admitted)


def test_each_value_of_a_tag_has_a_limit_and_others_pass(house: House) -> None:
    house.worker(slots=8)
    set_tag_limit(house.db, "customer", None, 2)
    expanded(house, "customers")
    admitted = house.admitted()
    assert customers(house, admitted) == {"acme": 2, "bolt": 2}
    assert house.admit() == []
    house.succeed(house.claim(admitted)[0])
    assert customers(house, house.admitted()) == {"acme": 1}


def test_a_value_with_a_limit_of_its_own_has_that(house: House) -> None:
    house.worker(slots=8)
    set_tag_limit(house.db, "customer", None, 4)
    set_tag_limit(house.db, "customer", "acme", 1)
    expanded(house, "customers")
    assert customers(house, house.admitted()) == {"acme": 1, "bolt": 4}
    with house.db.read() as conn:
        told = {(x.value, x.active) for x in list_tag_limits(house.db, conn)}
    assert told == {(None, 5), ("acme", 1)}


def test_a_backfills_own_tag_is_limited_across_backfills(house: House) -> None:
    house.worker(slots=8)
    set_tag_limit(house.db, "team", "sales", 3)
    first = house.submit("[day-00...day-09]", tags={"team": "sales"})
    second = house.submit("[day-10...day-19]", tags={"team": "sales"})
    other = house.submit("[day-20...day-24]")
    for backfill_id in (first, second, other):
        house.expand(backfill_id)
    admitted = sets(house, house.admitted())
    assert admitted[other] == 5
    assert admitted[first] + admitted[second] == 3
    remove_tag_limit(house.db, "team", "sales")
    more = sets(house, house.admitted())
    assert more[first] + more[second] == 17


def test_a_launch_counts_against_the_limit_of_its_tag(house: House) -> None:
    house.worker(slots=8)
    set_tag_limit(house.db, "team", None, 1)
    launched = [
        runs.launch(house.db, LaunchRequest(pipeline="work", tags={"team": team}))
        for team in ("sales", "sales", "ops")
    ]
    assert house.admitted() == [launched[0], launched[2]]
    assert house.state(launched[1]) is RunState.PENDING
