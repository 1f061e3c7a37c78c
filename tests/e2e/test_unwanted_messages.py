"""Whatever arrives in the queue: only what is queued runs, and the workers stay alive."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from typing import Any

import pytest
from celery import Celery
from kombu import Connection, Producer

from backfill.coordinator.broker import TASK, Publisher, celery_config
from tests.support.stack import Stack
from tests.support.waiting import wait_until

HUGE = "9" * 5000


@pytest.fixture
def sender(stack: Stack) -> Iterator[Celery]:
    """A Celery application of somebody who can write to the broker."""
    app = Celery("a-forger", set_as_current=False)
    app.conf.update(celery_config(stack.settings))
    yield app
    app.close()


@pytest.fixture
def connection(stack: Stack) -> Iterator[Connection]:
    """A connection to the broker for what Celery itself would not send."""
    with Connection(stack.settings.effective_broker_url()) as opened:
        yield opened


def workers_of(stack: Stack) -> list[int]:
    return [stack.pid(name) for name in ("worker-1", "worker-2")]


def assert_still_works(stack: Stack, workers: list[int]) -> None:
    """Both workers live, and take work as if nothing had been sent."""
    wait_until(lambda: depth(stack) == 0, "the queue to be empty")
    after = stack.submit("waiters", "p18,p19")
    marks = [stack.marks.wait("waiting", after, p) for p in ("p18", "p19")]
    assert len({mark.pid for mark in marks}) == 2
    stack.marks.allow(after)
    assert stack.wait_all_final(after) == {"succeeded": 2}
    assert workers_of(stack) == workers


def depth(stack: Stack) -> int | None:
    publisher = Publisher(stack.settings, wake=lambda: None)
    try:
        return publisher.depth(stack.settings.default_queue)
    finally:
        publisher.close()


def test_runs_named_by_doubled_late_and_forged_messages_do_not_run(
    stack: Stack, sender: Celery
) -> None:
    workers = workers_of(stack)
    done = stack.submit("waiters", "p00,p01")
    stack.marks.allow(done)
    assert stack.wait_all_final(done) == {"succeeded": 2}
    busy = stack.submit("waiters", "p02,p03")
    for partition in ("p02", "p03"):
        stack.marks.wait("waiting", busy, partition)
    canceled = stack.submit("waiters", "p04,p05")
    wait_until(lambda: stack.run_states(canceled) == {"queued": 2}, "two runs to be queued")
    stack.cancel(canceled)
    paused = stack.submit("waiters", "p06,p07")
    wait_until(lambda: stack.run_states(paused) == {"queued": 2}, "two more to be queued")
    stack.pause(paused)

    rows = stack.rows("SELECT id, state, attempt FROM runs ORDER BY id")
    ids = [row.id for row in rows]
    for run_ids in (ids, [*ids, *ids], ids[::-1], [ids[0]] * 500):
        sender.send_task(TASK, kwargs={"run_ids": run_ids}, queue=stack.settings.default_queue)
    stack.marks.allow(busy)
    assert stack.wait_final(busy) == "succeeded"
    wait_until(lambda: depth(stack) == 0, "the messages to be taken")

    assert stack.run_states(paused) == {"pending": 2}
    stack.resume(paused)
    stack.marks.allow(paused)
    assert stack.wait_all_final(paused) == {"succeeded": 2}
    assert stack.run_states(done) == {"succeeded": 2}
    assert stack.run_states(canceled) == {"canceled": 2}
    for backfill, partition in ((done, "p00"), (busy, "p02"), (paused, "p06")):
        assert len(stack.marks.of("waiting", backfill, partition)) == 1
        assert stack.run(backfill, partition).attempt == 1
    assert stack.marks.of("waiting", canceled, "p04") == []
    assert_still_works(stack, workers)


MALFORMED: list[dict[str, Any]] = [
    {"kwargs": {"run_ids": "1"}},
    {"kwargs": {"run_ids": [True, 1]}},
    {"kwargs": {"run_ids": [-1, 0]}},
    {"kwargs": {"run_ids": [2**63]}},
    {"kwargs": {"run_ids": [1.5, None]}},
    {"kwargs": {"run_ids": [[1], {"id": 1}]}},
    {"kwargs": {"run_ids": {"1": 1}}},
    {"kwargs": {"run_ids": list(range(1, 20_000))}},
    {"kwargs": {"run_ids": []}},
    {"kwargs": {"run_ids": [1], "pipeline": "os.system"}},
    {"kwargs": {}},
    {"args": ["; DROP TABLE runs; --"]},
    {"args": [[1], [2], [3]]},
]


def test_malformed_messages_break_nothing(stack: Stack, sender: Celery) -> None:
    workers = workers_of(stack)
    for message in MALFORMED:
        sender.send_task(TASK, queue=stack.settings.default_queue, **message)
    sender.send_task("os.system", args=["true"], queue=stack.settings.default_queue)
    assert_still_works(stack, workers)


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (self.path, "w")


def test_foreign_content_is_refused_unread(
    stack: Stack, connection: Connection, tmp_path_factory: pytest.TempPathFactory
) -> None:
    workers = workers_of(stack)
    sprung = tmp_path_factory.mktemp("trap") / "sprung"
    payload = pickle.dumps(([], {"run_ids": Trap(str(sprung))}, {}))
    headers = {"lang": "py", "task": TASK, "id": "forged", "root_id": "forged"}
    bodies: list[tuple[bytes | str, str, str, dict[str, Any]]] = [
        (payload, "application/x-python-serialize", "binary", headers),
        (payload, "application/data", "binary", headers),
        ("!!python/object/apply:os.system ['true']", "application/x-yaml", "utf-8", headers),
        ("{not json", "application/json", "utf-8", headers),
        ("\xff\xfe", "application/json", "latin-1", headers),
        ("[" * 100_000, "application/json", "utf-8", headers),
        (f'[[], {{"run_ids": [{HUGE}]}}, {{}}]', "application/json", "utf-8", headers),
        ("null", "application/json", "utf-8", headers),
        ('"text"', "application/json", "utf-8", headers),
        ("[]", "application/json", "utf-8", {}),
        (json.dumps([[[1]], {}, {}]), "application/json", "utf-8", {"task": TASK}),
        (json.dumps({"task": TASK, "id": "old", "args": [[1]]}), "application/json", "utf-8", {}),
        ("", "", "", {}),
        ("[[], {}, {}]", "application/json", "utf-8", {"task": ["a", "list"], "id": "forged"}),
        ("[[], {}, {}]", "application/json", "utf-8", {**headers, "eta": "never"}),
        ("[[], {}, {}]", "application/json", "utf-8", {**headers, "timelimit": ["a", "b"]}),
        ("[[], {}, {}]", "application/json", "utf-8", {**headers, "task": "celery.map"}),
    ]
    producer = Producer(connection.default_channel)
    for body, content_type, encoding, given in bodies:
        producer.publish(
            body,
            routing_key=stack.settings.default_queue,
            content_type=content_type,
            content_encoding=encoding,
            headers=given,
            correlation_id="forged",
        )
    assert_still_works(stack, workers)
    assert not sprung.exists(), "nothing was unpickled"


GARBAGE = [
    b"\x00\xff",
    b"{}",
    b"[1, 2]",
    b"null",
    b"[" * 100_000,
    b'{"body": "", "properties": {}}',
    b'{"body": "", "properties": {"delivery_tag": []}}',
    b'{"body": "", "properties": {"delivery_tag": "a"}}',
    b'{"body": "%%%", "properties": {"delivery_tag": "b", "body_encoding": "base64"}}',
    b'{"body": 1, "properties": {"delivery_tag": "c", "delivery_info": {}}}',
    b'{"headers": [], "body": "x", "properties": {"delivery_tag": "d", "delivery_info": '
    b'{"exchange": "", "routing_key": ""}}}',
]


def test_what_is_no_message_at_all_is_thrown_away(stack: Stack, connection: Connection) -> None:
    workers = workers_of(stack)
    client = connection.default_channel.client
    for _ in range(3):
        for garbage in GARBAGE:
            client.lpush(stack.settings.default_queue, garbage)
    assert_still_works(stack, workers)
