"""One attempt after another: claimed once, fenced, recorded once, retried, lost, handed back."""

from __future__ import annotations

import secrets
from typing import Any

import pytest
from sqlalchemy import Row

from backfill.execution.outcomes import ErrorInfo, LogLine, RunEnd, RunOutcome, StepOutcome
from backfill.lifecycle import moves, runs
from backfill.lifecycle.moves import Claim, Report
from backfill.lifecycle.runs import LaunchRequest
from backfill.states import AttemptEnd, RunState, StepState
from backfill.storage.queries.attempts import attempts_of
from tests.support.clock import SECOND
from tests.support.failpoints import ForgetfulDatabase, every_crash
from tests.support.house import House, steps_ok

ERROR = ErrorInfo("ValueError", "no", "Traceback: no")


def step(name: str, state: StepState, **facts: Any) -> StepOutcome:
    finished = None if state in (StepState.RUNNING, StepState.RETRYING) else 2
    return StepOutcome(name, state, tries=1, started_at=1, finished_at=finished, **facts)


def everything_of(house: House, run_id: int) -> dict[str, list[Row[Any]]]:
    tables = ("step_outcomes", "step_errors", "log_lines", "attempts", "partition_holds")
    found = {t: list(house.rows(f"SELECT * FROM {t} WHERE run_id = {run_id}")) for t in tables}
    return found | {"runs": [house.run(run_id)], "feed": list(house.rows("SELECT id FROM feed"))}


def steps(house: House, run_id: int) -> dict[tuple[int, str], str]:
    rows = house.rows("SELECT * FROM step_outcomes WHERE run_id = :id", id=run_id)
    return {(row.attempt, row.step): row.state for row in rows}


def endings(house: House, run_id: int) -> list[str | None]:
    with house.db.read() as conn:
        found = attempts_of(house.db, conn, [run_id]).get(run_id, ())
    assert [a.attempt for a in found] == list(range(1, len(found) + 1))
    return [a.ending.value if a.ending else None for a in found]


def full_report(claim: Claim, end: RunEnd | None = RunEnd.SUCCEEDED) -> Report:
    return Report(
        claim,
        steps=steps_ok(),
        errors=[("a", 1, 5, ERROR)],
        logs=[LogLine("a", 1, "info", "hello")],
        outcome=None if end is None else RunOutcome(end, error=ERROR),
    )


def again(house: House, claim: Claim) -> Claim:
    """Bring a run that is due again to a worker once more."""
    house.advance(3600)
    house.wake()
    assert claim.run_id in house.admitted()
    (claimed,) = house.claim([claim.run_id])
    return claimed


# -- claiming -------------------------------------------------------------------------------------


def test_a_run_is_claimed_once_however_often_its_message_comes(house: House) -> None:
    house.ready(3)
    queued = house.admitted()
    assert len(house.claim(queued)) == 3
    assert house.claim(queued) == []
    assert {row.attempt for row in house.rows("SELECT attempt FROM runs")} == {1}


def test_a_forged_message_claims_nothing(house: House) -> None:
    house.ready(2)
    pending = [row.id for row in house.rows("SELECT id FROM runs")]
    assert house.claim([*pending, 999_999_999, 2**62]) == []
    assert house.claim([]) == []


def test_a_claim_whose_answer_was_lost_is_found_again(
    house: House, forgetful: ForgetfulDatabase
) -> None:
    house.ready(2)
    queued = house.admitted()
    token = secrets.randbits(40)
    lease = {"worker_id": 1, "token": token, "lease_us": SECOND}
    forgetful.lost_answers = 1
    asked = 0

    def as_a_worker_does(conn: Any) -> Any:
        nonlocal asked
        asked += 1
        held = moves.claimed_already(house.db, conn, queued, token) if asked > 1 else []
        return held or moves.claim(house.db, conn, queued, **lease)

    rows = house.db.transact(as_a_worker_does, single=True)
    assert [(row.id, row.attempt) for row in rows] == [(run, 1) for run in queued]
    assert asked == 2


def test_a_claim_tells_what_the_worker_needs(house: House) -> None:
    run_id = runs.launch(
        house.db,
        LaunchRequest(pipeline="work", tags={"k": "v"}, run_config={"x": 1}, steps=["a"]),
    )
    house.admit()
    (row,) = house.db.transact(
        lambda conn: moves.claim(
            house.db, conn, [run_id], worker_id=7, token=5, lease_us=60 * SECOND
        )
    )
    assert (row.id, row.attempt, row.at) == (run_id, 1, row.started_at)
    found = house.run(run_id)
    assert found.lease_expires_at == row.at + 60 * SECOND
    assert (found.worker_id, found.token, found.next_publish_at) == (7, 5, None)


