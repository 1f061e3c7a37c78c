"""Pause, resume, cancel, settle; publishing again; counts that follow what moved."""

from __future__ import annotations

import json
from functools import partial

import pytest

from backfill.errors import Conflict, NotFound
from backfill.execution.outcomes import LogLine, RunEnd, RunOutcome
from backfill.lifecycle import backfills, folding, moves, runs
from backfill.lifecycle.moves import Report
from backfill.lifecycle.runs import LaunchRequest
from backfill.states import BackfillState, RunState
from tests.support.clock import SECOND
from tests.support.failpoints import ForgetfulDatabase, every_crash
from tests.support.house import House

MINUTE = 60


def counts(house: House, backfill_id: int) -> dict[str, int]:
    row = house.backfill(backfill_id)
    return {s.value: getattr(row, s.value) for s in RunState if getattr(row, s.value)}


def events(house: House, backfill_id: int) -> list[str]:
    sql = "SELECT kind FROM events WHERE backfill_id = :id ORDER BY id"
    return [row.kind for row in house.rows(sql, id=backfill_id)]


# -- pause and resume -----------------------------------------------------------------------------


def test_a_pause_recalls_what_is_queued_and_lets_run_what_runs(house: House) -> None:
    backfill_id = house.ready(6)
    house.worker(slots=1)
    (first, *_) = house.claim(house.admitted()[:1])
    house.pause(backfill_id, "wrong numbers")
    assert house.states(backfill_id) == {"running": 1, "pending": 5}
    assert house.backfill(backfill_id).pause_reason == "wrong numbers"
    held = [row.run_id for row in house.rows("SELECT run_id FROM partition_holds")]
    assert held == [first.run_id]
    assert house.admit() == []
    house.succeed(first)
    house.resume(backfill_id)
    assert house.backfill(backfill_id).pause_reason is None
    assert len(house.admitted()) == 4
    assert events(house, backfill_id)[-2:] == ["backfill.paused", "backfill.resumed"]


def test_a_message_of_a_recalled_run_finds_nothing_to_claim(house: House) -> None:
    backfill_id = house.ready(3)
    queued = house.admitted()
    house.pause(backfill_id)
    assert house.claim(queued) == []


def test_a_retry_of_a_paused_backfill_waits_for_the_resume(house: House) -> None:
    (claim,) = house.running(1, max_failures=1)
    house.pause(1)
    house.fail(claim)
    house.advance(60)
    house.wake()
    assert house.admit() == []
    house.resume(1)
    assert house.admitted() == [claim.run_id]


def test_a_paused_backfill_whose_last_run_ends_is_over(house: House) -> None:
    (claim,) = house.running(1)
    house.pause(1)
    house.succeed(claim)
    assert house.settle(1) is BackfillState.SUCCEEDED
    assert house.backfill(1).pause_reason is None


@pytest.mark.parametrize("verb", ["pause", "resume", "cancel"])
def test_a_crash_anywhere_in_a_verb_leaves_it_done_or_not_begun(house: House, verb: str) -> None:
    backfill_id = house.ready(6)
    house.worker(slots=1)
    house.claim(house.admitted()[:2])

    def act() -> None:
        try:
            getattr(house, verb)(backfill_id)
        except Conflict:  # it was done before the crash
            assert house.backfill(backfill_id).state in ("paused", "running", "canceling")

    if verb == "resume":
        house.pause(backfill_id)
    for _ in every_crash(house.db, act):
        assert house.sick() == []


@pytest.mark.parametrize("verb", ["pause", "resume", "cancel"])
def test_a_verb_whose_answer_was_lost_is_done_and_says_so(
    house: House, forgetful: ForgetfulDatabase, verb: str
) -> None:
    backfill_id = house.ready(3)
    if verb == "resume":
        house.pause(backfill_id)
    forgetful.lost_answers = 1
    getattr(house, verb)(backfill_id)
    wanted = {"pause": "paused", "resume": "running", "cancel": "canceling"}
    assert house.backfill(backfill_id).state == wanted[verb]


def test_verbs_on_a_backfill_that_is_not_there_say_so(house: House) -> None:
    for verb in (house.pause, house.resume, house.cancel):
        with pytest.raises(NotFound, match="No backfill 4711"):
            verb(4711)
    with pytest.raises(NotFound, match="No run 4711"):
        runs.cancel_run(house.db, 4711)


