"""Edit, add, remove and retry meet what the coordinator, workers and operators do meanwhile.

Every pair is tried in both orders and at every statement, as in `test_races`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from backfill.errors import Conflict
from backfill.lifecycle import limiting, retrying
from backfill.lifecycle.editing import edit
from backfill.lifecycle.reexecuting import Again, reexecute
from backfill.lifecycle.repartitioning import Removed, add_partitions, remove_partitions
from backfill.lifecycle.retrying import RetryRequest
from backfill.states import BackfillState, RunState
from tests.integration.test_races import (
    Act,
    Pair,
    Scene,
    admit,
    cancel,
    claim,
    expand,
    interleavings,
    pause,
    pending,
    queued,
    requested,
    running,
    settle,
    succeed,
    wound_down,
)
from tests.integration.test_races import pair as pair
from tests.support.house import NOON, House

REFUSED = "refused"


@pytest.fixture(autouse=True)
def _roomy(house: House) -> None:
    house.worker(slots=60)


def or_refused(act: Act) -> Act:
    """Return an act of which a conflict is an ordinary result."""

    def tried(house: House, scene: Scene) -> Any:
        try:
            return act(house, scene)
        except Conflict:
            return REFUSED

    return tried


def all_keys(house: House, scene: Scene) -> list[str]:
    rows = house.rows(
        "SELECT partition FROM runs WHERE backfill_id = :id AND generation = 0 ORDER BY partition",
        id=scene.backfill_id,
    )
    return [row.partition for row in rows]


def expanded(house: House, scene: Scene) -> None:
    while house.expand(scene.backfill_id, limit=2) is not None:
        pass


def finished(house: House, scene: Scene) -> BackfillState | None:
    """Bring a backfill to its end, as coordinator and workers do."""
    expanded(house, scene)
    while retrying.retry_chunk(house.db, scene.backfill_id, limit=2):
        pass
    while ids := house.admitted():
        house.succeed(*[c for run in ids for c in house.claim([run])])
    return house.settle(scene.backfill_id)


# -- edit -----------------------------------------------------------------------------------------


def turn(house: House, scene: Scene) -> Any:
    return edit(house.db, scene.backfill_id, {"ordering": "newest", "max_active_runs": 1})


def test_an_edit_loses_no_partition_that_expansion_makes(house: House, pair: Pair) -> None:
    scene = partial(requested, house, 3)
    for met, changed, _ in interleavings(house, pair, scene, turn, expand):
        assert changed == {"ordering": ("oldest", "newest"), "max_active_runs": (None, 1)}
        expanded(house, met)
        assert len(all_keys(house, met)) == 3
        assert house.backfill(met.backfill_id).total == 3
        assert finished(house, met) is BackfillState.SUCCEEDED


def test_a_lower_limit_holds_from_the_moment_it_is_answered(house: House, pair: Pair) -> None:
    scene = partial(pending, house, 3)
    for met, _, _ in interleavings(house, pair, scene, or_refused(turn), admit):
        house.admit()
        assert house.states(met.backfill_id)["queued"] == 1


def test_an_edit_and_a_claim_leave_runs_whole(house: House, pair: Pair) -> None:
    scene = partial(queued, house, 2)
    for met, _, claims in interleavings(house, pair, scene, turn, claim):
        assert house.states(met.backfill_id).get("running", 0) == len(claims)
        house.succeed(*claims)
        assert finished(house, met) is BackfillState.SUCCEEDED


# -- add ------------------------------------------------------------------------------------------


def lengthen(house: House, scene: Scene) -> Any:
    """Add one more shop."""
    key = f"more-{scene.backfill_id:05}"
    return add_partitions(
        house.db, house.definitions, scene.backfill_id, key, at=NOON, limit=1000
    ).added


def with_a_shop_to_add(house: House, make: Callable[[], Scene]) -> Scene:
    scene = make()
    house.shops.append(f"more-{scene.backfill_id:05}")
    return scene


def ready_to_settle(house: House) -> Scene:
    scene = running(house, 1)
    succeed(house, scene)
    return scene


def test_what_is_added_while_a_backfill_settles_is_run(house: House, pair: Pair) -> None:
    scene = partial(with_a_shop_to_add, house, partial(ready_to_settle, house))
    for met, added, _settled in interleavings(house, pair, scene, or_refused(lengthen), settle):
        assert added == 1
        row = house.backfill(met.backfill_id)
        assert (row.state, row.total) == ("running", 2)
        assert finished(house, met) is BackfillState.SUCCEEDED
        assert len(all_keys(house, met)) == 2


def test_two_who_add_the_same_partition_add_it_once(house: House, pair: Pair) -> None:
    scene = partial(with_a_shop_to_add, house, partial(pending, house, 1))
    act = or_refused(lengthen)
    for met, one, other in interleavings(house, pair, scene, act, act):
        assert sorted([str(one), str(other)]) == ["1", REFUSED]
        assert house.backfill(met.backfill_id).total == 2
        assert finished(house, met) is BackfillState.SUCCEEDED


def test_nothing_added_starts_after_a_cancel(house: House, pair: Pair) -> None:
    scene = partial(with_a_shop_to_add, house, partial(pending, house, 1))
    for met, _, _ in interleavings(house, pair, scene, or_refused(lengthen), cancel):
        assert wound_down(house, met) is BackfillState.CANCELED
        assert house.expand(met.backfill_id) is None


# -- remove ---------------------------------------------------------------------------------------


def shorten(house: House, scene: Scene) -> Removed:
    """Take every partition out."""
    keys = ", ".join(all_keys(house, scene))
    return remove_partitions(
        house.db, house.definitions, scene.backfill_id, keys, at=NOON, limit=1000
    )


def test_what_is_claimed_meanwhile_is_told_to_run_on(house: House, pair: Pair) -> None:
    scene = partial(queued, house, 2)
    for met, removed, claims in interleavings(house, pair, scene, shorten, claim):
        assert (removed.skipped, removed.running) == (2 - len(claims), len(claims))
        assert house.states(met.backfill_id).get("skipped", 0) == removed.skipped
        house.succeed(*claims)
        assert house.settle(met.backfill_id) is BackfillState.SUCCEEDED


def test_what_is_taken_out_is_not_admitted_afterwards(house: House, pair: Pair) -> None:
    scene = partial(pending, house, 2)
    for met, _, _ in interleavings(house, pair, scene, shorten, admit):
        assert house.states(met.backfill_id) == {"skipped": 2}
        assert house.rows("SELECT * FROM partition_holds") == []


def test_what_is_taken_out_may_be_the_last_to_settle(house: House, pair: Pair) -> None:
    scene = partial(pending, house, 1)
    for met, _, _ in interleavings(house, pair, scene, or_refused(shorten), settle):
        house.settle(met.backfill_id)
        assert house.backfill(met.backfill_id).state == "succeeded"


# -- retry ----------------------------------------------------------------------------------------


def again(house: House, scene: Scene) -> Any:
    retrying.retry(house.db, house.definitions, scene.backfill_id, RetryRequest())
    return "retried"


def make_again(house: House, scene: Scene) -> int | None:
    return retrying.retry_chunk(house.db, scene.backfill_id, limit=1)


def half_failed(house: House) -> Scene:
    scene = running(house, 2)
    house.fail(scene.claims[0])
    scene.claims = scene.claims[1:]
    return scene


def over(house: House) -> Scene:
    scene = half_failed(house)
    succeed(house, scene)
    assert house.settle(scene.backfill_id) is BackfillState.FAILED
    return scene


def retried(house: House) -> Scene:
    scene = over(house)
    again(house, scene)
    return scene


def test_a_retry_and_a_pause_both_hold(house: House, pair: Pair) -> None:
    for met, done, _ in interleavings(house, pair, partial(half_failed, house), again, pause):
        assert done == "retried"
        assert house.backfill(met.backfill_id).state == "paused"
        house.succeed(*met.claims)
        make_again(house, met)
        assert house.admit() == []
        house.resume(met.backfill_id)
        assert finished(house, met) is BackfillState.SUCCEEDED


def test_what_fails_last_is_retried_or_ends_the_backfill(house: House, pair: Pair) -> None:
    """The retry comes before the settle, or opens the backfill again."""

    def scene() -> Scene:
        met = half_failed(house)
        succeed(house, met)
        return met

    for met, done, _ in interleavings(house, pair, scene, again, settle):
        assert done == "retried"
        assert house.backfill(met.backfill_id).state == "running"
        assert finished(house, met) is BackfillState.SUCCEEDED


def test_two_retries_at_once_make_one_generation(house: House, pair: Pair) -> None:
    act = or_refused(again)
    for met, one, other in interleavings(house, pair, partial(over, house), act, act):
        assert {one, other} == {"retried", REFUSED}
        assert house.backfill(met.backfill_id).generation == 1
        assert finished(house, met) is BackfillState.SUCCEEDED


@pytest.mark.parametrize("act", [make_again, settle, cancel], ids=lambda a: a.__name__)
def test_the_runs_of_a_retry_are_made_once(house: House, pair: Pair, act: Act) -> None:
    for met, _, _ in interleavings(house, pair, partial(retried, house), make_again, act):
        rows = house.rows(
            "SELECT state FROM runs WHERE backfill_id = :id AND generation = 1",
            id=met.backfill_id,
        )
        if act is cancel:
            assert wound_down(house, met) is BackfillState.CANCELED
            assert len(rows) <= 1
        else:
            assert len(rows) == 1
            assert finished(house, met) is BackfillState.SUCCEEDED


def test_a_run_is_re_executed_by_one_of_two(house: House, pair: Pair) -> None:
    def act(house: House, scene: Scene) -> Any:
        (failed,) = house.rows(
            "SELECT id FROM runs WHERE backfill_id = :id AND state = 'failed'",
            id=scene.backfill_id,
        )
        return reexecute(house.db, house.definitions, failed.id, Again(), at=NOON)

    tried = or_refused(act)
    for _, one, other in interleavings(house, pair, partial(over, house), tried, tried):
        made = [result for result in (one, other) if result != REFUSED]
        assert len(made) == 1
        assert house.state(made[0]) is RunState.PENDING


# -- time limits ----------------------------------------------------------------------------------


def end_overdue(house: House, scene: Scene) -> Any:
    with house.db.read() as conn:
        found = limiting.overdue(house.db, conn)
    return [limiting.end_overdue(house.db, row) for row in found if row.id == scene.backfill_id]


@pytest.mark.parametrize("act", [settle, cancel, pause], ids=lambda a: a.__name__)
def test_time_is_over_for_what_is_not_over_itself(house: House, pair: Pair, act: Act) -> None:
    def scene() -> Scene:
        met = running(house, 1, timeout_seconds=60)
        succeed(house, met)
        house.advance(61)
        return met

    for met, _, _ in interleavings(house, pair, scene, end_overdue, or_refused(act)):
        wound_down(house, met)
        house.settle(met.backfill_id)
        assert house.backfill(met.backfill_id).state in {"succeeded", "canceled"}
        assert end_overdue(house, met) == []
