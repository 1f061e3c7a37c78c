"""Lines, pools and windows meet what the coordinator, workers and operators do meanwhile.

Every pair is tried in both orders and at every statement, as in `test_races`.
"""

from __future__ import annotations

import json
from typing import Any

from backfill.errors import BackfillError
from backfill.lifecycle.passing import skip_partition
from backfill.lifecycle.pooling import list_pools, set_slots
from backfill.states import BackfillState
from tests.integration.test_races import (
    Pair,
    Scene,
    admit,
    cancel,
    claim,
    expand,
    fail,
    interleavings,
    pending,
    queued,
    requested,
    running,
    states,
    succeed,
    wound_down,
)
from tests.integration.test_races import _roomy as _roomy
from tests.integration.test_races import pair as pair
from tests.support.house import House

NEVER = [{"days": ["mon"], "start": "00:00", "end": "00:01", "zone": "UTC"}]


def behind_success(house: House) -> None:
    """Have the newest shop succeed, so that a line may begin behind it."""
    scene = running(house, 1)
    succeed(house, scene)
    house.fold()
    house.settle(scene.backfill_id)


def line(house: House, count: int = 3) -> Scene:
    behind_success(house)
    return pending(house, count, depends_on_previous=True)


def begun(house: House) -> Scene:
    """Return a line whose first partition runs."""
    scene = line(house)
    scene.claims = house.claim(house.admitted())
    return scene


def stopped(house: House) -> Scene:
    """Return a line whose first partition failed."""
    scene = begun(house)
    fail(house, scene)
    house.fold()
    house.admit()
    return scene


def skip_first(house: House, scene: Scene) -> str:
    first = min(scene.ids)
    try:
        skip_partition(house.db, scene.backfill_id, house.run(first).partition)
    except BackfillError:
        return "refused"
    return "skipped"


def active(house: House, scene: Scene) -> int:
    found = house.states(scene.backfill_id)
    return found.get("queued", 0) + found.get("running", 0)


def close_window(house: House, scene: Scene) -> None:
    """Put a backfill outside its hours; the next admission sees it."""
    value = "CAST(:w AS json)" if house.db.postgres else ":w"
    with house.db.write() as conn:
        now = house.db.clock(conn) // 86_400_000_000
        day = ["thu", "fri", "sat", "sun", "mon", "tue", "wed"][(now + 3) % 7]
        conn.execute(
            house.db.sql(f"UPDATE backfills SET windows = {value} WHERE id = :id"),
            {"w": json.dumps([{**NEVER[0], "days": [day]}]), "id": scene.backfill_id},
        )


def test_two_admitters_start_one_run_of_a_line(house: House, pair: Pair) -> None:
    for scene, _, _ in interleavings(house, pair, lambda: line(house), admit, admit):
        assert active(house, scene) == 1
        house.cancel_all(scene.backfill_id)


def test_a_success_beside_admission_lets_the_next_of_a_line_go_once(
    house: House, pair: Pair
) -> None:
    for met, _, _ in interleavings(house, pair, lambda: begun(house), succeed, admit):
        house.admit()
        assert active(house, met) == 1
        house.cancel_all(met.backfill_id)


def test_a_failure_beside_admission_never_starts_the_next_of_a_line(
    house: House, pair: Pair
) -> None:
    for met, _, _ in interleavings(house, pair, lambda: begun(house), fail, admit):
        house.admit()
        assert active(house, met) == 0
        house.cancel_all(met.backfill_id)


def test_a_skip_beside_admission_lets_one_run_go(house: House, pair: Pair) -> None:
    for scene, answer, _ in interleavings(house, pair, lambda: stopped(house), skip_first, admit):
        assert answer == "skipped"
        house.admit()
        assert active(house, scene) == 1
        house.cancel_all(scene.backfill_id)


def test_a_skip_beside_a_cancel_starts_nothing(house: House, pair: Pair) -> None:
    for scene, _, _ in interleavings(house, pair, lambda: stopped(house), skip_first, cancel):
        assert house.admit() == []
        assert wound_down(house, scene) is BackfillState.CANCELED


def test_a_skip_beside_a_claim_is_refused(house: House, pair: Pair) -> None:
    def scene() -> Scene:
        made = line(house)
        house.admit()
        return made

    for met, answer, claims in interleavings(house, pair, scene, skip_first, claim):
        assert answer == "refused"
        assert len(claims) == 1
        house.cancel_all(met.backfill_id)
        met.claims = claims
        fail(house, met)


def test_a_line_beside_its_expansion_starts_nothing_out_of_order(house: House, pair: Pair) -> None:
    def scene() -> Scene:
        behind_success(house)
        return requested(house, 2, depends_on_previous=True)

    for met, _, _ in interleavings(house, pair, scene, expand, admit):
        house.admit()
        (first,) = house.rows(
            "SELECT r.id, (SELECT min(sort) FROM runs WHERE backfill_id = :id) AS least, r.sort "
            "FROM runs r WHERE backfill_id = :id AND state = 'queued'",
            id=met.backfill_id,
        )
        assert first.sort == first.least
        house.cancel_all(met.backfill_id)


def test_what_is_claimed_beside_the_end_of_a_window_runs_and_the_rest_waits(
    house: House, pair: Pair
) -> None:
    def scene() -> Scene:
        made = queued(house)
        close_window(house, made)
        return made

    def end(at: House, met: Scene) -> Any:
        return at.admit()

    for met, _, claims in interleavings(house, pair, scene, end, claim):
        house.admit()
        counts = house.states(met.backfill_id)
        assert counts.get("running", 0) == len(claims)
        assert counts.get("queued", 0) == 0
        assert states(house, met) <= {"running", "pending"}
        house.cancel_all(met.backfill_id)


def test_slots_taken_away_beside_admission_are_given_to_nobody_afterwards(
    house: House, pair: Pair
) -> None:
    def scene() -> Scene:
        for left in house.rows("SELECT id FROM backfills WHERE state = 'running'"):
            house.cancel_all(left.id)
        set_slots(house.db, "warehouse", 1)
        backfill_id = house.submit("[s-0...s-3]", "stored", on_conflict="skip")
        house.expand(backfill_id)
        return Scene(backfill_id)

    def close(at: House, met: Scene) -> None:
        set_slots(at.db, "warehouse", 0)

    for met, _, _ in interleavings(house, pair, scene, close, admit):
        before = active(house, met)
        assert before <= 1
        assert house.admit() == []
        with house.db.read() as conn:
            (pool,) = list_pools(house.db, conn, house.settings)
        assert pool.used == before
        house.cancel_all(met.backfill_id)
