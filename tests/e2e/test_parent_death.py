"""A killed supervisor leaves no process behind: not the broker, not Celery's pool, not Flower."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.ports import free_port
from tests.support.waiting import all_gone, descendants, wait_until


@contextmanager
def family() -> Iterator[tuple[subprocess.Popen[bytes], dict[str, int]]]:
    """Give a running supervisor and its programs' process ids."""
    with tempfile.TemporaryDirectory(prefix="backfill-") as folder:
        command = [sys.executable, "-m", "tests.support.celery_family", folder, str(free_port())]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as supervisor:
            assert supervisor.stdout is not None
            try:
                told = supervisor.stdout.readline()
                assert told, f"It did not get ready: {_logs(Path(folder))}"
                yield supervisor, json.loads(told)
            finally:
                supervisor.kill()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_nothing_outlives_a_killed_supervisor(number: signal.Signals) -> None:
    with family() as (supervisor, pids):
        everything = descendants(supervisor.pid)
        pool = descendants(pids["worker"]) - {pids["worker"]}
        assert len(pool) >= 2
        assert everything >= set(pids.values()) | pool
        supervisor.send_signal(number)
        wait_until(all_gone(everything), "every process to end", 10)


def test_a_worker_that_was_killed_takes_its_pool_along_and_comes_back() -> None:
    with family() as (supervisor, pids):
        pool = descendants(pids["worker"])
        subprocess.run(["kill", "-9", str(pids["worker"])], check=True)
        wait_until(all_gone(pool), "the pool to end", 10)

        def new_pool() -> Any:
            return [d for d in descendants(supervisor.pid) - pool if len(descendants(d)) >= 3]

        wait_until(new_pool, "the worker to come back")


def _logs(folder: Path) -> dict[str, str]:
    return {log.name: log.read_text()[-2000:] for log in folder.glob("*.log")}