def test_only_the_holder_of_a_lease_renews_it(house: House) -> None:
    first, second = house.running(2)
    house.advance(30)
    renewed = house.db.transact(lambda conn: moves.renew(house.db, conn, [12345], 60 * SECOND))
    assert renewed == []
    house.db.transact(lambda conn: moves.renew(house.db, conn, [first.token], 60 * SECOND))
    house.advance(31)
    assert [row.id for row, _ in house.reap()] == [second.run_id]
    house.advance(30)
    assert [row.id for row, _ in house.reap()] == [first.run_id]
    assert house.db.transact(lambda c: moves.renew(house.db, c, [first.token], SECOND)) == []


# -- recording ------------------------------------------------------------------------------------


def test_a_success_is_kept_with_all_its_worker_said(house: House) -> None:
    (claim,) = house.running(1)
    house.advance(5)
    recorded = house.record(full_report(claim))
    assert recorded.ended == {claim.run_id: RunState.SUCCEEDED}
    assert recorded.fenced == []
    row = house.run(claim.run_id)
    assert row.finished_at == row.started_at + 5 * SECOND
    assert steps(house, claim.run_id) == {(1, "a"): "succeeded", (1, "b"): "succeeded"}
    assert endings(house, claim.run_id) == ["succeeded"]


def test_a_second_report_of_an_attempt_changes_nothing(house: House) -> None:
    for end in RunEnd:
        (claim,) = fresh(house)
        house.record(full_report(claim, end))
        before = everything_of(house, claim.run_id)
        for later in RunEnd:
            assert house.record(full_report(claim, later)).fenced == [claim]
        assert everything_of(house, claim.run_id) == before


def fresh(house: House) -> list[Claim]:
    """Return a claim on a run that nothing else of the house touches."""
    run_id = runs.launch(house.db, LaunchRequest(pipeline="work"))
    house.admit()
    return house.claim([run_id])


def test_a_worker_that_lost_its_lease_writes_nothing_at_all(house: House) -> None:
    (zombie,) = house.running(1)
    house.advance(house.settings.lease_seconds + 1)
    house.reap()
    before = everything_of(house, zombie.run_id)
    for end in (None, *RunEnd):
        assert house.record(full_report(zombie, end)).fenced == [zombie]
    assert everything_of(house, zombie.run_id) == before
    live = again(house, zombie)
    before = everything_of(house, zombie.run_id)
    for end in (None, *RunEnd):
        assert house.record(full_report(zombie, end)).fenced == [zombie]
        assert house.record(full_report(Claim(live.run_id, 2, zombie.token), end)).ended == {}
        assert house.record(full_report(Claim(live.run_id, 1, live.token), end)).ended == {}
    assert everything_of(house, zombie.run_id) == before
    house.record(full_report(live))
    assert endings(house, zombie.run_id) == ["lost", "succeeded"]


def test_one_zombie_in_a_batch_does_not_cost_the_others(house: House) -> None:
    zombie, live = house.running(2)
    runs_now = {"token": zombie.token + 1}
    with house.db.write() as conn:
        conn.execute(
            house.db.sql(f"UPDATE runs SET token = :token WHERE id = {zombie.run_id}"), runs_now
        )
    recorded = house.record(full_report(zombie), full_report(live))
    assert recorded.fenced == [zombie]
    assert recorded.ended == {live.run_id: RunState.SUCCEEDED}
    assert steps(house, zombie.run_id) == {}


def test_partial_reports_show_a_step_on_its_way_and_its_end(house: House) -> None:
    (claim,) = house.running(1)
    house.record(Report(claim, steps=[step("a", StepState.RUNNING)]))
    assert steps(house, claim.run_id) == {(1, "a"): "running"}
    house.record(Report(claim, steps=[step("a", StepState.RETRYING)]))
    house.record(Report(claim, steps=[step("a", StepState.RUNNING)]))
    house.record(Report(claim, steps=[step("a", StepState.SUCCEEDED)]))
    house.record(Report(claim, steps=[step("a", StepState.RUNNING), step("b", StepState.RUNNING)]))
    assert steps(house, claim.run_id) == {(1, "a"): "succeeded", (1, "b"): "running"}
    outcome = RunOutcome(RunEnd.SUCCEEDED)
    house.record(Report(claim, steps=[step("b", StepState.SUCCEEDED)], outcome=outcome))
    assert steps(house, claim.run_id) == {(1, "a"): "succeeded", (1, "b"): "succeeded"}


