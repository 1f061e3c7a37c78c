"""Whatever is killed in the middle of a backfill, it ends with every partition succeeded, once."""

from __future__ import annotations

import os
import random
import shutil
import signal
from collections.abc import Callable

from tests.e2e.conftest import IMPATIENT, StartStack
from tests.support.freezing import frozen
from tests.support.stack import Stack
from tests.support.waiting import descendants, wait_until

DAYS = 1461
STEPS = 7
OFTEN = {**IMPATIENT, "pack_limit": 4, "max_crashes": 9}  # more messages to lose


def test_the_seeds_partitions_all_succeed_and_each_logs_its_date(start_stack: StartStack) -> None:
    stack = start_stack()
    backfill = stack.submit("date_partition_set")

    assert stack.wait_all_final(backfill) == {"succeeded": 31}
    assert_recorded_once(stack, backfill, runs=31, steps=2)
    lines = stack.rows(
        "SELECT r.partition, l.step, l.message FROM runs r JOIN log_lines l ON l.run_id = r.id "
        "WHERE r.backfill_id = :id ORDER BY r.partition, l.id",
        id=backfill,
    )
    days = [f"2020-05-{day:02}" for day in range(1, 32)]
    assert [tuple(line) for line in lines] == [
        line
        for day in days
        for line in (
            (day, "process_data_for_date", f"processing data for {day}"),
            (day, "post_slack_message", "posting slack message"),
        )
    ]


def test_a_backfill_survives_kills_of_everything_once(start_stack: StartStack) -> None:
    stack = start_stack(nodes=2, processes=1, settings=OFTEN)
    backfill = stack.submit("weather_days")

    for count, fault in enumerate((kill_worker, kill_pool_process, kill_coordinator, lose_broker)):
        stack.wait_succeeded_runs(backfill, 100 + count * 150)
        fault(stack, random.Random(count))

    assert stack.wait_all_final(backfill) == {"succeeded": DAYS}
    assert_recorded_once(stack, backfill, runs=DAYS, steps=STEPS)


# -- faults ---------------------------------------------------------------------------------------


def kill_worker(stack: Stack, draw: random.Random) -> None:
    stack.kill(draw.choice(["worker-1", "worker-2"]))


def kill_pool_process(stack: Stack, draw: random.Random) -> None:
    pool = wait_until(lambda: stack.pool(draw.choice(["worker-1", "worker-2"])), "a pool")
    os.kill(draw.choice(pool), signal.SIGKILL)


def kill_coordinator(stack: Stack, draw: random.Random) -> None:
    stack.wait_restarted("coordinator", stack.kill("coordinator"))


def lose_broker(stack: Stack, draw: random.Random) -> None:
    """Kill the broker, and delete its data before it is started again."""
    with frozen([stack.pid("broker")]):
        shutil.rmtree(stack.home / "broker" / "appendonlydir")
        broker = stack.kill("broker")
    stack.wait_restarted("broker", broker)


def stop_worker(stack: Stack, draw: random.Random) -> None:
    stack.kill(draw.choice(["worker-1", "worker-2"]), draw.choice([signal.SIGTERM, signal.SIGQUIT]))


def freeze_worker(stack: Stack, draw: random.Random) -> None:
    """Have a worker sleep for longer than its leases."""
    family = descendants(stack.pid(draw.choice(["worker-1", "worker-2"])))
    with frozen(family, stack.database):
        reaped = stack.log("coordinator").count("run.reaped")
        wait_until(
            lambda: stack.log("coordinator").count("run.reaped") > reaped or not holds_runs(stack),
            "its runs to be taken away",
        )


def holds_runs(stack: Stack) -> bool:
    return bool(stack.rows("SELECT 1 FROM runs WHERE state = 'running' LIMIT 1"))


def freeze_coordinator(stack: Stack, draw: random.Random) -> None:
    """Have the coordinator sleep until the queue has run dry."""
    with frozen([stack.pid("coordinator")], stack.database):
        wait_until(lambda: not holds_runs(stack), "the queue to run dry")


# -- what must hold -------------------------------------------------------------------------------


def assert_recorded_once(stack: Stack, backfill: int, *, runs: int, steps: int) -> None:
    """Every partition has one run, which has each step's success once; the doctor is content."""
    assert stack.ill() == []
    partitions = stack.rows(
        "SELECT partition, count(*) AS n FROM runs WHERE backfill_id = :id GROUP BY partition",
        id=backfill,
    )
    assert [row.n for row in partitions] == [1] * runs
    succeeded = stack.rows(
        "SELECT o.run_id, count(*) AS n, count(DISTINCT o.step) AS names FROM step_outcomes o "
        "JOIN runs r ON r.id = o.run_id WHERE r.backfill_id = :id AND o.state = 'succeeded' "
        "AND NOT EXISTS (SELECT 1 FROM step_outcomes n WHERE n.run_id = o.run_id "
        "AND n.step = o.step AND n.attempt > o.attempt) GROUP BY o.run_id",
        id=backfill,
    )
    assert {(row.n, row.names) for row in succeeded} == {(steps, steps)}
    assert len(succeeded) == runs
    ends = stack.rows(
        "SELECT r.id FROM runs r WHERE r.backfill_id = :id AND r.attempt <> 1 + "
        "(SELECT count(*) FROM attempts a WHERE a.run_id = r.id)",
        id=backfill,
    )
    assert ends == []
    assert stack.rows("SELECT * FROM partition_holds") == []


FAULTS: list[Callable[[Stack, random.Random], None]] = [
    kill_worker,
    kill_pool_process,
    kill_pool_process,
    kill_coordinator,
    lose_broker,
    stop_worker,
    freeze_worker,
    freeze_coordinator,
]
