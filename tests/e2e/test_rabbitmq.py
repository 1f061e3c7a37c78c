"""The same house on RabbitMQ, where the machine has one."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery

from backfill.coordinator.broker import TASK, Publisher, celery_config
from tests.e2e.conftest import IMPATIENT, ONLY_SQLITE, PIPELINES, StartStack
from tests.support.freezing import frozen
from tests.support.rabbitmq import RabbitMQ
from tests.support.stack import Stack
from tests.support.waiting import descendants, wait_until

pytestmark = [pytest.mark.rabbitmq, ONLY_SQLITE]


@pytest.fixture(scope="module")
def rabbitmq() -> Iterator[RabbitMQ]:
    with (
        tempfile.TemporaryDirectory(prefix="backfill-", ignore_cleanup_errors=True) as folder,
        RabbitMQ(Path(folder)) as server,
    ):
        yield server


@pytest.fixture
def stack(start_stack: StartStack, rabbitmq: RabbitMQ) -> Stack:
    settings = {**IMPATIENT, "broker_url": rabbitmq.url}
    return start_stack(definitions=PIPELINES, settings=settings, nodes=2, processes=1)


def test_a_backfill_runs_and_survives_the_loss_of_the_server_and_its_data(
    stack: Stack, rabbitmq: RabbitMQ
) -> None:
    quick = stack.submit("mines", "[p00...p39]")
    assert stack.wait_all_final(quick) == {"succeeded": 40}
    workers = [stack.pid(name) for name in ("worker-1", "worker-2")]

    backfill = stack.submit("waiters")
    for partition in ("p00", "p01"):
        stack.marks.wait("waiting", backfill, partition)
    wait_until(lambda: stack.run_states(backfill).get("queued"), "more runs to be queued")
    rabbitmq.kill(forget=True)
    stack.marks.allow(backfill)
    wait_until(lambda: stack.run_states(backfill).get("succeeded") == 2, "steps to be recorded")
    rabbitmq.start()

    assert stack.wait_all_final(backfill) == {"succeeded": 20}
    attempts = stack.rows("SELECT DISTINCT attempt FROM runs WHERE backfill_id = :id", id=backfill)
    assert [row.attempt for row in attempts] == [1]
    assert [stack.pid(name) for name in ("worker-1", "worker-2")] == workers


def test_a_hung_server_only_delays(stack: Stack, rabbitmq: RabbitMQ) -> None:
    first = stack.submit("choices", "p00")
    assert stack.wait_all_final(first) == {"succeeded": 1}
    with frozen(descendants(rabbitmq.pid)):
        backfill = stack.submit("choices", "p01,p02")
        wait_until(
            lambda: "broker.unreachable" in stack.log("coordinator"), "the publisher to give up"
        )
        later = stack.submit("choices", "p04")
        wait_until(lambda: stack.run_states(later), "it to be expanded")
    assert stack.wait_final(later) == "succeeded"
    assert stack.wait_all_final(backfill) == {"succeeded": 2}


def test_forged_messages_and_pauses_do_no_harm(stack: Stack) -> None:
    backfill = stack.submit("waiters")
    for partition in ("p00", "p01"):
        stack.marks.wait("waiting", backfill, partition)
    wait_until(lambda: stack.run_states(backfill).get("queued"), "more runs to be queued")
    stack.pause(backfill)
    ids = [row.id for row in stack.rows("SELECT id FROM runs ORDER BY id")]
    app = Celery("a-forger", set_as_current=False)
    app.conf.update(celery_config(stack.settings))
    queue = stack.settings.default_queue
    app.send_task(TASK, kwargs={"run_ids": ids}, queue=queue)
    app.send_task(TASK, kwargs={"run_ids": "all"}, queue=queue)
    app.send_task("os.system", args=["true"], queue=queue)
    app.close()
    stack.marks.allow(backfill)
    wait_until(lambda: stack.run_states(backfill) == {"succeeded": 2, "pending": 18}, "the pause")
    wait_until(lambda: depth(stack) == 0, "the queue to be empty")
    assert stack.run_states(backfill) == {"succeeded": 2, "pending": 18}

    stack.resume(backfill)
    assert stack.wait_all_final(backfill) == {"succeeded": 20}


def depth(stack: Stack) -> int | None:
    publisher = Publisher(stack.settings, wake=lambda: None)
    try:
        return publisher.depth(stack.settings.default_queue)
    finally:
        publisher.close()
