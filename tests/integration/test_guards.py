"""Guards: the canary goes first and alone, the breaker names what broke it, a few are enough."""

from __future__ import annotations

import pytest

from backfill.errors import Conflict, Invalid
from backfill.execution.outcomes import ErrorInfo, RunEnd, RunOutcome
from backfill.lifecycle import backfills, guards, runs
from backfill.lifecycle.guards import CanaryState
from backfill.lifecycle.moves import Claim, Report
from backfill.lifecycle.runs import LaunchRequest
from backfill.states import BackfillState, RunState
from backfill.storage.database import decoded
from tests.support.house import House


def fail_with(house: House, message: str, *claims: Claim, kind: str = "ValueError") -> None:
    """Have runs fail finally, one transaction each."""
    for claim in claims:
        error = ErrorInfo(kind, message, f"Traceback: {message}")
        outcome = RunOutcome(RunEnd.FAILED, error=error, failed_step="b", retryable=False)
        house.record(Report(claim, outcome=outcome))


def succeed_one_by_one(house: House, *claims: Claim) -> None:
    for claim in claims:
        house.succeed(claim)


def claims_of(house: House, run_ids: list[int]) -> list[Claim]:
    return [claim for run in run_ids for claim in house.claim([run])]


def partitions(house: House, run_ids: list[int]) -> list[str]:
    return [house.run(run).partition for run in run_ids]


def with_canary(house: House, selection: str = "[day-00...day-19]", **wanted: int) -> int:
    backfill_id = house.submit(selection, **{"canary": 3, **wanted})
    house.worker(slots=40)
    return backfill_id


def expand_all(house: House, backfill_id: int, *, limit: int = 7) -> None:
    while house.expand(backfill_id, limit=limit) is not None:
        pass


def decide(house: House) -> list[CanaryState | None]:
    with house.db.read() as conn:
        ids = guards.undecided(house.db, conn)
    return [guards.decide_canary(house.db, backfill_id) for backfill_id in ids]


# -- canary ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("ordering", ["oldest", "newest"])
def test_the_canary_is_spread_and_runs_alone_until_it_passed(house: House, ordering: str) -> None:
    backfill_id = house.submit("[day-00...day-19]", canary=3, ordering=ordering)
    house.worker(slots=40)
    expand_all(house, backfill_id)
    first = house.admitted()
    assert sorted(partitions(house, first)) == ["day-00", "day-10", "day-19"]
    assert house.admitted() == [], "the rest waits"
    claims = claims_of(house, first)
    succeed_one_by_one(house, *claims[:2])
    assert decide(house) == [None]
    assert house.admitted() == []
    succeed_one_by_one(house, claims[2])
    assert decide(house) == [CanaryState.PASSED]
    assert len(house.admitted()) == 17
    assert len(house.keys(backfill_id)) == 20


def test_the_canary_starts_before_the_rest_is_expanded(house: House) -> None:
    backfill_id = with_canary(house)
    assert house.expand(backfill_id, limit=5) == 3
    assert house.backfill(backfill_id).expanded_at is None
    claims = claims_of(house, house.admitted())
    succeed_one_by_one(house, *claims)
    assert decide(house) == [CanaryState.PASSED]
    expand_all(house, backfill_id)
    assert len(set(house.keys(backfill_id))) == 20
    row = house.backfill(backfill_id)
    assert (row.expanded, row.total, row.vanished) == (20, 20, 0)
    claims = claims_of(house, house.admitted())
    succeed_one_by_one(house, *claims)
    house.fold()
    assert house.settle(backfill_id) is BackfillState.SUCCEEDED


def test_a_failed_canary_pauses_with_the_reason_and_a_resume_lets_the_rest_go_on(
    house: House,
) -> None:
    backfill_id = with_canary(house)
    expand_all(house, backfill_id)
    claims = claims_of(house, house.admitted())
    fail_with(house, "boom", claims[0])
    assert decide(house) == [CanaryState.FAILED], "not all can succeed any more"
    row = house.backfill(backfill_id)
    assert row.state == "paused"
    assert row.pause_reason == "canary: 1 of 3 canary runs did not succeed, and all must"
    succeed_one_by_one(house, *claims[1:])
    assert decide(house) == []
    house.resume(backfill_id)
    assert house.backfill(backfill_id).canary_state == CanaryState.WAIVED
    assert len(house.admitted()) == 17


