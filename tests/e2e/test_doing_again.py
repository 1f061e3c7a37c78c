"""A backfill tried again with real workers: what succeeded is not done twice."""

from __future__ import annotations

from datetime import UTC, datetime

from backfill.definitions.in_process import LocalDefinitions
from backfill.definitions.registry import Registry
from backfill.lifecycle import retrying
from backfill.lifecycle.reexecuting import Again, reexecute
from backfill.lifecycle.retrying import RetryRequest
from backfill.storage.database import decoded
from tests.support.stack import Stack
from tests.support.waiting import wait_until


def definitions(stack: Stack) -> LocalDefinitions:
    return LocalDefinitions(Registry.load(stack.settings.definition_sources()))


def test_a_retried_backfill_goes_on_from_its_failures(stack: Stack) -> None:
    backfill = stack.submit("parcels", "[p00...p04]")
    stack.marks.allow(backfill, "p00")
    assert stack.wait_final(backfill) == "failed"
    gathered = {p: stack.marks.of("gathered", backfill, p) for p in ("p01", "p04")}
    stack.marks.allow(backfill)

    retrying.retry(stack.database, definitions(stack), backfill, RetryRequest())

    assert stack.wait_final(backfill) == "succeeded"
    for partition, before in gathered.items():
        assert stack.marks.of("gathered", backfill, partition) == before, "it was not done again"
        assert len(stack.marks.of("delivering", backfill, partition)) == 2
        (row,) = stack.rows(
            "SELECT o.metadata FROM step_outcomes o JOIN runs r ON r.id = o.run_id "
            "WHERE r.backfill_id = :id AND r.partition = :partition AND r.generation = 1 "
            "AND o.step = 'deliver'",
            id=backfill,
            partition=partition,
        )
        assert decoded(row.metadata) == {"what": f"gathered by {before[0].run_id}"}
    assert len(stack.marks.of("delivering", backfill, "p00")) == 1


def test_a_run_re_executed_from_its_failure_loads_what_was_kept(stack: Stack) -> None:
    backfill = stack.submit("parcels", "p05")
    assert stack.wait_final(backfill) == "failed"
    first = stack.run(backfill, "p05")

    made = reexecute(
        stack.database,
        definitions(stack),
        first.id,
        Again(),
        at=datetime.now(UTC),
    )

    def ended() -> bool:
        (row,) = stack.rows("SELECT state FROM runs WHERE id = :id", id=made)
        return row.state == "failed"

    wait_until(ended, "the re-execution to end")
    assert {step for _, step in stack.steps(made)} == {"deliver"}
