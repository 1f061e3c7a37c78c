"""A live backfill changed: its fields, its partitions; and cloned. Its time limit kept."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from backfill.errors import Conflict, Invalid, NotFound, NothingToRun, SelectionInvalid
from backfill.lifecycle import backfills, limiting, repartitioning
from backfill.lifecycle.cloning import cloned
from backfill.lifecycle.editing import edit
from backfill.lifecycle.repartitioning import Removed
from backfill.states import BackfillState, RunState
from backfill.storage.database import decoded
from backfill.storage.queries.backfills import get_backfill
from tests.support.failpoints import ForgetfulDatabase, every_crash
from tests.support.house import NOON, House


def add(house: House, selection: str, backfill_id: int = 1, **how: Any) -> repartitioning.Added:
    return repartitioning.add_partitions(
        house.db, house.definitions, backfill_id, selection, at=NOON, limit=1000, **how
    )


def remove(house: House, selection: str, backfill_id: int = 1, **how: Any) -> Removed:
    return repartitioning.remove_partitions(
        house.db, house.definitions, backfill_id, selection, at=NOON, limit=1000, **how
    )


def finish(house: House, backfill_id: int = 1) -> BackfillState | None:
    while ids := house.admitted():
        house.succeed(*[claim for run in ids for claim in house.claim([run])])
    return house.settle(backfill_id)


def expand_all(house: House, backfill_id: int = 1, *, limit: int = 1000) -> None:
    while house.expand(backfill_id, limit=limit) is not None:
        pass


def shown(house: House, backfill_id: int = 1) -> dict[str, int]:
    house.fold()
    with house.db.read() as conn:
        view = get_backfill(house.db, conn, backfill_id)
    assert view is not None
    return {name: n for name, n in vars(view.counts).items() if n}


def event(house: House, kind: str) -> Any:
    return house.row("SELECT * FROM events WHERE kind = :kind ORDER BY id DESC", kind=kind)


# -- fields ---------------------------------------------------------------------------------------


def test_an_edit_keeps_old_and_new_values_in_its_event(house: House) -> None:
    house.ready(3, max_active_runs=4)
    changes = {"max_active_runs": 1, "priority": 7, "note": "slowly", "ordering": "oldest"}
    done = edit(house.db, 1, changes, actor="ann")
    assert done == {"max_active_runs": (4, 1), "priority": (0, 7), "note": (None, "slowly")}
    told = event(house, "backfill.edited")
    assert told.message == "max_active_runs: 4 → 1; priority: 0 → 7; note: none → slowly"
    assert decoded(told.facts)["old"] == {"max_active_runs": 4, "priority": 0, "note": None}
    assert told.actor == "ann"
    assert edit(house.db, 1, changes) == {}, "nothing is different now"


def test_a_lower_limit_takes_back_what_is_queued(house: House) -> None:
    house.ready(6)
    house.worker(slots=2)
    ids = house.admitted()
    house.claim(ids[:2])
    edit(house.db, 1, {"max_active_runs": 1})
    assert house.states(1) == {"running": 2, "pending": 4}
    assert house.admitted() == [], "two run already"
    edit(house.db, 1, {"max_active_runs": None})
    assert house.admitted()


def test_the_order_is_turned_at_once(house: House) -> None:
    house.ready(4, max_active_runs=1)
    house.admitted()
    edit(house.db, 1, {"ordering": "newest"})
    (run,) = house.admitted()
    assert house.run(run).partition == "day-03"


def test_a_new_budget_of_failures_acts_on_runs_that_have_not_ended(house: House) -> None:
    claims = house.running(2)
    house.fail(claims[0])
    edit(house.db, 1, {"max_failures": 2})
    house.fail(claims[1])
    assert house.state(claims[0].run_id) is RunState.FAILED
    assert house.state(claims[1].run_id) is RunState.PENDING


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"selection": "all"}, '"selection" cannot be edited'),
        ({"max_active_runs": 0}, "max_active_runs must be at least 1"),
        ({"ordering": "weight"}, "Only the orders oldest and newest"),
        ({"tags": {"queue": "gpu"}}, "its runs have their queue already"),
        ({"breaker": {"in_row": 0}}, "in_row must be at least 1"),
        ({"timeout_seconds": -1}, "timeout_seconds is a number of seconds above 0"),
        ({"on_timeout": "explode"}, 'canceled or paused, not "explode"'),
        ({"windows": ["never"]}, "never"),
    ],
)
def test_an_edit_that_makes_no_sense_is_refused_whole(
    house: House, changes: dict[str, Any], told: str
) -> None:
    house.ready(2)
    with pytest.raises(Invalid, match=told):
        edit(house.db, 1, {"priority": 3, **changes})
    assert house.backfill(1).priority == 0


def test_a_backfill_that_is_over_takes_a_note_only(house: House) -> None:
    house.succeed(*house.running(1))
    house.settle(1)
    edit(house.db, 1, {"note": "all good"})
    assert house.backfill(1).note == "all good"
    with pytest.raises(Conflict, match="its priority changes nothing any more"):
        edit(house.db, 1, {"priority": 1})
    with pytest.raises(NotFound, match="No backfill 9"):
        edit(house.db, 9, {"priority": 1})


def test_an_edit_whose_answer_was_lost_is_told_once(
    house: House, forgetful: ForgetfulDatabase
) -> None:
    house.ready(2)
    forgetful.lost_answers = 1
    edit(house.db, 1, {"priority": 5})
    assert len(house.rows("SELECT * FROM events WHERE kind = 'backfill.edited'")) == 1


def test_guards_and_hours_can_be_edited(house: House) -> None:
    house.ready(2)
    edit(house.db, 1, {"breaker": {"in_row": 3}, "windows": ["22:00-06:00"], "canary_percent": 50})
    row = house.backfill(1)
    assert decoded(row.breaker) == {"in_row": 3}
    assert decoded(row.windows)
    edit(house.db, 1, {"breaker": None, "windows": None})
    row = house.backfill(1)
    assert (row.breaker, row.windows) == (None, None)


# -- adding ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("ordering", ["oldest", "newest"])
def test_added_partitions_are_expanded_behind_the_others(house: House, ordering: str) -> None:
    house.ready(3, ordering=ordering)
    added = add(house, "[day-02...day-05]")
    assert (added.added, dict(added.left_out)) == (3, {"already in it": 1})
    assert house.settle(1) is None
    expand_all(house, limit=2)
    assert shown(house) == {"pending": 6}
    assert sorted(house.keys(1)) == [f"day-0{n}" for n in range(6)]
    row = house.backfill(1)
    assert (row.total, row.expanded, row.vanished) == (6, 6, 0)
    assert row.selection == "([day-00...day-02]), ([day-02...day-05])"
    assert house.rows("SELECT * FROM events WHERE kind = 'backfill.drift'") == []
    assert finish(house) is BackfillState.SUCCEEDED


def test_partitions_added_to_a_finished_backfill_open_it_again(house: House) -> None:
    house.succeed(*house.running(2))
    assert house.settle(1) is BackfillState.SUCCEEDED
    add(house, "day-07", note="forgotten")
    assert house.backfill(1).state == "running"
    assert event(house, "backfill.partitions_added").message == "1 partitions added: forgotten"
    expand_all(house)
    assert finish(house) is BackfillState.SUCCEEDED
    assert shown(house) == {"succeeded": 3}


def test_adding_keeps_count_of_what_had_vanished(house: House) -> None:
    house.shops[:] = ["a", "b", "c", "d"]
    backfill_id = house.submit("a, b, c", "shops")
    house.shops.remove("b")
    expand_all(house, backfill_id)
    assert house.backfill(backfill_id).vanished == 1
    add(house, "d", backfill_id)
    expand_all(house, backfill_id)
    row = house.backfill(backfill_id)
    assert (row.total, row.expanded, row.vanished) == (4, 4, 1)
    assert finish(house, backfill_id) is BackfillState.SUCCEEDED


def test_what_cannot_be_added_is_said(house: House) -> None:
    house.submit("[day-00...day-03]")
    with pytest.raises(Conflict, match="its runs are still being made"):
        add(house, "day-05")
    expand_all(house)
    with pytest.raises(NothingToRun, match="Nothing is left to add to backfill 1: 1 already in it"):
        add(house, "day-02")
    with pytest.raises(SelectionInvalid):
        add(house, "day-99")
    with pytest.raises(NotFound):
        add(house, "day-01", 9)
    house.cancel_all(1)
    with pytest.raises(Conflict, match="it is canceling"):
        add(house, "day-05")
    house.settle(1)
    assert add(house, "day-05").added == 1


def test_a_crash_anywhere_adds_partitions_or_not(house: House) -> None:
    house.ready(2)

    def act() -> None:
        try:
            add(house, "[day-02...day-04]")
        except Conflict:  # done before the crash, its runs still to be made
            assert house.backfill(1).total == 5

    for _ in every_crash(house.db, act):
        assert house.backfill(1).total in {2, 5}
    expand_all(house)
    assert finish(house) is BackfillState.SUCCEEDED


# -- removing -------------------------------------------------------------------------------------


def test_partitions_taken_out_are_skipped_unless_they_run(house: House) -> None:
    house.ready(6)
    house.worker(slots=1)
    queued = house.admitted()
    (claim,) = house.claim(queued[:1])
    assert remove(house, "[day-00...day-03]", actor="ann", note="not now") == Removed(
        skipped=3, running=1
    )
    run = house.row("SELECT * FROM runs WHERE partition = 'day-01'")
    assert (run.state, run.reason) == ("skipped", "taken out of its backfill by ann: not now")
    assert shown(house) == {"running": 1, "pending": 2, "skipped": 3}
    house.succeed(claim)
    assert finish(house) is BackfillState.SUCCEEDED


def test_running_partitions_are_told_to_stop_when_asked(house: House) -> None:
    (claim,) = house.running(1)
    assert remove(house, "day-00", cancel_running=True) == Removed(told=1)
    assert house.run(claim.run_id).cancel_requested_at is not None
    assert remove(house, "day-00", cancel_running=True) == Removed(told=1), "safe to repeat"


def test_what_ended_or_is_not_in_it_is_left_alone(house: House) -> None:
    first, _second = house.running(2)
    house.succeed(first)
    assert remove(house, "day-00, day-05") == Removed(ended=1)


def test_nothing_is_taken_out_of_what_is_over_or_being_made(house: House) -> None:
    house.submit("[day-00...day-03]")
    with pytest.raises(Conflict, match="still being made"):
        remove(house, "day-00")
    expand_all(house)
    finish(house)
    with pytest.raises(Conflict, match="is over: it is succeeded"):
        remove(house, "day-00")


def test_a_crash_anywhere_takes_partitions_out_when_it_is_repeated(house: House) -> None:
    house.ready(4)
    house.admitted()
    for _ in every_crash(house.db, partial(remove, house, "[day-00...day-01]")):
        assert house.sick() == []
    assert house.states(1)["skipped"] == 2


# -- cloning --------------------------------------------------------------------------------------


def test_a_clone_asks_the_same_with_changes(house: House) -> None:
    house.ready(
        3,
        tags={"team": "sales"},
        max_active_runs=2,
        breaker={"in_row": 2},
        steps=["a"],
        run_config={"steps": {}},
        note="first",
        timeout_seconds=60,
        windows=["22:00-06:00"],
    )
    request = cloned(house.db, house.definitions, 1, {"note": "again"}, actor="ann")
    clone = backfills.submit(house.db, house.definitions, request, at=NOON, limit=100).backfill_id
    old, new = house.backfill(1)._mapping, house.backfill(clone)._mapping
    same = ("selection", "tags", "max_active_runs", "breaker", "steps", "run_config", "total")
    assert [old[name] for name in same] == [new[name] for name in same]
    assert (new["note"], new["cloned_from"], new["created_by"]) == ("again", 1, "ann")
    assert (new["timeout_seconds"], decoded(new["windows"])) == (60, decoded(old["windows"]))
    with pytest.raises(Invalid, match='A request has no "colour"'):
        cloned(house.db, house.definitions, 1, {"colour": "red"})
    with pytest.raises(NotFound, match="No backfill 99"):
        cloned(house.db, house.definitions, 99, {})


def test_a_clone_of_a_deleted_set_says_which_set_is_gone(house: House) -> None:
    house.ready(1)
    with house.db.write() as conn:
        conn.execute(house.db.sql("UPDATE partition_sets SET name = 'old_days'"))
    with pytest.raises(NotFound, match='No partition set named "old_days"'):
        cloned(house.db, house.definitions, 1, {})
    assert cloned(house.db, house.definitions, 1, {"partition_set": "days"}).selection


# -- time limits ----------------------------------------------------------------------------------


def end_overdue(house: House) -> list[bool]:
    with house.db.read() as conn:
        found = limiting.overdue(house.db, conn)
    return [limiting.end_overdue(house.db, backfill) for backfill in found]


def test_a_backfill_whose_time_is_over_is_canceled_with_the_reason(house: House) -> None:
    claims = house.running(2, timeout_seconds=60)
    assert end_overdue(house) == []
    house.advance(61)
    assert end_overdue(house) == [True]
    assert house.backfill(1).state == "canceling"
    told = event(house, "backfill.canceled")
    assert told.message == "its time is over: it took longer than its timeout of 60 s"
    assert house.run(claims[0].run_id).cancel_requested_at is not None
    assert end_overdue(house) == []


def test_a_backfill_paused_for_its_time_goes_on_without_a_limit_when_resumed(house: House) -> None:
    house.ready(2, timeout_seconds=60, on_timeout="pause")
    house.advance(61)
    assert end_overdue(house) == [True]
    assert "its time is over" in house.backfill(1).pause_reason
    house.resume(1)
    house.advance(600)
    assert end_overdue(house) == []
    edit(house.db, 1, {"timeout_seconds": 30})
    house.advance(31)
    assert end_overdue(house) == [True]


def test_time_that_is_over_twice_or_after_the_end_does_nothing(house: House) -> None:
    house.succeed(*house.running(1, timeout_seconds=60))
    house.settle(1)
    house.advance(61)
    assert end_overdue(house) == []
    assert house.backfill(1).state == "succeeded"
