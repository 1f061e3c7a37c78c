"""The broker is a doorbell: hung, gone or empty, it delays and loses nothing."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from kombu import Connection

from backfill.embedded.broker import EmbeddedBroker
from tests.e2e.conftest import IMPATIENT, ONLY_SQLITE, PIPELINES, StartStack
from tests.support.freezing import frozen
from tests.support.stack import Stack
from tests.support.waiting import wait_until


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    """A broker that a test may stop and start."""
    with tempfile.TemporaryDirectory(prefix="backfill-") as folder:
        server = EmbeddedBroker(Path(folder))
        with server:
            yield server


@pytest.fixture
def own(start_stack: StartStack) -> Iterator[Stack]:
    """A stack whose broker a test may break."""
    return start_stack(definitions=PIPELINES, settings=IMPATIENT, nodes=2, processes=1)


@ONLY_SQLITE
def test_a_hung_broker_keeps_nobody_from_recording_reaping_and_settling(own: Stack) -> None:
    short, long = own.submit("waiters", "p00"), own.submit("waiters", "p01")
    settled_in_time = own.marks.wait("waiting", short, "p00")
    lost_meanwhile = own.marks.wait("waiting", long, "p01")
    assert settled_in_time.pid != lost_meanwhile.pid
    waiting = own.submit("choices", "p00,p01")
    wait_until(lambda: own.run_states(waiting) == {"queued": 2}, "two runs to be queued")

    with frozen([own.pid("broker")]):
        own.kill(own.worker_of(lost_meanwhile.run_id))
        own.marks.allow(short)
        assert own.wait_final(short, 20) == "succeeded"
        wait_until(lambda: own.attempts(lost_meanwhile.run_id) == ["lost"], "the lease to end", 20)
        wait_until(
            lambda: "broker.unreachable" in own.log("coordinator"), "the publisher to give up"
        )
        later = own.submit("choices", "p02")
        wait_until(lambda: own.run_states(later), "a new backfill to be expanded")
        assert own.run_states(waiting) == {"queued": 2}

    own.marks.allow(long)
    for backfill, runs in ((waiting, 2), (long, 1), (later, 1)):
        assert own.wait_final(backfill) == "succeeded"
        assert own.run_states(backfill) == {"succeeded": runs}
    assert own.ill() == []


@ONLY_SQLITE
def test_steps_finish_and_are_recorded_while_the_broker_is_gone(
    start_stack: StartStack, broker: EmbeddedBroker
) -> None:
    settings = {**IMPATIENT, "broker_url": broker.url()}
    own = start_stack(definitions=PIPELINES, settings=settings, nodes=2, processes=1)
    backfill = own.submit("waiters", "p00,p01,p02,p03")
    marks = [own.marks.wait("waiting", backfill, p) for p in ("p00", "p01")]
    workers = [own.pid(name) for name in ("worker-1", "worker-2")]

    os.kill(broker.pid, signal.SIGKILL)
    broker.close()
    shutil.rmtree(broker.folder / "appendonlydir")
    own.marks.allow(backfill)
    wait_until(lambda: own.run_states(backfill).get("succeeded") == 2, "the running ones to finish")
    later = own.submit("choices", "p00,p01")
    wait_until(lambda: own.run_states(later).get("queued"), "more runs to be queued")
    assert own.run_states(backfill)["succeeded"] == 2
    broker.__enter__()

    assert own.wait_final(later) == "succeeded"
    assert own.wait_all_final(backfill) == {"succeeded": 4}
    assert [own.run(backfill, p).attempt for p in ("p00", "p01")] == [1, 1]
    assert {own.run(backfill, p).id for p in ("p00", "p01")} == {mark.run_id for mark in marks}
    assert [own.pid(name) for name in ("worker-1", "worker-2")] == workers, "the workers live on"


def commands_of(stack: Stack) -> dict[str, int]:
    """How often the broker was asked for what, by command."""
    with Connection(stack.settings.effective_broker_url()) as connection:
        told = connection.default_channel.client.info("commandstats")
    return {name.removeprefix("cmdstat_"): facts["calls"] for name, facts in told.items()}


@ONLY_SQLITE
def test_a_message_costs_the_broker_one_push_and_one_pop(own: Stack) -> None:
    done = own.submit("choices", "p00,p01,p02")
    assert own.wait_final(done) == "succeeded"
    messages = own.rows("SELECT DISTINCT message_id FROM runs")
    asked = commands_of(own)
    assert asked["lpush"] <= 2 * len(messages), "each is pushed once, or again if it was late"
    assert "hset" not in asked, "the broker keeps no list of who has what"