def test_a_share_of_the_canary_may_be_enough(house: House) -> None:
    with_canary(house, canary_percent=60)
    backfill_id = house.rows("SELECT id FROM backfills")[0].id
    expand_all(house, backfill_id)
    claims = claims_of(house, house.admitted())
    fail_with(house, "boom", claims[0])
    assert decide(house) == [None]
    succeed_one_by_one(house, claims[1])
    assert decide(house) == [None], "one of three is too few, two can still be"
    succeed_one_by_one(house, claims[2])
    assert decide(house) == [CanaryState.PASSED]


def test_a_canary_run_that_is_retried_is_waited_for(house: House) -> None:
    backfill_id = with_canary(house, max_failures=1)
    expand_all(house, backfill_id)
    claims = claims_of(house, house.admitted())
    succeed_one_by_one(house, *claims[1:])
    house.fail(claims[0])
    assert decide(house) == [None]
    house.advance(5)
    house.wake()
    (again,) = house.admitted()
    house.succeed(*house.claim([again]))
    assert decide(house) == [CanaryState.PASSED]


def test_canceled_canary_runs_count_against_it_and_skipped_ones_do_not_count(house: House) -> None:
    backfill_id = with_canary(house)
    expand_all(house, backfill_id)
    first, second, third = house.admitted()
    succeed_one_by_one(house, *claims_of(house, [first]))
    runs.cancel_run(house.db, second)
    assert decide(house) == [CanaryState.FAILED]
    house.cancel_all(backfill_id)
    assert house.state(third) is RunState.CANCELED


def test_a_canary_that_is_the_whole_selection_settles_by_itself(house: House) -> None:
    backfill_id = with_canary(house, "day-05")
    expand_all(house, backfill_id)
    (only,) = house.admitted()
    fail_with(house, "boom", *claims_of(house, [only]))
    assert decide(house) == [CanaryState.FAILED]
    assert house.backfill(backfill_id).state == "running", "there is nothing to pause"
    assert house.settle(backfill_id) is BackfillState.FAILED


def test_a_paused_canary_is_decided_after_the_resume(house: House) -> None:
    backfill_id = with_canary(house)
    expand_all(house, backfill_id)
    claims = claims_of(house, house.admitted())
    house.pause(backfill_id)
    fail_with(house, "boom", *claims)
    assert decide(house) == []
    house.resume(backfill_id)
    assert house.backfill(backfill_id).canary_state == CanaryState.RUNNING
    assert house.admitted() == []
    assert decide(house) == [CanaryState.FAILED]


def test_a_canary_in_a_set_that_changes_leaves_nothing_out(house: House) -> None:
    house.shops += [f"shop-{n:02}" for n in range(12)]
    backfill_id = house.submit("all", "shops", canary=3)
    assert house.expand(backfill_id, limit=4) == 3
    assert house.expand(backfill_id, limit=4) == 4
    house.shops.remove("shop-01")
    house.shops.remove("shop-02")
    house.shops.append("shop-99")
    expand_all(house, backfill_id, limit=4)
    keys = house.keys(backfill_id)
    assert len(keys) == len(set(keys))
    assert {f"shop-{n:02}" for n in range(12) if n not in (1, 2)} <= set(keys)
    row = house.backfill(backfill_id)
    assert row.vanished == row.total - len(keys)


# -- breaker --------------------------------------------------------------------------------------


def broken(house: House, backfill_id: int) -> str | None:
    house.fold()
    reason = house.backfill(backfill_id).pause_reason
    return None if reason is None else str(reason)


def with_breaker(house: House, count: int = 20, **breaker: int) -> tuple[int, list[Claim]]:
    house.worker(slots=40)
    backfill_id = house.ready(count, breaker=breaker, max_active_runs=count - 2)
    return backfill_id, claims_of(house, house.admitted())


