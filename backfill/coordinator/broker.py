"""The broker's side of the coordinator: a doorbell that may be lost, doubled, late or hung.

Messages carry run ids and nothing else. Sending happens in a thread of its own with bounded
timeouts, so that a hung broker keeps the coordinator from nothing but sending.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog
from celery import Celery

from backfill.lifecycle.admission import Message
from backfill.settings import Settings

log = structlog.get_logger(__name__)

TASK = "backfill.run"
URGENT = 100  # runs of this priority and more go before all others in the broker, too


def celery_config(settings: Settings) -> dict[str, Any]:
    """Return the Celery settings that coordinator and workers share.

    Early acknowledgement and no result backend: the database's leases recover what is lost.
    """
    url = settings.effective_broker_url()
    redis = url.startswith(("redis", "rediss", "valkey", "unix"))
    config: dict[str, Any] = {
        "broker_url": url,
        "task_default_queue": settings.default_queue,
        "task_acks_late": False,
        "task_reject_on_worker_lost": False,
        "task_ignore_result": True,
        "result_backend": None,
        "task_serializer": "json",
        "accept_content": ["json"],
        "result_accept_content": ["json"],
        "task_create_missing_queues": True,
        "task_send_sent_event": True,
        "task_publish_retry": False,
        "worker_prefetch_multiplier": 1,
        "worker_enable_prefetch_count_reduction": False,
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "worker_send_task_events": True,
        "worker_proc_alive_timeout": 60.0,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_pool_limit": 16,  # Flower asks eight things at once, over two connections each
    }
    if redis:
        config["worker_disable_prefetch"] = True
        config["broker_transport_options"] = {
            "socket_timeout": 10,
            "socket_connect_timeout": 5,
            "socket_keepalive": True,
            "health_check_interval": 25,
            "visibility_timeout": 3600,
        }
        if url.startswith("redis+socket"):
            # A unix socket has no TCP keep-alive to ask for.
            config["broker_transport_options"].pop("socket_keepalive")
    else:
        config["broker_transport_options"] = {"confirm_publish": True}
        config["task_default_queue_type"] = "quorum"
        config["broker_heartbeat"] = 30
    return config


def publisher_config(settings: Settings) -> dict[str, Any]:
    """Return the settings of who only publishes: a hung RabbitMQ is given up after a while too."""
    config = celery_config(settings)
    if "confirm_publish" in config["broker_transport_options"]:
        config["broker_transport_options"] |= {"read_timeout": 10, "write_timeout": 10}
    return config


@dataclass(frozen=True)
class Failed:
    """Messages that could not be sent, and why."""

    message_ids: Sequence[str]
    why: str


class Gauge:
    """Asks the broker in a thread of its own how deep queues are; a hung one only delays it."""

    def __init__(self, ask: Callable[[str], int | None]) -> None:
        self._ask = ask
        self._wanted: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._asked: set[str] = set()
        self._answers: queue.SimpleQueue[tuple[str, int | None]] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="gauge", daemon=True)
        self._thread.start()

    def measure(self, queue_name: str) -> None:
        """Have a queue's depth measured soon."""
        if queue_name not in self._asked:
            self._asked.add(queue_name)
            self._wanted.put(queue_name)

    def measured(self) -> dict[str, int | None]:
        """Take the depths measured since the last call; None where there was no answer."""
        depths: dict[str, int | None] = {}
        while not self._answers.empty():
            name, depth = self._answers.get()
            depths[name] = depth
        return depths

    def close(self) -> None:
        """Let the thread end when it is free; a hung broker is not waited for."""
        self._wanted.put(None)

    def _work(self) -> None:
        while (name := self._wanted.get()) is not None:
            depth = self._ask(name)
            self._asked.discard(name)
            self._answers.put((name, depth))


