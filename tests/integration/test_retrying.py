"""Retrying a backfill: what failed, was canceled or never launched runs again within it."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from backfill.errors import Conflict, Invalid, NotFound
from backfill.lifecycle import backfills, retrying
from backfill.lifecycle.reexecuting import Again
from backfill.lifecycle.retrying import Retried, RetryRequest, statuses_of
from backfill.states import BackfillState, ReexecutionMode, RunState
from backfill.storage.queries.backfills import get_backfill
from tests.support.failpoints import ForgetfulDatabase, every_crash
from tests.support.house import House


def retry(house: House, backfill_id: int, *statuses: Retried, **again: Any) -> None:
    request = RetryRequest(statuses or tuple(Retried), Again(**again))
    retrying.retry(house.db, house.definitions, backfill_id, request, actor="ann")


def make(house: House, backfill_id: int, *, limit: int = 1000) -> int:
    """Make the runs of a retry; return how many."""
    made = 0
    while found := retrying.retry_chunk(house.db, backfill_id, limit=limit):
        made += found
    return made


def failed_backfill(house: House, count: int = 4, failing: int = 2, **wanted: Any) -> int:
    """Return a backfill that is over, its first partitions failed, the others succeeded."""
    backfill_id = house.ready(count, **wanted)
    while ids := house.admitted():
        for claim in [claim for run in ids for claim in house.claim([run])]:
            fails = house.run(claim.run_id).partition < f"day-{failing:02}"
            (house.fail if fails else house.succeed)(claim)
    assert house.settle(backfill_id) is BackfillState.FAILED
    return backfill_id


def shown(house: House, backfill_id: int) -> dict[str, int]:
    house.fold()
    with house.db.read() as conn:
        view = get_backfill(house.db, conn, backfill_id)
    assert view is not None
    return {name: n for name, n in vars(view.counts).items() if n}


def finish(house: House, backfill_id: int) -> BackfillState | None:
    while ids := house.admitted():
        house.succeed(*[claim for run in ids for claim in house.claim([run])])
    return house.settle(backfill_id)


def test_what_failed_runs_again_as_the_next_generation_of_the_same_backfill(house: House) -> None:
    backfill_id = failed_backfill(house)
    retry(house, backfill_id)
    assert house.backfill(backfill_id).state == "running"
    assert house.settle(backfill_id) is None, "its runs are not made yet"
    assert make(house, backfill_id) == 2
    rows = house.rows("SELECT * FROM runs WHERE generation = 1 ORDER BY partition")
    assert [row.partition for row in rows] == ["day-00", "day-01"]
    assert {row.mode for row in rows} == {"from_failure"}
    for row in rows:
        parent = house.run(row.parent_id)
        assert (parent.partition, parent.state, row.root_id) == (row.partition, "failed", parent.id)
    assert shown(house, backfill_id) == {"pending": 2, "succeeded": 2}
    assert finish(house, backfill_id) is BackfillState.SUCCEEDED
    assert shown(house, backfill_id) == {"succeeded": 4}


def test_what_fails_again_is_the_child_of_the_second_try(house: House) -> None:
    backfill_id = failed_backfill(house, 1, 1)
    retry(house, backfill_id)
    make(house, backfill_id)
    (second,) = house.claim(house.admitted())
    house.fail(second)
    assert house.settle(backfill_id) is BackfillState.FAILED
    retry(house, backfill_id)
    assert make(house, backfill_id) == 1
    third = house.row("SELECT * FROM runs WHERE generation = 2")
    first = house.row("SELECT id FROM runs WHERE generation = 0").id
    assert (third.parent_id, third.root_id) == (second.run_id, first)
    assert finish(house, backfill_id) is BackfillState.SUCCEEDED


def test_a_large_retry_is_made_chunk_by_chunk(house: House) -> None:
    backfill_id = failed_backfill(house, 5, 5)
    retry(house, backfill_id)
    assert retrying.retry_chunk(house.db, backfill_id, limit=2) == 2
    assert house.backfill(backfill_id).retrying["after"] if house.db.postgres else True
    assert house.settle(backfill_id) is None
    assert make(house, backfill_id, limit=2) == 3
    assert house.backfill(backfill_id).retrying is None
    assert finish(house, backfill_id) is BackfillState.SUCCEEDED


def test_canceled_and_never_launched_partitions_can_be_chosen_each(house: House) -> None:
    backfill_id = house.submit("[day-00...day-05]")
    house.expand(backfill_id, limit=2)
    house.cancel_all(backfill_id)
    assert house.settle(backfill_id) is BackfillState.CANCELED
    assert shown(house, backfill_id) == {"canceled": 2, "unlaunched": 4}

    retry(house, backfill_id, Retried.CANCELED)
    assert make(house, backfill_id) == 2
    assert house.expand(backfill_id) is None, "the others were not asked for"
    assert shown(house, backfill_id) == {"pending": 2, "unlaunched": 4}
    assert finish(house, backfill_id) is BackfillState.FAILED, "four were never launched"

    retry(house, backfill_id, Retried.MISSING)
    assert make(house, backfill_id) == 0
    assert house.expand(backfill_id) == 4
    assert shown(house, backfill_id) == {"pending": 4, "succeeded": 2}
    assert finish(house, backfill_id) is BackfillState.SUCCEEDED
    assert house.keys(backfill_id).count("day-00") == 2


@pytest.mark.parametrize("paused", [False, True])
def test_what_failed_so_far_is_tried_again_while_the_backfill_is_open(
    house: House, paused: bool
) -> None:
    first, second = house.running(2)
    house.fail(first)
    if paused:
        house.pause(1)
    retry(house, 1)
    assert make(house, 1) == 1
    assert house.backfill(1).state == ("paused" if paused else "running")
    assert shown(house, 1) == {"pending": 1, "running": 1}
    house.succeed(second)
    assert house.settle(1) is None
    if paused:
        assert house.admit() == []
        house.resume(1)
    assert finish(house, 1) is BackfillState.SUCCEEDED


def test_a_retry_of_steps_or_of_all_is_kept_with_its_runs(house: House) -> None:
    backfill_id = failed_backfill(house, 2, 1)
    retry(house, backfill_id, from_step="b")
    make(house, backfill_id)
    row = house.row("SELECT * FROM runs WHERE generation = 1")
    assert row.mode == "steps"
    assert row.steps in (["b"], '["b"]')
    house.cancel_all(backfill_id)
    house.settle(backfill_id)
    retry(house, backfill_id, mode=ReexecutionMode.ALL)
    make(house, backfill_id)
    row = house.row("SELECT * FROM runs WHERE generation = 2")
    assert (row.mode, row.steps) == ("all", None)


def test_nothing_to_retry_is_said(house: House) -> None:
    claims = house.running(1)
    house.succeed(*claims)
    with pytest.raises(Conflict, match="Nothing of backfill 1 is to be tried again: none of its"):
        retry(house, 1)
    house.settle(1)
    with pytest.raises(Conflict, match="none of its partitions is canceled"):
        retry(house, 1, Retried.CANCELED)
    with pytest.raises(NotFound, match="No backfill 99"):
        retry(house, 99)
    with pytest.raises(Invalid, match='"lost" is nothing that can be retried'):
        statuses_of(["lost"])
    with pytest.raises(Invalid, match='has no step "c"'):
        retry(house, 1, steps=["c"])


def test_a_backfill_is_not_retried_twice_at_once(house: House) -> None:
    backfill_id = failed_backfill(house)
    retry(house, backfill_id)
    with pytest.raises(Conflict, match="still being made"):
        retry(house, backfill_id)
    make(house, backfill_id)
    with pytest.raises(Conflict, match="Nothing of backfill"):
        retry(house, backfill_id)


def test_a_cancel_ends_a_retry_that_is_still_being_made(house: House) -> None:
    backfill_id = failed_backfill(house, 4, 4)
    retry(house, backfill_id)
    retrying.retry_chunk(house.db, backfill_id, limit=2)
    house.cancel_all(backfill_id)
    assert make(house, backfill_id) == 0
    assert house.settle(backfill_id) is BackfillState.CANCELED
    assert shown(house, backfill_id) == {"failed": 2, "canceled": 2}
    retry(house, backfill_id, Retried.FAILED)
    assert make(house, backfill_id) == 2


def test_a_retry_whose_answer_was_lost_is_done_once(
    house: House, forgetful: ForgetfulDatabase
) -> None:
    backfill_id = failed_backfill(house)
    forgetful.lost_answers = 1
    retry(house, backfill_id)
    assert house.backfill(backfill_id).generation == 1
    assert make(house, backfill_id) == 2


def test_a_crash_anywhere_leaves_a_retry_done_or_not_begun(house: House) -> None:
    backfill_id = failed_backfill(house)

    def act() -> None:
        try:
            retry(house, backfill_id)
        except Conflict:  # it was done before the crash
            assert house.backfill(backfill_id).generation == 1

    for _ in every_crash(house.db, act):
        row = house.backfill(backfill_id)
        assert (row.generation, row.state) in {(0, "failed"), (1, "running")}
    for _ in every_crash(house.db, partial(make, house, backfill_id)):
        found = house.rows("SELECT state FROM runs WHERE generation = 1")
        assert len(found) in {0, 2}
    assert house.state(house.row("SELECT max(id) AS id FROM runs").id) is RunState.PENDING
    assert backfills.settle(house.db, backfill_id) is None


def test_an_event_tells_what_was_retried_and_by_whom(house: House) -> None:
    backfill_id = failed_backfill(house)
    retry(house, backfill_id, Retried.FAILED, Retried.MISSING)
    event = house.row("SELECT * FROM events WHERE kind = 'backfill.retried'")
    assert event.message == "what is failed, never launched runs again, from failure"
    assert event.actor == "ann"


def test_steps_are_chosen_by_what_is_upstream_and_downstream(house: House) -> None:
    backfill_id = house.submit("day-00", steps=["a*"])
    assert house.backfill(backfill_id).steps in (["a", "b"], '["a", "b"]', '["a","b"]')
    with pytest.raises(Invalid, match='has no step "c"'):
        house.submit("day-00", steps=["*c"])
