"""The client: what it retries, which errors it raises, how it pages."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from backfill.client import Client
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

Answer = httpx.Response | Exception

BACKFILL = {
    "id": "7",
    "partition_set": "days",
    "pipeline": "work",
    "state": "succeeded",
    "selection": "all",
    "total": 2,
    "vanished": 0,
    "generation": 0,
    "counts": {
        "pending": 0,
        "queued": 0,
        "running": 0,
        "succeeded": 2,
        "failed": 0,
        "canceled": 0,
        "skipped": 0,
        "unlaunched": 0,
    },
    "progress": {
        "finished": 2,
        "of": 2,
        "fraction": 1.0,
        "runs_per_second": 1.0,
        "seconds_left": 0.0,
    },
    "reprocess": "missing",
    "left_out": {},
    "max_active_runs": None,
    "priority": 0,
    "ordering": "oldest",
    "max_failures": 0,
    "queue": None,
    "tags": {},
    "run_config": None,
    "steps": None,
    "note": None,
    "quiet": False,
    "created_by": "local",
    "pause_reason": None,
    "created_at": "2026-01-01T12:00:00Z",
    "started_at": None,
    "finished_at": None,
    "something_newer": "is ignored",
}


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


def test_a_launch_that_may_have_arrived_is_not_sent_again() -> None:
    api = Api(httpx.ReadError("cut"))
    with client_of(api) as client, pytest.raises(Unreachable):
        client.launch("work")
    assert len(api.requests) == 1


def test_a_launch_that_cannot_have_arrived_is_sent_again() -> None:
    api = Api(httpx.ConnectError("refused"), told({"code": "not_found", "detail": "no"}, 404))
    with client_of(api) as client, pytest.raises(NotFound):
        client.launch("work")
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


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0.4s"), (42, "42s"), (185, "3m 05s"), (7_860, "2h 11m"), (273_600, "3d 4h")],
)
def test_durations_are_told_as_people_say_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text
