"""Run a broker, a Celery worker with two pool processes, and Flower, until killed.

`python -m tests.support.celery_family FOLDER FLOWER_PORT` prints the programs' process ids as JSON
once all of them are ready.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import httpx

from backfill.embedded.broker import EmbeddedBroker
from backfill.embedded.supervisor import Program, Supervisor


def main(folder: Path, flower_port: int) -> None:
    broker = EmbeddedBroker(folder / "broker")
    env = {"TESTS_BROKER_URL": broker.url()}
    celery = [sys.executable, "-m", "celery", "-A", "tests.support.celery_app"]
    worker = [*celery, "worker", "--concurrency=2", "--loglevel=INFO", "--hostname=w@%h"]
    flower = [*celery, "flower", "--address=127.0.0.1", f"--port={flower_port}"]
    supervisor = Supervisor(
        [
            Program("broker", broker.command(), prepare=broker.prepare, is_ready=broker.answers),
            Program(
                "worker",
                worker,
                env=env,
                after=["broker"],
                is_ready=lambda: " ready." in (folder / "worker.log").read_text(),
            ),
            Program(
                "flower", flower, env=env, after=["broker"], is_ready=lambda: answers(flower_port)
            ),
        ],
        logs=folder,
    )
    supervisor.run(lambda: print(json.dumps(supervisor.pids()), flush=True))  # noqa: T201


def answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/healthcheck", timeout=1).is_success
    except httpx.HTTPError:
        return False


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
