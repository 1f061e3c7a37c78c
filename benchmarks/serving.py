"""The API beside a benchmark: its process, a client, and listeners of live events."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import httpx

from benchmarks.harness import Stack, wait_for
from benchmarks.listening import CONNECTED

PREFIX = "/api/v1"


@contextmanager
def api(made: Stack) -> Iterator[httpx.Client]:
    """Run the API and yield a client of it."""
    port = _free_port()
    made.extra |= {"BACKFILL_PORT": str(port), "BACKFILL_HOST": "127.0.0.1"}
    client = httpx.Client(
        base_url=f"http://127.0.0.1:{port}{PREFIX}", trust_env=False, timeout=60.0
    )
    with made.program("api", "-m", "backfill.api") as process, client:

        def answers() -> bool:
            if process.exit_code() is not None:
                raise TimeoutError("The API ended before it answered.")
            return _answers(client)

        wait_for(answers, 60.0, "the API answers", poll=0.05)
        yield client


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/definitions").status_code == 200
    except httpx.TransportError:
        return False


def _free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])


def timed_get(client: httpx.Client, path: str, **params: Any) -> tuple[float, Any]:
    """Return how many seconds a GET took, and its JSON."""
    started = time.perf_counter()
    answer = client.get(path, params=params)
    seconds = time.perf_counter() - started
    answer.raise_for_status()
    return seconds, answer.json()


@contextmanager
def listening(made: Stack, client: httpx.Client) -> Iterator[None]:
    """Have one client drain the live events, as a browser in the background does."""
    with made.program("listener", "-m", "benchmarks.listening", f"{client.base_url}events"):
        log = made.folder / "listener.log"
        wait_for(lambda: log.read_text().endswith(f"{CONNECTED}\n"), 20.0, "live events begin")
        yield


class Listener:
    """One client of the live events, in a thread.

    Args:
        told: Called in that thread with every event's data and when it arrived (time.time()).
    """

    def __init__(
        self, client: httpx.Client, told: Callable[[Any, float], None], **wanted: str
    ) -> None:
        self._url = f"{client.base_url}events"
        self._wanted = wanted
        self._told = told
        self._connected = threading.Event()
        self._stop = threading.Event()
        self._response: httpx.Response | None = None
        self._thread = threading.Thread(target=self._listen, name="listener", daemon=True)

    def __enter__(self) -> Listener:
        self._thread.start()
        if not self._connected.wait(20):
            raise TimeoutError("The live events did not begin within 20 s.")
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()

    def _listen(self) -> None:
        with (
            suppress(httpx.HTTPError, httpx.StreamError),
            httpx.Client(trust_env=False, timeout=None) as http,
            http.stream("GET", self._url, params=self._wanted) as response,
        ):
            for line in response.iter_lines():
                self._connected.set()
                if self._stop.is_set():
                    return
                if line.startswith("data: "):
                    self._told(json.loads(line[6:]), time.time())
