"""The programs of `backfill dev`: a table of command lines and how to tell that they are ready."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import httpx

from backfill.embedded.broker import EmbeddedBroker
from backfill.embedded.supervisor import Program
from backfill.settings import Settings

BROKER = "broker"
PROBE_SECONDS = 1.0
FLOWER_PORT = 5555


@dataclass(frozen=True)
class Fleet:
    """How many of what.

    Attributes:
        nodes: Celery workers.
        processes: Pool processes of each: how many runs it executes at a time.
    """

    nodes: int = 1
    processes: int = 2
    flower: bool = True
    flower_port: int = FLOWER_PORT

    def on_port(self, flower_port: int) -> Fleet:
        return replace(self, flower_port=flower_port)


def programs(settings: Settings, fleet: Fleet) -> list[Program]:
    """Return what `backfill dev` runs; a broker of ours only where no other is set."""
    embedded = [] if settings.broker_url else [_broker(settings)]
    after = [program.name for program in embedded]
    env = environment(settings)
    python = [sys.executable, "-m"]
    rest = [
        Program("api", [*python, "backfill.api"], is_ready=_answers(f"{settings.api_url}/healthz")),
        _announcing(settings, "coordinator", [*python, "backfill.coordinator"]),
        *(_worker(settings, fleet, number) for number in range(1, fleet.nodes + 1)),
    ]
    if fleet.flower:
        rest.append(_flower(fleet))
    return embedded + [replace(p, env={**env, **p.env}, after=[*after, *p.after]) for p in rest]


def environment(settings: Settings) -> dict[str, str]:
    """Return the environment that gives a child process these settings."""
    given = settings.model_dump(mode="json")
    given |= {
        "home": str(settings.home.resolve()),
        "database_url": settings.effective_database_url(),
        "broker_url": settings.effective_broker_url(),
    }
    return {f"BACKFILL_{name.upper()}": _plain(value) for name, value in given.items()}


def embedded_broker(settings: Settings) -> EmbeddedBroker:
    """Return the broker of the home folder."""
    return EmbeddedBroker(settings.home.resolve() / "broker", socket_path=settings.broker_socket())


def _plain(value: object) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)


def _broker(settings: Settings) -> Program:
    broker = embedded_broker(settings)
    return Program(BROKER, broker.command(), is_ready=broker.answers, prepare=broker.prepare)


def _worker(settings: Settings, fleet: Fleet, number: int) -> Program:
    name = f"worker-{number}"
    command = [
        *(sys.executable, "-m", "celery", "-A", "workers", "worker"),
        *("--hostname", f"{name}@%h", "--concurrency", str(fleet.processes)),
        *("--loglevel", "INFO", "--without-gossip", "--without-mingle"),
    ]
    program = _announcing(settings, name, command)
    return replace(program, grace_seconds=settings.shutdown_seconds + 10)


def _announcing(settings: Settings, name: str, command: Sequence[str]) -> Program:
    """A program that makes the file BACKFILL_READY_FILE names once it is ready."""
    ready = settings.home.resolve() / "run" / f"{name}.ready"
    return Program(
        name,
        command,
        env={"BACKFILL_READY_FILE": str(ready)},
        is_ready=ready.exists,
        prepare=_removing(ready),
    )


def _flower(fleet: Fleet) -> Program:
    """Flower, on the loopback address only; it starts last, since it asks once who is there."""
    url = f"http://127.0.0.1:{fleet.flower_port}"
    command = [
        *(sys.executable, "-m", "celery", "-A", "workers", "flower"),
        *("--address=127.0.0.1", f"--port={fleet.flower_port}"),
    ]
    return Program(
        "flower",
        command,
        env={"FLOWER_UNAUTHENTICATED_API": "1"},
        is_ready=_answers(f"{url}/healthcheck"),
        after=[f"worker-{number}" for number in range(1, fleet.nodes + 1)],
        vital=False,
    )


def _answers(url: str) -> Callable[[], bool]:
    def ask() -> bool:
        try:
            return httpx.get(url, timeout=PROBE_SECONDS, trust_env=False).is_success
        except httpx.HTTPError:
            return False

    return ask


def _removing(file: Path) -> Callable[[int], None]:
    def prepare(_: int) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)

    return prepare