# -- cancel ---------------------------------------------------------------------------------------


def test_nothing_of_a_canceled_backfill_starts_any_more(house: House) -> None:
    backfill_id = house.ready(6)
    house.worker(slots=1)
    queued = house.admitted()
    (running,) = house.claim(queued[:1])
    house.cancel(backfill_id)
    assert house.states(backfill_id) == {"running": 1, "canceled": 3, "pending": 2}
    assert house.claim(queued) == []
    assert house.admit() == []
    house.advance(3600)
    house.wake()
    assert house.admit() == []
    assert house.run(running.run_id).cancel_requested_at is not None


def test_a_canceled_backfill_is_wound_down_in_chunks(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backfills, "CANCEL_CHUNK", 4)
    backfill_id = house.ready(10)
    house.cancel(backfill_id)
    chunks = []
    while house.settle(backfill_id) is None:
        chunks.append(backfills.cancel_chunk(house.db, backfill_id))
    assert chunks == [4, 4, 2]
    assert house.backfill(backfill_id).state == BackfillState.CANCELED


def test_a_canceled_backfill_is_over_when_its_last_run_stopped(house: House) -> None:
    first, second = house.running(2)
    house.cancel_all(1)
    assert house.settle(1) is None
    house.succeed(first)
    assert house.settle(1) is None
    house.record(Report(second, outcome=RunOutcome(RunEnd.CANCELED)))
    assert house.settle(1) is BackfillState.CANCELED
    assert house.states(1) == {"succeeded": 1, "canceled": 1}


def test_a_backfill_can_be_canceled_before_it_was_expanded(house: House) -> None:
    backfill_id = house.submit("[day-00...day-05]")
    house.cancel_all(backfill_id)
    assert house.settle(backfill_id) is BackfillState.CANCELED
    assert house.states(backfill_id) == {}
    with pytest.raises(Conflict):
        house.resume(backfill_id)


@pytest.mark.parametrize("what", ["cancel", "wake", "publish"])
def test_a_limit_is_a_limit_whatever_plan_the_database_makes(house: House, what: str) -> None:
    backfill_id = house.ready(9)
    house.worker(slots=9)
    if what == "wake":
        ids = [(row.id, 10**6) for row in house.rows("SELECT id FROM runs")]
        park = partial(moves.park_behind, house.db, blocked=ids, check_again_us=SECOND)
        house.db.transact(lambda conn: park(conn))
    if what == "publish":
        house.admit()
    house.advance(60)
    with house.db.write() as conn:
        if house.db.postgres:  # the plan that made limits grow: the choice is run once per row
            for how in ("hashjoin", "mergejoin", "hashagg", "sort", "material", "memoize"):
                conn.exec_driver_sql(f"SET LOCAL enable_{how} = off")
        if what == "cancel":
            where, params = "backfill_id = :b", {"b": backfill_id}
            found = len(
                moves.cancel_pending(
                    house.db, conn, where=where, params=params, reason="no", limit=4
                )
            )
        elif what == "wake":
            found = moves.wake_due(house.db, conn, 4)
        else:
            found = len(moves.mark_published_again(house.db, conn, limit=4, again_us=SECOND))
        assert found == 4


# -- settle ---------------------------------------------------------------------------------------


def test_a_backfill_is_not_over_before_it_is_fully_expanded(house: House) -> None:
    backfill_id = house.submit("[day-00...day-03]")
    house.expand(backfill_id, limit=2)
    house.succeed(*house.claim(house.admitted()))
    assert house.settle(backfill_id) is None
    house.expand(backfill_id, limit=2)
    assert house.settle(backfill_id) is None
    house.succeed(*house.claim(house.admitted()))
    assert house.settle(backfill_id) is BackfillState.SUCCEEDED
    assert house.settle(backfill_id) is None


def test_a_backfill_is_not_over_while_a_run_waits_in_any_way(house: House) -> None:
    first, second = house.running(2, max_failures=1)
    waiting = house.ready(1)
    house.admit()
    house.fail(first)
    house.succeed(second)
    assert not house.run(first.run_id).ready
    assert house.settle(1) is None
    assert house.settle(waiting) is None


