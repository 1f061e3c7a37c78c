"""Time limits that really stop the work: of runs and of backfills, with real workers."""

from __future__ import annotations

from tests.support.marks import ended
from tests.support.stack import Stack


def test_a_run_whose_time_is_over_fails_with_the_reason(stack: Stack) -> None:
    backfill = stack.submit("waiters", "p00", run_timeout_seconds=0.5)
    assert stack.wait_final(backfill) == "failed"
    run = stack.run(backfill, "p00")
    assert run.error_message == "the run took longer than its timeout of 0.5 s"
    assert stack.steps(run.id)[1, "wait"] == "failed"
    assert (run.failures, run.crashes) == (1, 0)


def test_a_run_that_does_not_stop_is_ended_with_its_process_and_no_other(stack: Stack) -> None:
    workers = [stack.pid(name) for name in ("worker-1", "worker-2")]
    other = stack.submit("waiters", "p01")
    beside = stack.marks.wait("waiting", other, "p01")
    deaf = stack.submit("clingers", "p00,p01", run_timeout_seconds=0.5)

    assert stack.wait_final(deaf) == "failed"

    for partition in ("p00", "p01"):
        run = stack.run(deaf, partition)
        assert run.error_message == (
            "its time was over; it did not stop and was ended with its process"
        )
        assert (run.failures, run.crashes) == (1, 0)
        assert stack.steps(run.id)[1, "cling"] == "failed"
        assert stack.marks.of("told to stop", deaf, partition), "it was told first"
    after = stack.submit("clingers", "p02")  # the slot takes new work
    stack.marks.allow(after)
    assert stack.wait_final(after) == "succeeded"
    stack.marks.allow(other)
    assert stack.wait_final(other) == "succeeded"
    assert stack.run(other, "p01").attempt == beside.attempt == 1
    assert [stack.pid(name) for name in ("worker-1", "worker-2")] == workers


def test_a_step_that_does_not_stop_at_its_own_limit_is_ended_with_its_process(
    stack: Stack,
) -> None:
    workers = [stack.pid(name) for name in ("worker-1", "worker-2")]
    backfill = stack.submit("overstays", "p00")
    mark = stack.marks.wait("overstaying", backfill, "p00")

    assert stack.wait_final(backfill) == "failed"

    run = stack.run(backfill, "p00")
    assert run.error_message == "its time was over; it did not stop and was ended with its process"
    assert stack.steps(run.id)[1, "overstay"] == "failed"
    assert stack.marks.of("told to stop", backfill, "p00"), "it was told first"
    assert ended(mark)
    assert [stack.pid(name) for name in ("worker-1", "worker-2")] == workers


def test_an_attempt_ended_for_its_time_is_tried_again_while_its_budget_lasts(stack: Stack) -> None:
    backfill = stack.submit("clingers", "p03", run_timeout_seconds=0.5, max_failures=1)
    stack.marks.wait("clinging", backfill, "p03", times=2)
    stack.marks.allow(backfill)
    assert stack.wait_final(backfill) == "succeeded"
    run = stack.run(backfill, "p03")
    assert (run.failures, run.crashes, run.attempt) == (1, 0, 2)


def test_a_backfill_whose_time_is_over_is_canceled_with_what_runs(stack: Stack) -> None:
    config = {"steps": {"wait": {"config": {"listens": True}}}}
    backfill = stack.submit("waiters", "[p00...p09]", run_config=config, timeout_seconds=2)
    assert stack.wait_all_final(backfill) == {"canceled": 10}
    assert stack.state(backfill) == "canceled"
    told, *_ = stack.rows(
        "SELECT message FROM events WHERE backfill_id = :id AND kind = 'backfill.canceled' "
        "ORDER BY id",
        id=backfill,
    )
    assert told.message == "its time is over: it took longer than its timeout of 2 s"
