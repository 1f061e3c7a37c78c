"""Cancel, pause and resume act at once on what waits, and soon on what runs."""

from __future__ import annotations

from tests.support.stack import Stack
from tests.support.waiting import wait_until


def running(stack: Stack, backfill: int, count: int) -> list[int]:
    """Wait until so many runs of a backfill execute; return their ids."""
    query = "SELECT id FROM runs WHERE backfill_id = :id AND state = 'running'"
    return wait_until(
        lambda: (
            ids if len(ids := [r.id for r in stack.rows(query, id=backfill)]) == count else None
        ),
        f"{count} runs of backfill {backfill} to execute",
    )


def test_a_cancel_ends_a_listening_step_and_starts_nothing_more(stack: Stack) -> None:
    config = {"steps": {"wait": {"config": {"listens": True}}}}
    backfill = stack.submit("waiters", run_config=config)
    started = running(stack, backfill, 2)
    pools = {stack.pool(name)[0] for name in ("worker-1", "worker-2")}
    for partition in ("p00", "p01"):
        stack.marks.wait("waiting", backfill, partition)

    stack.cancel(backfill)

    assert stack.wait_all_final(backfill) == {"canceled": 20}
    assert stack.state(backfill) == "canceled"
    for run in started:
        steps = stack.steps(run)
        assert steps[1, "prepare"] == "succeeded"
        assert (steps[1, "wait"], steps[1, "conclude"]) == ("canceled", "canceled")
        assert stack.attempts(run) == []
    assert {stack.pool(name)[0] for name in ("worker-1", "worker-2")} == pools, "nobody was killed"
    assert "wait" not in {step for _, step in stack.steps(stack.run(backfill, "p05").id)}


def test_a_step_that_ignores_a_cancel_is_ended_with_its_process(stack: Stack) -> None:
    doomed = stack.submit("waiters", "p00")
    other = stack.submit("waiters", "p01")
    first = stack.marks.wait("waiting", doomed, "p00")
    beside = stack.marks.wait("waiting", other, "p01")
    workers = [stack.pid(name) for name in ("worker-1", "worker-2")]

    stack.cancel(doomed)

    assert stack.wait_final(doomed) == "canceled"
    assert stack.steps(first.run_id)[1, "wait"] == "canceled"
    assert "ended with its process" in stack.run(doomed, "p00").reason
    assert stack.state(other) == "running"
    after = stack.submit("waiters", "p02,p03")  # the freed slot takes new work
    stack.marks.allow(after)
    assert stack.wait_final(after) == "succeeded"
    stack.marks.allow(other)
    assert stack.wait_all_final(other) == {"succeeded": 1}
    assert stack.run(other, "p01").attempt == beside.attempt == 1
    assert [stack.pid(name) for name in ("worker-1", "worker-2")] == workers


def test_a_canceled_run_takes_no_neighbour_of_its_message_along(stack: Stack) -> None:
    proven = stack.submit("crowds", "[p00...p29]")  # so that several runs share a message
    assert stack.wait_all_final(proven) == {"succeeded": 30}
    backfill = stack.submit("crowds", "[p30...p59]")
    stuck = stack.marks.wait("waiting", backfill, "p30")
    assert stack.run(backfill, "p30").message_size > 1
    stack.cancel_run(stuck.run_id)

    wait_until(lambda: stack.run(backfill, "p30").state == "canceled", "its process to be ended")
    stack.marks.allow(backfill)

    assert stack.wait_all_final(backfill) == {"succeeded": 29, "canceled": 1}
    rows = stack.rows(
        "SELECT DISTINCT crashes, failures FROM runs WHERE backfill_id = :id", id=backfill
    )
    assert [tuple(row) for row in rows] == [(0, 0)]


def test_a_run_waiting_for_its_retry_can_be_canceled(stack: Stack) -> None:
    backfill = stack.submit("returns", "p02")
    stack.marks.wait("rested", backfill, "p02")
    wait_until(lambda: stack.run(backfill, "p02").state == "pending", "it to be parked")

    stack.cancel(backfill)

    assert stack.wait_all_final(backfill) == {"canceled": 1}
    assert len(stack.marks.of("rested", backfill, "p02")) == 1


def test_a_pause_starts_nothing_new_and_a_resume_completes(stack: Stack) -> None:
    backfill = stack.submit("waiters")
    started = running(stack, backfill, 2)

    stack.pause(backfill)
    stack.marks.allow(backfill)
    wait_until(
        lambda: stack.run_states(backfill) == {"succeeded": 2, "pending": 18},
        "what runs to finish, what is queued to be recalled",
    )
    other = stack.submit("mines", "[p00...p03]")
    assert stack.wait_final(other) == "succeeded", "others go on"
    assert stack.run_states(backfill) == {"succeeded": 2, "pending": 18}
    assert stack.state(backfill) == "paused"
    assert {stack.run(backfill, p).id for p in ("p00", "p01")} == set(started)

    stack.resume(backfill)
    assert stack.wait_all_final(backfill) == {"succeeded": 20}
    attempts = stack.rows("SELECT DISTINCT attempt FROM runs WHERE backfill_id = :id", id=backfill)
    assert [row.attempt for row in attempts] == [1]
