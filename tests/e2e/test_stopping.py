"""Workers that are told to stop, killed or frozen: what they held goes on elsewhere, once."""

from __future__ import annotations

import os
import signal

import pytest

from tests.support.freezing import frozen
from tests.support.stack import Stack
from tests.support.waiting import all_gone, descendants, wait_until


def test_a_terminated_worker_finishes_a_short_step(stack: Stack) -> None:
    backfill = stack.submit("waiters", "p00")
    worker = stack.worker_of(stack.marks.wait("waiting", backfill, "p00").run_id)
    told_before = stack.log(worker).count("worker.stopping")

    pid = stack.kill(worker, signal.SIGTERM)
    wait_until(lambda: stack.log(worker).count("worker.stopping") > told_before, "the stop")
    stack.marks.allow(backfill)

    assert stack.wait_all_final(backfill) == {"succeeded": 1}
    run = stack.run(backfill, "p00")
    assert (run.attempt, run.failures, run.crashes) == (1, 0, 0)
    stack.wait_restarted(worker, pid)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT])
@pytest.mark.parametrize("deaf", [False, True], ids=["listens", "deaf"])
def test_a_stopped_worker_hands_a_long_step_back_uncharged(
    stack: Stack, number: signal.Signals, deaf: bool
) -> None:
    config = {"steps": {"wait": {"config": {"deaf": deaf}}}}
    backfill = stack.submit("waiters", "p01", run_config=config)
    first = stack.marks.wait("waiting", backfill, "p01")
    worker = stack.worker_of(first.run_id)

    pid = stack.kill(worker, number)
    second = stack.marks.wait("waiting", backfill, "p01", times=2)
    wait_until(all_gone([pid, first.pid]), "the stopped worker to be gone", 15)
    stack.marks.allow(backfill)

    assert stack.wait_all_final(backfill) == {"succeeded": 1}
    run = stack.run(backfill, "p01")
    assert (first.attempt, second.attempt) == (1, 2)
    assert (run.attempt, run.failures, run.crashes) == (2, 0, 0)
    assert stack.attempts(run.id) == ["released"]
    assert stack.steps(run.id)[2, "wait"] == "succeeded"
    assert stack.steps(run.id)[1, "wait"] != "succeeded"
    assert len(stack.marks.of("prepared", backfill, "p01")) == 1, "a kept output is used again"
    assert stack.marks.of("told to end", backfill, "p01"), "the step could clean up"
    stack.wait_restarted(worker, pid)


def test_a_killed_pool_process_loses_its_run_at_once(stack: Stack) -> None:
    backfill = stack.submit("waiters", "p02")
    first = stack.marks.wait("waiting", backfill, "p02")
    wait_until(lambda: stack.steps(first.run_id).get((1, "wait")) == "running", "it to be shown")
    worker = stack.worker_of(first.run_id)

    os.kill(first.pid, signal.SIGKILL)
    second = stack.marks.wait("waiting", backfill, "p02", times=2)
    stack.marks.allow(backfill)

    assert stack.wait_all_final(backfill) == {"succeeded": 1}
    run = stack.run(backfill, "p02")
    assert (run.attempt, run.failures, run.crashes) == (2, 0, 1)
    assert stack.attempts(run.id) == ["lost"]
    assert stack.steps(run.id)[1, "wait"] == "failed"
    assert second.pid != first.pid
    assert "child.died" in stack.log(worker) or "runs.lost" in stack.log(worker)


def test_a_killed_worker_takes_its_pool_along_and_the_lease_brings_its_runs_back(
    stack: Stack,
) -> None:
    backfill = stack.submit("waiters", "p03")
    first = stack.marks.wait("waiting", backfill, "p03")
    worker = stack.worker_of(first.run_id)
    family = descendants(stack.pid(worker))
    assert first.pid in family

    pid = stack.kill(worker)
    wait_until(all_gone(family), "the pool to die with its worker", 10)
    stack.marks.wait("waiting", backfill, "p03", times=2)
    stack.marks.allow(backfill)

    assert stack.wait_all_final(backfill) == {"succeeded": 1}
    run = stack.run(backfill, "p03")
    assert (run.attempt, run.failures, run.crashes) == (2, 0, 1)
    assert stack.attempts(run.id) == ["lost"]
    stack.wait_restarted(worker, pid)


def test_a_worker_frozen_beyond_its_lease_records_nothing_when_it_comes_back(
    stack: Stack,
) -> None:
    backfill = stack.submit("waiters", "p04")
    first = stack.marks.wait("waiting", backfill, "p04")
    worker = stack.worker_of(first.run_id)
    wait_until(lambda: stack.steps(first.run_id).get((1, "wait")) == "running", "it to be shown")

    with frozen(descendants(stack.pid(worker)), stack.database):
        stack.marks.wait("waiting", backfill, "p04", times=2)
        stack.marks.allow(backfill)
        assert stack.wait_all_final(backfill) == {"succeeded": 1}
    wait_until(lambda: "run.fenced" in stack.log(worker), "the late outcome to be refused")

    assert stack.ill() == []
    run = stack.run(backfill, "p04")
    assert (run.attempt, run.failures, run.crashes) == (2, 0, 1)
    assert stack.attempts(run.id) == ["lost"]
    assert [state for (_, step), state in stack.steps(run.id).items() if step == "wait"] == [
        "failed",
        "succeeded",
    ]
    assert len(stack.marks.of("concluded", backfill, "p04")) == 1, "the zombie went no further"
    after = stack.submit("waiters", "p05,p06")  # it takes new work
    stack.marks.allow(after)
    assert stack.wait_all_final(after) == {"succeeded": 2}
