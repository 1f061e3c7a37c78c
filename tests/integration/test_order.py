"""Order: which of a backfill's partitions goes next, and what it waits for."""

from __future__ import annotations

from typing import Any

import pytest

from backfill.errors import Conflict, Invalid, NotFound
from backfill.lifecycle import guards, runs
from backfill.lifecycle.passing import skip_partition
from backfill.lifecycle.runs import LaunchRequest
from backfill.states import BackfillState, RunState
from tests.support.failpoints import Racing
from tests.support.house import House


def line(house: House, count: int = 4, **wanted: object) -> int:
    """Return a line over the first days that depends on the previous partition."""
    house.worker(slots=4)
    return house.ready(count, depends_on_previous=True, **wanted)


def run_next(house: House, *, ok: bool = True) -> str:
    """Run the one run that may start; return its partition."""
    (run,) = house.admitted()
    (claim,) = house.claim([run])
    house.succeed(claim) if ok else house.fail(claim, retryable=False)
    house.fold()
    return str(house.run(run).partition)


def events(house: House, kind: str) -> list[str]:
    return [
        row.message
        for row in house.rows(
            "SELECT message FROM events WHERE kind = :kind ORDER BY id", kind=kind
        )
    ]


# -- oldest, newest, as listed, by weight ----------------------------------------------------------


def test_partitions_go_as_the_selection_lists_them(house: House) -> None:
    backfill_id = house.submit(
        "day-07, day-03, [day-10...day-12], day-11, day-01", ordering="listed"
    )
    house.expand(backfill_id)
    assert house.keys(backfill_id) == ["day-07", "day-03", "day-10", "day-11", "day-12", "day-01"]


def test_what_was_left_out_is_missing_in_a_list_and_the_rest_keeps_its_order(house: House) -> None:
    (claim,) = house.running(1)
    house.succeed(claim)
    backfill_id = house.submit(
        "day-02, [day-00...day-01], day-05", ordering="listed", reprocess="missing"
    )
    house.expand(backfill_id)
    assert house.keys(backfill_id) == ["day-02", "day-01", "day-05"]


def test_a_list_is_expanded_in_chunks_without_a_gap(house: House) -> None:
    backfill_id = house.submit("[day-20...day-29], [day-00...day-04], day-15", ordering="listed")
    while house.expand(backfill_id, limit=4):
        pass
    wanted = [*range(20, 30), *range(5), 15]
    assert house.keys(backfill_id) == [f"day-{n:02}" for n in wanted]


def test_a_limited_list_takes_the_first_that_are_listed(house: House) -> None:
    backfill_id = house.submit("day-09, [day-00...day-05]", ordering="listed", limit=3)
    house.expand(backfill_id)
    assert house.keys(backfill_id) == ["day-09", "day-00", "day-01"]


def test_the_heaviest_partition_goes_first_once_all_runs_are_made(house: House) -> None:
    backfill_id = house.submit("all", "weighed", ordering="weight")
    house.worker(slots=4)
    house.expand(backfill_id, limit=3)
    assert house.admit() == [], "heavier ones may come with the next chunk"
    house.expand(backfill_id, limit=10)
    weights = [9, 6, 5, 4, 3, 2.5, 1, 1]
    by_weight = [f"key-{n}" for n in (5, 7, 4, 2, 0, 6, 1, 3)]
    assert house.next_partitions() == by_weight, weights


def test_the_canary_of_a_backfill_by_weight_does_not_wait_for_all_runs(house: House) -> None:
    backfill_id = house.submit("all", "weighed", ordering="weight", canary=2)
    house.worker(slots=8)
    assert house.expand(backfill_id, limit=3) == 2
    canary = house.admitted()
    assert [house.run(run).partition for run in canary] == ["key-0", "key-7"]
    house.expand(backfill_id, limit=3)
    house.succeed(*house.claim(canary))
    assert guards.decide_canary(house.db, backfill_id) is guards.CanaryState.PASSED
    assert house.admit() == [], "heavier ones may come with the next chunk"
    while house.expand(backfill_id, limit=3):
        pass
    assert house.next_partitions() == [f"key-{n}" for n in (5, 4, 2, 6, 1, 3)]
    assert len(house.keys(backfill_id)) == 8
    assert house.sick() == []


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        ({"ordering": "weight"}, "no weight"),
        ({"ordering": "heaviest"}, "not known"),
        ({"depends_on_previous": True, "ordering": "newest"}, "oldest first"),
        ({"depends_on_previous": True, "ordering": "listed"}, "oldest first"),
        ({"depends_on_previous": True, "max_active_runs": 2}, "one partition at a time"),
        ({"sequential": True, "max_active_runs": 5}, "one partition at a time"),
    ],
)
def test_wishes_that_exclude_each_other_are_refused_at_submit(
    house: House, wanted: dict[str, Any], why: str
) -> None:
    with pytest.raises(Invalid, match=why):
        house.submit("[day-00...day-05]", **wanted)