def test_a_step_that_ended_is_not_told_to_run_again(house: House) -> None:
    (claim,) = house.running(1)
    house.record(Report(claim, steps=steps_ok("a")))
    house.record(Report(claim, steps=[step("a", StepState.RUNNING)]))
    assert steps(house, claim.run_id) == {(1, "a"): "succeeded"}


@pytest.mark.parametrize("end", [e for e in RunEnd if e is not RunEnd.SUCCEEDED])
def test_no_step_is_left_running_when_its_attempt_is_over(house: House, end: RunEnd) -> None:
    """A worker that stops in the middle of a step may not say how that step ended."""
    (claim,) = house.running(1)
    house.record(Report(claim, steps=[step("a", StepState.RUNNING)]))
    house.record(Report(claim, outcome=RunOutcome(end, error=ERROR)))
    assert "running" not in steps(house, claim.run_id).values()


def test_a_step_that_waits_for_its_retry_goes_on_with_the_next_attempt_or_ends_with_its_run(
    house: House,
) -> None:
    claims = house.running(2, max_failures=1)
    for claim in claims:
        house.record(Report(claim, steps=[step("a", StepState.RETRYING)]))
    runs.cancel_run(house.db, claims[0].run_id)
    house.fail(*claims)
    assert steps(house, claims[0].run_id) == {(1, "a"): "canceled"}
    assert steps(house, claims[1].run_id) == {(1, "a"): "retrying"}


def test_a_crash_anywhere_in_recording_records_all_of_a_batch_or_nothing(house: House) -> None:
    house.worker(slots=4)
    claims = house.running(3)
    reports = [full_report(claim) for claim in claims]
    for _ in every_crash(house.db, lambda: house.record(*reports)):
        assert house.states(1) == {"running": 3}
        assert house.rows("SELECT * FROM log_lines") == []
        assert house.rows("SELECT * FROM step_outcomes") == []
    assert house.states(1) == {"succeeded": 3}
    assert house.row("SELECT count(*) AS n FROM log_lines").n == 3


def test_a_record_whose_answer_was_lost_is_harmless(
    house: House, forgetful: ForgetfulDatabase
) -> None:
    (claim,) = house.running(1)
    forgetful.lost_answers = 1
    assert house.record(full_report(claim)).fenced == [claim]
    assert house.state(claim.run_id) is RunState.SUCCEEDED
    assert house.row("SELECT count(*) AS n FROM log_lines").n == 1


# -- trying again ---------------------------------------------------------------------------------


def test_a_failed_run_is_due_again_later_and_later_until_its_budget_is_spent(house: House) -> None:
    (claim,) = house.running(1, max_failures=3)
    for delay in (1, 2, 4):
        house.fail(claim)
        row = house.run(claim.run_id)
        now = house.clock.at if house.clock else 0
        assert (row.state, row.ready, row.available_at) == ("pending", False, now + delay * SECOND)
        assert house.wake() == 0
        house.advance(delay)
        assert house.wake() == 1
        house.admit()
        (claim,) = house.claim([claim.run_id])
    house.fail(claim)
    row = house.run(claim.run_id)
    assert (row.state, row.failures, row.attempt) == ("failed", 4, 4)
    assert (row.failed_step, row.error_type) == ("b", "ValueError")
    assert endings(house, claim.run_id) == ["failed"] * 4


def test_what_cannot_succeed_is_not_tried_again(house: House) -> None:
    (claim,) = house.running(1, max_failures=9)
    house.fail(claim, retryable=False)
    assert house.state(claim.run_id) is RunState.FAILED


@pytest.mark.parametrize(("counted", "failures"), [(True, 1), (False, 0)])
def test_a_wait_for_a_step_costs_no_failure_and_a_retry_of_the_run_does(
    house: House, counted: bool, failures: int
) -> None:
    (claim,) = house.running(1)
    outcome = RunOutcome(RunEnd.RETRY, error=ERROR, retry_in_seconds=7.5, counted=counted)
    house.record(Report(claim, outcome=outcome))
    row = house.run(claim.run_id)
    assert (row.state, row.failures) == ("pending", failures)
    house.advance(7.4)
    assert house.wake() == 0
    house.advance(0.2)
    assert house.wake() == 1


