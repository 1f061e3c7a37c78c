"""Schedules with real processes: started from the command line, ticked once whoever is killed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import IMPATIENT, ONLY_SQLITE, StartStack
from tests.support.stack import Stack
from tests.support.waiting import wait_until

MINUTES = """
from backfill import (
    PartitionSetDefinition, TimeWindowPartitionsDefinition, pipeline, schedule_from_partitions, step
)

@step
def look(context):
    context.log.info(f"looked at {context.partition_key}")

@pipeline
def looking():
    look()

minutes = PartitionSetDefinition(
    "minutes",
    "looking",
    partitions_def=TimeWindowPartitionsDefinition(
        start="2026-01-01-00:00", fmt="%Y-%m-%d-%H:%M", cron_schedule="* * * * *"
    ),
)
minutely = schedule_from_partitions(minutes, name="minutely", catch_up="all")
"""
ONLY_POSTGRES = pytest.mark.parametrize(
    "databases", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True
)


@pytest.fixture
def minutes(tmp_path: Path) -> str:
    file = tmp_path / "minutes.py"
    file.write_text(MINUTES)
    return str(file)


def cli(stack: Stack, *words: str) -> Any:
    """Run `backfill schedules …` and return the JSON it prints."""
    command = [sys.executable, "-m", "backfill.cli", "--url", stack.settings.api_url, "schedules"]
    printed = subprocess.run(
        [*command, *words, "--json"], capture_output=True, text=True, timeout=60, check=False
    )
    assert printed.returncode == 0, printed.stderr
    return json.loads(printed.stdout)


def miss(stack: Stack, minutes: int) -> None:
    """Make the schedule one that was started so many minutes ago and not looked after since."""
    with stack.database.write() as conn:
        conn.execute(
            stack.database.sql("UPDATE schedules SET handled_until = handled_until - :us"),
            {"us": minutes * 60_000_000},
        )


def scheduled(stack: Stack) -> dict[str, list[str]]:
    """Return the states of the runs of every partition that a tick made one for."""
    found: dict[str, list[str]] = {}
    for row in stack.rows("SELECT partition, state FROM runs WHERE tick_id IS NOT NULL"):
        found.setdefault(row.partition, []).append(row.state)
    return found


def wait_ticked(stack: Stack, ticks: int) -> None:
    """Wait until so many partitions ran, each in one run that succeeded."""
    wait_until(
        lambda: (
            len(scheduled(stack)) >= ticks
            and all(states == ["succeeded"] for states in scheduled(stack).values())
        ),
        f"{ticks} ticks: {scheduled(stack)}",
        60,
    )
    wait_until(lambda: not stack.ill(), "a healthy end", 15)


@ONLY_SQLITE
def test_a_schedule_is_started_ticks_and_its_runs_succeed(
    start_stack: StartStack, minutes: str
) -> None:
    stack = start_stack(definitions=minutes, api=True, processes=1, settings=IMPATIENT)
    started = cli(stack, "start", "minutely")
    assert started["state"] == "running"
    assert started["next_ticks"]

    miss(stack, 3)
    wait_ticked(stack, 3)
    with stack.http() as api:
        ticks = api.get("/api/v1/schedules/minutely/ticks").json()["items"]
        assert api.post("/api/v1/schedules/minutely/stop").json()["state"] == "stopped"
    assert {tick["state"] for tick in ticks} == {"success"}
    lines = stack.rows("SELECT message FROM log_lines")
    assert {f"looked at {key}" for key in scheduled(stack)} <= {line.message for line in lines}

    by_hand = cli(stack, "tick", "minutely", "--at", "2026-02-03T04:05+00:00")
    assert by_hand["state"] == "success"
    wait_until(
        lambda: scheduled(stack).get("2026-02-03-04:04") == ["succeeded"], "the run by hand", 30
    )
    assert "schedule.ticked" in stack.log("coordinator")


@ONLY_POSTGRES
def test_ticks_survive_the_leading_coordinator_and_repeat_no_run(
    start_stack: StartStack, minutes: str
) -> None:
    stack = start_stack(
        definitions=minutes, api=True, processes=1, coordinators=2, settings=IMPATIENT
    )
    with stack.http() as api:
        assert api.post("/api/v1/schedules/minutely/start").status_code == 200
        miss(stack, 60)
        wait_until(lambda: len(scheduled(stack)) >= 3, "the first ticks")
        stack.kill(leader(stack))
        wait_until(lambda: len(scheduled(stack)) >= 60, "the other ticks", 60)
        assert api.post("/api/v1/schedules/minutely/stop").status_code == 200
    wait_ticked(stack, 60)
    made = stack.rows("SELECT state FROM ticks WHERE run_ids IS NOT NULL")
    assert {tick.state for tick in made} == {"success"}
    assert len(made) == len(scheduled(stack))


def leader(stack: Stack) -> str:
    """Return the name of the coordinator that leads."""
    (row,) = stack.rows("SELECT holder FROM leaders")
    pid = int(row.holder.split(":")[1])
    return next(name for name in ("coordinator", "coordinator-2") if stack.pid(name) == pid)
