"""The curl commands that the README and the guides show work as they stand there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.support.databases import SQLiteFiles
from tests.support.ports import free_port
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs" / "guides").glob("*.md"))]
BLOCK = re.compile(r"```sh\n(.*?)```", re.S)


def blocks_of(page: Path) -> list[str]:
    """Return the blocks of a page that run curl, and those that set what they use."""
    return [b for b in BLOCK.findall(page.read_text()) if "curl" in b or "BACKFILL_API_URL=" in b]


@contextmanager
def api_process(home: Path, database_url: str) -> Iterator[str]:
    """Run `backfill api` with the definitions of the README; gives its URL."""
    port = free_port()
    env = {
        **os.environ,
        "BACKFILL_HOME": str(home),
        "BACKFILL_DATABASE_URL": database_url,
        "BACKFILL_DEFINITIONS": str(ROOT / "examples" / "may_2020.py"),
        "BACKFILL_PORT": str(port),
    }
    url = f"http://127.0.0.1:{port}"
    with (home / "api.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "backfill.api"], env=env, cwd=ROOT, stdout=log, stderr=log
        )
    try:
        wait_until(lambda: process.poll() is not None or answers(url), "the API", 60)
        assert process.poll() is None, (home / "api.log").read_text()
        yield url
    finally:
        process.terminate()
        process.wait(30)


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", trust_env=False).is_success
    except httpx.TransportError:
        return False


@pytest.mark.curl
@pytest.mark.parametrize("page", [p for p in PAGES if blocks_of(p)], ids=lambda p: p.name)
def test_the_curl_examples_of_a_page_run(
    page: Path, sqlite_databases: SQLiteFiles, tmp_path: Path
) -> None:
    with api_process(tmp_path, sqlite_databases.fresh()) as url:
        program = "set -eu\n" + "\n".join(blocks_of(page))
        ran = subprocess.run(
            ["sh", "-c", program],
            env={**os.environ, "BACKFILL_API_URL": url, "no_proxy": "127.0.0.1"},
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.count('"partition_set"') >= 2
    assert "unlaunched" in ran.stdout


def test_a_page_with_curl_examples_exists() -> None:
    assert sum(len(blocks_of(page)) for page in PAGES) >= 5
