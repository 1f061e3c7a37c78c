"""Whatever is killed in the middle of a backfill, it ends with every partition succeeded."""

from __future__ import annotations

import os
import shutil
import signal

from tests.e2e.conftest import StartStack
from tests.support.stack import Stack

DAYS = 1461
STEPS = 7
IMPATIENT = {
    "lease_seconds": 3.0,
    "beat_seconds": 0.5,
    "republish_seconds": 1.0,
    "shutdown_seconds": 2.0,
    "pack_limit": 4,  # more messages to lose
}


def test_the_examples_succeed(start_stack: StartStack) -> None:
    stack = start_stack(api=False)
    may, weather = stack.submit("date_partition_set"), stack.submit("weather_days")
    assert stack.wait_final(may) == "succeeded"
    assert stack.wait_final(weather) == "succeeded"
    assert stack.run_states(may) == {"succeeded": 31}
    assert stack.run_states(weather) == {"succeeded": DAYS}
    assert_recorded_once(stack, may, steps=2)
    assert_recorded_once(stack, weather, steps=STEPS)


def test_a_backfill_survives_kills_of_everything_once(start_stack: StartStack) -> None:
    stack = start_stack(api=False, nodes=2, processes=1, settings=IMPATIENT)
    backfill = stack.submit("weather_days")

    stack.wait_succeeded_runs(backfill, 100)
    worker = stack.kill("worker-2")
    stack.wait_succeeded_runs(backfill, 250)
    os.kill(stack.pool("worker-1")[0], signal.SIGKILL)
    stack.wait_succeeded_runs(backfill, 400)
    coordinator = stack.kill("coordinator")
    stack.wait_restarted("coordinator", coordinator)
    stack.wait_succeeded_runs(backfill, 550)
    shutil.rmtree(stack.home / "broker" / "appendonlydir")
    broker = stack.kill("broker")
    stack.wait_restarted("broker", broker)

    assert stack.wait_final(backfill) == "succeeded"
    assert stack.run_states(backfill) == {"succeeded": DAYS}
    assert_recorded_once(stack, backfill, steps=STEPS)
    stack.wait_restarted("worker-2", worker)


def assert_recorded_once(stack: Stack, backfill: int, *, steps: int) -> None:
    """Every partition has one run; every succeeded run has each step's success exactly once."""
    partitions = stack.rows(
        "SELECT partition, count(*) AS n FROM runs WHERE backfill_id = :id "
        "GROUP BY partition HAVING count(*) <> 1",
        id=backfill,
    )
    assert partitions == []
    wrong = stack.rows(
        "SELECT r.id, r.attempt, count(o.step) AS n, count(DISTINCT o.step) AS names FROM runs r "
        "LEFT JOIN step_outcomes o ON o.run_id = r.id AND o.attempt = r.attempt "
        "AND o.state = 'succeeded' WHERE r.backfill_id = :id AND r.state = 'succeeded' "
        "GROUP BY r.id, r.attempt HAVING count(o.step) <> :steps "
        "OR count(DISTINCT o.step) <> :steps",
        id=backfill,
        steps=steps,
    )
    assert wrong == []
    twice = stack.rows(
        "SELECT o.run_id, o.attempt, o.step FROM step_outcomes o JOIN runs r ON r.id = o.run_id "
        "WHERE r.backfill_id = :id GROUP BY o.run_id, o.attempt, o.step HAVING count(*) > 1",
        id=backfill,
    )
    assert twice == []
