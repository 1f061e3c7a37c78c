"""Submitting freezes what was selected; expansion makes exactly that, whatever crashes."""

from __future__ import annotations

from functools import partial

import pytest

from backfill.errors import Conflict, Invalid, NotFound, SelectionInvalid
from backfill.states import BackfillState, RunState
from tests.support.failpoints import ForgetfulDatabase, every_crash
from tests.support.house import House

SHOPS = [f"shop-{n:02}" for n in range(12)]


def nothing_was_made(house: House) -> bool:
    made = [house.row(f"SELECT count(*) AS n FROM {t}").n for t in ("backfills", "events", "feed")]
    return made == [0, 0, 0]


def expand_all(house: House, backfill_id: int, *, limit: int) -> None:
    while house.expand(backfill_id, limit=limit) is not None:
        pass


# -- submitting -----------------------------------------------------------------------------------


def test_submitting_makes_one_requested_backfill_and_no_run_yet(house: House) -> None:
    backfill_id = house.submit("[day-00...day-09]", note="why", created_by="ann")
    row = house.backfill(backfill_id)
    assert (row.state, row.total, row.expanded, row.note) == ("requested", 10, 0, "why")
    assert house.states(backfill_id) == {}
    (event,) = house.rows("SELECT kind, actor FROM events")
    assert tuple(event) == ("backfill.submitted", "ann")


def test_what_was_submitted_is_not_changed_by_later_keys(house: House) -> None:
    house.shops += SHOPS[:6]
    backfill_id = house.submit("all", "shops")
    house.shops += SHOPS[6:]
    expand_all(house, backfill_id, limit=4)
    assert house.keys(backfill_id) == SHOPS[:6]
    assert house.backfill(backfill_id).total == 6


def test_a_selection_of_nothing_makes_nothing(house: House) -> None:
    with pytest.raises(SelectionInvalid):
        house.submit("all", "shops")
    assert nothing_was_made(house)


@pytest.mark.parametrize("selection", ["day-99", "[day-00...day-99]", "day-00 &", ""])
def test_a_selection_that_names_no_partition_makes_nothing(house: House, selection: str) -> None:
    with pytest.raises(SelectionInvalid):
        house.submit(selection)
    assert nothing_was_made(house)


def test_an_unknown_set_makes_nothing(house: House) -> None:
    with pytest.raises(NotFound, match="day"):
        house.submit("all", "dais")
    assert nothing_was_made(house)


def test_numbers_and_orders_that_make_no_sense_make_nothing(house: House) -> None:
    for wanted in ({"max_active_runs": 0}, {"ordering": "random"}, {"max_failures": -1}):
        with pytest.raises(Invalid):
            house.submit("day-01", **wanted)
    with pytest.raises(Invalid, match='no step "c"'):
        house.submit("day-01", steps=["c"])
    assert nothing_was_made(house)


def test_a_key_given_twice_answers_with_the_first_backfill(house: House) -> None:
    first = house.submit("day-01", idempotency_key="once")
    assert house.submit("day-01", idempotency_key="once", created_by="someone else") == first
    assert house.row("SELECT count(*) AS n FROM backfills").n == 1


def test_a_key_given_for_another_request_is_refused(house: House) -> None:
    first = house.submit("day-01", idempotency_key="once")
    with pytest.raises(Conflict, match=f"'once' was used for backfill {first}"):
        house.submit("day-02", idempotency_key="once")
    with pytest.raises(Conflict):
        house.submit("day-01", idempotency_key="once", priority=1)
    assert house.row("SELECT count(*) AS n FROM backfills").n == 1


def test_a_key_still_answers_when_the_definitions_have_changed(house: House) -> None:
    house.shops += SHOPS
    first = house.submit("shop-03", "shops", idempotency_key="once")
    house.shops.clear()
    assert house.submit("shop-03", "shops", idempotency_key="once") == first


def test_a_crash_anywhere_in_submitting_leaves_a_whole_backfill_or_none(house: House) -> None:
    for _ in every_crash(house.db, lambda: house.submit("[day-00...day-04]")):
        for row in house.rows("SELECT id, total FROM backfills"):
            assert row.total == 5
            ranges = 'SELECT sum("count") AS n FROM backfill_ranges WHERE backfill_id = :id'
            assert house.row(ranges, id=row.id).n == 5
        assert house.sick() == []


@pytest.mark.parametrize("key", [None, "mine"])
def test_a_submit_whose_commit_was_not_answered_makes_one_backfill(
    house: House, forgetful: ForgetfulDatabase, key: str | None
) -> None:
    forgetful.lost_answers = 1
    backfill_id = house.submit("day-01", idempotency_key=key)
    assert [r.id for r in house.rows("SELECT id FROM backfills")] == [backfill_id]


# -- expansion ------------------------------------------------------------------------------------


def test_expansion_makes_a_pending_run_of_every_partition_in_order(house: House) -> None:
    backfill_id = house.submit("[day-10...day-19]", max_failures=2)
    assert house.expand(backfill_id) == 10
    assert house.expand(backfill_id) is None
    assert house.keys(backfill_id) == [f"day-{n}" for n in range(10, 20)]
    assert house.states(backfill_id) == {"pending": 10}
    row = house.backfill(backfill_id)
    assert (row.state, row.expanded) == ("running", 10)
    assert row.expanded_at is not None
    assert row.started_at is not None


def test_expansion_goes_in_chunks_over_all_ranges(house: House) -> None:
    backfill_id = house.submit("[day-00...day-04], day-10, [day-20...day-26]")
    made = []
    while (runs := house.expand(backfill_id, limit=3)) is not None:
        made.append(runs)
        assert house.sick() == []
    assert made == [3, 3, 3, 3, 1]
    wanted = [*range(5), 10, *range(20, 27)]
    assert house.keys(backfill_id) == [f"day-{n:02}" for n in wanted]


