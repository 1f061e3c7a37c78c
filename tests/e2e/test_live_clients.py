"""Fifty listeners beside a real backfill: each sees every run end once, over an API kill."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from backfill.client import Client
from backfill.states import RUN_FINAL
from tests.e2e.conftest import IMPATIENT, ONLY_SQLITE, StartStack
from tests.support.waiting import wait_until

pytestmark = ONLY_SQLITE

CLIENTS = 50
PARTITIONS = 2_000
DEFINITIONS = f"""
from backfill import Partition, PartitionSetDefinition, pipeline, step

@step
def only(context):
    return None

@pipeline
def quick():
    only()

many = PartitionSetDefinition(
    name="many",
    pipeline_name="quick",
    partition_fn=lambda: [Partition(f"p{{n:04}}") for n in range({PARTITIONS})],
)
"""


@dataclass
class Listener:
    """What one client heard: how often each run ended, and whether it was told to start anew."""

    client: Client
    ended: Counter[str] = field(default_factory=Counter)
    ready: bool = False
    resets: int = 0
    failure: BaseException | None = None

    def listen(self, over: threading.Event) -> None:
        try:
            for event in self.client.listen():
                if over.is_set():
                    return
                self.ready = True
                self.resets += event.name == "reset"
                for run in event.moves.runs if event.moves else ():
                    if run.state in RUN_FINAL:
                        self.ended[run.id] += 1
        except BaseException as error:
            self.failure = None if over.is_set() else error


@contextmanager
def listeners(url: str) -> Iterator[list[Listener]]:
    """Listen with many clients, each in a thread and with a connection of its own."""
    over = threading.Event()
    with ExitStack() as cleanup:
        found = [Listener(cleanup.enter_context(Client(url, retries=100))) for _ in range(CLIENTS)]
        threads = [threading.Thread(target=one.listen, args=(over,), daemon=True) for one in found]
        for thread in threads:
            thread.start()
        wait_until(lambda: all(one.ready for one in found), "all listeners to be connected", 60)
        try:
            yield found
        finally:
            over.set()


def test_every_listener_sees_every_run_end_once_also_when_the_api_is_killed(
    start_stack: StartStack, tmp_path: Path
) -> None:
    definitions = tmp_path / "many.py"
    definitions.write_text(DEFINITIONS)
    stack = start_stack(definitions=str(definitions), settings=IMPATIENT, api=True)
    with listeners(stack.settings.api_url) as clients:
        backfill = stack.submit("many")
        wait_until(lambda: len(clients[0].ended) >= PARTITIONS // 10, "the first runs", 60)
        killed = stack.kill("api")
        stack.wait_restarted("api", killed)
        wait_until(lambda: stack.state(backfill) == "succeeded", "the backfill", 60)
        wait_until(
            lambda: all(len(one.ended) >= PARTITIONS or one.failure for one in clients),
            "every listener to have heard of every run",
        )
    assert [one.failure for one in clients if one.failure] == []
    runs = {str(row.id) for row in stack.rows("SELECT id FROM runs")}
    assert len(runs) == PARTITIONS
    for one in clients:
        assert one.ended == Counter(runs)
        assert one.resets == 0
