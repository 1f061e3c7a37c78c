"""The publisher and its broker: messages arrive, failures come back, nobody else waits."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kombu import Connection

from backfill.coordinator.broker import TASK, Publisher, celery_config, publisher_config
from backfill.embedded.broker import EmbeddedBroker
from backfill.lifecycle.admission import Message, new_message_id
from backfill.settings import Settings
from tests.support.freezing import frozen
from tests.support.waiting import wait_until
from workers.gate import problem_of

QUEUE = "backfill"


def message(*run_ids: int, label: str = "mon", queue: str = QUEUE) -> Message:
    return Message(
        id=new_message_id(), queue=queue, pipeline_id=1, run_ids=run_ids or (1,), label=label
    )


class Waker:
    """Counts how often it was asked to wake the coordinator."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> None:
        self.times += 1


@pytest.fixture
def settings(broker_url: str) -> Settings:
    return Settings(broker_url=broker_url)


@pytest.fixture
def waker() -> Waker:
    return Waker()


@pytest.fixture
def publisher(settings: Settings, waker: Waker) -> Iterator[Publisher]:
    opened = Publisher(settings, wake=waker)
    yield opened
    opened.close()


@pytest.fixture
def own_broker() -> Iterator[EmbeddedBroker]:
    """A broker that a test may break."""
    with (
        tempfile.TemporaryDirectory(prefix="backfill-", ignore_cleanup_errors=True) as folder,
        EmbeddedBroker(Path(folder)) as server,
    ):
        yield server


def taken(url: str, count: int, queue: str = QUEUE) -> list[Any]:
    """Take messages from a queue."""
    with Connection(url) as connection:
        channel = connection.default_channel
        found = []
        for _ in range(count):
            got = wait_until(lambda: channel.basic_get(queue, no_ack=True), "a message")
            found.append(got)
        assert channel.basic_get(queue, no_ack=True) is None
        return found


def test_a_batch_arrives_with_ids_runs_and_words_for_flower(
    publisher: Publisher, settings: Settings
) -> None:
    one, two = message(7, label="2020-05-01"), message(8, 9, label="2020-05-02 … 2020-05-03")
    publisher.send([(one, "my_data_pipeline"), (two, "my_data_pipeline")])

    first, second = taken(settings.broker_url, 2)
    assert [m.headers["id"] for m in (first, second)] == [one.id, two.id]
    assert {m.headers["task"] for m in (first, second)} == {TASK}
    assert first.headers["argsrepr"] == "(my_data_pipeline: 2020-05-01)"
    assert second.headers["kwargsrepr"] == "runs 8, 9"
    assert json.loads(second.body)[1] == {"run_ids": [8, 9]}
    assert first.content_type == "application/json"
    assert [problem_of(m) for m in (first, second)] == [None, None], "workers let it in"
    assert first.headers["expires"] is None
    assert first.headers["eta"] is None


def test_long_messages_name_some_of_their_runs(publisher: Publisher, settings: Settings) -> None:
    publisher.send([(message(*range(1, 101)), "tiny")])
    (got,) = taken(settings.broker_url, 1)
    assert got.headers["kwargsrepr"] == "runs 1, 2, 3, 4, 5, 6, 7, 8, … 100 runs"


def test_messages_go_to_their_queues_and_depths_are_those_of_each(
    publisher: Publisher, settings: Settings
) -> None:
    assert publisher.depth(QUEUE) == 0
    publisher.send([(message(), "p"), (message(), "p"), (message(queue="gpu"), "p")])
    wait_until(lambda: publisher.depth(QUEUE) == 2, "two messages")
    assert publisher.depth("gpu") == 1
    assert publisher.depth("nobody") == 0
    taken(settings.broker_url, 2)
    assert publisher.depth(QUEUE) == 0


def test_the_gauge_answers_at_a_later_call(publisher: Publisher) -> None:
    assert publisher.gauge.measured() == {}
    publisher.gauge.measure(QUEUE)
    publisher.gauge.measure(QUEUE)
    assert wait_until(publisher.gauge.measured, "an answer") == {QUEUE: 0}
    assert publisher.gauge.measured() == {}


def test_nothing_fails_and_nobody_is_woken_while_all_goes_well(
    publisher: Publisher, waker: Waker, settings: Settings
) -> None:
    publisher.send([])
    publisher.send([(message(), "p")])
    taken(settings.broker_url, 1)
    assert list(publisher.failures()) == []
    assert waker.times == 0
    assert not publisher.congested