def test_newest_first_is_expanded_and_admitted_from_the_end(house: House) -> None:
    backfill_id = house.submit("[day-00...day-09]", ordering="newest")
    house.expand(backfill_id, limit=4)
    assert house.keys(backfill_id) == ["day-09", "day-08", "day-07", "day-06"]
    expand_all(house, backfill_id, limit=4)
    newest = [f"day-{n:02}" for n in reversed(range(10))]
    assert house.keys(backfill_id) == newest
    house.worker(slots=3)
    admitted = [house.run(run).partition for run in house.admitted()]
    assert admitted == newest


def test_a_crash_anywhere_in_expansion_leaves_neither_gap_nor_duplicate(house: House) -> None:
    for ordering in ("oldest", "newest"):
        backfill_id = house.submit("[day-00...day-06]", ordering=ordering)
        for _ in every_crash(house.db, partial(house.expand, backfill_id, limit=2)):
            assert house.sick() == []
        expand_all(house, backfill_id, limit=2)
        assert sorted(house.keys(backfill_id)) == [f"day-{n:02}" for n in range(7)]
        assert house.states(backfill_id) == {"pending": 7}


def test_an_expansion_whose_commit_was_not_answered_makes_no_run_twice(
    house: House, forgetful: ForgetfulDatabase
) -> None:
    backfill_id = house.submit("[day-00...day-06]")
    while house.backfill(backfill_id).expanded_at is None:
        forgetful.lost_answers = 1
        house.expand(backfill_id, limit=3)
        forgetful.lost_answers = 0
    assert house.keys(backfill_id) == [f"day-{n:02}" for n in range(7)]


def test_a_paused_backfill_is_expanded_but_does_not_start(house: House) -> None:
    backfill_id = house.submit("[day-00...day-03]")
    house.pause(backfill_id)
    assert house.expand(backfill_id) == 4
    assert house.backfill(backfill_id).state == "paused"
    house.worker()
    assert house.admit() == []
    house.resume(backfill_id)
    assert len(house.admitted()) == 4
    assert house.backfill(backfill_id).started_at is not None


def test_a_backfill_given_up_is_expanded_no_further(house: House) -> None:
    backfill_id = house.submit("[day-00...day-05]")
    house.expand(backfill_id, limit=2)
    house.cancel_all(backfill_id)
    assert house.expand(backfill_id) is None
    assert house.states(backfill_id) == {"canceled": 2}
    assert house.settle(backfill_id) is BackfillState.CANCELED


# -- sets that change while they are expanded ------------------------------------------------------


def test_a_partition_that_left_the_set_is_counted_and_told(house: House) -> None:
    house.shops += SHOPS[:5]
    backfill_id = house.submit("all", "shops")
    house.shops.remove("shop-00")
    expand_all(house, backfill_id, limit=9)
    assert house.keys(backfill_id) == SHOPS[1:5]
    row = house.backfill(backfill_id)
    assert (row.total, row.expanded, row.vanished) == (5, 5, 1)
    (event,) = house.rows("SELECT message, facts FROM events WHERE kind = 'backfill.drift'")
    assert "1 partitions left the set" in event.message


def test_a_backfill_whose_partitions_all_left_the_set_ends(house: House) -> None:
    house.shops += SHOPS[:3]
    backfill_id = house.submit("all", "shops")
    house.shops.clear()
    expand_all(house, backfill_id, limit=2)
    assert house.states(backfill_id) == {}
    assert house.backfill(backfill_id).vanished == 3
    assert house.settle(backfill_id) is BackfillState.SUCCEEDED


@pytest.mark.parametrize("ordering", ["oldest", "newest"])
@pytest.mark.parametrize("gone", ["shop-01", "shop-05", "shop-10"])
def test_a_key_that_leaves_between_chunks_costs_no_other_partition(
    house: House, ordering: str, gone: str
) -> None:
    house.shops += SHOPS
    backfill_id = house.submit("all", "shops", ordering=ordering)
    house.expand(backfill_id, limit=4)
    made = set(house.keys(backfill_id))
    house.shops.remove(gone)
    expand_all(house, backfill_id, limit=4)
    assert set(house.keys(backfill_id)) == {*made, *house.shops}
    assert house.backfill(backfill_id).vanished == (gone not in made)


@pytest.mark.parametrize("ordering", ["oldest", "newest"])
@pytest.mark.parametrize("place", [1, 5, 10])
def test_a_key_that_comes_between_chunks_stops_nothing_and_doubles_nothing(
    house: House, ordering: str, place: int
) -> None:
    house.shops += SHOPS
    backfill_id = house.submit("all", "shops", ordering=ordering)
    house.expand(backfill_id, limit=4)
    house.shops.insert(place, f"shop-{place - 1:02}-b")
    expand_all(house, backfill_id, limit=4)
    assert set(house.keys(backfill_id)) >= set(SHOPS)
    assert set(house.states(backfill_id)) == {RunState.PENDING.value}


# -- odd keys --------------------------------------------------------------------------------------


def test_any_text_that_can_be_a_key_can_be_expanded(house: House) -> None:
    odd = [
        "tab\there",
        "line\nbreak",
        "back\\slash",
        "'quoted\"",
        "\\N",
        "日本",
        "🎉",
        " ",
        "a,b|c",
    ]
    house.shops += odd
    backfill_id = house.submit("all", "shops")
    expand_all(house, backfill_id, limit=4)
    assert house.keys(backfill_id) == odd
    house.worker(slots=5)
    claims = house.claim(house.admitted())
    assert len(claims) == len(odd)
    house.succeed(*claims)
    house.fold()
    assert house.settle(backfill_id) is BackfillState.SUCCEEDED