def test_a_run_handed_back_is_charged_nothing_and_ready_at_once(house: House) -> None:
    (claim,) = house.running(1)
    house.record(Report(claim, outcome=RunOutcome(RunEnd.RELEASED)))
    row = house.run(claim.run_id)
    assert (row.state, row.ready, row.failures, row.crashes) == ("pending", True, 0, 0)
    assert endings(house, claim.run_id) == ["released"]
    assert house.admitted() == [claim.run_id]


def test_a_run_its_worker_does_not_know_comes_back_with_a_delay_and_a_reason(house: House) -> None:
    (claim,) = house.running(1)
    unknown = ErrorInfo("NotFound", 'No pipeline named "work".', "")
    outcome = RunOutcome(RunEnd.RELEASED, error=unknown, retry_in_seconds=10.0)
    house.record(Report(claim, outcome=outcome))
    row = house.run(claim.run_id)
    assert (row.ready, row.reason) == (False, 'No pipeline named "work".')
    house.advance(10)
    assert house.wake() == 1


def test_a_warden_hands_back_what_its_stopped_child_held(house: House) -> None:
    house.ready(2)
    claims = house.claim(house.admitted())
    house.record(Report(claims[0], steps=[step("a", StepState.RUNNING)]))
    token = claims[0].token
    back = house.db.transact(lambda c: moves.release(house.db, c, [token], reason="bye"))
    assert back == [c.run_id for c in claims]
    assert steps(house, claims[0].run_id) == {(1, "a"): "failed"}
    assert {row.reason for row in house.rows("SELECT reason FROM attempts")} == {"bye"}


# -- losing ---------------------------------------------------------------------------------------


def test_an_expired_lease_is_taken_away_and_charged(house: House) -> None:
    (claim,) = house.running(1)
    house.record(Report(claim, steps=[step("a", StepState.RUNNING)]))
    house.advance(house.settings.lease_seconds)
    assert house.reap() == []
    house.advance(0.001)
    ((row, state),) = house.reap()
    assert (row.id, state) == (claim.run_id, RunState.PENDING)
    found = house.run(claim.run_id)
    assert (found.crashes, found.failures, found.alone) == (1, 0, False)
    assert steps(house, claim.run_id) == {(1, "a"): "failed"}
    assert endings(house, claim.run_id) == ["lost"]
    assert house.reap() == []


def test_a_run_that_kills_its_workers_fails_when_its_budget_is_spent(house: House) -> None:
    (claim,) = house.running(1)
    for crash in range(house.settings.max_crashes):
        if crash:
            claim = again(house, claim)
        house.advance(house.settings.lease_seconds + 1)
        house.reap()
    row = house.run(claim.run_id)
    assert (row.state, row.crashes) == ("failed", house.settings.max_crashes)
    assert "died 3 times" in row.reason
    assert house.rows("SELECT * FROM partition_holds") == []


def packed(house: House, count: int) -> list[Claim]:
    """Return claims on runs that came in one message."""
    backfill_id = house.ready(count)
    ids = [r.id for r in house.rows("SELECT id FROM runs WHERE backfill_id = :b", b=backfill_id)]
    house.worker(slots=4)
    house.admit()
    with house.db.write() as conn:
        conn.execute(house.db.sql(f"UPDATE runs SET message_id = 'm', message_size = {count}"))
    return house.claim(ids)


def test_runs_that_shared_a_message_are_not_charged_and_go_on_alone(house: House) -> None:
    claims = packed(house, 3)
    house.succeed(claims[0])
    house.db.transact(lambda conn: moves.lose(house.db, conn, [claims[0].token], max_crashes=1))
    for claim in claims[1:]:
        row = house.run(claim.run_id)
        assert (row.state, row.crashes, row.alone) == ("pending", 0, True)
    assert house.state(claims[0].run_id) is RunState.SUCCEEDED
    assert all(len(message.run_ids) == 1 for message in house.admit())


def test_an_old_message_that_comes_again_does_not_charge_the_innocent(house: House) -> None:
    """A packed message may come twice: what it carries is then alone on its row only."""
    claims = packed(house, 3)
    house.db.transact(lambda conn: moves.lose(house.db, conn, [claims[0].token], max_crashes=3))
    house.admit()
    late = house.claim([claim.run_id for claim in claims])
    assert len(late) == 3
    house.db.transact(lambda conn: moves.lose(house.db, conn, [late[0].token], max_crashes=3))
    assert {row.crashes for row in house.rows("SELECT crashes FROM runs")} == {0}


