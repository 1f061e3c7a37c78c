"""The client: what it retries, which errors it raises, how it pages."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.resources import files
from itertools import islice
from typing import Any

import httpx
import pytest
from pydantic import BaseModel

from backfill.client import Client
from backfill.client.handles import WaitTimeout
from backfill.client.transport import Unreachable
from backfill.client.watching import duration
from backfill.errors import (
    BackfillError,
    ConfigInvalid,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    SelectionInvalid,
    Unauthorized,
    Unavailable,
)
from backfill.schemas.backfills import Backfill, Counts

Answer = httpx.Response | Exception
EMPTY: dict[str, Any] = {"boolean": False, "integer": 0, "array": [], "object": {}, "string": ""}


def whole(kind: type[BaseModel], told: dict[str, Any]) -> dict[str, Any]:
    """Return a document with everything that was not told in it empty."""
    fields = kind.model_json_schema()["properties"]
    empty = {name: f.get("enum", [EMPTY.get(f.get("type"))])[0] for name, f in fields.items()}
    return empty | told


PROGRESS = {
    "finished": 2,
    "of": 2,
    "fraction": 1.0,
    "runs_per_second": 1.0,
    "seconds_left": 0.0,
}
BACKFILL = whole(
    Backfill,
    {
        "id": "7",
        "partition_set": "days",
        "pipeline": "work",
        "state": "succeeded",
        "total": 2,
        "counts": whole(Counts, {"succeeded": 2}),
        "progress": PROGRESS,
        "created_at": "2026-01-01T12:00:00Z",
        "something_newer": "is ignored",
    },
)


class Api:
    """Gives answers one after the other, and remembers what it was asked."""

    def __init__(self, *answers: Answer) -> None:
        self._answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def client_of(api: Callable[[httpx.Request], httpx.Response], *, retries: int = 2) -> Client:
    http = httpx.Client(transport=httpx.MockTransport(api))
    return Client("http://api", "secret", retries=retries, http=http)


def told(body: Any, status: int = 200) -> httpx.Response:
    return httpx.Response(status, json=body)


def test_a_submit_is_sent_again_under_the_same_key() -> None:
    api = Api(
        httpx.ReadError("cut"),
        told({"code": "unavailable", "detail": "…"}, 503),
        told(BACKFILL | {"changes": []}, 201),
    )
    with client_of(api) as client:
        handle = client.submit("days", "all", tags={"a": "b"}, max_active_runs=3)
    assert handle.id == "7"
    keys = {request.headers["Idempotency-Key"] for request in api.requests}
    assert len(api.requests) == 3
    assert len(keys) == 1
    body = json.loads(api.requests[0].content)
    assert (body["tags"], body["max_active_runs"]) == ({"a": "b"}, 3)
    assert api.requests[0].headers["Authorization"] == "Bearer secret"


def test_a_launch_is_sent_again_under_the_same_key() -> None:
    refused = told({"code": "not_found", "detail": "no"}, 404)
    api = Api(httpx.ReadError("cut"), httpx.ConnectError("refused"), refused)
    with client_of(api) as client, pytest.raises(NotFound):
        client.launch("work")
    assert len(api.requests) == 3
    assert len({request.headers["Idempotency-Key"] for request in api.requests}) == 1


def test_a_change_without_a_key_that_may_have_arrived_is_not_sent_again() -> None:
    api = Api(httpx.ReadError("cut"))
    with client_of(api) as client, pytest.raises(Unreachable):
        client.cancel_runs(pipeline="work")
    assert len(api.requests) == 1


def test_a_change_that_cannot_have_arrived_is_sent_again() -> None:
    done = told({"canceled": 1, "told": 0, "more": False})
    api = Api(httpx.ConnectError("refused"), done)
    with client_of(api) as client:
        assert client.cancel_runs(pipeline="work").canceled == 1
    assert len(api.requests) == 2


def test_an_api_that_never_answers_is_unreachable_and_says_what_to_do() -> None:
    api = Api(*[httpx.ConnectError("refused")] * 3)
    with client_of(api) as client, pytest.raises(Unreachable, match="backfill dev"):
        client.fleet()
    assert len(api.requests) == 3


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (404, "not_found", NotFound),
        (409, "conflict", Conflict),
        (422, "selection_invalid", SelectionInvalid),
        (422, "config_invalid", ConfigInvalid),
        (401, "unauthorized", Unauthorized),
        (403, "forbidden", Forbidden),
        (503, "unavailable", Unavailable),
        (422, "something_newer", Invalid),
        (409, "something_newer", Conflict),
        (500, "internal_error", BackfillError),
    ],
)
def test_errors_are_raised_by_their_class(
    status: int, code: str, kind: type[BackfillError]
) -> None:
    problem = {"code": code, "detail": "Which, why, what now.", "partition": "day-01"}
    with (
        client_of(Api(told(problem, status)), retries=0) as client,
        pytest.raises(kind, match="Which, why, what now") as raised,
    ):
        client.fleet()
    assert raised.value.facts == {"partition": "day-01"}


def test_an_answer_that_is_no_problem_document_is_still_an_error() -> None:
    api = Api(httpx.Response(502, text="<html>bad gateway</html>"))
    with client_of(api) as client, pytest.raises(BackfillError, match="502"):
        client.fleet()


def test_lists_are_fetched_page_by_page_as_they_are_read() -> None:
    api = Api(told({"items": [BACKFILL], "next": "c1"}), told({"items": [BACKFILL], "next": None}))
    with client_of(api) as client:
        listing = client.backfills(states=["running", "paused"])
        first = next(listing)
        assert len(api.requests) == 1
        rest = list(listing)
    assert (first.id, len(rest)) == ("7", 1)
    assert api.requests[0].url.params.get_list("state") == ["running", "paused"]
    assert api.requests[1].url.params["cursor"] == "c1"


def test_names_are_quoted_in_paths() -> None:
    api = Api(told({"code": "not_found", "detail": "no"}, 404))
    with client_of(api) as client, pytest.raises(NotFound):
        client.matrix("a/b?c")
    assert api.requests[0].url.raw_path.startswith(b"/api/v1/partition-sets/a%2Fb%3Fc/matrix")


def test_answers_are_typed() -> None:
    with client_of(Api(told(BACKFILL))) as client:
        info = client.backfill(7).info
    assert info.state == "succeeded"
    assert info.created_at == datetime(2026, 1, 1, 12, tzinfo=UTC)


def test_waiting_shows_how_far_it_is_and_returns_how_it_ended(
    capsys: pytest.CaptureFixture[str],
) -> None:
    running = {**BACKFILL, "state": "running", "progress": {**PROGRESS, "finished": 1}}
    api = Api(told({**running, "changes": []}, 201), told(running), told(BACKFILL))
    with client_of(api) as client:
        info = client.submit("days").wait(progress=True)
    assert info.state == "succeeded"
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "backfill 7 (days) running: 1 of 2" in shown.err
    assert "backfill 7 (days) succeeded: 2 of 2" in shown.err


def test_waiting_too_long_says_that_it_goes_on() -> None:
    running = {**BACKFILL, "state": "running"}
    with client_of(Api(told(running))) as client, pytest.raises(WaitTimeout, match="goes on"):
        client.backfill(7).wait(timeout_seconds=0)


class Broken(httpx.SyncByteStream):
    """A stream that breaks off."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __iter__(self) -> Iterator[bytes]:
        yield self._text.encode()
        raise httpx.ReadError("cut")


