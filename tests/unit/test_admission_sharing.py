"""Room is shared by priority and then evenly, never more of it than there is."""

from __future__ import annotations

import math

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from backfill.lifecycle.admission import Lane, depth_per_slot, pack_size, share
from backfill.settings import Settings

PACKS = (1, 1, 1, 3, 32)


@st.composite
def lanes(draw: st.DrawFn) -> list[Lane]:
    count = draw(st.integers(0, 6))
    found = []
    for number in range(count):
        limit = draw(st.one_of(st.none(), st.integers(1, 40)))
        most = 60 if limit is None else limit + 5  # a limit may have been lowered meanwhile
        found.append(
            Lane(
                id=number,
                priority=draw(st.integers(0, 2)),
                queue="q",
                active=draw(st.integers(0, most)),
                max_active=limit,
                pack=draw(st.sampled_from(PACKS)),
            )
        )
    return found


@given(st.integers(0, 60), lanes())
def test_grants_are_positive_and_within_what_there_is(
    capacity: int, given_lanes: list[Lane]
) -> None:
    grants = share(capacity, given_lanes)
    assert sum(grants.values()) <= capacity
    for lane in given_lanes:
        granted = grants.get(lane.id, 0)
        assert granted >= 0
        assert granted <= math.ceil(lane.room / lane.pack)


@given(st.integers(0, 60), lanes())
def test_no_room_is_left_while_a_lane_could_use_it(capacity: int, given_lanes: list[Lane]) -> None:
    wanted = sum(lane.ceiling - lane.level for lane in given_lanes)
    given_out = sum(share(capacity, given_lanes).values())
    event("all get what they want" if wanted <= capacity else "there is too little")
    assert given_out == min(capacity, wanted)


@given(st.integers(0, 60), lanes())
def test_a_lower_priority_gets_only_what_higher_ones_cannot_use(
    capacity: int, given_lanes: list[Lane]
) -> None:
    grants = share(capacity, given_lanes)
    for lane in given_lanes:
        hungry = lane.level + grants.get(lane.id, 0) < lane.ceiling
        lower = [x for x in given_lanes if x.priority < lane.priority and grants.get(x.id)]
        assert not (hungry and lower)


@given(st.integers(0, 60), lanes())
def test_equals_are_levelled(capacity: int, given_lanes: list[Lane]) -> None:
    """Nobody is given more while an equal with less could still take some."""
    grants = share(capacity, given_lanes)
    for rich in given_lanes:
        if not grants.get(rich.id):
            continue
        for poor in given_lanes:
            if (
                poor.priority == rich.priority
                and poor.level + grants.get(poor.id, 0) < poor.ceiling
            ):
                has = poor.level + grants.get(poor.id, 0)
                assert rich.level + grants[rich.id] <= has + 1


def lane(number: int, **facts: object) -> Lane:
    return Lane(**{"id": number, "priority": 0, "queue": "q", "active": 0, **facts})  # type: ignore[arg-type]


def test_a_small_backfill_is_not_starved_by_a_huge_one() -> None:
    huge, small = lane(1, active=100), lane(2)
    assert share(20, [huge, small]) == {2: 20}


def test_lanes_of_packed_runs_count_in_messages() -> None:
    packed, single = lane(1, active=64, pack=32), lane(2, active=2)
    assert share(2, [packed, single]) == {1: 1, 2: 1}


def test_a_full_lane_gets_nothing() -> None:
    assert share(10, [lane(1, active=5, max_active=5), lane(2, active=9, max_active=5)]) == {}


@given(st.one_of(st.none(), st.integers(0, 10**9)), st.integers(0, 100))
def test_a_message_holds_about_the_allowed_work_and_never_too_many_runs(
    mean_us: int | None, runs: int
) -> None:
    settings = Settings(pack_seconds=0.5, pack_limit=50)
    size = pack_size(mean_us, runs, settings)
    assert 1 <= size <= 50
    if size > 1:
        assert mean_us is not None
        assert size * mean_us <= 500_000 or mean_us == 0


@pytest.mark.parametrize(("mean_us", "runs"), [(None, 100), (10, 7)])
def test_an_unproven_pipeline_is_not_packed(mean_us: int | None, runs: int) -> None:
    assert pack_size(mean_us, runs, Settings(pack_seconds=0.5)) == 1


def test_packing_can_be_turned_off() -> None:
    assert pack_size(10, 100, Settings(pack_seconds=0)) == 1


def test_slow_runs_keep_a_shallow_queue_and_tiny_ones_a_deeper_one() -> None:
    slow, tiny = lane(1, run_us=60_000_000), lane(2, run_us=500)
    assert depth_per_slot([slow], 4) == 4
    assert depth_per_slot([tiny], 4) > 4
    assert depth_per_slot([slow, tiny], 4) == 4
    assert depth_per_slot([lane(3)], 4) == 4
    assert depth_per_slot([], 4) == 4
