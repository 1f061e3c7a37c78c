"""Guards meet the verbs of operators and of the coordinator, at every statement, in both orders."""

from __future__ import annotations

from typing import Any

import pytest

from backfill.lifecycle import blocks, guards, marking
from backfill.lifecycle.retrying import RetryRequest, retry
from backfill.states import BackfillState, BoxStatus
from tests.integration.test_guards import fail_with
from tests.integration.test_races import (
    Pair,
    Scene,
    admit,
    cancel,
    expand,
    fold,
    interleavings,
    pause,
    requested,
    running,
    settle,
    succeed,
)
from tests.support.failpoints import Racing
from tests.support.house import NOON, House


@pytest.fixture
def pair(house: House, racing: Racing) -> Pair:
    clock = house.clock
    assert clock is not None
    house.worker(slots=60)
    one, other = (
        House(clock.open(), house.definitions, house.settings, clock=clock, shops=house.shops)
        for _ in range(2)
    )
    return Pair(one, other, racing)


def about_to_break(house: House, *, left: int = 1, **wanted: Any) -> Scene:
    """Enough runs failed, and nobody has counted them yet."""
    scene = running(house, 2 + left, breaker={"in_all": 2}, **wanted)
    house.fold()
    house.advance(1)
    fail_with(house, "no", *scene.claims[:2])
    return scene


def paused_about_to_break(house: House) -> Scene:
    scene = about_to_break(house)
    house.pause(scene.backfill_id)
    house.advance(1)
    return scene


def all_failed(house: House) -> Scene:
    return about_to_break(house, left=0)


def resume(house: House, scene: Scene) -> None:
    house.resume(scene.backfill_id)


def test_a_breaker_and_a_cancel_end_in_a_cancel(house: House, pair: Pair) -> None:
    for scene, *_ in interleavings(house, pair, lambda: about_to_break(house), fold, cancel):
        row = house.backfill(scene.backfill_id)
        assert row.state == "canceling"
        assert row.pause_reason is None


def test_a_breaker_and_a_pause_by_hand_pause_it_once(house: House, pair: Pair) -> None:
    def pause_if_running(house: House, scene: Scene) -> None:
        if house.backfill(scene.backfill_id).state == "running":
            try:
                pause(house, scene)
            except Exception as error:
                assert "already paused" in str(error)  # noqa: PT017

    for scene, *_ in interleavings(
        house, pair, lambda: about_to_break(house), fold, pause_if_running
    ):
        row = house.backfill(scene.backfill_id)
        assert row.state == "paused"
        assert row.pause_reason == "lunch" or row.pause_reason.startswith("breaker: 2 runs failed")
        assert (row.pause_facts is None) == (row.pause_reason == "lunch")


def test_a_resume_is_not_undone_by_what_failed_before_it(house: House, pair: Pair) -> None:
    scenes = interleavings(house, pair, lambda: paused_about_to_break(house), fold, resume)
    for scene, *_ in scenes:
        assert house.backfill(scene.backfill_id).state == "running"


def test_a_breaker_never_keeps_a_finished_backfill_from_settling(house: House, pair: Pair) -> None:
    for scene, *_ in interleavings(house, pair, lambda: all_failed(house), fold, settle):
        house.settle(scene.backfill_id)
        assert house.backfill(scene.backfill_id).state == "failed"


def test_two_coordinators_that_fold_pause_it_once(house: House, pair: Pair) -> None:
    for scene, *_ in interleavings(house, pair, lambda: about_to_break(house), fold, fold):
        kinds = house.rows(
            "SELECT kind FROM events WHERE backfill_id = :id AND kind = 'backfill.tripped'",
            id=scene.backfill_id,
        )
        assert len(kinds) == 1


# -- canary ---------------------------------------------------------------------------------------


def canary_running(house: House, count: int = 6) -> Scene:
    """The canary of two runs; the rest is pending."""
    scene = requested(house, count, canary=2)
    while house.expand(scene.backfill_id) is not None:
        pass
    admitted = house.admitted()
    scene.ids = [run for run in admitted if house.run(run).backfill_id == scene.backfill_id]
    assert len(scene.ids) == 2
    scene.claims = [claim for run in scene.ids for claim in house.claim([run])]
    return scene


def canary_done(house: House) -> Scene:
    scene = canary_running(house)
    house.succeed(*scene.claims)
    return scene


def canary_broken(house: House) -> Scene:
    scene = canary_running(house)
    fail_with(house, "no", *scene.claims)
    return scene


def canary_failed(house: House) -> Scene:
    scene = canary_broken(house)
    assert decide(house, scene) is guards.CanaryState.FAILED
    return scene


