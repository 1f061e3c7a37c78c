"""Flower beside the house: it names workers and runs, and its revokes cancel runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.e2e.conftest import IMPATIENT, ONLY_SQLITE, PIPELINES, StartStack
from tests.support.stack import Stack
from tests.support.waiting import wait_until

pytestmark = ONLY_SQLITE


@pytest.fixture
def watched(start_stack: StartStack) -> Stack:
    """A worker of two processes, and Flower."""
    settings = {**IMPATIENT, "pack_seconds": 0.0}
    return start_stack(definitions=PIPELINES, settings=settings, flower=True)


@pytest.fixture
def flower(watched: Stack) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=watched.flower_url, trust_env=False, timeout=10) as client:
        wait_until(lambda: answers(client), "Flower", 60)  # the house does not wait for it
        yield client


def answers(flower: httpx.Client) -> bool:
    try:
        return bool(flower.get("/api/workers").json())
    except (httpx.HTTPError, ValueError):
        return False


def task_of(flower: httpx.Client, message_id: str) -> dict[str, Any] | None:
    answer = flower.get(f"/api/task/info/{message_id}")
    return answer.json() if answer.is_success else None


def test_flower_lists_workers_and_tasks_by_pipeline_and_partition(
    watched: Stack, flower: httpx.Client
) -> None:
    names = list(flower.get("/api/workers").json())
    assert [name.partition("@")[0] for name in names] == ["worker-1"]

    backfill = watched.submit("choices")
    assert watched.wait_final(backfill) == "failed"
    run = watched.run(backfill, "p01")
    task = wait_until(lambda: task_of(flower, run.message_id), "Flower to hear of the run")
    assert task["name"] == "backfill.run"
    assert (task["args"], task["kwargs"]) == ("(choosy: p01)", f"runs {run.id}")
    state = wait_until(
        lambda: found if (found := task_of(flower, run.message_id)["state"]) == "SUCCESS" else None,
        "the task to end",
    )
    assert state == "SUCCESS"
    assert "choosy: p01" in flower.get("/api/tasks").text
    assert flower.get("/tasks").is_success


def test_revoking_a_message_cancels_the_run_it_carries_whether_it_waits_or_runs(
    watched: Stack, flower: httpx.Client
) -> None:
    backfill = watched.submit("waiters", "p00,p01,p02,p03")
    for partition in ("p00", "p01"):
        watched.marks.wait("waiting", backfill, partition)
    wait_until(lambda: watched.run_states(backfill).get("queued") == 2, "two more to be queued")
    runs = {p: watched.run(backfill, p) for p in ("p00", "p01", "p02", "p03")}

    def revoke(partition: str, **params: str) -> None:
        message = runs[partition].message_id
        wait_until(lambda: task_of(flower, message), "Flower to hear of the run")
        answer = flower.post(f"/api/task/revoke/{message}", params=params)
        assert answer.is_success, answer.text

    revoke("p02")
    wait_until(lambda: watched.run(backfill, "p02").state == "canceled", "a queued one to end")
    revoke("p00", terminate="true", signal="SIGTERM")
    wait_until(lambda: watched.run(backfill, "p00").state == "canceled", "a running one to end")
    revoke("p01")
    wait_until(lambda: watched.run(backfill, "p01").state == "canceled", "another one to end")

    watched.marks.allow(backfill)
    assert watched.wait_all_final(backfill) == {"canceled": 3, "succeeded": 1}
    assert watched.run(backfill, "p03").state == "succeeded"
    assert "revoked" in watched.run(backfill, "p00").reason
    assert len(watched.marks.of("waiting", backfill, "p00")) == 1, "it was not handed to another"