def test_messages_for_a_broker_that_is_gone_come_back_and_later_ones_arrive(
    own_broker: EmbeddedBroker, waker: Waker
) -> None:
    publisher = Publisher(Settings(broker_url=own_broker.url()), wake=waker)
    publisher.send([(message(1), "p")])
    taken(own_broker.url(), 1)

    own_broker.close()
    lost = [message(2), message(3)]
    publisher.send([(m, "p") for m in lost])
    failed = wait_until(lambda: list(publisher.failures()), "the failure to come back")
    assert [list(f.message_ids) for f in failed] == [[m.id for m in lost]]
    assert failed[0].why
    assert waker.times == 1
    assert publisher.depth(QUEUE) is None

    own_broker.__enter__()
    publisher.send([(message(4), "p")])
    (got,) = taken(own_broker.url(), 1)
    assert json.loads(got.body)[1] == {"run_ids": [4]}
    assert list(publisher.failures()) == []
    publisher.close()


def test_a_broker_that_hangs_is_given_up_and_taken_up_again(
    own_broker: EmbeddedBroker, waker: Waker
) -> None:
    publisher = Publisher(Settings(broker_url=own_broker.url()), wake=waker)
    publisher.send([(message(1), "p")])
    taken(own_broker.url(), 1)

    with frozen([own_broker.pid]):
        hung = message(2)
        publisher.send([(hung, "p")])
        publisher.gauge.measure(QUEUE)
        assert publisher.gauge.measured() == {}, "asking does not wait"
        failed = wait_until(lambda: list(publisher.failures()), "the publisher to give up")
        assert [list(f.message_ids) for f in failed] == [[hung.id]]
        assert wait_until(publisher.gauge.measured, "the gauge to give up") == {QUEUE: None}

    later = message(3)
    publisher.send([(later, "p")])
    wait_until(lambda: publisher.depth(QUEUE), "messages to arrive")
    with Connection(own_broker.url()) as connection:
        ids = set()
        while got := connection.default_channel.basic_get(QUEUE, no_ack=True):
            ids.add(got.headers["id"])
    assert later.id in ids
    assert ids <= {hung.id, later.id}
    publisher.close()


def test_too_much_that_waits_to_be_sent_is_congestion(
    own_broker: EmbeddedBroker, waker: Waker
) -> None:
    publisher = Publisher(Settings(broker_url=own_broker.url()), wake=waker)
    with frozen([own_broker.pid]):
        for number in range(1, Publisher.BACKLOG + 3):
            publisher.send([(message(number), "p")])
        assert publisher.congested
    wait_until(lambda: not publisher.congested, "the backlog to be sent")
    publisher.close()


# -- settings of Celery ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "redis://localhost:6379/0",
        "rediss://user:secret@redis.example:6380/1",
        "redis+socket:///run/broker.sock",
        "valkey://localhost:6379/0",
        "amqp://guest:guest@localhost:5672//",
    ],
)
def test_every_broker_is_only_a_doorbell(url: str) -> None:
    config = celery_config(Settings(broker_url=url))
    assert config["task_acks_late"] is False
    assert config["task_reject_on_worker_lost"] is False
    assert config["result_backend"] is None
    assert config["accept_content"] == ["json"]
    assert config["broker_connection_max_retries"] is None
    assert config["worker_cancel_long_running_tasks_on_connection_loss"] is False


def test_redis_is_given_up_when_it_hangs_and_keeps_nothing_unacknowledged() -> None:
    config = celery_config(Settings(broker_url="redis://localhost:6379/0"))
    options = config["broker_transport_options"]
    assert options["socket_timeout"] <= 10
    assert options["socket_connect_timeout"] <= 10
    assert options["socket_keepalive"] is True
    assert config["worker_disable_prefetch"] is True, "Celery 5.7 ends on Redis loss otherwise"


def test_a_unix_socket_is_not_asked_for_keep_alive() -> None:
    config = celery_config(Settings(broker_url="redis+socket:///run/broker.sock"))
    assert "socket_keepalive" not in config["broker_transport_options"]


def test_rabbitmq_confirms_what_is_published_in_quorum_queues() -> None:
    settings = Settings(broker_url="amqp://guest:guest@localhost:5672//")
    config = celery_config(settings)
    assert config["broker_transport_options"] == {"confirm_publish": True}
    assert config["task_default_queue_type"] == "quorum"
    assert "worker_disable_prefetch" not in config
    publishing = publisher_config(settings)["broker_transport_options"]
    assert (publishing["read_timeout"], publishing["write_timeout"]) == (10, 10)
    assert publisher_config(Settings(broker_url="redis://localhost/0")) == celery_config(
        Settings(broker_url="redis://localhost/0")
    )