def decide(house: House, scene: Scene) -> guards.CanaryState | None:
    return guards.decide_canary(house.db, scene.backfill_id)


def queued_beyond(house: House, scene: Scene) -> int:
    rows = house.rows(
        "SELECT id FROM runs WHERE backfill_id = :id AND state IN ('queued', 'running')",
        id=scene.backfill_id,
    )
    return len({row.id for row in rows} - set(scene.ids))


def test_the_runs_of_a_canary_are_made_once_and_nothing_twice(house: House, pair: Pair) -> None:
    for scene, *_ in interleavings(
        house, pair, lambda: requested(house, 5, canary=2), expand, expand
    ):
        while house.expand(scene.backfill_id, limit=2) is not None:
            pass
        keys = house.keys(scene.backfill_id)
        assert len(keys) == len(set(keys)) == 5


def test_nothing_but_the_canary_starts_before_it_passed(house: House, pair: Pair) -> None:
    for scene, _, decided in interleavings(
        house, pair, lambda: canary_broken(house), admit, decide
    ):
        assert decided is guards.CanaryState.FAILED
        assert queued_beyond(house, scene) == 0
        house.cancel_all(scene.backfill_id)


def test_the_rest_starts_whoever_admits_while_the_canary_passes(house: House, pair: Pair) -> None:
    for scene, _, decided in interleavings(house, pair, lambda: canary_done(house), admit, decide):
        assert decided is guards.CanaryState.PASSED
        while house.admit():
            pass
        assert queued_beyond(house, scene) == 4


def test_a_canary_is_decided_once(house: House, pair: Pair) -> None:
    for _, one, other in interleavings(house, pair, lambda: canary_broken(house), decide, decide):
        assert sorted(map(str, (one, other))) == ["None", "failed"]


@pytest.mark.parametrize("verb", [cancel, pause])
def test_a_canary_that_fails_while_somebody_steers(house: House, pair: Pair, verb: Any) -> None:
    def steer(house: House, scene: Scene) -> None:
        try:
            verb(house, scene)
        except Exception as error:
            assert "already paused" in str(error)  # noqa: PT017

    for scene, *_ in interleavings(house, pair, lambda: canary_broken(house), decide, steer):
        state = house.backfill(scene.backfill_id).state
        assert state == ("canceling" if verb is cancel else "paused")
        assert house.admit() == []
        house.cancel_all(scene.backfill_id) if verb is pause else None


def test_a_late_success_and_the_decision(house: House, pair: Pair) -> None:
    for scene, *_ in interleavings(house, pair, lambda: canary_running(house), succeed, decide):
        assert decide(house, scene) in {None, guards.CanaryState.PASSED}
        assert house.backfill(scene.backfill_id).canary_state == "passed"


def test_a_retried_canary_is_not_judged_by_what_failed_before(house: House, pair: Pair) -> None:
    def try_again(house: House, scene: Scene) -> None:
        retry(house.db, house.definitions, scene.backfill_id, RetryRequest())

    for scene, *_ in interleavings(house, pair, lambda: canary_failed(house), try_again, decide):
        row = house.backfill(scene.backfill_id)
        assert (row.state, row.canary_state) == ("paused", "running")
        house.resume(scene.backfill_id)
        assert decide(house, scene) is None, "its runs are still to be made"
        house.cancel_all(scene.backfill_id)


# -- blocks and marks -----------------------------------------------------------------------------


def block_all(house: House, scene: Scene) -> None:
    blocks.block(house.db, house.definitions, "shops", "all", reason="why", at=NOON)


def mark_all(house: House, scene: Scene) -> None:
    marking.mark(house.db, house.definitions, "shops", "all", status=BoxStatus.SUCCEEDED, at=NOON)


def unblocked(house: House) -> Scene:
    if house.shops:
        blocks.unblock(house.db, house.definitions, "shops", "all", at=NOON)
    scene = requested(house, 2)
    house.expand(scene.backfill_id)
    return scene


def test_what_is_not_queued_when_a_block_commits_is_skipped(house: House, pair: Pair) -> None:
    for scene, admitted, _ in interleavings(
        house, pair, lambda: unblocked(house), admit, block_all
    ):
        house.admit()
        states = house.states(scene.backfill_id)
        assert states.get("queued", 0) == len(admitted)
        assert states.get("pending", 0) == 0
        house.cancel(scene.backfill_id)


def test_a_mark_and_an_outcome_leave_both(house: House, pair: Pair) -> None:
    for scene, *_ in interleavings(house, pair, lambda: running(house, 1), succeed, mark_all):
        assert house.states(scene.backfill_id) == {"succeeded": 1}
        assert house.settle(scene.backfill_id) is BackfillState.SUCCEEDED