@pytest.mark.parametrize("how", ["failed", "canceled", "lost"])
def test_one_partition_that_did_not_succeed_fails_the_backfill(house: House, how: str) -> None:
    bad, good = house.running(2)
    house.succeed(good)
    if how == "failed":
        house.fail(bad, retryable=False)
    elif how == "canceled":
        runs.cancel_run(house.db, bad.run_id)
        house.record(Report(bad, outcome=RunOutcome(RunEnd.CANCELED)))
    else:
        house.db.transact(lambda conn: moves.lose(house.db, conn, [bad.token], max_crashes=1))
    assert house.settle(1) is BackfillState.FAILED
    assert events(house, 1)[-1] == "backfill.failed"


def test_who_may_be_over_is_found_by_counts_and_without(house: House) -> None:
    (claim,) = house.running(1)
    house.fold()
    requested = house.submit("day-09")

    def unsettled(*, by_counts: bool) -> list[int]:
        with house.db.read() as conn:
            return [i for i, _ in backfills.unsettled(house.db, conn, by_counts=by_counts)]

    assert unsettled(by_counts=True) == []
    assert unsettled(by_counts=False) == [1]
    house.succeed(claim)
    assert unsettled(by_counts=True) == []
    house.fold()
    assert unsettled(by_counts=True) == [1]
    house.settle(1)
    assert unsettled(by_counts=False) == []
    house.cancel(requested)
    assert unsettled(by_counts=True) == [requested]


# -- publishing again -----------------------------------------------------------------------------


def published_again(house: House, *, limit: int = 100, hurry: int | None = None) -> list[int]:
    rows = house.db.transact(
        lambda conn: moves.mark_published_again(
            house.db, conn, limit=limit, again_us=30 * SECOND, hurry_after_us=hurry
        )
    )
    return sorted(row.id for row in rows)


def test_a_queued_run_is_published_again_and_again_with_growing_pauses(house: House) -> None:
    house.ready(1)
    (run,) = house.admitted()
    gaps: list[float] = []
    last = 0.0
    passed = 0.0
    while len(gaps) < 7:
        house.advance(5)
        passed += 5
        if published_again(house):
            gaps.append(passed - last)
            last = passed
    assert gaps == [30, 60, 120, 240, 480, 600, 600]
    assert house.run(run).attempt == 0
    (claim,) = house.claim([run])
    house.advance(3600)
    assert published_again(house) == []
    house.succeed(claim)


def test_two_publishers_do_not_send_the_same_run_twice(house: House) -> None:
    house.worker(slots=2)
    house.ready(8)
    queued = house.admitted()
    house.advance(31)
    sent = [*published_again(house, limit=5), *published_again(house, limit=5)]
    assert sorted(sent) == sorted(queued)


def test_an_empty_broker_makes_runs_go_out_before_they_are_due(house: House) -> None:
    house.ready(2)
    queued = house.admitted()
    house.advance(4)
    assert published_again(house, hurry=5 * SECOND) == []
    house.advance(2)
    assert published_again(house) == []
    assert published_again(house, hurry=5 * SECOND) == queued
    assert published_again(house, hurry=5 * SECOND) == []


def test_what_could_not_be_sent_is_due_soon(house: House) -> None:
    house.ready(2)
    messages = house.admit()
    failed = [messages[0].id, "of-another-life"]
    house.db.transact(lambda conn: moves.publish_soon(house.db, conn, failed, 2 * SECOND))
    house.advance(2)
    assert published_again(house) == list(messages[0].run_ids)


# -- counts ---------------------------------------------------------------------------------------


def test_counts_follow_what_moved(house: House) -> None:
    house.worker(slots=2)
    backfill_id = house.ready(6, max_failures=1)
    claims = house.claim(house.admitted()[:4])
    house.succeed(claims[0])
    house.fail(claims[1], retryable=False)
    house.fail(claims[2])
    house.fold()
    assert counts(house, backfill_id) == house.states(backfill_id)
    house.pause(backfill_id)
    house.fold()
    assert counts(house, backfill_id) == house.states(backfill_id)
    house.cancel_all(backfill_id)
    house.record(Report(claims[3], outcome=RunOutcome(RunEnd.CANCELED)))
    house.fold()
    assert counts(house, backfill_id) == {"succeeded": 1, "failed": 1, "canceled": 4}