# -- one at a time ---------------------------------------------------------------------------------


def test_a_sequential_backfill_runs_one_at_a_time_in_order(house: House) -> None:
    house.worker(slots=4)
    house.ready(3, sequential=True)
    (first,) = house.admitted()
    assert house.admit() == []
    (claim,) = house.claim([first])
    assert house.admit() == []
    house.fail(claim, retryable=False)
    assert house.next_partitions() == ["day-01"], "a failure does not stop it"


def test_a_retry_keeps_its_place_in_a_sequential_backfill(house: House) -> None:
    house.worker(slots=4)
    house.ready(3, sequential=True, max_failures=1)
    (claim,) = house.claim(house.admitted())
    house.fail(claim)
    assert house.admit() == [], "the retry is not due yet, and nothing goes before it"
    house.advance(2)
    house.wake()
    assert house.next_partitions() == ["day-00"]


def test_a_sequential_backfill_goes_newest_first_as_well(house: House) -> None:
    house.worker(slots=4)
    house.ready(3, sequential=True, ordering="newest", max_failures=1)
    (claim,) = house.claim(house.admitted())
    assert house.run(claim.run_id).partition == "day-02"
    house.fail(claim)
    assert house.admit() == []
    house.advance(2)
    house.wake()
    assert house.next_partitions() == ["day-02"]


def test_runs_of_a_line_are_never_packed(house: House) -> None:
    house.ready(5, sequential=True)
    house.db.transact(
        lambda conn: conn.execute(
            house.db.sql("UPDATE pipelines SET runs = 100, mean_run_us = 100")
        )
    )
    (message,) = house.admit()
    assert len(message.run_ids) == 1


# -- depending on the previous partition -----------------------------------------------------------


def test_a_partition_waits_until_the_one_before_it_succeeded(house: House) -> None:
    backfill_id = line(house)
    done = [run_next(house) for _ in range(4)]
    assert done == ["day-00", "day-01", "day-02", "day-03"]
    assert house.settle(backfill_id) is BackfillState.SUCCEEDED


def test_a_failure_stops_the_line_and_the_backfill_says_so_once(house: House) -> None:
    backfill_id = line(house)
    run_next(house)
    run_next(house, ok=False)
    for _ in range(3):
        assert house.admit() == []
    assert house.backfill(backfill_id).stopped_by == "day-01"
    (told,) = events(house, "backfill.line_stopped")
    assert "day-01" in told
    assert "day-02" in told
    assert house.settle(backfill_id) is None


def test_whoever_runs_the_stopper_again_lets_the_line_go_on(house: House) -> None:
    backfill_id = line(house)
    run_next(house, ok=False)
    house.admit()
    request = LaunchRequest(pipeline="work", partition_set="days", partition="day-00")
    launched = runs.launch(house.db, request)
    assert house.admitted() == [launched]
    (claim,) = house.claim([launched])
    assert house.admit() == []
    assert house.backfill(backfill_id).stopped_by is None, "a run that may help is on its way"
    house.succeed(claim)
    assert run_next(house) == "day-01"


def test_the_stopper_can_be_skipped_by_hand(house: House) -> None:
    backfill_id = line(house)
    run_next(house)
    run_next(house, ok=False)
    house.admit()
    skip_partition(house.db, backfill_id, "day-01", actor="ada", note="known gap")
    skip_partition(house.db, backfill_id, "day-01", actor="ada", note="again")
    assert [run_next(house), run_next(house)] == ["day-02", "day-03"]
    assert house.backfill(backfill_id).stopped_by is None
    assert house.settle(backfill_id) is BackfillState.FAILED, "skipping makes no success of it"
    (told,) = events(house, "backfill.partition_skipped")
    assert "ada" in told
    assert "known gap" in told