def sse(*events: tuple[str, str, str]) -> str:
    return "".join(f"id: {i}\nevent: {name}\ndata: {data}\n\n" for i, name, data in events)


MOVES = (
    '{"at":"2026-01-01T12:00:00Z","backfills":[],"runs":[],"steps":[],"logs":["3"],"more":false}'
)


def test_listening_goes_on_behind_the_last_event_when_the_connection_breaks() -> None:
    begun = sse(("0-1", "ready", "{}"), ("0-2", "moves", MOVES))
    more = ": still here\n\n" + sse(("0-2", "ready", "{}"), ("0-5", "moves", MOVES))
    api = Api(
        httpx.Response(200, stream=Broken(begun)),
        told({"code": "unavailable", "detail": "starting"}, 503),
        httpx.Response(200, stream=Broken(more)),
    )
    with client_of(api) as client:
        heard = list(islice(client.listen(backfill=7), 3))
    assert [(event.id, event.name) for event in heard] == [
        ("0-1", "ready"),
        ("0-2", "moves"),
        ("0-5", "moves"),
    ]
    assert heard[2].moves is not None
    assert heard[2].moves.logs == ["3"]
    assert [r.headers.get("Last-Event-ID") for r in api.requests] == [None, "0-2", "0-2"]
    assert api.requests[0].url.params["backfill"] == "7"


def test_listening_ends_with_the_right_to_listen() -> None:
    refused = told({"code": "unauthorized", "detail": "The token is not valid."}, 401)
    api = Api(httpx.Response(200, stream=Broken(sse(("0-1", "ready", "{}")))), refused)
    with client_of(api) as client, pytest.raises(Unauthorized, match="not valid"):
        list(client.listen())


def test_the_package_says_that_it_is_typed() -> None:
    assert files("backfill").joinpath("py.typed").is_file()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0.4s"), (42, "42s"), (185, "3m 05s"), (7_860, "2h 11m"), (273_600, "3d 4h")],
)
def test_durations_are_told_as_people_say_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text
