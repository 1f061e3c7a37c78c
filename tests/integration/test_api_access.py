"""Who may come in, and what they may do: tokens, sessions, proxies, and the record of changes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from backfill.api import door
from backfill.api.app import create_app
from backfill.api.door import MAX_FAILURES, Door
from backfill.errors import Conflict, Invalid
from backfill.lifecycle import access
from backfill.roles import Role
from backfill.settings import Settings
from backfill.storage.database import Database
from tests.support.house import DEFINITIONS, NOON, House
from tests.support.loading import loaded
from tests.support.waiting import wait_until
from tests.support.web import TestClient

HERE = "http://127.0.0.1:8000"
SUBMIT = {"partition_set": "days", "selection": "day-01"}


@pytest.fixture
def house(database: Database, tmp_path: Path) -> Iterator[House]:
    with loaded(DEFINITIONS, tmp_path) as definitions:
        yield House(database, definitions)


def app_of(house: House, **settings: Any) -> FastAPI:
    return create_app(Settings(**settings), house.db, house.definitions, clock=lambda: NOON)


@pytest.fixture
def tokens(house: House) -> dict[Role, str]:
    return {role: access.create_token(house.db, f"a {role}", role).token for role in Role}


@pytest.fixture
def api(house: House, tokens: dict[Role, str]) -> Iterator[TestClient]:
    """An API that asks for tokens."""
    with TestClient(app_of(house), base_url=HERE) as client:
        yield client


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


# -- tokens ---------------------------------------------------------------------------------------


def test_the_first_token_is_looked_for_before_a_request_has_to_wait_for_that(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "LOOK_SECONDS", 3600.0)
    monkeypatch.setattr(door, "AHEAD_SECONDS", 3600.0)
    with TestClient(app_of(house), base_url=HERE) as client:
        assert client.get("/api/v1/backfills").status_code == 200
        access.create_token(house.db, "first", Role.ADMIN)
        statuses: list[int] = []

        def closed() -> bool:
            statuses.append(client.get("/api/v1/backfills").status_code)
            return statuses[-1] == 401

        wait_until(closed, "the token is heard of")
    assert set(statuses) <= {200, 401}


def test_without_any_token_this_machine_needs_none(house: House) -> None:
    with TestClient(app_of(house), base_url=HERE) as client:
        assert client.get("/api/v1/backfills").status_code == 200
        who = client.get("/api/v1/session").json()
    assert (who["name"], who["role"]) == ("local", "admin")


def test_nobody_gets_in_without_a_token_once_there_is_one(api: TestClient) -> None:
    refused = api.get("/api/v1/backfills")
    assert refused.status_code == 401
    assert refused.json()["code"] == "unauthorized"
    assert refused.headers["www-authenticate"] == "Bearer"
    for wrong in ("bf_nonsense", "", "x" * 5000):
        assert api.get("/api/v1/backfills", headers=bearer(wrong)).status_code == 401
    assert api.get("/healthz").status_code == 200


def test_every_route_lies_behind_the_door(house: House, api: TestClient) -> None:
    document = api.get("/api/v1/openapi.json").json()
    open_ones = {("/healthz", "get"), ("/api/v1/session", "post")}
    for path, methods in document["paths"].items():
        for method in methods:
            if (path, method) in open_ones:
                continue
            real = (
                path.replace("{name}", "x").replace("{backfill_id}", "1").replace("{run_id}", "1")
            )
            assert api.request(method, real).status_code == 401, (method, path)


@pytest.mark.parametrize(
    ("method", "path", "body", "needed"),
    [
        ("GET", "/backfills", None, Role.VIEWER),
        ("POST", "/backfills/plan", SUBMIT, Role.VIEWER),
        ("POST", "/pipelines/work/validate", {"run_config": {}}, Role.VIEWER),
        ("POST", "/backfills", SUBMIT, Role.OPERATOR),
        ("POST", "/runs", {"pipeline": "work"}, Role.OPERATOR),
        ("GET", "/audit", None, Role.OPERATOR),
        ("GET", "/tokens", None, Role.ADMIN),
        ("POST", "/tokens", {"name": "n", "role": "viewer"}, Role.ADMIN),
    ],
)
def test_a_role_may_do_what_it_is_for_and_no_more(
    api: TestClient, tokens: dict[Role, str], method: str, path: str, body: Any, needed: Role
) -> None:
    for role, token in tokens.items():
        answer = api.request(method, f"/api/v1{path}", json=body, headers=bearer(token))
        if role.allows(needed):
            assert answer.is_success, (role, answer.text)
        else:
            assert answer.status_code == 403, role
            assert f"needs {needed}" in answer.json()["detail"]


def test_a_token_is_shown_once_and_kept_as_its_hash(
    house: House, api: TestClient, tokens: dict[Role, str]
) -> None:
    admin = bearer(tokens[Role.ADMIN])
    made = api.post("/api/v1/tokens", json={"name": "ci", "role": "viewer"}, headers=admin)
    token = made.json()["token"]
    assert made.status_code == 201
    assert api.get("/api/v1/runs", headers=bearer(token)).status_code == 200
    listed = api.get("/api/v1/tokens", headers=admin)
    assert token not in listed.text
    assert {t["name"] for t in listed.json()["items"]} >= {"ci", "a admin"}
    kept = house.rows("SELECT * FROM tokens")
    assert not any(token in str(value) for row in kept for value in row)
    again = api.post("/api/v1/tokens", json={"name": "ci", "role": "viewer"}, headers=admin)
    assert again.status_code == 409


def test_a_revoked_token_is_refused_at_once(api: TestClient, tokens: dict[Role, str]) -> None:
    viewer = bearer(tokens[Role.VIEWER])
    assert api.get("/api/v1/runs", headers=viewer).status_code == 200
    path = "/api/v1/tokens/a viewer/revoke"
    assert api.post(path, headers=bearer(tokens[Role.ADMIN])).status_code == 204
    assert api.get("/api/v1/runs", headers=viewer).status_code == 401


def test_an_expired_token_is_refused(house: House, api: TestClient) -> None:
    made = access.create_token(house.db, "short", Role.VIEWER, days=1)
    assert api.get("/api/v1/runs", headers=bearer(made.token)).status_code == 200
    with house.db.write() as conn:
        conn.execute(house.db.sql("UPDATE tokens SET expires_at = {now} - 1 WHERE name = 'short'"))
    assert api.get("/api/v1/runs", headers=bearer(made.token)).status_code == 401


def test_revoking_every_token_does_not_open_the_door(house: House, tokens: dict[Role, str]) -> None:
    for role in Role:
        access.revoke_token(house.db, f"a {role}")
    with TestClient(app_of(house), base_url=HERE) as client:
        assert client.get("/api/v1/backfills").status_code == 401


def test_guessing_tokens_is_slowed_down(api: TestClient, tokens: dict[Role, str]) -> None:
    for number in range(MAX_FAILURES):
        assert api.get("/api/v1/runs", headers=bearer(f"bf_{number}")).status_code == 401
    answer = api.get("/api/v1/runs", headers=bearer("bf_next"))
    assert answer.status_code == 429
    assert answer.json()["code"] == "too_many_attempts"


def test_a_guesser_locks_nobody_out_who_has_a_token(
    api: TestClient, tokens: dict[Role, str]
) -> None:
    for number in range(MAX_FAILURES + 1):
        api.get("/api/v1/runs", headers=bearer(f"bf_{number}"))
    assert api.get("/api/v1/runs", headers=bearer(tokens[Role.VIEWER])).status_code == 200


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"])
def test_without_tokens_nobody_gets_in_through_a_proxy(house: House, header: str) -> None:
    with TestClient(app_of(house), base_url=HERE) as client:
        answer = client.get("/api/v1/runs", headers={header: "203.0.113.9"})
    assert answer.status_code == 403
    assert "Make a token first" in answer.json()["detail"]


def test_logging_in_is_recorded(api: TestClient, tokens: dict[Role, str]) -> None:
    api.post("/api/v1/session", json={"token": tokens[Role.VIEWER]})
    api.post("/api/v1/session", json={"token": "bf_wrong"})
    audit = api.get("/api/v1/audit", headers=bearer(tokens[Role.OPERATOR])).json()["items"]
    told = [(one["actor"], one["path"], one["status"]) for one in audit]
    assert told == [("a viewer", "/api/v1/session", 201)]


def test_a_token_of_any_name_can_be_revoked(
    house: House, api: TestClient, tokens: dict[Role, str]
) -> None:
    with house.db.write() as conn:
        conn.execute(house.db.sql("UPDATE tokens SET name = 'old/name' WHERE role = 'viewer'"))
    answer = api.post("/api/v1/tokens/old%2Fname/revoke", headers=bearer(tokens[Role.ADMIN]))
    assert answer.status_code == 204
    assert api.get("/api/v1/runs", headers=bearer(tokens[Role.VIEWER])).status_code == 401


def test_names_of_tokens_are_checked(house: House) -> None:
    for wrong in ("", " ", "a\nb", "x" * 200, "a/b", "..", ".hidden"):
        with pytest.raises(Invalid):
            access.create_token(house.db, wrong, Role.VIEWER)
    access.create_token(house.db, "n", Role.VIEWER)
    with pytest.raises(Conflict):
        access.create_token(house.db, "n", Role.ADMIN)


# -- sessions -------------------------------------------------------------------------------------


def test_a_browser_logs_in_with_a_token_and_changes_things_with_its_csrf_token(
    api: TestClient, tokens: dict[Role, str]
) -> None:
    made = api.post("/api/v1/session", json={"token": tokens[Role.OPERATOR]})
    assert made.status_code == 201
    cookie = made.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert tokens[Role.OPERATOR] not in made.text
    assert api.get("/api/v1/backfills").status_code == 200
    assert api.post("/api/v1/backfills", json=SUBMIT).status_code == 403
    for wrong in ("", "nonsense"):
        headers = {"X-CSRF-Token": wrong}
        assert api.post("/api/v1/backfills", json=SUBMIT, headers=headers).status_code == 403
    csrf = api.get("/api/v1/session").json()["csrf_token"]
    headers = {"X-CSRF-Token": csrf}
    assert api.post("/api/v1/backfills", json=SUBMIT, headers=headers).status_code == 201
    assert api.delete("/api/v1/session", headers=headers).status_code == 204
    assert api.get("/api/v1/backfills").status_code == 401


def test_a_session_ends_with_its_token(
    api: TestClient, tokens: dict[Role, str], house: House
) -> None:
    api.post("/api/v1/session", json={"token": tokens[Role.VIEWER]})
    assert api.get("/api/v1/runs").status_code == 200
    access.revoke_token(house.db, "a viewer")
    assert api.get("/api/v1/runs").status_code == 401


def test_a_wrong_token_makes_no_session(api: TestClient) -> None:
    answer = api.post("/api/v1/session", json={"token": "bf_wrong"})
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers


def test_behind_tls_the_cookie_needs_tls(api: TestClient, tokens: dict[Role, str]) -> None:
    headers = {"Origin": "https://backfill.example", "Host": "backfill.example"}
    body = {"token": tokens[Role.VIEWER]}
    made = api.post("/api/v1/session", json=body, headers=headers)
    assert "secure" in made.headers["set-cookie"].lower()


# -- a proxy that logs people in ----------------------------------------------------------------


def test_a_name_that_comes_twice_is_not_believed(house: House) -> None:
    app = app_of(house, sso_header="X-Forwarded-User", sso_proxies="10.0.0.0/8")
    with TestClient(app, base_url=HERE, client=("10.1.2.3", 5)) as client:
        sent = [("X-Forwarded-User", "mallory"), ("X-Forwarded-User", "ann")]
        answer = client.get("/api/v1/session", headers=sent)
    assert answer.status_code == 401
    assert "more than once" in answer.json()["detail"]


def test_a_trusted_proxy_names_who_is_asking(house: House) -> None:
    app = app_of(
        house, sso_header="X-Forwarded-User", sso_proxies="10.0.0.0/8", sso_role="operator"
    )
    ann = {"X-Forwarded-User": "ann"}
    with TestClient(app, base_url=HERE, client=("10.1.2.3", 5000)) as proxied:
        assert proxied.post("/api/v1/backfills", json=SUBMIT, headers=ann).status_code == 201
        assert proxied.get("/api/v1/tokens", headers=ann).status_code == 403
        assert proxied.get("/api/v1/backfills").status_code == 401
        assert (
            proxied.get("/api/v1/backfills", headers=ann).json()["items"][0]["created_by"] == "ann"
        )
    with TestClient(app, base_url=HERE, client=("192.168.1.1", 5000)) as other:
        assert other.get("/api/v1/backfills", headers=ann).status_code == 401


@pytest.mark.parametrize("proxies", ["", "not an address"])
def test_a_trusted_header_needs_the_addresses_of_the_proxies(house: House, proxies: str) -> None:
    with pytest.raises(Invalid, match="BACKFILL_SSO_PROXIES"):
        app_of(house, sso_header="X-Forwarded-User", sso_proxies=proxies)


def test_an_address_others_can_reach_needs_a_token_first(house: House) -> None:
    door = Door(Settings(host="0.0.0.0"), house.db)
    with pytest.raises(Invalid, match="tokens create"):
        door.require_safe()
    assert not door.is_open()
    access.create_token(house.db, "first", Role.ADMIN)
    door.require_safe()


# -- the record -----------------------------------------------------------------------------------


def test_every_change_is_recorded_with_who_and_how_it_ended(
    api: TestClient, tokens: dict[Role, str]
) -> None:
    operator, viewer = bearer(tokens[Role.OPERATOR]), bearer(tokens[Role.VIEWER])
    api.get("/api/v1/backfills", headers=operator)
    api.post("/api/v1/backfills/plan", json=SUBMIT, headers=viewer)
    api.post("/api/v1/backfills", json=SUBMIT, headers=operator)
    api.post("/api/v1/backfills/404/cancel", headers=operator)
    api.post("/api/v1/backfills", json=SUBMIT, headers=viewer)
    record = api.get("/api/v1/audit", headers=operator).json()["items"]
    assert [(e["actor"], e["method"], e["path"], e["status"]) for e in record] == [
        ("a operator", "POST", "/api/v1/backfills/404/cancel", 404),
        ("a operator", "POST", "/api/v1/backfills", 201),
    ]


def test_the_events_of_a_backfill_name_the_token(api: TestClient, tokens: dict[Role, str]) -> None:
    operator = bearer(tokens[Role.OPERATOR])
    made = api.post("/api/v1/backfills", json=SUBMIT, headers=operator).json()
    assert made["created_by"] == "a operator"
    path = f"/api/v1/backfills/{made['id']}"
    api.post(f"{path}/pause", headers=operator)
    events = api.get(f"{path}/events", headers=operator).json()["items"]
    assert {e["actor"] for e in events} == {"a operator"}
    assert api.get(path, headers=operator).json()["pause_reason"] == "paused by a operator"