def test_a_lost_run_waits_longer_after_every_crash(house: House) -> None:
    (claim,) = house.running(1)
    house.db.transact(lambda conn: moves.lose(house.db, conn, [claim.token], max_crashes=9))
    first = house.run(claim.run_id).available_at - (house.clock.at if house.clock else 0)
    claim = again(house, claim)
    house.db.transact(lambda conn: moves.lose(house.db, conn, [claim.token], max_crashes=9))
    second = house.run(claim.run_id).available_at - (house.clock.at if house.clock else 0)
    assert 0 < first < second


def test_every_attempt_tells_how_it_ended(house: House) -> None:
    (claim,) = house.running(1, max_failures=5)
    house.record(Report(claim, outcome=RunOutcome(RunEnd.RELEASED)))
    claim = again(house, claim)
    house.fail(claim)
    claim = again(house, claim)
    house.advance(house.settings.lease_seconds + 1)
    house.reap()
    claim = again(house, claim)
    assert endings(house, claim.run_id) == ["released", "failed", "lost", None]
    house.succeed(claim)
    assert endings(house, claim.run_id)[-1] == AttemptEnd.SUCCEEDED


# -- told to stop ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("end", "state"),
    [
        (RunEnd.SUCCEEDED, RunState.SUCCEEDED),
        (RunEnd.FAILED, RunState.CANCELED),
        (RunEnd.CANCELED, RunState.CANCELED),
        (RunEnd.RETRY, RunState.CANCELED),
        (RunEnd.RELEASED, RunState.CANCELED),
    ],
)
def test_a_run_told_to_stop_is_canceled_unless_it_had_just_succeeded(
    house: House, end: RunEnd, state: RunState
) -> None:
    (claim,) = house.running(1, max_failures=5)
    assert runs.cancel_run(house.db, claim.run_id, reason="enough") is RunState.RUNNING
    house.record(full_report(claim, end))
    row = house.run(claim.run_id)
    assert row.state == state
    if state is RunState.CANCELED:
        assert row.reason == "enough"


def test_a_run_told_to_stop_whose_worker_dies_is_canceled(house: House) -> None:
    house.ready(3)
    claims = house.claim(house.admitted())
    house.cancel(1)
    house.db.transact(lambda c: moves.release(house.db, c, [claims[0].token], reason="bye"))
    assert set(house.states(1)) == {"canceled"}
    (lost,) = house.running(1)
    runs.cancel_run(house.db, lost.run_id)
    house.advance(house.settings.lease_seconds + 1)
    house.reap()
    assert house.state(lost.run_id) is RunState.CANCELED


def test_a_warden_stops_only_the_attempt_it_means(house: House) -> None:
    (claim,) = house.running(1)
    house.advance(house.settings.lease_seconds + 1)
    house.reap()
    live = again(house, claim)
    stopped = house.db.transact(lambda c: moves.stop(house.db, c, [claim], reason="ended"))
    assert stopped == []
    stopped = house.db.transact(lambda c: moves.stop(house.db, c, [live], reason="ended"))
    assert stopped == [live.run_id]
    assert house.run(live.run_id).reason == "ended"


def test_a_run_can_be_canceled_in_every_place_it_waits(house: House) -> None:
    (running,) = house.running(1, max_failures=1)
    house.fail(running)
    retrying = running.run_id
    house.ready(1)
    house.admit()
    (parked,) = [r.id for r in house.rows("SELECT id FROM runs WHERE waiting_run IS NOT NULL")]
    (queued,) = (run for run in [runs.launch(house.db, LaunchRequest(pipeline="work"))])
    house.admit()
    pending = runs.launch(house.db, LaunchRequest(pipeline="work"))
    for run_id in (retrying, parked, queued, pending):
        assert runs.cancel_run(house.db, run_id, actor="ann") is RunState.CANCELED
        assert house.run(run_id).reason == "canceled by ann"
    assert house.rows("SELECT * FROM partition_holds") == []
    house.advance(3600)
    house.wake()
    assert house.admit() == []


def test_a_revoked_message_takes_its_unfinished_runs_along(house: House) -> None:
    claims = packed(house, 3)
    house.succeed(claims[0])
    assert runs.cancel_message(house.db, "m", reason="revoked") == 2
    assert runs.cancel_message(house.db, "m", reason="revoked") == 0
    house.record(*[full_report(claim, RunEnd.CANCELED) for claim in claims[1:]])
    assert house.states(1) == {"succeeded": 1, "canceled": 2}
