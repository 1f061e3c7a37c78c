"""What becomes of runs that fail, die or are tried again, and of those beside them."""

from __future__ import annotations

from tests.support.stack import Stack


def test_a_failing_step_fails_its_run_alone_and_keeps_the_traceback(stack: Stack) -> None:
    backfill = stack.submit("choices")

    assert stack.wait_all_final(backfill) == {"succeeded": 5, "failed": 1}
    assert stack.state(backfill) == "failed"
    run = stack.run(backfill, "p03")
    assert (run.state, run.failed_step, run.error_type) == ("failed", "refuse_three", "ValueError")
    assert (run.attempt, run.failures, run.crashes) == (1, 1, 0)
    assert stack.steps(run.id) == {
        (1, "read"): "succeeded",
        (1, "refuse_three"): "failed",
        (1, "publish"): "skipped",
        (1, "beside"): "succeeded",
    }
    (error,) = stack.rows("SELECT * FROM step_errors WHERE run_id = :id", id=run.id)
    assert (error.step, error.message) == ("refuse_three", "3 is not wanted")
    assert "pipelines.py" in error.traceback
    assert "raise ValueError" in error.traceback
    assert "KeyError" in str(error.cause)


def test_a_run_that_kills_its_process_fails_and_its_neighbours_do_not(stack: Stack) -> None:
    proven = stack.submit("mines", "[p00...p39]")  # so that several runs share a message
    assert stack.wait_all_final(proven) == {"succeeded": 40}
    backfill = stack.submit("mines", "[p40...p79]")

    assert stack.wait_all_final(backfill) == {"succeeded": 39, "failed": 1}
    poison = stack.run(backfill, "p60")
    assert poison.crashes == stack.settings.max_crashes
    assert "worker died 3 times" in poison.reason
    assert poison.failures == 0
    rows = stack.rows(
        "SELECT crashes, failures FROM runs WHERE backfill_id = :id AND partition <> 'p60'",
        id=backfill,
    )
    assert {(row.crashes, row.failures) for row in rows} == {(0, 0)}
    together = stack.rows(
        "SELECT 1 FROM attempts a JOIN runs r ON r.id = a.run_id "
        "WHERE r.backfill_id = :id AND r.partition <> 'p60' AND a.ending = 'lost'",
        id=backfill,
    )
    assert together, "some neighbour shared the message of the poisonous run"


def test_a_step_is_retried_in_place_or_later_and_done_steps_are_not_repeated(stack: Stack) -> None:
    backfill = stack.submit("returns", "[p00...p01]")

    assert stack.wait_all_final(backfill) == {"succeeded": 2}
    for partition in ("p00", "p01"):
        run = stack.run(backfill, partition)
        assert len(stack.marks.of("computed", backfill, partition)) == 1
        assert len(stack.marks.of("stumbled", backfill, partition)) == 3
        assert [m.attempt for m in stack.marks.of("rested", backfill, partition)] == [1, 2]
        assert (run.attempt, run.failures, run.crashes) == (2, 0, 0)
        assert stack.steps(run.id) == {
            (1, "compute"): "succeeded",
            (1, "stumble"): "succeeded",
            (1, "rest"): "retrying",
            (2, "rest"): "succeeded",
            (2, "check"): "succeeded",
        }
        query = 'SELECT step, "try" FROM step_errors WHERE run_id = :id ORDER BY at'
        tries = [tuple(row) for row in stack.rows(query, id=run.id)]
        assert tries == [("stumble", 1), ("stumble", 2), ("rest", 1)]


def test_a_failed_run_with_budget_left_is_tried_again(stack: Stack) -> None:
    backfill = stack.submit("lucky", max_failures=1)

    assert stack.wait_all_final(backfill) == {"succeeded": 3}
    run = stack.run(backfill, "p00")
    assert (run.attempt, run.failures, run.crashes) == (2, 1, 0)
    assert stack.attempts(run.id) == ["failed"]
    assert stack.steps(run.id) == {(1, "fail_once"): "failed", (2, "fail_once"): "succeeded"}
