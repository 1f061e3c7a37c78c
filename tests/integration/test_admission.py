"""Admission: few runs at a time, the right ones, each partition by one run only."""

from __future__ import annotations

from collections import Counter

import pytest

from backfill.lifecycle import fleet, runs
from backfill.lifecycle.admission import Message
from backfill.lifecycle.runs import LaunchRequest
from backfill.states import RunState
from tests.support.failpoints import Racing
from tests.support.house import House

PER_SLOT = 4


@pytest.fixture(autouse=True)
def _shallow(house: House) -> None:
    house.settings = house.settings.model_copy(
        update={"queued_per_slot": PER_SLOT, "pack_seconds": 0.1, "pack_limit": 8}
    )


def partitions(house: House, messages: list[Message]) -> list[list[str]]:
    return [[house.run(run).partition for run in message.run_ids] for message in messages]


def proven(house: House, mean_us: int) -> None:
    """Have every pipeline known to run this long."""
    with house.db.write() as conn:
        sql = "UPDATE pipelines SET runs = 100, mean_run_us = :mean"
        conn.execute(house.db.sql(sql), {"mean": mean_us})


def active(house: House, backfill_id: int) -> int:
    states = house.states(backfill_id)
    return states.get("queued", 0) + states.get("running", 0)


# -- the window -----------------------------------------------------------------------------------


def test_a_few_runs_per_slot_are_queued_and_the_rest_stay_pending(house: House) -> None:
    backfill_id = house.ready(40)
    house.worker(slots=2)
    assert len(house.admitted()) == 2 * PER_SLOT
    assert house.admit() == []
    assert house.states(backfill_id) == {"queued": 8, "pending": 32}


def test_more_is_admitted_only_when_the_queue_is_half_empty(house: House) -> None:
    house.ready(40)
    house.worker(slots=2)
    first = house.admitted()
    house.claim(first[:3])
    assert house.admit() == []
    house.claim(first[3:4])
    assert len(house.admitted()) == 4


def test_without_a_worker_one_slots_worth_is_queued_for_the_one_to_come(house: House) -> None:
    house.ready(40)
    assert len(house.admitted()) == PER_SLOT


def test_a_worker_that_fell_silent_or_stopped_counts_no_more(house: House) -> None:
    house.ready(60)
    house.worker("w1", slots=3)
    stopped = house.worker("w2", slots=3)
    fleet.worker_stopped(house.db, stopped)
    assert len(house.admitted()) == 3 * PER_SLOT
    house.advance(house.settings.lease_seconds + 1)
    house.claim([row.id for row in house.rows("SELECT id FROM runs WHERE state = 'queued'")])
    assert len(house.admitted()) == PER_SLOT


# -- whose turn it is ------------------------------------------------------------------------------


def test_a_higher_priority_goes_first(house: House) -> None:
    low = house.submit("[day-00...day-09]")
    high = house.submit("[day-10...day-19]", priority=5)
    house.expand(low)
    house.expand(high)
    house.worker(slots=2)
    house.admit()
    assert (active(house, low), active(house, high)) == (0, 8)


def test_what_a_high_priority_may_not_use_goes_to_the_others(house: House) -> None:
    low = house.submit("[day-00...day-09]")
    high = house.submit("[day-10...day-19]", priority=5, max_active_runs=3)
    house.expand(low)
    house.expand(high)
    house.worker(slots=2)
    house.admit()
    assert (active(house, low), active(house, high)) == (5, 3)


def test_backfills_of_one_priority_share_evenly(house: House) -> None:
    first = house.submit("[day-00...day-29]")
    house.expand(first)
    house.worker(slots=2)
    house.claim(house.admitted())
    second = house.submit("[day-30...day-59]")
    house.expand(second)
    house.admit()
    assert (active(house, first), active(house, second)) == (8, 8)


def test_launches_are_taken_by_their_priority(house: House) -> None:
    house.worker(slots=1)
    launched = [
        runs.launch(house.db, LaunchRequest(pipeline="work", priority=priority))
        for priority in (0, 5, 1, 9)
    ]
    assert house.admitted() == [launched[3], launched[1], launched[2], launched[0]]


# -- limits ---------------------------------------------------------------------------------------