def test_so_many_failures_in_a_row_pause_it_and_the_error_is_named(house: House) -> None:
    backfill_id, claims = with_breaker(house, in_row=3)
    fail_with(house, "no table 'sales_7'", *claims[:2])
    succeed_one_by_one(house, claims[2])
    fail_with(house, "no table 'sales_8'", *claims[3:5])
    assert broken(house, backfill_id) is None
    fail_with(house, "no table 'sales_9' after 12 s", claims[5])
    reason = broken(house, backfill_id)
    assert reason == ("breaker: 3 runs failed in a row, 4 of 5 with: ValueError: no table '…'")
    facts = decoded(house.backfill(backfill_id).pause_facts)
    assert facts["error"] == "ValueError: no table '…'"
    kinds = [row.kind for row in house.rows("SELECT kind FROM events ORDER BY id")]
    assert "backfill.tripped" in kinds


def test_so_many_failures_in_all_pause_it(house: House) -> None:
    backfill_id, claims = with_breaker(house, in_all=3)
    for n in range(3):
        assert broken(house, backfill_id) is None
        succeed_one_by_one(house, claims[2 * n])
        fail_with(house, "no", claims[2 * n + 1])
    assert broken(house, backfill_id) == ("breaker: 3 runs failed, all with: ValueError: no")


def test_a_share_of_the_last_runs_pauses_it(house: House) -> None:
    backfill_id, claims = with_breaker(house, percent=50, last=4)
    fail_with(house, "no", claims[0])
    assert broken(house, backfill_id) is None, "too few have finished"
    succeed_one_by_one(house, *claims[1:4])
    fail_with(house, "no", claims[4])
    assert broken(house, backfill_id) is None
    fail_with(house, "no", claims[5])
    assert str(broken(house, backfill_id)).startswith("breaker: 2 of the last 4 runs failed")


def test_one_transaction_with_many_ends_breaks_it_too(house: House) -> None:
    backfill_id, claims = with_breaker(house, in_row=3)
    error = ErrorInfo("ValueError", "no", "Traceback")
    outcome = RunOutcome(RunEnd.FAILED, error=error, failed_step="b", retryable=False)
    house.record(*[Report(c, outcome=outcome) for c in claims[:4]])
    assert str(broken(house, backfill_id)).startswith("breaker: 3 runs failed in a row")


def test_a_resume_arms_the_breaker_anew(house: House) -> None:
    backfill_id, claims = with_breaker(house, in_row=2)
    fail_with(house, "no", *claims[:2])
    assert broken(house, backfill_id) is not None
    fail_with(house, "no", claims[2])  # while it is paused
    house.advance(1)
    house.resume(backfill_id)
    assert broken(house, backfill_id) is None, "what failed before does not count"
    house.advance(1)
    fail_with(house, "no", claims[3])
    assert broken(house, backfill_id) is None
    fail_with(house, "no", claims[4])
    assert broken(house, backfill_id) is not None


def test_a_failure_that_is_tried_again_does_not_count(house: House) -> None:
    house.worker(slots=40)
    backfill_id = house.ready(6, breaker={"in_all": 1}, max_failures=2, max_active_runs=3)
    (first, *_) = claims_of(house, house.admitted())
    house.fail(first)
    assert broken(house, backfill_id) is None


def test_the_last_failures_of_a_backfill_settle_it_instead_of_pausing_it(house: House) -> None:
    house.worker(slots=40)
    backfill_id = house.ready(3, breaker={"in_all": 3})
    fail_with(house, "no", *claims_of(house, house.admitted()))
    assert broken(house, backfill_id) is None
    assert house.settle(backfill_id) is BackfillState.FAILED


def test_a_canceled_backfill_is_not_paused_by_its_breaker(house: House) -> None:
    backfill_id, claims = with_breaker(house, in_all=1)
    house.cancel(backfill_id)
    fail_with(house, "no", *claims)
    house.fold()
    assert house.backfill(backfill_id).state == "canceling"


