"""Fuzz every route of an API as one role, and follow the links between them.

Requests come from the OpenAPI document. Half of their names and ids are made to fit what exists,
so that they come further than a 404.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from backfill.api.app import create_app
from backfill.lifecycle import access, schedules
from backfill.lifecycle.ticks_by_hand import tick_by_hand
from backfill.roles import Role
from tests.support.house import NOON, House, open_house
from tests.support.serving import serving
from tests.support.waiting import wait_until

CHECKED = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
STEPS_OF_A_WALK = 6
ENDLESS_PATHS = ["/api/v1/events"]  # a stream that goes on for ever
ENDLESS = {f"GET {path}" for path in ENDLESS_PATHS}
SCHEDULES = """
from backfill import schedule

@schedule("0 6 * * *", pipeline_name="work")
def nightly(context):
    return {}
"""
KEPT = (
    "SELECT * FROM backfills",
    "SELECT * FROM runs",
    "SELECT id, name, role, revoked_at FROM tokens",
    "SELECT * FROM dynamic_partitions",
    "SELECT * FROM audit",
)
PUBLIC = {"GET /healthz", "POST /api/v1/session"}
READING_POSTS = {
    "POST /api/v1/backfills/plan",
    "POST /api/v1/backfills/plan/validation",
    "POST /api/v1/pipelines/{name}/validate",
    "DELETE /api/v1/session",
}
OPERATORS_READ = {"GET /api/v1/audit"}
FOR_ADMINS = re.compile(r"\S+ /api/v1/tokens\b")
REAL: Mapping[str, tuple[Any, ...]] = {
    "backfill_id": (1, 2, 3),
    "run_id": (1, 2, 3, 4, 5, 6),
    "name": ("days", "shops", "work", "nightly"),
    "partition_set": ("days", "shops"),
    "pipeline": ("work", "other"),
    "partition": ("day-00", "day-07"),
    "selection": ("all", "day-01,day-07", "[day-02...day-09]"),
    "step": ("a", "b"),
    "cursor": (None,),
    "first": ("day-01",),
    "last": ("day-08",),
    "start": ("day-03",),
}


@dataclass
class Fuzzed:
    """What a role met.

    Attributes:
        answers: How often each status was answered, by route.
    """

    answers: dict[str, dict[int, int]] = field(default_factory=dict)

    def note(self, route: str, status: int) -> None:
        counts = self.answers.setdefault(route, {})
        counts[status] = counts.get(status, 0) + 1


@contextmanager
def inhabited(url: str, folder: Path) -> Iterator[House]:
    """Open a house with backfills and runs in several states, and something dynamic."""
    with open_house(url, folder, also=SCHEDULES) as house:
        house.shops += ["here", "there"]
        for count in (4, 3):
            house.ready(count)
        house.submit("[day-10...day-12]")
        house.worker()
        claims = [claim for run in house.admitted() for claim in house.claim([run])]
        house.succeed(*claims[:2])
        house.fail(*claims[2:3], retryable=False)
        house.fold()
        schedules.start(house.db, house.definitions, "nightly")
        tick_by_hand(house.db, house.definitions, "nightly", NOON.replace(hour=6))
        yield house


def fuzz(
    url: str,
    folder: Path,
    role: Role | None,
    *,
    examples: int,
    walks: int,
    seed_of_requests: int = 0,
) -> Fuzzed:
    """Fuzz an API of its own as one role (None is nobody).

    Args:
        url: A fresh migrated database.
        examples: Requests per route.
        walks: Walks along the links of the document.

    Raises:
        AssertionError: An answer that the role must not get, or something it changed.
        FailureGroup: A 5xx, or an answer outside the schema; shows the request.
    """
    fuzzed = Fuzzed()
    with inhabited(url, folder) as house:
        token = _token_of(house, role)
        before = _kept(house)
        app = create_app(house.settings, house.db, house.definitions, clock=lambda: NOON)
        client = _Client(role, token, fuzzed)
        with serving(app) as at:
            wait_until(lambda: app.state.context.hub.place is not None, "the reader to begin")
            document = schemathesis.openapi.from_dict(app.openapi())
            document.config.update(base_url=at)
            operations: Any = document.get_all_operations()
            for operation in operations:
                _fuzz_route(operation.ok(), client, examples, seed_of_requests)
            _walk(document, token, walks, seed_of_requests)
        if role in {None, Role.VIEWER}:
            assert _kept(house) == before, f"{role or 'nobody'} changed something"
        assert house.sick() == []
    return fuzzed


def needed(route: str) -> Role | None:
    """Return the role a route needs, as the guide to access has it; None when anyone may."""
    if route in PUBLIC:
        return None
    if FOR_ADMINS.match(route):
        return Role.ADMIN
    if route in OPERATORS_READ:
        return Role.OPERATOR
    reads = route.startswith("GET ") or route in READING_POSTS
    return Role.VIEWER if reads else Role.OPERATOR


@dataclass(frozen=True)
class _Client:
    """Who asks, and what came of it."""

    role: Role | None
    token: str | None
    fuzzed: Fuzzed


def _token_of(house: House, role: Role | None) -> str | None:
    """Return a token with a role; None for nobody, who then needs one."""
    made = access.create_token(house.db, f"fuzz {role or 'nobody'}", role or Role.VIEWER).token
    return made if role is not None else None


def _kept(house: House) -> list[Any]:
    return [house.rows(statement) for statement in KEPT]


def _fuzz_route(operation: Any, client: _Client, examples: int, seed_of_requests: int) -> None:
    route = operation.label

    @seed(seed_of_requests)
    @_settings(examples)
    @given(case=operation.as_strategy(), data=st.data())
    def send(case: Any, data: st.DataObject) -> None:
        _make_real(case, data)
        if route in ENDLESS:
            status = _listen(case, client.token)
        else:
            answer = case.call(headers=_headers(client.token))
            case.validate_response(answer, checks=CHECKED)
            status = answer.status_code
        client.fuzzed.note(route, status)
        _check_access(route, client.role, status)

    send()


def _listen(case: Any, token: str | None) -> int:
    """Ask for a stream, and read no more of it than its beginning; return the status."""
    asked = case.as_transport_kwargs(headers=_headers(token))
    with requests.request(**asked, stream=True, timeout=30) as answer:
        if answer.status_code != 200:
            case.validate_response(answer, checks=CHECKED)
        else:
            assert answer.headers["content-type"].startswith("text/event-stream")
            assert next(answer.iter_lines()).startswith(b"id: ")
        return answer.status_code


def _walk(document: Any, token: str | None, walks: int, seed_of_requests: int) -> None:
    """Walk along the links of the document: what one route answers is sent to the next."""
    machine = document.exclude(path=ENDLESS_PATHS).as_state_machine()

    @seed(seed_of_requests)
    class Walk(machine):  # type: ignore[valid-type, misc]
        def get_call_kwargs(self, case: Any) -> dict[str, Any]:
            return {"headers": _headers(token)}

        def validate_response(self, response: Any, case: Any, **_: Any) -> None:
            case.validate_response(response, checks=CHECKED)

    Walk.run(settings=_settings(walks, stateful_step_count=STEPS_OF_A_WALK))


def _settings(examples: int, **more: Any) -> settings:
    return settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        **more,
    )


def _headers(token: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {"Authorization": ""}


def _make_real(case: Any, data: st.DataObject) -> None:
    places = [case.path_parameters, case.query, case.body]
    for place in places:
        if not isinstance(place, dict):
            continue
        for name, values in REAL.items():
            if name in place and data.draw(st.booleans()):
                place[name] = data.draw(st.sampled_from(values))


def _check_access(route: str, role: Role | None, status: int) -> None:
    wanted = needed(route)
    if wanted is None:
        return
    if role is None:
        assert status >= 400, f"Nobody got {status} from {route}."
    elif not role.allows(wanted):
        assert status >= 400, f"A {role} got {status} from {route}, which needs {wanted}."
    else:
        assert status not in {401, 403}, f"A {role} was refused ({status}) at {route}."