def test_a_limit_holds_from_admission_to_the_end_of_a_run(house: House) -> None:
    backfill_id = house.ready(10, max_active_runs=3)
    house.worker(slots=4)
    claims = house.claim(house.admitted())
    assert len(claims) == 3
    assert house.admit() == []
    house.succeed(claims[0])
    house.fail(claims[1], retryable=False)
    assert len(house.admitted()) == 2
    assert active(house, backfill_id) == 3


@pytest.mark.parametrize("statement", range(4, 14))
def test_two_admitters_cannot_both_take_the_last_slot(
    house: House, racing: Racing, statement: int
) -> None:
    backfill_id = house.ready(20, max_active_runs=3)
    house.worker(slots=4)
    assert house.clock is not None
    other = House(house.clock.open(), house.definitions, house.settings)
    raced = racing.race(house.db, house.admit, other.admit, statement=statement)
    if raced is None:
        return
    assert sorted([len(raced.first), len(raced.second)]) == [0, 3]
    assert active(house, backfill_id) == 3


# -- exclusive partitions -------------------------------------------------------------------------


def test_two_backfills_never_run_one_partition_at_once(house: House) -> None:
    first, second = house.ready(3), house.ready(3)
    house.worker(slots=4)
    claims = house.claim(house.admitted())
    assert (active(house, first), active(house, second)) == (3, 0)
    for claim in claims:
        house.succeed(claim)
        house.fold()
        (next_run,) = house.admitted()
        assert house.run(next_run).backfill_id == second
        assert house.run(next_run).partition == house.run(claim.run_id).partition
        assert house.sick() == []


def test_a_launch_waits_for_a_backfill_over_the_same_partition(house: House) -> None:
    (claim,) = house.running(1)
    request = LaunchRequest(pipeline="work", partition_set="days", partition="day-00")
    launched = [runs.launch(house.db, request) for _ in range(2)]
    assert house.admit() == []
    assert {house.run(run).waiting_run for run in launched} == {claim.run_id}
    house.succeed(claim)
    house.fold()
    assert house.admitted() == launched[:1]
    assert house.run(launched[1]).waiting_run == launched[0]


def test_a_blocked_run_is_parked_and_costs_no_further_look(house: House) -> None:
    (claim,) = house.running(1)
    second = house.ready(1)
    house.admit()
    (parked,) = house.rows("SELECT * FROM runs WHERE backfill_id = :id", id=second)
    assert (parked.ready, parked.waiting_run) == (False, claim.run_id)
    assert house.wake() == 0


def test_a_parked_run_looks_again_by_itself_when_nobody_woke_it(house: House) -> None:
    (claim,) = house.running(1)
    second = house.ready(1)
    house.admit()
    house.succeed(claim)
    house.advance(61)
    assert house.wake() == 1
    (run,) = house.admitted()
    assert house.run(run).backfill_id == second


def test_a_parked_run_that_woke_too_early_is_parked_again(house: House) -> None:
    (claim,) = house.running(1)
    house.ready(1)
    house.admit()
    house.advance(61)
    assert house.wake() == 1
    assert house.admit() == []
    assert house.wake() == 0
    assert house.state(claim.run_id) is RunState.RUNNING


def test_a_retry_keeps_its_partition(house: House) -> None:
    (claim,) = house.running(1, max_failures=1)
    second = house.ready(1)
    house.fail(claim)
    house.fold()
    assert house.state(claim.run_id) is RunState.PENDING
    assert house.admit() == []
    house.advance(2)
    house.wake()
    assert house.admitted() == [claim.run_id]
    (again,) = house.claim([claim.run_id])
    house.succeed(again)
    house.fold()
    (run,) = house.admitted()
    assert house.run(run).backfill_id == second


def test_a_partition_is_free_again_after_every_kind_of_end(house: House) -> None:
    house.worker(slots=4)
    claims = house.running(5)
    house.succeed(claims[0])
    house.fail(claims[1], retryable=False)
    runs.cancel_run(house.db, claims[2].run_id)
    house.fail(claims[2])
    house.pause(1)
    house.advance(house.settings.lease_seconds + 1)
    house.settings = house.settings.model_copy(update={"max_crashes": 1})
    house.reap()
    assert house.rows("SELECT * FROM partition_holds") == []
    assert Counter(house.states(1)) == {"succeeded": 1, "failed": 3, "canceled": 1}