class Publisher:
    """Sends messages in a thread of its own; what fails comes back through `failures`."""

    BACKLOG = 64

    def __init__(self, settings: Settings, *, wake: Callable[[], None]) -> None:
        self._app = Celery("backfill-coordinator", set_as_current=False)
        self._app.conf.update(publisher_config(settings))
        self._producer: Any = None
        self._wake = wake
        self._outbox: queue.Queue[Sequence[tuple[Message, str]] | None] = queue.Queue()
        self._failures: queue.SimpleQueue[Failed] = queue.SimpleQueue()
        self.gauge = Gauge(self.depth)
        self._thread = threading.Thread(target=self._work, name="publisher", daemon=True)
        self._thread.start()

    @property
    def congested(self) -> bool:
        """Say whether earlier messages still wait to be sent: admitting more has no use."""
        return self._outbox.qsize() >= self.BACKLOG

    def send(self, messages: Sequence[tuple[Message, str]]) -> None:
        """Send messages soon; each with the name of its pipeline."""
        if messages:
            self._outbox.put(messages)

    def failures(self) -> Iterable[Failed]:
        """Take what could not be sent since the last call."""
        while not self._failures.empty():
            yield self._failures.get()

    def depth(self, queue_name: str) -> int | None:
        """Return how many messages a queue holds, or None when the broker does not answer.

        Waits for the broker up to its timeouts; `gauge` asks without waiting.
        """
        try:
            with self._app.connection_for_read() as connection, connection.channel() as channel:
                declared = channel.queue_declare(queue=queue_name, passive=True)
                return int(declared.message_count)
        except Exception as error:
            if "NOT_FOUND" in str(error) or type(error).__name__ == "ChannelError":
                return 0
            return None

    def close(self) -> None:
        """Send what is waiting, then stop."""
        self.gauge.close()
        self._outbox.put(None)
        self._thread.join(timeout=15)

    def _work(self) -> None:
        while (batch := self._outbox.get()) is not None:
            try:
                self._publish(batch)
            except Exception as error:
                log.warning("broker.unreachable", messages=len(batch), error=str(error)[:200])
                self._failures.put(Failed([m.id for m, _ in batch], str(error)))
                self._disconnect()
                self._wake()

    def _connect(self) -> Any:
        self._producer = self._app.amqp.Producer(self._app.connection_for_write())
        return self._producer

    def _disconnect(self) -> None:
        """Forget the connection; Celery's pools do not survive the loss of a broker."""
        producer, self._producer = self._producer, None
        if producer is not None:
            with suppress(Exception):
                producer.connection.collect()

    def _publish(self, batch: Sequence[tuple[Message, str]]) -> None:
        producer = self._producer or self._connect()
        redis = "confirm_publish" not in self._app.conf.broker_transport_options
        with producer.batch():
            for message, pipeline in batch:
                self._app.send_task(
                    TASK,
                    kwargs={"run_ids": list(message.run_ids)},
                    task_id=message.id,
                    queue=message.queue,
                    producer=producer,
                    argsrepr=f"({pipeline}: {message.label})",
                    kwargsrepr=_kwargsrepr(message.run_ids),
                    ignore_result=True,
                    retry=False,
                    priority=level_of(message.priority, ahead=message.ahead, redis=redis),
                )


def level_of(priority: int, *, ahead: bool = False, redis: bool) -> int:
    """Return the broker's level for a priority: 100 and more, 1 and more, 0, and below.

    On Redis each level is a list of its own and 0 is read first. On RabbitMQ 9 goes first, where
    the queue knows priorities: quorum queues do since 4.0, and tell two levels apart.

    Args:
        ahead: It goes before others of its priority.
    """
    place = 0 if priority >= URGENT else 1 if priority > 0 else 2 if priority == 0 else 3
    place = max(0, place - ahead)
    return 3 * place if redis else 9 - 3 * place


def _kwargsrepr(run_ids: Sequence[int]) -> str:
    shown = ", ".join(map(str, run_ids[:8]))
    more = f", … {len(run_ids)} runs" if len(run_ids) > 8 else ""
    return f"runs {shown}{more}"
