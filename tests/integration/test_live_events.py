"""Live events: every move reaches every client that asked, once, also over a reconnect."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from backfill.api.app import create_app
from backfill.api.live import reader
from backfill.client import Client
from backfill.execution.outcomes import LogLine, StepOutcome
from backfill.lifecycle import access
from backfill.lifecycle.moves import Report
from backfill.roles import Role
from backfill.schemas.live import LiveEvent
from backfill.states import StepState
from backfill.storage.database import Database
from tests.support.house import DEFINITIONS, NOON, House
from tests.support.loading import loaded
from tests.support.ports import free_port
from tests.support.serving import serving
from tests.support.waiting import wait_until


@pytest.fixture
def house(database: Database, tmp_path: Path) -> Iterator[House]:
    with loaded(DEFINITIONS, tmp_path) as definitions:
        yield House(database, definitions)


def _app(house: House) -> FastAPI:
    return create_app(house.settings, house.db, house.definitions, clock=lambda: NOON)


@pytest.fixture
def app(house: House) -> FastAPI:
    return _app(house)


@pytest.fixture
def url(app: FastAPI) -> Iterator[str]:
    with serving(app) as url:
        wait_until(lambda: app.state.context.hub.place is not None, "the reader to begin")
        yield url


@dataclass
class Heard:
    """What a client of the stream heard so far."""

    events: list[tuple[str, str, Any]] = field(default_factory=list)

    @property
    def last_id(self) -> str:
        return self.events[-1][0]

    def names(self) -> list[str]:
        return [name for _, name, _ in self.events]

    def told(self, part: str) -> list[Any]:
        return [item for _, name, data in self.events if name == "moves" for item in data[part]]

    def run_moves(self) -> list[tuple[str, str]]:
        return [(run["id"], run["state"]) for run in self.told("runs")]


@contextmanager
def listening(url: str, *, last_id: str | None = None, **params: str) -> Iterator[Heard]:
    """Listen in a thread until the block ends."""
    heard = Heard()
    over = threading.Event()
    headers = {"Last-Event-ID": last_id} if last_id else {}

    def listen() -> None:
        with (
            httpx.Client(timeout=30) as client,
            client.stream("GET", f"{url}/api/v1/events", params=params, headers=headers) as answer,
        ):
            event: dict[str, str] = {}
            for line in answer.iter_lines():
                if over.is_set():
                    return
                if line:
                    name, _, value = line.partition(": ")
                    event[name] = value
                elif "id" in event:
                    heard.events.append((event["id"], event["event"], json.loads(event["data"])))
                    event = {}

    thread = threading.Thread(target=listen, name="listener")
    thread.start()
    try:
        wait_until(lambda: heard.events, "the stream to begin")
        yield heard
    finally:
        over.set()
        _threads.append(thread)  # it ends with the next event, or with the server


_threads: list[threading.Thread] = []


@pytest.fixture(autouse=True)
def _no_listener_left() -> Iterator[None]:
    yield
    for thread in _threads:
        thread.join(20)
        assert not thread.is_alive()
    _threads.clear()


def test_moves_steps_and_logs_reach_a_client(house: House, url: str) -> None:
    with listening(url) as heard:
        assert heard.names() == ["ready"]
        house.ready(1)
        house.worker()
        (claim,) = house.claim(house.admit()[0].run_ids)
        started = StepOutcome("a", StepState.RUNNING, tries=1, started_at=1)
        house.record(Report(claim, steps=[started], logs=[LogLine("a", 1, "info", "hi")]))
        house.succeed(claim, whole=False)
        run = str(claim.run_id)
        wait_until(lambda: (run, "succeeded") in heard.run_moves(), "the run's end to be told")
    assert heard.run_moves() == [(run, "queued"), (run, "running"), (run, "succeeded")]
    step = heard.told("steps")[0]
    assert (step["step"], step["state"], step["partition"]) == ("a", "running", "day-00")
    assert step["partition_set"] == "days"
    assert heard.told("logs") == [run]
    assert {b["id"] for b in heard.told("backfills")} == {"1"}
    assert {"id": "1", "partition_set": "days", "state": "running", "counts": {"pending": 1}} in [
        {**b, "counts": {"pending": 1}} for b in heard.told("backfills") if b["state"] == "running"
    ]


def test_a_client_hears_only_what_it_asked_for(house: House, url: str) -> None:
    first, second = house.ready(1), house.ready(2)
    house.worker(slots=8)
    with (
        listening(url, backfill=str(second)) as one,
        listening(url, partition_set="other") as none,
        listening(url) as everything,
    ):
        claims = house.claim([run for message in house.admit() for run in message.run_ids])
        house.succeed(*claims)
        wait_until(lambda: len(everything.run_moves()) >= 3 * len(claims), "all moves")
        wait_until(lambda: "succeeded" in dict(one.run_moves()).values(), "its moves")
    assert {run["backfill_id"] for run in one.told("runs")} == {str(second)}
    assert {run["backfill_id"] for run in everything.told("runs")} >= {str(first), str(second)}
    assert none.run_moves() == []


def test_reconnecting_loses_nothing_and_repeats_nothing(house: House, url: str) -> None:
    house.ready(3)
    house.worker()
    with listening(url) as before:
        messages = house.admit()
        wait_until(lambda: len(before.run_moves()) == 3, "admission")
    claims = house.claim([run for message in messages for run in message.run_ids])
    house.succeed(*claims)
    with listening(url, last_id=before.last_id) as after:
        wait_until(lambda: len(after.run_moves()) >= 6, "what was missed")
        house.submit("day-40")
    assert after.names()[0] == "ready"
    ends = [run for run, state in before.run_moves() + after.run_moves() if state == "succeeded"]
    assert sorted(ends) == sorted(str(claim.run_id) for claim in claims)


def test_the_python_client_goes_on_by_itself_when_the_api_is_started_again(house: House) -> None:
    port = free_port()
    seen: list[LiveEvent] = []
    over = threading.Event()

    def follow() -> None:
        with Client(f"http://127.0.0.1:{port}", retries=20) as client:
            for event in client.listen():
                seen.append(event)
                if over.is_set():
                    return

    def submitted() -> set[str]:
        return {b.id for event in seen if event.moves for b in event.moves.backfills}

    thread = threading.Thread(target=follow)
    with serving(_app(house), port):
        thread.start()
        wait_until(lambda: seen, "the stream to begin")
        first = str(house.submit("day-01"))
        house.expand(int(first))
        wait_until(lambda: first in submitted(), "the first backfill")
    second = str(house.submit("day-02"))
    house.expand(int(second))
    with serving(_app(house), port):
        wait_until(lambda: second in submitted(), "what moved in between")
        over.set()
        house.expand(house.submit("day-03"))
        thread.join(20)
        assert not thread.is_alive()
    assert seen[0].name == "ready"


def test_a_client_that_was_away_too_long_is_told_to_read_anew(house: House, url: str) -> None:
    house.ready(3)
    with house.db.write() as conn:
        conn.execute(house.db.sql("DELETE FROM feed WHERE id <= (SELECT max(id) FROM feed) - 1"))
    house.submit("day-41")
    with listening(url, last_id="0-1") as heard:
        wait_until(lambda: "reset" in heard.names(), "the reset")


def test_a_place_that_is_no_place_is_refused(url: str) -> None:
    for wrong in ("x", "1", "1-x", "-1-2", "9" * 30 + "-1"):
        answer = httpx.get(f"{url}/api/v1/events", params={"after": wrong})
        assert answer.status_code == 422
        assert answer.json()["code"] == "cursor_invalid"


def test_listening_costs_the_database_the_same_for_many_clients(
    house: House, app: FastAPI, url: str
) -> None:
    with listening(url) as first, listening(url) as second, listening(url) as third:
        house.ready(1)
        for heard in (first, second, third):
            wait_until(lambda h=heard: h.told("backfills"), "the backfill")  # type: ignore[misc]
        assert app.state.context.hub.size == 3
    assert first.events[1:] == second.events[1:] == third.events[1:]


def test_the_rate_comes_from_what_finished_lately(house: House, app: FastAPI, url: str) -> None:
    backfill_id = house.ready(4)
    house.worker(slots=4)
    claims = house.claim([run for message in house.admit() for run in message.run_ids])
    house.succeed(*claims)
    house.fold()
    rates = app.state.context.rates
    with house.db.read() as conn:
        now = house.db.clock(conn) // 1_000_000
    wait_until(lambda: rates.per_second(backfill_id, now), "the rate")


def test_the_rate_is_known_to_an_api_that_was_started_later(house: House) -> None:
    backfill_id = house.ready(4)
    house.worker(slots=4)
    claims = house.claim([run for message in house.admit() for run in message.run_ids])
    house.succeed(*claims)
    house.fold()
    app = _app(house)
    with house.db.read() as conn:
        now = house.db.clock(conn) // 1_000_000
    with serving(app):
        wait_until(lambda: app.state.context.rates.per_second(backfill_id, now), "the rate")


@pytest.mark.parametrize("how", ["token", "session", "first token"])
def test_the_stream_of_one_who_loses_their_access_ends(
    house: House, url: str, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "WELCOME_SECONDS", 0.05)
    secret = None if how == "first token" else access.create_token(house.db, "a", Role.VIEWER).token
    headers = {"Authorization": f"Bearer {secret}"} if how == "token" else {}
    with httpx.Client(base_url=url, trust_env=False, timeout=60) as client:
        if how == "session":
            client.post("/api/v1/session", json={"token": secret})
        with client.stream("GET", "/api/v1/events", headers=headers) as answer:
            lines = answer.iter_lines()
            assert next(lines).startswith("id: ")
            take_access_away(house, client, how)
            assert list(lines), "what it was sent before the end"
        assert client.get("/api/v1/runs", headers=headers).status_code == 401


def test_other_streams_go_on_when_one_loses_its_access(
    house: House, app: FastAPI, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "WELCOME_SECONDS", 0.05)
    tokens = [access.create_token(house.db, name, Role.VIEWER).token for name in ("a", "b")]
    hub = app.state.context.hub
    with ExitStack() as cleanup:
        client = cleanup.enter_context(httpx.Client(base_url=url, trust_env=False, timeout=60))
        for token in tokens:
            headers = {"Authorization": f"Bearer {token}"}
            cleanup.enter_context(client.stream("GET", "/api/v1/events", headers=headers))
        wait_until(lambda: hub.size == 2, "both to listen")
        access.revoke_token(house.db, "a")
        wait_until(lambda: hub.size == 1, "one stream to end")
        hub.dismiss(app.state.context.door.still_welcome)
        assert hub.size == 1


def take_access_away(house: House, client: httpx.Client, how: str) -> None:
    if how == "token":
        access.revoke_token(house.db, "a")
    elif how == "first token":
        access.create_token(house.db, "first", Role.ADMIN)
    else:
        secret = client.cookies["backfill_session"]
        access.close_session(house.db, secret)