def test_a_paused_backfill_leaves_its_queued_partitions_to_others(house: House) -> None:
    first = house.ready(2)
    house.worker()
    house.admit()
    second = house.ready(2)
    house.admit()
    house.pause(first)
    house.fold()
    admitted = house.admitted()
    assert {house.run(run).backfill_id for run in admitted} == {second}
    assert len(admitted) == 2


# -- messages -------------------------------------------------------------------------------------


def test_a_run_travels_alone_until_its_pipeline_proved_tiny(house: House) -> None:
    house.ready(8)
    house.worker(slots=1)
    assert partitions(house, house.admit()) == [[f"day-{n:02}"] for n in range(4)]


def test_tiny_runs_travel_together_and_every_slot_gets_some(house: House) -> None:
    house.ready(24)
    proven(house, 1000)
    house.worker(slots=2)
    messages = house.admit()
    sizes = [len(message.run_ids) for message in messages]
    assert sum(sizes) == 24
    assert max(sizes) == 8
    assert partitions(house, messages)[0] == [f"day-{n:02}" for n in range(8)]
    for message in messages:
        for run in message.run_ids:
            row = house.run(run)
            assert (row.message_id, row.message_size) == (message.id, len(message.run_ids))


def test_few_tiny_runs_are_spread_over_the_slots(house: House) -> None:
    house.ready(4)
    proven(house, 1000)
    house.worker(slots=4)
    assert [len(message.run_ids) for message in house.admit()] == [1, 1, 1, 1]


def test_runs_marked_alone_never_share_a_message(house: House) -> None:
    house.ready(8)
    proven(house, 1000)
    house.worker(slots=1)
    (message,) = house.admit()
    house.claim(message.run_ids[:2])
    house.advance(house.settings.lease_seconds + 1)
    house.reap()
    messages = {m.run_ids: m for m in house.admit()}
    assert set(messages) == {(message.run_ids[0],), (message.run_ids[1],)}


def test_a_packed_backfill_keeps_its_limit_in_runs(house: House) -> None:
    backfill_id = house.ready(40, max_active_runs=11)
    proven(house, 1000)
    house.worker(slots=2)
    house.admit()
    assert active(house, backfill_id) == 11


# -- queues ---------------------------------------------------------------------------------------


def test_a_pipelines_queue_tag_sends_its_runs_there(house: House) -> None:
    backfill_id = house.submit("[key-0...key-3]", "slow")
    house.expand(backfill_id)
    assert {message.queue for message in house.admit()} == {"slow"}


def test_a_partitions_queue_tag_goes_before_the_backfills(house: House) -> None:
    house.expand(house.submit("[key-0...key-3]", "mixed"))
    house.worker()
    queues = {tuple(partitions(house, [m])[0]): m.queue for m in house.admit()}
    default = house.settings.default_queue
    assert queues == {
        ("key-0",): default,
        ("key-1",): "gpu",
        ("key-2",): default,
        ("key-3",): "gpu",
    }


def test_no_queue_grows_deep_whatever_tags_say(house: House) -> None:
    """Runs sent to a queue nobody reads must not pile up in it."""
    house.expand(house.submit("all", "mixed"))
    house.worker(slots=1)
    for _ in range(6):
        for message in house.admit():
            if message.queue != "gpu":
                house.succeed(*house.claim(message.run_ids))
    waiting = house.row("SELECT count(*) AS n FROM runs WHERE state = 'queued'").n
    assert waiting <= 2 * PER_SLOT


def test_launches_into_a_queue_nobody_reads_hold_up_no_others(house: House) -> None:
    house.worker(slots=1)
    for _ in range(20):
        runs.launch(house.db, LaunchRequest(pipeline="work", queue="gpu"))
    other = runs.launch(house.db, LaunchRequest(pipeline="work"))
    while messages := house.admit():
        assert {message.queue for message in messages} <= {"gpu", house.settings.default_queue}
        if house.state(other) is RunState.QUEUED:
            break
    assert house.state(other) is RunState.QUEUED


def test_a_full_queue_does_not_hold_up_another(house: House) -> None:
    house.ready(20)
    house.worker("w1", slots=2)
    house.admit()
    house.expand(house.submit("[key-0...key-9]", "slow"))
    slow = {message.queue for message in house.admit()}
    assert slow == {"slow"}
