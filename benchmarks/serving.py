"""The API beside a benchmark: its process, a client, and listeners of live events."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPResponse
from typing import Any
from urllib.parse import urlencode

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


class Asker:
    """Asks one question of the API after another, over one connection, as a browser does.

    What is timed ends with the last byte: it has none of the time that `httpx` takes.
    """

    def __init__(self, client: httpx.Client) -> None:
        self._base = client.base_url
        self._connection = HTTPConnection(self._base.host, self._base.port, timeout=60.0)

    def get(self, path: str, **params: Any) -> tuple[float, Any]:
        """Return how many seconds a GET took, and its JSON."""
        address = f"{self._base.path.rstrip('/')}{path}?{urlencode(params)}"
        try:
            seconds, answer, body = self._ask(address)
        except ConnectionError:  # the API has closed what was not used for a while
            self._connection.close()
            seconds, answer, body = self._ask(address)
        if answer.getheader("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        if answer.status != 200:
            raise AssertionError(f"{address} answered {answer.status}: {body[:1000]!r}")
        return seconds, json.loads(body)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _ask(self, address: str) -> tuple[float, HTTPResponse, bytes]:
        started = time.perf_counter()
        self._connection.request("GET", address, headers={"Accept-Encoding": "gzip"})
        answer = self._connection.getresponse()
        body = answer.read()
        return time.perf_counter() - started, answer, body


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
