"""The consumer: Celery's own, behind the gate, spared what a doorbell does not need.

On Redis and Valkey messages are taken without acknowledgement: what is lost between the broker and
a claim is published again, so keeping it there until then would buy nothing for two round trips a
message. (RabbitMQ limits what a worker fetches by what it has not acknowledged, so there it does.)
Events for Flower go out together, a few times a second, instead of each in a round trip of its own.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import structlog
from celery.worker.consumer import Consumer

from workers.gate import problem_of

log = structlog.get_logger(__name__)

EVENT_SECONDS = 0.05  # events gather for so long, and for so many
EVENT_LIMIT = 200
GARBAGE = (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError)


class BackfillConsumer(Consumer):  # type: ignore[misc]
    """Celery's consumer of one worker's messages."""

    _flush_due = 0.0

    def create_task_handler(self, *args: Any, **kwargs: Any) -> Callable[[Any], Any]:
        """Return what is called with every message; the connection is new each time."""
        if self.connection.transport.driver_type == "redis":
            _take_for_good(self.task_consumer)
        if self.event_dispatcher is not None:
            self.event_dispatcher.buffer_limit = EVENT_LIMIT
        handle: Callable[[Any], Any] = super().create_task_handler(*args, **kwargs)

        def on_message(message: Any) -> Any:
            problem = problem_of(message)
            if problem is None:
                return handle(message)
            log.warning("message.refused", problem=problem)
            message.reject_log_error(logging.getLogger(__name__), self.connection_errors)
            return None

        return on_message

    def on_send_event_buffered(self) -> None:
        """Have events flushed soon, unless they are going to be already."""
        now = time.monotonic()
        if self.hub and now >= self._flush_due:
            self._flush_due = now + EVENT_SECONDS
            self.hub.call_later(EVENT_SECONDS, self._flush_events)

    def shutdown(self) -> None:
        """Send the last events, then end."""
        with suppress(Exception):  # a broker that is gone must not keep a worker from ending
            self._flush_events()
        super().shutdown()


def _take_for_good(task_consumer: Any) -> None:
    """Consume without acknowledgement, and throw away what is no message at all.

    On Redis a queue is a list that anybody with a connection can push to. What Kombu cannot take
    apart ends the worker, or its connection with what it had fetched and not begun.
    """
    channel = task_consumer.channel
    task_consumer.no_ack = True
    channel.basic_ack = channel.basic_reject = _gone_already
    read = channel.handlers["BRPOP"]

    def read_or_refuse(**options: Any) -> Any:
        try:
            return read(**options)
        except GARBAGE as error:
            log.warning("message.refused", problem=f"it is no message: {error!r}"[:200])
            return True

    channel.handlers["BRPOP"] = read_or_refuse


def _gone_already(delivery_tag: object, **_: object) -> None:
    """Do nothing: a message is acknowledged or refused whether the broker still has it or not."""
