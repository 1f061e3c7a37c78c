"""A breaker with real workers: it pauses, names the error, and what is mended ends green."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import Row

from backfill.definitions.in_process import LocalDefinitions
from backfill.definitions.registry import Registry
from backfill.lifecycle import failures, retrying
from backfill.lifecycle.explaining import why_backfill
from backfill.lifecycle.retrying import RetryRequest
from tests.e2e.conftest import IMPATIENT, StartStack
from tests.support.house import NOON
from tests.support.stack import Stack
from tests.support.waiting import wait_until

CODE = """
from backfill import Partition, PartitionSetDefinition, pipeline, step
from tests.support.marks import Marks

PRICES = {{n: 1 for n in range(200) {unless}}}

@step
def gather(context):
    Marks.of_this_process().make(context, "gathered")
    return int(context.partition_key[1:])

@step
def price(context, number):
    if number not in PRICES:
        raise LookupError(f"no price of {{number}} in 'prices-{{number}}.csv'")
    return PRICES[number]

@pipeline
def pricing():
    price(gather())

numbers = PartitionSetDefinition(
    name="numbers",
    pipeline_name="pricing",
    partition_fn=lambda: [Partition(f"n{{n:03}}") for n in range(200)],
)
"""
ERROR = "LookupError: no price of # in '…'"


def test_the_breaker_names_the_error_and_a_retry_from_failure_ends_green(
    start_stack: StartStack, tmp_path: Path
) -> None:
    code = tmp_path / "pricing.py"
    code.write_text(CODE.format(unless="if not 60 <= n <= 80"))
    stack = start_stack(definitions=str(code), settings=IMPATIENT)
    backfill = stack.submit("numbers", breaker={"in_row": 5}, max_active_runs=10)

    wait_until(lambda: stack.state(backfill) == "paused", "the breaker to pause it", 60)
    wait_until(lambda: "running" not in stack.run_states(backfill), "what runs to end", 30)
    (row,) = stack.rows("SELECT pause_reason FROM backfills WHERE id = :id", id=backfill)
    assert row.pause_reason.startswith("breaker: 5 runs failed in a row")
    assert ERROR in row.pause_reason
    assert ERROR in why_backfill(stack.database, stack.settings, backfill).sentence
    found = failures.failures(stack.database, definitions(stack), backfill, at=NOON, limit=10)
    assert [(group.group.key, group.group.steps) for group in found.items] == [
        (ERROR, {"price": found.count})
    ]
    assert 5 <= found.count <= 21
    failed = failed_runs(stack, backfill)
    assert {row.partition for row in failed} <= {f"n{n:03}" for n in range(60, 81)}

    code.write_text(CODE.format(unless=""))
    stack.wait_restarted("worker-1", stack.kill("worker-1", signal.SIGTERM))
    retrying.retry(stack.database, definitions(stack), backfill, RetryRequest())
    stack.resume(backfill)

    assert stack.wait_final(backfill) == "succeeded"
    assert stack.run_states(backfill) == {"succeeded": 200, "failed": len(failed)}
    for row in failed:
        gathered = stack.marks.of("gathered", backfill, row.partition)
        assert [mark.run_id for mark in gathered] == [row.id], "it was not gathered again"
    assert stack.ill() == []


def definitions(stack: Stack) -> LocalDefinitions:
    return LocalDefinitions(Registry.load(stack.settings.definition_sources()))


def failed_runs(stack: Stack, backfill: int) -> Sequence[Row[tuple[int, str]]]:
    return stack.rows(
        "SELECT id, partition FROM runs WHERE backfill_id = :id AND state = 'failed' ORDER BY id",
        id=backfill,
    )
