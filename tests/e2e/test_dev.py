"""`backfill dev` ends as it should: asked, or killed, it leaves no process behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.support.ports import free_port
from tests.support.stack import EXAMPLES
from tests.support.waiting import all_gone, descendants, wait_until


@contextmanager
def dev() -> Iterator[tuple[subprocess.Popen[bytes], dict[str, Any], Path]]:
    """Give a running `backfill dev`, what it noted about itself, and its home folder."""
    with tempfile.TemporaryDirectory(prefix="backfill-", ignore_cleanup_errors=True) as folder:
        home, env = Path(folder), {**os.environ}
        env |= {"BACKFILL_HOME": folder, "BACKFILL_PORT": str(free_port())}
        command = [sys.executable, "-m", "backfill.cli", "dev", "-f", f"{EXAMPLES}/may_2020.py"]
        with (
            (home / "output").open("wb") as output,
            subprocess.Popen(command, env=env, stdout=output, stderr=output) as process,
        ):
            try:
                yield process, _noted(process, home), home
            finally:
                process.kill()


def test_an_interrupt_stops_everything() -> None:
    with dev() as (process, noted, home):
        assert httpx.get(f"{noted['api_url']}/healthz").is_success
        everything = descendants(process.pid)
        assert everything >= set(noted["pids"].values())
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        assert all_gone(everything)()
        assert not (home / "dev.json").exists()


def test_a_kill_leaves_no_process_behind() -> None:
    with dev() as (process, noted, _):
        everything = descendants(process.pid)
        assert len(everything) > len(noted["pids"]) + 2  # pool and definitions processes
        process.kill()
        wait_until(all_gone(everything), "every process to end", 10)


def test_flower_lists_the_worker_and_the_tasks_by_readable_arguments() -> None:
    with dev() as (_, noted, __):
        flower = noted["flower_url"]
        (name,) = wait_until(lambda: _get(f"{flower}/api/workers"), "Flower to see the worker", 60)
        assert name.startswith("worker-1@")
        command = [sys.executable, "-m", "backfill.cli", "submit", "date_partition_set", "--all"]
        env = {**os.environ, "BACKFILL_API_URL": noted["api_url"]}
        subprocess.run([*command, "--yes", "--watch"], env=env, check=True, capture_output=True)

        def tasks() -> list[Any]:
            return list((_get(f"{flower}/api/tasks") or {}).values())

        wait_until(tasks, "Flower to see the tasks", 60)
        assert {task["name"] for task in tasks()} == {"backfill.run"}
        assert all(task["args"].startswith("(my_data_pipeline: 2020-05-") for task in tasks())


def _get(url: str) -> Any:
    try:
        return httpx.get(url).json()
    except (httpx.HTTPError, ValueError):
        return None


def _noted(process: subprocess.Popen[bytes], home: Path) -> dict[str, Any]:
    place = home / "dev.json"
    wait_until(lambda: process.poll() is not None or place.exists(), "backfill dev", 60)
    assert process.poll() is None, (home / "output").read_text()
    noted: dict[str, Any] = wait_until(lambda: _read(place), "the note to be whole")
    return noted


def _read(place: Path) -> Any:
    try:
        return json.loads(place.read_text())
    except ValueError:
        return None