# -- a few of them --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "keys"),
    [
        ({"limit": 3}, ["day-00", "day-01", "day-02"]),
        ({"limit": 2, "ordering": "newest"}, ["day-18", "day-19"]),
        ({"sample": 3}, ["day-00", "day-10", "day-19"]),
        ({"canary": 2, "canary_only": True}, ["day-00", "day-19"]),
        ({"limit": 100}, [f"day-{n:02}" for n in range(20)]),
    ],
)
def test_only_a_few_of_the_selected_partitions_may_be_taken(
    house: House, wanted: dict[str, object], keys: list[str]
) -> None:
    backfill_id = house.submit("[day-00...day-19]", **wanted)
    expand_all(house, backfill_id)
    assert sorted(house.keys(backfill_id)) == keys
    left_out = house.backfill(backfill_id).left_out
    assert ("not_taken" in str(left_out)) == (len(keys) < 20)


def test_a_few_are_taken_of_what_is_left_to_run(house: House) -> None:
    claims = house.running(2)
    house.succeed(*claims)
    backfill_id = house.submit("[day-00...day-19]", limit=2, reprocess="missing")
    expand_all(house, backfill_id)
    assert house.keys(backfill_id) == ["day-02", "day-03"]


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ({"canary": 0}, "canary is a number"),
        ({"canary": 2, "canary_percent": 0}, "1 to 100"),
        ({"canary_only": True}, "needs a canary"),
        ({"limit": 1, "sample": 1}, "give one of them"),
        ({"on_conflict": "skpi"}, 'Did you mean "skip"'),
        ({"breaker": {"percent": 50}}, "go together"),
        ({"breaker": {"in_row": 0}}, "at least 1"),
        ({"breaker": {"rows": 3}}, 'no "rows"'),
    ],
)
def test_a_guard_that_makes_no_sense_is_refused(
    house: House, wanted: dict[str, object], told: str
) -> None:
    with pytest.raises(Invalid, match=told):
        house.submit("all", **wanted)


# -- conflicts ------------------------------------------------------------------------------------


def test_a_run_whose_partition_another_one_holds_is_skipped_if_so_asked(house: House) -> None:
    (holder,) = house.running(1)
    backfill_id = house.ready(2, on_conflict="skip")
    house.admit()
    found = house.rows(
        "SELECT partition, state, reason FROM runs WHERE backfill_id = :id ORDER BY partition",
        id=backfill_id,
    )
    assert [(r.state, r.reason) for r in found] == [
        ("skipped", f"its partition is held by run {holder.run_id}"),
        ("queued", None),
    ]


def test_a_submit_is_refused_while_a_selected_partition_is_active(house: House) -> None:
    house.running(2)
    (other,) = house.rows("SELECT id FROM backfills")
    with pytest.raises(Conflict, match=rf"2 of the selected .* in backfill {other.id}"):
        house.submit("[day-00...day-05]", on_conflict="refuse")
    assert house.submit("[day-02...day-05]", on_conflict="refuse")


def test_what_became_active_after_the_submit_is_skipped_where_it_would_be_refused(
    house: House,
) -> None:
    backfill_id = house.submit("[day-00...day-01]", on_conflict="refuse")
    (holder,) = house.running(1)
    house.expand(backfill_id)
    house.admit()
    assert house.states(backfill_id) == {"skipped": 1, "queued": 1}
    assert holder


def test_a_launch_gives_way_if_so_asked(house: House) -> None:
    (holder,) = house.running(1)
    launched = runs.launch(
        house.db,
        LaunchRequest("work", partition_set="days", partition="day-00", on_conflict="skip"),
    )
    house.admit()
    row = house.run(launched)
    assert (row.state, row.reason) == (
        "skipped",
        f"its partition is held by run {holder.run_id}",
    )


def test_a_pause_by_hand_keeps_its_own_reason(house: House) -> None:
    backfill_id = house.ready(3)
    backfills.pause(house.db, backfill_id, reason="lunch")
    assert house.backfill(backfill_id).pause_facts is None