def test_a_crash_anywhere_in_adding_up_counts_nothing_twice(house: House) -> None:
    house.worker(slots=2)
    backfill_id = house.ready(5)
    house.succeed(*house.claim(house.admitted())[:2])

    def fold_a_little() -> None:
        while house.db.transact(lambda conn: folding.fold(house.db, conn, limit=2)).rows:
            pass

    for _ in every_crash(house.db, fold_a_little):
        pass
    assert counts(house, backfill_id) == {"succeeded": 2, "running": 3}


def test_adding_up_in_small_pieces_is_the_same(house: House) -> None:
    backfill_id = house.ready(4)
    house.succeed(*house.claim(house.admitted()))
    rows = house.row("SELECT count(*) AS n FROM feed").n
    folds = 0
    while house.db.transact(lambda conn: folding.fold(house.db, conn, limit=1)).rows:
        folds += 1
    assert folds == rows
    assert counts(house, backfill_id) == {"succeeded": 4}


def test_the_mean_duration_of_a_pipeline_follows_its_runs(house: House) -> None:
    claims = house.running(3)
    for claim in claims:
        outcome = RunOutcome(RunEnd.SUCCEEDED)
        house.record(Report(claim, outcome=outcome, busy_us=2_000))
    house.fold()
    row = house.row("SELECT runs, mean_run_us FROM pipelines WHERE name = 'work'")
    assert tuple(row) == (3, 2_000)


def test_old_feed_rows_are_forgotten_once_they_are_added_up(house: House) -> None:
    house.ready(2)

    def prune() -> int:
        return house.db.transact(
            lambda conn: folding.prune_feed(house.db, conn, older_than_us=60 * SECOND)
        )

    house.advance(61)
    assert prune() == 0
    house.fold()
    house.ready(2)
    young = house.rows("SELECT * FROM feed WHERE at > :at", at=house.clock.at - 1)  # type: ignore[union-attr]
    assert prune() > 0
    assert house.rows("SELECT * FROM feed") == young != []
    house.advance(61)
    house.fold()
    assert prune() == len(young)
    house.fold()
    house.succeed(*house.claim(house.admitted()))
    house.fold()
    assert counts(house, 1) == house.states(1)


def test_the_feed_names_what_moved_in_order(house: House) -> None:
    (claim,) = house.running(1)
    house.record(Report(claim, logs=[LogLine(None, 1, "info", "hi")]))
    house.succeed(claim)
    bodies = [json.loads(row.body) for row in house.rows("SELECT body FROM feed ORDER BY id")]
    moved = [run[1] for body in bodies for run in body.get("runs", [])]
    assert moved == ["queued", "running", "succeeded"]
    assert [body["logs"] for body in bodies if "logs" in body] == [[claim.run_id]]
    run = [r for body in bodies for r in body.get("runs", [])][-1]
    assert run == [claim.run_id, "succeeded", 1, 1, 1, "day-00"]


def test_a_move_of_very_many_runs_is_told_by_counts_alone(house: House) -> None:
    house.shops += [f"shop-{n:04}" for n in range(1_200)]
    backfill_id = house.submit("all", "shops")
    house.expand(backfill_id, limit=5_000)
    house.cancel_all(backfill_id)
    last = json.loads(house.rows("SELECT body FROM feed ORDER BY id")[-1].body)
    assert last == {"counts": {str(backfill_id): {"pending": -1200, "canceled": 1200}}}
    house.fold()
    assert counts(house, backfill_id) == {"canceled": 1200}


# -- launches -------------------------------------------------------------------------------------


def test_a_launched_run_has_a_life_of_its_own(house: House) -> None:
    run_id = runs.launch(house.db, LaunchRequest(pipeline="work", created_by="ann"))
    house.admit()
    (claim,) = house.claim([run_id])
    house.fail(claim, retryable=False)
    assert house.state(run_id) is RunState.FAILED
    with pytest.raises(Conflict, match=f"Run {run_id} cannot be canceled: it is failed"):
        runs.cancel_run(house.db, run_id)
    house.fold()


def test_a_canceled_run_that_runs_is_told_once(house: House) -> None:
    (claim,) = house.running(1)
    assert runs.cancel_run(house.db, claim.run_id) is RunState.RUNNING
    first = house.run(claim.run_id).cancel_requested_at
    house.advance(5)
    assert runs.cancel_run(house.db, claim.run_id) is RunState.RUNNING
    assert house.run(claim.run_id).cancel_requested_at == first
