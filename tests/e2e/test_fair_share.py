"""Fair share with real workers: a huge backfill starves neither small ones nor a schedule's run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.conftest import IMPATIENT, StartStack
from tests.support.stack import Stack
from tests.support.waiting import wait_until

DEFINITIONS = """
from backfill import PartitionSetDefinition, TimeWindowPartitionsDefinition, pipeline, step
from backfill import schedule_from_partitions

@step
def work():
    return sum(n * n for n in range(100_000))  # some milliseconds

@pipeline
def working():
    work()

huge = PartitionSetDefinition("huge", "working", lambda: [f"h{n:05}" for n in range(10_000)])
small = PartitionSetDefinition("small", "working", lambda: [f"s{n:03}" for n in range(100)])
single = PartitionSetDefinition("single", "working", lambda: ["only"])
hours = PartitionSetDefinition(
    "hours",
    "working",
    partitions_def=TimeWindowPartitionsDefinition(
        start="2026-01-01-00:00", fmt="%Y-%m-%d-%H:%M", cron_schedule="0 * * * *"
    ),
)
hourly = schedule_from_partitions(hours, name="hourly")
"""


@pytest.fixture
def stack(start_stack: StartStack, tmp_path: Path) -> Stack:
    file = tmp_path / "shares.py"
    file.write_text(DEFINITIONS)
    return start_stack(definitions=str(file), processes=2, api=True, settings=IMPATIENT)


def test_small_backfills_and_a_tick_end_while_a_huge_one_has_hardly_begun(stack: Stack) -> None:
    huge = stack.submit("huge")
    stack.wait_succeeded_runs(huge, 20)
    small, single = stack.submit("small"), stack.submit("single")
    (tick,) = ticked(stack)

    def ended() -> bool:
        states = stack.rows(
            "SELECT state, count(*) AS n FROM runs WHERE backfill_id IN (:small, :single) "
            "OR id = :tick GROUP BY state",
            small=small,
            single=single,
            tick=tick,
        )
        return {row.state: row.n for row in states} == {"succeeded": 102}

    wait_until(ended, "the small ones and the tick to end", 60)
    done = stack.run_states(huge).get("succeeded", 0)
    assert done < 1_000, f"{done} of 10,000 were done first"
    stack.cancel(huge)
    wait_until(lambda: stack.state(huge) == "canceled", "the huge one to be given up", 30)
    assert stack.ill() == []


def ticked(stack: Stack) -> list[int]:
    """Tick the schedule by hand; return the runs it made."""
    with stack.http() as api:
        told = api.post("/api/v1/schedules/hourly/tick").raise_for_status().json()
    return [int(run) for run in told["run_ids"]]