def test_a_partition_that_has_not_started_can_be_skipped_too(house: House) -> None:
    backfill_id = line(house, 3)
    skip_partition(house.db, backfill_id, "day-01")
    assert [run_next(house), run_next(house)] == ["day-00", "day-02"]
    assert house.states(backfill_id) == {"succeeded": 2, "skipped": 1}
    assert house.settle(backfill_id) is BackfillState.SUCCEEDED


def test_only_what_stands_still_can_be_skipped(house: House) -> None:
    backfill_id = line(house, 3)
    with pytest.raises(NotFound, match="day-44"):
        skip_partition(house.db, backfill_id, "day-44")
    (run,) = house.admitted()
    with pytest.raises(Conflict, match="queued"):
        skip_partition(house.db, backfill_id, "day-00")
    house.succeed(*house.claim([run]))
    with pytest.raises(Conflict, match="succeeded"):
        skip_partition(house.db, backfill_id, "day-00")
    other = house.ready(2)
    with pytest.raises(Conflict, match="no line"):
        skip_partition(house.db, other, "day-00")


def test_a_line_behind_a_partition_that_can_never_succeed_is_refused(house: House) -> None:
    with pytest.raises(Invalid, match='"day-05" would wait for ever: the one before it, "day-04"'):
        house.submit("[day-05...day-09]", depends_on_previous=True)
    with pytest.raises(Invalid, match="day-06"):
        house.submit("[day-00...day-05], [day-07...day-08]", depends_on_previous=True)


def test_a_line_may_begin_behind_what_succeeded_or_is_on_its_way(house: House) -> None:
    claims = house.running(2)
    house.succeed(claims[0])
    backfill_id = house.submit("[day-01...day-03]", depends_on_previous=True)
    house.expand(backfill_id)
    later = house.submit("[day-02...day-03]", depends_on_previous=True)
    house.expand(later)
    house.admit()
    assert house.states(later) == {"pending": 2}, "day-01 still runs elsewhere"


def test_a_stopper_outside_the_line_can_be_skipped(house: House) -> None:
    (claim,) = house.running(1)
    backfill_id = house.submit("[day-01...day-02]", depends_on_previous=True)
    house.expand(backfill_id)
    house.fail(claim, retryable=False)
    house.fold()
    assert house.admit() == []
    assert house.backfill(backfill_id).stopped_by == "day-00"
    skip_partition(house.db, backfill_id, "day-00")
    assert run_next(house) == "day-01"


def test_a_line_over_missing_partitions_builds_on_those_that_succeeded(house: House) -> None:
    claims = house.running(3)
    house.succeed(claims[1])
    house.fail(claims[0], claims[2], retryable=False)
    house.worker(slots=4)
    backfill_id = house.submit("[day-00...day-04]", depends_on_previous=True, reprocess="missing")
    house.expand(backfill_id)
    done = [run_next(house) for _ in range(4)]
    assert done == ["day-00", "day-02", "day-03", "day-04"]


def test_a_lost_worker_keeps_the_place_of_its_run_in_the_line(house: House) -> None:
    line(house, 2)
    house.claim(house.admitted())
    house.advance(house.settings.lease_seconds + 1)
    house.reap()
    assert house.admit() == []
    house.advance(5)
    house.wake()
    assert house.next_partitions() == ["day-00"]


@pytest.mark.parametrize("statement", range(2, 9))
def test_a_partition_is_not_skipped_and_queued_at_once(
    house: House, racing: Racing, statement: int
) -> None:
    backfill_id = line(house, 2)
    assert house.clock is not None
    other = House(house.clock.open(), house.definitions, house.settings)

    def skip() -> str:
        try:
            skip_partition(other.db, backfill_id, "day-00")
        except Conflict:
            return "refused"
        return "skipped"

    raced = racing.race(house.db, house.admit, skip, statement=statement)
    if raced is None:
        return
    house.admit()
    (run,) = house.rows("SELECT state FROM runs WHERE partition = 'day-00'")
    expected = {"refused": RunState.QUEUED, "skipped": RunState.SKIPPED}
    assert run.state == expected[raced.second]
    assert house.sick() == []


def test_the_canary_of_a_line_is_its_first_partitions(house: House) -> None:
    backfill_id = line(house, 4, canary=2)
    while house.expand(backfill_id):
        pass
    assert [run_next(house), run_next(house)] == ["day-00", "day-01"]
    assert house.admit() == [], "the rest waits for the canary"
    guards.decide_canary(house.db, backfill_id)
    assert [run_next(house), run_next(house)] == ["day-02", "day-03"]
