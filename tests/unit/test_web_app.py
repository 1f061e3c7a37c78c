"""The web app's files: found at every address of a person, cached for good, gone from the API's."""

from __future__ import annotations

import gzip
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI

from backfill.api import problems, web_app
from tests.support.web import TestClient

PERSON = {"Accept": "text/html,*/*;q=0.8"}
SCRIPT = "console.log('a script that is long enough to be sent in small');" * 40


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    folder = tmp_path / "dist"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text('<meta content="__STYLE_NONCE__"><title>one</title>')
    (folder / "assets" / "index-abc.js").write_text(SCRIPT)
    (folder / "favicon.svg").write_text("<svg/>")
    (folder / ".built-from").write_text("secret")
    return folder


@pytest.fixture
def client(dist: Path) -> Iterator[TestClient]:
    app = FastAPI(openapi_url=None)

    @app.get("/api/v1/things")
    def things() -> dict[str, int]:
        return {"things": 1}

    problems.install(app)
    web_app.install(app, dist)
    with TestClient(app) as made:
        yield made


@pytest.mark.parametrize("path", ["/", "/runs/7", "/partition-sets/a.b?part=x", "/no/such"])
def test_a_person_gets_the_page_at_every_address(client: TestClient, path: str) -> None:
    answer = client.get(path, headers=PERSON)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["cache-control"] == "no-store"


def test_the_page_may_make_styles_with_a_nonce_of_its_own_and_runs_nothing_inline(
    client: TestClient,
) -> None:
    pages = [client.get("/", headers=PERSON) for _ in range(2)]
    policies = [page.headers["content-security-policy"] for page in pages]
    nonces = [re.findall(r"'nonce-([\w-]+)'", policy) for policy in policies]
    assert nonces[0] != nonces[1]
    for page, policy, (nonce,) in zip(pages, policies, nonces, strict=True):
        assert f'content="{nonce}"' in page.text
        assert "script-src 'self';" in policy
        assert "unsafe" not in policy


def test_hashed_files_are_kept_for_good_and_sent_small(client: TestClient) -> None:
    answer = client.get("/assets/index-abc.js", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["cache-control"] == web_app.FOREVER
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.text == SCRIPT
    assert int(answer.headers["content-length"]) < len(SCRIPT) / 4
    plain = client.get("/assets/index-abc.js", headers={"Accept-Encoding": "identity"})
    assert plain.text == SCRIPT


def test_a_file_that_a_browser_has_is_not_sent_again(client: TestClient) -> None:
    tag = client.get("/favicon.svg").headers["etag"]
    again = client.get("/favicon.svg", headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "path",
    ["/api/v1/nothing", "/api", "/assets/old-123.js", "/.built-from", "/assets/../.built-from"],
)
def test_what_is_not_there_is_a_problem_and_no_page(client: TestClient, path: str) -> None:
    answer = client.get(path, headers={"Accept": "*/*"})
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_an_old_file_or_an_api_address_is_no_page_for_people_either(client: TestClient) -> None:
    for path in ("/api/v1/nothing", "/assets/old-123.js"):
        assert client.get(path, headers=PERSON).status_code == 404


def test_only_looking_is_answered(client: TestClient) -> None:
    assert client.post("/runs", headers=PERSON).status_code == 404
    assert client.head("/favicon.svg").status_code == 200
    assert client.get("/api/v1/things").json() == {"things": 1}


def test_a_new_build_is_served_without_a_restart(client: TestClient, dist: Path) -> None:
    assert "one" in client.get("/", headers=PERSON).text
    (dist / "index.html").write_text("<title>two</title>")
    os.utime(dist / "index.html", ns=(1, 1))
    assert "two" in client.get("/", headers=PERSON).text


def test_a_tree_without_a_build_says_how_to_make_one(client: TestClient, dist: Path) -> None:
    for file in dist.rglob("*"):
        if file.is_file():
            file.unlink()
    answer = client.get("/", headers=PERSON)
    assert answer.status_code == 503
    assert "make web" in answer.text


def test_small_is_the_same_as_whole(dist: Path) -> None:
    file = web_app._load(dist / "assets" / "index-abc.js")
    assert file.compressed is not None
    assert gzip.decompress(file.compressed) == file.body
