"""Two at once: one stands still before each of its statements while the other goes ahead.

Every pair is tried in both orders and at every statement, so that no interleaving of this kind is
left to luck. Whatever happens, the doctor finds nothing, and what was promised holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest

from backfill.execution.outcomes import ErrorInfo, RunEnd, RunOutcome
from backfill.lifecycle import moves, runs
from backfill.lifecycle.backfills import cancel_chunk
from backfill.lifecycle.moves import Claim, Report
from backfill.states import BackfillState, RunState
from tests.support.clock import SECOND
from tests.support.failpoints import Race, Racing
from tests.support.house import House, steps_ok

ERROR = ErrorInfo("ValueError", "no", "Traceback: no")
MOST_STATEMENTS = 60


@dataclass
class Scene:
    """What two acts meet over: a backfill of its own and perhaps claims on its runs."""

    backfill_id: int
    claims: list[Claim] = field(default_factory=list)
    ids: list[int] = field(default_factory=list)


Act = Callable[[House, Scene], Any]


@dataclass(frozen=True)
class Pair:
    """Two processes over one database."""

    one: House
    other: House
    racing: Racing


@pytest.fixture
def pair(house: House, racing: Racing) -> Pair:
    clock = house.clock
    assert clock is not None
    one, other = (
        House(clock.open(), house.definitions, house.settings, clock=clock) for _ in range(2)
    )
    return Pair(one, other, racing)


def interleavings(
    house: House, pair: Pair, scene: Callable[[], Scene], first: Act, second: Act
) -> Iterator[tuple[Scene, Any, Any]]:
    """Yield the scene and both results after each interleaving, in both orders."""
    for swapped in (False, True) if first is not second else (False,):
        held, free = (second, first) if swapped else (first, second)
        for statement in range(MOST_STATEMENTS):
            met = scene()
            raced = pair.racing.race(
                pair.one.db,
                partial(held, pair.one, met),
                partial(free, pair.other, met),
                statement=statement,
            )
            if raced is None:
                break
            assert_healthy(house, raced)
            results = (raced.second, raced.first) if swapped else (raced.first, raced.second)
            yield met, *results
        else:
            raise AssertionError("is it ever done?")


def assert_healthy(house: House, raced: Race) -> None:
    for result in (raced.first, raced.second):
        assert not isinstance(result, Exception), repr(result)
    house.fold()
    assert house.sick() == []


# -- scenes ---------------------------------------------------------------------------------------


def requested(house: House, count: int = 3, **wanted: Any) -> Scene:
    """A backfill over shops that no other backfill has."""
    first = len(house.shops)
    house.shops += [f"shop-{n:05}" for n in range(first, first + count)]
    last = len(house.shops) - 1
    return Scene(house.submit(f"[shop-{first:05}...shop-{last:05}]", "shops", **wanted))


def pending(house: House, count: int = 3, **wanted: Any) -> Scene:
    scene = requested(house, count, **wanted)
    house.expand(scene.backfill_id)
    rows = house.rows("SELECT id FROM runs WHERE backfill_id = :id", id=scene.backfill_id)
    scene.ids = [row.id for row in rows]
    return scene


def queued(house: House, count: int = 3, **wanted: Any) -> Scene:
    scene = pending(house, count, **wanted)
    while set(house.states(scene.backfill_id)) != {"queued"}:
        assert house.admit(), "nothing was admitted"
    return scene


def running(house: House, count: int = 2, **wanted: Any) -> Scene:
    scene = queued(house, count, **wanted)
    scene.claims = [claim for run in scene.ids for claim in house.claim([run])]
    return scene


@pytest.fixture(autouse=True)
def _roomy(house: House) -> None:
    house.worker(slots=60)


# -- acts -----------------------------------------------------------------------------------------


def cancel(house: House, scene: Scene) -> None:
    house.cancel(scene.backfill_id)


def pause(house: House, scene: Scene) -> None:
    house.pause(scene.backfill_id)


def admit(house: House, scene: Scene) -> list[int]:
    return house.admitted()


def claim(house: House, scene: Scene) -> list[Claim]:
    return house.claim(scene.ids)


def expand(house: House, scene: Scene) -> int | None:
    return house.expand(scene.backfill_id, limit=2)


def settle(house: House, scene: Scene) -> BackfillState | None:
    return house.settle(scene.backfill_id)


def succeed(house: House, scene: Scene) -> moves.Recorded:
    return house.succeed(*scene.claims)


def fail(house: House, scene: Scene) -> moves.Recorded:
    return house.fail(*scene.claims)


def reap(house: House, scene: Scene) -> list[int]:
    return [row.id for row, _ in house.reap()]


def fold(house: House, scene: Scene) -> None:
    house.fold()


def states(house: House, scene: Scene) -> set[str]:
    return set(house.states(scene.backfill_id))


def wound_down(house: House, scene: Scene) -> BackfillState | None:
    """Finish what a cancel left, as the coordinator does."""
    while cancel_chunk(house.db, scene.backfill_id):
        pass
    return house.settle(scene.backfill_id)


# -- races ----------------------------------------------------------------------------------------


def test_nothing_is_admitted_past_a_cancel(house: House, pair: Pair) -> None:
    for scene, _, _ in interleavings(house, pair, lambda: pending(house), cancel, admit):
        assert states(house, scene) <= {"pending", "canceled"}
        assert house.claim(scene.ids) == []
        assert wound_down(house, scene) is BackfillState.CANCELED


def test_what_is_claimed_beside_a_cancel_is_told(house: House, pair: Pair) -> None:
    for scene, _, claims in interleavings(house, pair, lambda: queued(house), cancel, claim):
        assert {c.run_id for c in claims} == {
            row.id
            for row in house.rows(
                "SELECT id FROM runs WHERE backfill_id = :id AND state = 'running' "
                "AND cancel_requested_at IS NOT NULL",
                id=scene.backfill_id,
            )
        }
        house.record(*[Report(c, outcome=RunOutcome(RunEnd.CANCELED)) for c in claims])
        assert wound_down(house, scene) is BackfillState.CANCELED


def test_a_success_beside_a_cancel_is_kept(house: House, pair: Pair) -> None:
    for scene, _, recorded in interleavings(house, pair, lambda: running(house), cancel, succeed):
        assert recorded.fenced == []
        assert states(house, scene) == {"succeeded"}
        assert wound_down(house, scene) is BackfillState.CANCELED


def test_a_failure_beside_a_cancel_is_never_tried_again(house: House, pair: Pair) -> None:
    def scene_of_retries() -> Scene:
        return running(house, max_failures=5)

    for scene, _, _ in interleavings(house, pair, scene_of_retries, cancel, fail):
        assert wound_down(house, scene) is BackfillState.CANCELED
        assert states(house, scene) == {"canceled"}


def test_a_cancel_beside_expansion_leaves_no_run_behind(house: House, pair: Pair) -> None:
    for scene, _, made in interleavings(house, pair, lambda: requested(house, 5), cancel, expand):
        assert made in (2, None)
        assert wound_down(house, scene) is BackfillState.CANCELED
        assert states(house, scene) <= {"canceled"}


def test_a_cancel_beside_the_reaper_ends_the_run(house: House, pair: Pair) -> None:
    def expired() -> Scene:
        scene = running(house, 1)
        house.advance(house.settings.lease_seconds + 1)
        return scene

    for scene, _, _ in interleavings(house, pair, expired, cancel, reap):
        house.reap()
        assert wound_down(house, scene) is BackfillState.CANCELED
        assert states(house, scene) == {"canceled"}


def test_a_pause_beside_a_retry_holds_the_retry_back(house: House, pair: Pair) -> None:
    for scene, _, _ in interleavings(
        house, pair, lambda: running(house, max_failures=1), pause, fail
    ):
        house.advance(60)
        house.wake()
        assert house.admit() == []
        assert states(house, scene) == {"pending"}
        house.cancel_all(scene.backfill_id)


def test_a_pause_beside_admission_leaves_nothing_queued(house: House, pair: Pair) -> None:
    for scene, _, _ in interleavings(house, pair, lambda: pending(house), pause, admit):
        assert states(house, scene) == {"pending"}
        assert house.rows("SELECT * FROM partition_holds") == []
        house.cancel_all(scene.backfill_id)


def test_a_pause_beside_a_claim_takes_back_only_what_was_not_claimed(
    house: House, pair: Pair
) -> None:
    for scene, _, claims in interleavings(house, pair, lambda: queued(house), pause, claim):
        left = {"running": len(claims)} if claims else {"pending": 3}
        assert house.states(scene.backfill_id) == left
        house.succeed(*claims)
        house.cancel_all(scene.backfill_id)


def test_a_backfill_is_not_over_while_it_is_expanded(house: House, pair: Pair) -> None:
    def half_done() -> Scene:
        scene = requested(house, 4)
        house.expand(scene.backfill_id, limit=2)
        house.succeed(*[c for run in house.admitted() for c in house.claim([run])])
        return scene

    for scene, ended, made in interleavings(house, pair, half_done, settle, expand):
        assert (ended, made) == (None, 2)
        assert house.settle(scene.backfill_id) is None
        house.succeed(*[c for run in house.admitted() for c in house.claim([run])])
        assert house.settle(scene.backfill_id) is BackfillState.SUCCEEDED


def test_a_backfill_ends_once(house: House, pair: Pair) -> None:
    def done() -> Scene:
        scene = running(house, 1)
        house.succeed(*scene.claims)
        return scene

    for _, one, other in interleavings(house, pair, done, settle, settle):
        assert {one, other} == {None, BackfillState.SUCCEEDED}


def test_the_last_success_beside_settling_ends_the_backfill_now_or_soon(
    house: House, pair: Pair
) -> None:
    for scene, ended, _ in interleavings(house, pair, lambda: running(house, 1), settle, succeed):
        assert ended in (None, BackfillState.SUCCEEDED)
        assert (ended or house.settle(scene.backfill_id)) is BackfillState.SUCCEEDED


def test_two_submits_with_one_key_make_one_backfill(house: House, pair: Pair) -> None:
    numbers = iter(range(1000))

    def submit(house: House, scene: Scene) -> int:
        key, day = f"key-{scene.backfill_id}", f"day-{scene.backfill_id % 60:02}"
        return house.submit(day, idempotency_key=key)

    for _, one, other in interleavings(house, pair, lambda: Scene(next(numbers)), submit, submit):
        assert one == other


def test_two_expanders_make_every_run_once(house: House, pair: Pair) -> None:
    for scene, one, other in interleavings(
        house, pair, lambda: requested(house, 5), expand, expand
    ):
        assert sorted([one or 0, other or 0]) in ([0, 2], [2, 2])
        while house.expand(scene.backfill_id) is not None:
            pass
        assert house.states(scene.backfill_id) == {"pending": 5}
        house.cancel_all(scene.backfill_id)


def test_two_claimers_get_different_runs(house: House, pair: Pair) -> None:
    for scene, one, other in interleavings(house, pair, lambda: queued(house), claim, claim):
        assert sorted(c.run_id for c in (*one, *other)) == scene.ids
        assert {c.attempt for c in (*one, *other)} == {1}
        house.succeed(*one, *other)


@pytest.mark.parametrize("whole", [False, True], ids=["in parts", "told whole"])
def test_either_the_reaper_or_the_worker_ends_an_attempt(
    house: House, pair: Pair, whole: bool
) -> None:
    def expired() -> Scene:
        scene = running(house)
        house.advance(house.settings.lease_seconds + 1)
        return scene

    def report(house: House, scene: Scene) -> moves.Recorded:
        return house.record(
            *[
                Report(c, steps=steps_ok(), outcome=RunOutcome(RunEnd.SUCCEEDED), whole=whole)
                for c in scene.claims
            ]
        )

    for scene, reaped, recorded in interleavings(house, pair, expired, reap, report):
        assert sorted([*reaped, *recorded.ended]) == scene.ids
        assert [c.run_id for c in recorded.fenced] == reaped
        ended = house.states(scene.backfill_id)
        assert ended == ({"pending": len(reaped)} if reaped else {"succeeded": 2})
        house.cancel_all(scene.backfill_id)


def test_a_beat_beside_the_reaper_keeps_the_lease_or_has_lost_it(house: House, pair: Pair) -> None:
    def expired() -> Scene:
        scene = running(house, 1)
        house.advance(house.settings.lease_seconds + 1)
        return scene

    def beat(house: House, scene: Scene) -> list[int]:
        tokens = [c.token for c in scene.claims]
        rows = house.db.transact(lambda conn: moves.renew(house.db, conn, tokens, 60 * SECOND))
        return [row.id for row in rows]

    for scene, reaped, kept in interleavings(house, pair, expired, reap, beat):
        assert sorted([*reaped, *kept]) == scene.ids
        house.cancel_all(scene.backfill_id)
        house.record(*[Report(c, outcome=RunOutcome(RunEnd.CANCELED)) for c in scene.claims])


def test_one_partition_is_admitted_once_beside_its_holders_end(house: House, pair: Pair) -> None:
    def blocked() -> Scene:
        scene = running(house, 1)
        key = house.run(scene.ids[0]).partition
        house.expand(house.submit(key, "shops"))
        return scene

    for _, _, admitted in interleavings(house, pair, blocked, succeed, admit):
        house.advance(61)
        house.wake()
        later = house.admitted()
        assert len([*admitted, *later]) == 1
        house.succeed(*house.claim([*admitted, *later]))


def test_canceling_a_run_beside_a_claim_stops_it_or_tells_it(house: House, pair: Pair) -> None:
    def cancel_one(house: House, scene: Scene) -> RunState:
        return runs.cancel_run(house.db, scene.ids[0])

    for scene, state, claims in interleavings(
        house, pair, lambda: queued(house, 1), cancel_one, claim
    ):
        row = house.run(scene.ids[0])
        assert row.state == state
        assert (state is RunState.RUNNING) == bool(claims)
        assert row.cancel_requested_at is not None
        house.record(*[Report(c, outcome=RunOutcome(RunEnd.CANCELED)) for c in claims])


def test_canceling_a_run_beside_admission_cancels_it(house: House, pair: Pair) -> None:
    def cancel_one(house: House, scene: Scene) -> RunState:
        return runs.cancel_run(house.db, scene.ids[0])

    for scene, state, _ in interleavings(house, pair, lambda: pending(house, 1), cancel_one, admit):
        assert state is RunState.CANCELED
        assert states(house, scene) == {"canceled"}


def test_two_coordinators_add_the_feed_up_once(house: House, pair: Pair) -> None:
    def unfolded() -> Scene:
        with house.db.write() as conn:  # as on the first day
            conn.execute(house.db.sql("DELETE FROM cursors"))
            conn.execute(house.db.sql("DELETE FROM feed"))
        return pending(house)

    for scene, _, _ in interleavings(house, pair, unfolded, fold, fold):
        assert house.backfill(scene.backfill_id).pending == 3
        house.cancel_all(scene.backfill_id)
        house.fold()


def test_two_coordinators_add_the_feed_of_any_day_up_once(house: House, pair: Pair) -> None:
    def unfolded() -> Scene:
        house.fold()
        return pending(house)

    for scene, _, _ in interleavings(house, pair, unfolded, fold, fold):
        assert house.backfill(scene.backfill_id).pending == 3
        house.cancel_all(scene.backfill_id)


def test_adding_up_beside_admission_ends(house: House, pair: Pair) -> None:
    for scene, _, admitted in interleavings(house, pair, lambda: pending(house), fold, admit):
        assert set(scene.ids) <= set(admitted)
        house.cancel_all(scene.backfill_id)


@pytest.mark.postgres
@pytest.mark.parametrize("databases", ["postgresql"], indirect=True)  # SQLite has one lock for all
def test_beats_and_reports_lock_runs_in_one_order(house: House, pair: Pair) -> None:
    """In two orders each would wait for what the other has, until the database ends one of them."""
    claims = running(house, 2).claims
    house.advance(5)
    beat_first = [claims[0].token]  # its row and its lease now lie behind the other one's
    house.db.transact(lambda conn: moves.renew(house.db, conn, beat_first, 60 * SECOND))
    tokens = [c.token for c in claims]

    def hold_one_then_both() -> None:
        """Lock as recording does, but pause between the two rows."""
        with pair.one.db.write() as conn:
            for claim in claims:
                lock = pair.one.db.sql("SELECT id FROM runs WHERE id = :id FOR UPDATE")
                conn.execute(lock, {"id": claim.run_id})

    def beat() -> int:
        with pair.other.db.write() as conn:  # not repeated when the database ends it
            return len(moves.renew(pair.other.db, conn, tokens, 60 * SECOND))

    raced = pair.racing.race(pair.one.db, hold_one_then_both, beat, statement=1)
    assert raced is not None
    assert (raced.first, raced.second, raced.waited) == (None, 2, True)
    house.succeed(*claims)
