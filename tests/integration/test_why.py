"""Why something stands where it stands: every sentence, and that asking stays cheap."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection

from backfill.errors import NotFound
from backfill.execution.outcomes import ErrorInfo, RunEnd, RunOutcome, StepOutcome
from backfill.lifecycle import backfills, fleet, runs
from backfill.lifecycle.explaining import why_backfill, why_run
from backfill.lifecycle.moves import Report
from backfill.lifecycle.pooling import register_pools, set_slots
from backfill.lifecycle.reasons import Why
from backfill.lifecycle.runs import LaunchRequest
from backfill.states import StepState
from tests.integration.test_costs import statements
from tests.support.house import SECOND, House

START = "2026-01-01 12:00:00 UTC"


def of_run(house: House, run_id: int) -> Why:
    return why_run(house.db, house.settings, run_id)


def of_backfill(house: House, backfill_id: int) -> Why:
    return why_backfill(house.db, house.settings, backfill_id)


def lead(house: House, seconds: float = 10_000) -> None:
    house.fold()
    house.db.transact(lambda conn: fleet.lead(house.db, conn, "here:1", int(seconds * SECOND)))


def staffed(house: House, slots: int = 2) -> None:
    """Let a coordinator lead and a worker listen."""
    lead(house)
    house.worker(slots=slots)


def pools(house: House, slots: int) -> None:
    def work(conn: Connection) -> None:
        register_pools(house.db, conn, ["warehouse"])

    house.db.transact(work)
    set_slots(house.db, "warehouse", slots)


def pending(house: House, backfill_id: int) -> list[int]:
    house.fold()
    sql = "SELECT id FROM runs WHERE backfill_id = :id AND state = 'pending' ORDER BY sort"
    return [row.id for row in house.rows(sql, id=backfill_id)]


# -- runs in line ---------------------------------------------------------------------------------


def test_a_pending_run_tells_how_many_are_before_it(house: House) -> None:
    staffed(house)
    backfill_id = house.ready(5)
    *_, last = pending(house, backfill_id)
    told = of_run(house, last)
    assert told.sentence == (
        'It is in line: 4 runs of its backfill before it; queue "backfill" has 0 running and 0 '
        "queued."
    )
    assert told.code == "in_line"
    assert told.facts == {"before": 4, "queue": "backfill", "queued": 0, "running": 0}
    assert told.also == ()


def test_newest_first_counts_what_is_before_from_the_other_end(house: House) -> None:
    staffed(house)
    first, *_ = pending(house, house.ready(5, ordering="newest"))
    assert of_run(house, first).facts["before"] == 4


def test_a_launched_run_is_in_line_with_the_others_without_a_backfill(house: House) -> None:
    staffed(house)
    one, two = (runs.launch(house.db, LaunchRequest(pipeline="work")) for _ in range(2))
    house.fold()
    assert of_run(house, one).sentence.startswith(
        "It is in line: nothing without a backfill before it"
    )
    assert of_run(house, two).facts["before"] == 1


def test_a_run_waits_for_its_backfills_own_limit(house: House) -> None:
    staffed(house)
    backfill_id = house.ready(3, max_active_runs=1)
    house.claim(house.admitted())
    waiting, _ = pending(house, backfill_id)
    told = of_run(house, waiting)
    assert told.code == "own_limit"
    assert told.sentence == (
        "Its backfill runs at most 1 at a time, and 1 are active: run 1 (day-00)."
    )
    assert told.also[-1].code == "in_line"


def test_a_run_waits_behind_a_higher_priority(house: House) -> None:
    staffed(house)
    low = house.ready(3)
    high = house.submit("[day-10...day-20]", priority=5)
    house.expand(high)
    told = of_run(house, pending(house, low)[0])
    assert told.sentence == (
        f"It is behind backfills of higher priority than its 0: {high} (priority 5)."
    )
    assert told.facts == {"priority": 0, "backfills": {str(high): 5}}
    assert of_run(house, pending(house, high)[0]).code == "in_line"


def test_a_run_waits_for_the_partition_another_holds(house: House) -> None:
    staffed(house)
    (claim,) = house.running(1)
    second = house.ready(1)
    house.admit()
    (waiting,) = pending(house, second)
    told = of_run(house, waiting)
    assert told.sentence == (
        f'Partition "day-00" is held by run {claim.run_id} of backfill 1, which is running since '
        f"{START}."
    )
    assert told.facts["held_by"] == claim.run_id
    assert of_backfill(house, second).sentence == (
        f"1 run of it waits for partitions held by others, such as run {waiting}: "
        f'partition "day-00" is held by run {claim.run_id} of backfill 1, which is running since '
        f"{START}."
    )


def test_the_rest_waits_for_the_canary(house: House) -> None:
    staffed(house)
    backfill_id = house.ready(6, canary=2)
    house.expand(backfill_id)
    canary = house.admitted()
    assert len(canary) == 2
    (claim, *_) = house.claim(canary)
    house.succeed(claim)
    house.fold()
    told = of_backfill(house, backfill_id)
    assert told.sentence == (
        "Its canary goes first: 1 of 2 succeeded, 0 failed, and all must before the rest starts."
    )
    waiting = [run for run in pending(house, backfill_id) if run not in canary]
    assert of_run(house, waiting[0]).sentence == (
        "Its backfill's canary goes first: 1 of 2 succeeded, 0 failed, and all must before the "
        "rest starts."
    )
    assert told.facts["of"] == 2


def test_a_run_waits_for_a_pool_and_its_backfill_with_it(house: House) -> None:
    staffed(house)
    pools(house, 1)
    backfill_id = house.ready(3)
    house.db.transact(
        lambda conn: conn.execute(house.db.sql("UPDATE backfills SET pools = '{\"warehouse\": 1}'"))
    )
    (holder,) = house.admitted()
    first, _ = pending(house, backfill_id)
    sentence = f'It waits for a slot of pool "warehouse": 1 of 1 are taken, by run {holder}.'
    assert of_run(house, first).sentence == sentence
    assert of_run(house, first).facts["held_by"] == (holder,)
    assert of_backfill(house, backfill_id).sentence == sentence


def test_a_run_outside_its_hours_says_when_they_begin(house: House) -> None:
    staffed(house)
    backfill_id = house.ready(2, windows=["22:00-04:00"])
    until = "they begin at 2026-01-01 22:00:00 UTC."
    first, _ = pending(house, backfill_id)
    assert of_run(house, first).sentence == (
        f"It is outside the hours its backfill may run in; {until}"
    )
    assert of_backfill(house, backfill_id).sentence == (
        f"It is outside the hours it may run in; {until}"
    )


def test_a_sequential_backfill_says_whose_turn_it_is(house: House) -> None:
    staffed(house)
    backfill_id = house.ready(3, sequential=True)
    (turn,) = house.admitted()
    _, last = pending(house, backfill_id)
    assert of_run(house, last).sentence == (
        f"Its backfill runs one partition at a time: run {turn} (day-00) is queued."
    )


def test_a_line_that_stopped_names_the_partition(house: House) -> None:
    staffed(house)
    backfill_id = house.ready(3, depends_on_previous=True, sequential=True)
    house.fail(*house.claim(house.admitted()), retryable=False)
    house.fold()
    house.admit()
    told = of_backfill(house, backfill_id)
    assert told.code == "waiting_for_previous"
    assert told.sentence == (
        'The line stops here: the partition before it, "day-00", failed in run 1. Retry that one, '
        "or pass over it."
    )


# -- waiting for a later time ---------------------------------------------------------------------


def test_a_failed_run_waits_for_its_retry(house: House) -> None:
    staffed(house)
    (claim,) = house.running(1, max_failures=2)
    house.fail(claim)
    house.fold()
    told = of_run(house, claim.run_id)
    assert told.sentence == (
        "It waits for its retry until 2026-01-01 12:00:01 UTC: attempt 1 failed: no."
    )
    assert told.facts["failures"] == 1
    assert told.facts["max_failures"] == 2
    assert of_backfill(house, 1).sentence == (
        "1 run of it waits for a later time, the first until 2026-01-01 12:00:01 UTC."
    )


def test_a_retry_whose_time_has_come_is_due(house: House) -> None:
    staffed(house)
    (claim,) = house.running(1, max_failures=2)
    house.fail(claim)
    house.advance(2)
    lead(house)
    assert of_run(house, claim.run_id).sentence == "It is due, and taken up within a second."


def test_a_lost_run_waits_for_its_retry(house: House) -> None:
    staffed(house)
    (claim,) = house.running(1)
    house.advance(61)
    house.reap()
    told = of_run(house, claim.run_id)
    assert told.sentence == (
        "It waits for its retry until 2026-01-01 12:01:02 UTC: attempt 1 was lost: its worker "
        "died or lost its lease."
    )


def test_a_run_of_unknown_code_was_handed_back(house: House) -> None:
    lead(house)
    hello = fleet.WorkerHello("w1", "here", 1, 2, ["backfill"], code_version="old")
    fleet.worker_started(house.db, hello)
    (claim,) = house.running(1)
    error = ErrorInfo("NotFound", "No pipeline named 'work'.", "")
    released = RunOutcome(RunEnd.RELEASED, error=error, retry_in_seconds=5)
    house.record(Report(claim, outcome=released))
    house.fold()
    version = house.backfill(1).code_version
    told = of_run(house, claim.run_id)
    assert told.code == "handed_back"
    assert told.sentence == (
        "A worker handed it back: No pipeline named 'work'. It is tried again at "
        f"2026-01-01 12:00:05 UTC. The backfill was submitted with code {version}, the workers "
        "run old."
    )


# -- queued and running ---------------------------------------------------------------------------


def test_a_queued_run_tells_its_queue_and_what_is_before_it(house: House) -> None:
    staffed(house, slots=1)
    house.ready(2)
    first, *_ = house.admitted()
    house.claim([first])
    house.advance(3)
    lead(house)
    house.worker(slots=1)
    second = house.ready(4)
    house.admit()
    queued = house.rows("SELECT id FROM runs WHERE state = 'queued' AND backfill_id = 1")[0].id
    told = of_run(house, queued)
    assert told.sentence == (
        f'It is queued in "backfill" since {START}, nothing before it; 1 run on 1 slots.'
    )
    newest = house.rows("SELECT max(id) AS id FROM runs WHERE state = 'queued'")[0].id
    assert second
    assert of_run(house, newest).facts["before"] == 1


def test_a_running_run_names_its_step_and_worker(house: House) -> None:
    staffed(house)
    (claim,) = house.running(1)
    assert of_run(house, claim.run_id).sentence == (
        f"It runs: between two steps on w1 since {START}."
    )
    at = house.clock.at if house.clock else 0
    step = StepOutcome("a", StepState.RUNNING, tries=1, started_at=at + 2 * SECOND)
    house.record(Report(claim, steps=[step]))
    house.fold()
    told = of_run(house, claim.run_id)
    assert told.sentence == "It runs: step a on w1 since 2026-01-01 12:00:02 UTC."
    assert told.facts["steps"] == ["a"]


def test_a_step_that_waits_for_its_retry_says_so(house: House) -> None:
    staffed(house)
    (claim,) = house.running(1)
    step = StepOutcome("a", StepState.RETRYING, tries=2, started_at=1)
    house.record(Report(claim, steps=[step]))
    house.fold()
    assert of_run(house, claim.run_id).sentence == (
        "Step a failed 2 times and waits for its retry on w1."
    )


def test_a_run_told_to_stop_says_when(house: House) -> None:
    staffed(house)
    (claim,) = house.running(1)
    runs.cancel_run(house.db, claim.run_id)
    told = of_run(house, claim.run_id)
    assert told.code == "stopping"
    assert told.sentence.startswith(f"It was told to stop at {START}; its worker w1 stops it")


def test_a_silent_worker_is_named(house: House) -> None:
    staffed(house)
    (claim,) = house.running(1)
    house.advance(70)
    told = of_run(house, claim.run_id)
    assert told.sentence == (
        "Its worker w1 says nothing since 70 s; it is taken back and tried again."
    )


@pytest.mark.parametrize(
    ("end", "sentence"),
    [
        ("succeed", f"It succeeded at {START}."),
        ("fail", f"It failed in step b at {START}: no"),
        ("cancel", f"It was canceled at {START}: canceled"),
    ],
)
def test_a_final_run_tells_its_end(house: House, end: str, sentence: str) -> None:
    staffed(house)
    if end == "cancel":
        house.ready(1)
        runs.cancel_run(house.db, 1)
    else:
        (claim,) = house.running(1)
        getattr(house, end)(claim)
    assert of_run(house, 1).sentence == sentence


# -- the machinery --------------------------------------------------------------------------------


def test_without_a_coordinator_nothing_goes_on(house: House) -> None:
    house.worker()
    (run_id,) = pending(house, house.ready(1))
    assert of_run(house, run_id).sentence == (
        "No coordinator has run yet: start one with `backfill coordinator`."
    )
    lead(house, seconds=10)
    house.advance(30)
    assert of_run(house, run_id).sentence == (
        "No coordinator leads: here:1 was heard of last 30 s ago. Start one with `backfill "
        "coordinator`."
    )


def test_a_coordinator_that_lags_is_told(house: House) -> None:
    staffed(house)
    backfill_id = house.ready(1)
    house.advance(30)
    house.worker()
    told = of_backfill(house, backfill_id)
    assert told.sentence == (
        "The coordinator here:1 lags: what happened 30 s ago is not counted yet."
    )


def test_a_broker_that_did_not_answer_is_told(house: House) -> None:
    staffed(house)
    house.db.transact(lambda conn: fleet.note_queues(house.db, conn, {"backfill": None}))
    (run_id,) = pending(house, house.ready(1))
    told = of_run(house, run_id)
    assert told.code == "broker_unreachable"
    assert told.sentence == (
        f"The broker could not be reached at {START}; runs are sent when it can be."
    )
    house.db.transact(lambda conn: fleet.note_queues(house.db, conn, {"backfill": 3}))
    assert of_run(house, run_id).code == "in_line"


def test_a_queue_nobody_listens_on_is_named(house: House) -> None:
    lead(house)
    (run_id,) = pending(house, house.ready(1))
    assert of_run(house, run_id).sentence == (
        'No worker listens on queue "backfill". No worker lives.'
    )
    house.worker()
    slow = house.submit("key-0", set_name="slow")
    house.expand(slow)
    (run_id,) = pending(house, slow)
    told = of_run(house, run_id)
    assert told.sentence == 'No worker listens on queue "slow". Workers listen on: backfill.'
    assert told.facts == {"queue": "slow", "queues_listened_on": ["backfill"]}


def test_workers_without_the_code_are_told(house: House) -> None:
    lead(house)
    hello = fleet.WorkerHello("w1", "here", 1, 2, ["backfill"], load_error="No module shop\nx")
    fleet.worker_started(house.db, hello)
    (run_id,) = pending(house, house.ready(1))
    assert of_run(house, run_id).sentence == (
        'The workers of queue "backfill" cannot load the definitions: No module shop'
    )


# -- backfills ------------------------------------------------------------------------------------


def test_a_backfill_that_is_being_expanded_tells_how_far(house: House) -> None:
    staffed(house)
    backfill_id = house.submit("all")
    house.expand(backfill_id, limit=10)
    house.fold()
    told = of_backfill(house, backfill_id)
    assert told.sentence == "Its runs are being made: 10 of 60 partitions so far."


def test_a_backfill_whose_code_cannot_be_loaded_says_so(house: House) -> None:
    staffed(house)
    backfill_id = house.submit("all")
    house.fold()
    facts = {"cannot_expand": {str(backfill_id): "No module named shop"}}
    house.db.transact(lambda conn: fleet.note_facts(house.db, conn, "here:1", facts))
    told = of_backfill(house, backfill_id)
    assert told.code == "expansion_failing"
    assert told.sentence == (
        "Its runs cannot be made yet, and that is tried again every 5 s: No module named shop"
    )


def test_a_pause_names_who_and_why_for_the_backfill_and_its_runs(house: House) -> None:
    staffed(house)
    backfill_id = house.ready(2)
    backfills.pause(house.db, backfill_id, reason="wrong numbers", actor="ann")
    told = of_backfill(house, backfill_id)
    assert told.sentence == f"It is paused by ann since {START}: wrong numbers"
    assert told.facts["by"] == "ann"
    run = of_run(house, pending(house, backfill_id)[0])
    assert run.sentence == f"Its backfill is paused by ann since {START}: wrong numbers"


def test_an_expansion_that_fails_is_told(house: House) -> None:
    staffed(house)
    backfill_id = house.submit("all")
    house.fold()
    house.pause(backfill_id, "Its partitions could not be expanded: ValueError: no.")
    house.fold()
    told = of_backfill(house, backfill_id)
    assert told.code == "paused"
    assert told.also[0].code == "expansion_failing"
    assert told.also[0].sentence == (
        "Its partitions could not be expanded: ValueError: no. It is tried again every 30 s."
    )


def test_a_backfill_being_canceled_tells_what_still_runs(house: House) -> None:
    staffed(house)
    house.running(2)
    house.cancel(1)
    house.fold()
    assert of_backfill(house, 1).sentence == (
        "It is being canceled: 2 runs told to stop still run."
    )
    run = of_run(house, 1)
    assert run.code == "stopping"


def test_a_backfill_at_its_limit_says_who_has_its_slots(house: House) -> None:
    staffed(house)
    backfill_id = house.ready(3, max_active_runs=2)
    house.claim(house.admitted())
    house.fold()
    told = of_backfill(house, backfill_id)
    assert told.sentence == (
        "Its backfill runs at most 2 at a time, and 2 are active: run 1 (day-00), run 2 (day-01)."
    )
    assert told.also[-1].sentence == (
        "It goes on: 2 running and 0 queued (its limit: 2 at a time), 1 pending."
    )


def test_a_backfill_that_goes_on_says_so(house: House) -> None:
    staffed(house)
    house.running(2)
    house.fold()
    assert of_backfill(house, 1).sentence == "It goes on: 2 running and 0 queued, 0 pending."


def test_a_backfill_whose_runs_all_ended_is_about_to_settle(house: House) -> None:
    staffed(house)
    (claim,) = house.running(1)
    house.succeed(claim)
    house.fold()
    assert of_backfill(house, 1).code == "settling"
    house.settle(1)
    assert of_backfill(house, 1).sentence == f"It ended as succeeded at {START}."


def test_a_failed_backfill_names_its_commonest_error(house: House) -> None:
    staffed(house)
    house.fail(*house.running(3))
    house.fold()
    house.settle(1)
    assert of_backfill(house, 1).sentence == (
        f"It ended as failed at {START}; most often ValueError in step b (3 of its newest "
        "failures, the last in run 3)."
    )


def test_what_is_not_there_is_named(house: House) -> None:
    with pytest.raises(NotFound, match="No run 7"):
        of_run(house, 7)
    with pytest.raises(NotFound, match="No backfill 7"):
        of_backfill(house, 7)


def test_asking_why_takes_few_statements_however_much_is_pending(house: House) -> None:
    staffed(house)
    backfill_id = house.submit("all", max_active_runs=1)
    house.expand(backfill_id)
    house.claim(house.admitted())
    house.fold()
    *_, last = pending(house, backfill_id)
    with statements(house) as seen:
        of_run(house, last)
    assert len(seen) <= 16
    with statements(house) as seen:
        of_backfill(house, backfill_id)
    assert len(seen) <= 22
