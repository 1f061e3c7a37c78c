"""Workers whose definitions are older than the coordinator's, or do not load at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.e2e.conftest import IMPATIENT, ONLY_SQLITE, StartStack
from tests.support.waiting import wait_until

CODE = """
import os
from pathlib import Path

from backfill import Partition, PartitionSetDefinition, pipeline, step

DEPLOYED = Path(__file__).with_name("deployed").exists()
if "worker" in os.environ.get("BACKFILL_READY_FILE", "") and not DEPLOYED:
    {instead}

@step
def greet(context):
    context.log.info(f"hello {{context.partition_key}}")

@pipeline
def greeting():
    greet()

if {has_set}:
    guests = PartitionSetDefinition(
        name="guests",
        pipeline_name="greeting",
        partition_fn=lambda: [Partition("ann"), Partition("bob")],
    )
"""
OLDER = {"instead": "OLD = True", "has_set": '"OLD" not in globals()'}
BROKEN = {"instead": "import a_module_that_is_not_installed", "has_set": "True"}


@ONLY_SQLITE
@pytest.mark.parametrize(
    ("code", "words"),
    [
        pytest.param(OLDER, 'No partition set named "guests"', id="older"),
        pytest.param(BROKEN, "No module named 'a_module_that_is_not_installed'", id="broken"),
    ],
)
def test_runs_wait_for_a_worker_that_knows_them_and_say_so(
    start_stack: StartStack, tmp_path: Path, code: dict[str, str], words: str
) -> None:
    file = tmp_path / "guests.py"
    file.write_text(CODE.format(**code))
    stack = start_stack(definitions=str(file), settings={**IMPATIENT, "reload": True})
    backfill = stack.submit("guests")
    wait_until(lambda: stack.run_states(backfill), "it to be expanded")

    runs = [stack.run(backfill, partition).id for partition in ("ann", "bob")]
    for run in runs:
        wait_until(lambda run=run: stack.attempts(run) == ["released"], "it to be handed back")
    reasons = stack.rows("SELECT DISTINCT reason FROM attempts")
    assert [words in row.reason for row in reasons] == [True]

    (tmp_path / "deployed").touch()
    os.utime(file)
    assert stack.wait_all_final(backfill) == {"succeeded": 2}
    for run in (stack.run(backfill, partition) for partition in ("ann", "bob")):
        assert (run.failures, run.crashes) == (0, 0)
        assert set(stack.attempts(run.id)) == {"released"}
