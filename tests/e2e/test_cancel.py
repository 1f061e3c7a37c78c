"""A cancel of a thousand partitions while a worker's whole pool is busy with long steps of them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

from sqlalchemy import Row

from tests.e2e.conftest import IMPATIENT, PIPELINES, StartStack
from tests.support.marks import ended
from tests.support.stack import Stack
from tests.support.waiting import wait_until

GRACE_SECONDS = IMPATIENT["cancel_grace_seconds"]
SLACK_SECONDS = 40.0  # for a machine that has other things to do
FIRST = [f"p{n:03}" for n in range(4)]
LISTENING, OTHERS = ("p000", "p002"), ("p001", "p003")


def test_a_thousand_partitions_are_canceled_and_the_pool_takes_new_work(
    start_stack: StartStack,
) -> None:
    stack = start_stack(definitions=PIPELINES, settings=IMPATIENT, nodes=1, processes=4)
    backfill = stack.submit("multitude")
    marks = {key: stack.marks.wait("waiting", backfill, key) for key in FIRST}
    wait_until(lambda: sum(stack.run_states(backfill).values()) == 1_000, "all to be expanded")
    worker, pool = stack.pid("worker-1"), stack.pool()

    stack.cancel(backfill)

    assert stack.wait_all_final(backfill, GRACE_SECONDS + SLACK_SECONDS) == {"canceled": 1_000}
    assert stack.state(backfill) == "canceled"
    measured = f"canceled in {took(stack, backfill):.2f} s; the grace is {GRACE_SECONDS} s"
    sys.stdout.write(f"1,000 partitions: {measured}\n")
    begun = rows(stack, backfill, "attempt > 0")
    assert [row.partition for row in begun] == FIRST, "nothing else was started"
    for key in OTHERS:
        reason = stack.run(backfill, key).reason
        assert "ended with its process" in reason, reason
        wait_until(partial(ended, marks[key]), f"the process of {key} to be gone")
    assert not any(ended(marks[key]) for key in LISTENING), "who listens keeps its process"
    assert stack.pid("worker-1") == worker
    wait_until(lambda: len(stack.pool()) == len(pool), "the pool to have its size again")
    assert {marks[key].pid for key in LISTENING} <= set(stack.pool())

    after = stack.submit("multitude", "[p100...p103]")
    for key in ("p100", "p101", "p102", "p103"):  # all four at once: every slot works
        stack.marks.wait("waiting", after, key)
    stack.marks.allow(after)
    assert stack.wait_all_final(after) == {"succeeded": 4}
    assert stack.pid("worker-1") == worker


def took(stack: Stack, backfill: int) -> float:
    """Return the seconds from the cancel to the end of the last run, by the database's clock."""
    (asked,) = stack.rows(
        "SELECT min(at) AS at FROM events WHERE backfill_id = :id AND kind = 'backfill.canceled'",
        id=backfill,
    )
    last = max(row.finished_at for row in rows(stack, backfill, "finished_at IS NOT NULL"))
    return float(last - asked.at) / 1_000_000


def rows(stack: Stack, backfill: int, condition: str) -> Sequence[Row[Any]]:
    query = f"SELECT * FROM runs WHERE backfill_id = :id AND {condition} ORDER BY partition"
    return stack.rows(query, id=backfill)
