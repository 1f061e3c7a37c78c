"""The programs of `backfill dev`, run by a test: submit, kill, wait, look."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx
from sqlalchemy import Row, text

from backfill.definitions.in_process import LocalDefinitions
from backfill.definitions.registry import Registry
from backfill.embedded.supervisor import Change, Program, Supervisor
from backfill.lifecycle import backfills, doctor, runs
from backfill.lifecycle.backfills import BackfillRequest
from backfill.local_programs import Fleet, programs
from backfill.settings import Settings
from backfill.states import BACKFILL_FINAL
from backfill.storage.database import Database
from tests.support.marks import Marks
from tests.support.ports import free_port
from tests.support.waiting import descendants, wait_until

EXAMPLES = Path(__file__).parents[2] / "examples"
READY_SECONDS = 60.0


@dataclass(frozen=True)
class StackOptions:
    """What a test wants.

    Attributes:
        definitions: Modules and files, comma-separated.
        settings: Fields of Settings to set, such as `lease_seconds`.
        env: Added to the environment of every program.
    """

    definitions: str = f"{EXAMPLES / 'may_2020.py'},{EXAMPLES / 'weather.py'}"
    nodes: int = 1
    processes: int = 2
    flower: bool = False
    api: bool = True
    coordinators: int = 1
    settings: Mapping[str, Any] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)


class Stack:
    """Running programs, from `__enter__` to `__exit__`.

    Attributes:
        settings: As the programs have them.
        database: The same database they use.
        home: The folder of the broker's data, outputs and logs.
        changes: What the supervisor told: starts, deaths, restarts.
        marks: What steps of the tests' own pipelines tell.
        flower_url: Where Flower answers, if it is wanted.
    """

    def __init__(self, home: Path, database_url: str, options: StackOptions) -> None:
        self.home = home
        self.options = options
        self.settings = _settings(home, database_url, options)
        self.database = Database(database_url)
        self.changes: list[Change] = []
        self.marks = Marks(home)
        flower_port = free_port() if options.flower else 0
        self.flower_url = f"http://127.0.0.1:{flower_port}"
        fleet = Fleet(
            nodes=options.nodes,
            processes=options.processes,
            flower=options.flower,
            flower_port=flower_port,
        )
        self._supervisor = Supervisor(
            _wanted(programs(self.settings, fleet), options),
            logs=home / "logs",
            tell=self.changes.append,
        )
        self._ready = threading.Event()
        self._failed: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="supervisor")

    def __enter__(self) -> Stack:
        self._thread.start()
        wait_until(
            lambda: self._ready.is_set() or self._failed is not None, "the stack", READY_SECONDS
        )
        if self._failed is not None:
            raise self._failed
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.database.dispose()
        self._supervisor.request_stop()
        if error is not None:
            self._supervisor.request_stop()
        self._thread.join(60)
        assert not self._thread.is_alive(), "The stack did not stop."

    def pid(self, program: str) -> int:
        """Return the process id of a program that runs now."""
        return wait_until(lambda: self._supervisor.pids().get(program), f"{program} to run")

    def pool(self, worker: str = "worker-1") -> list[int]:
        """Return the process ids of a Celery worker's pool."""
        pid = self.pid(worker)
        return sorted(descendants(pid) - {pid})

    def kill(self, program: str, number: int = signal.SIGKILL) -> int:
        """Send a program's process a signal, without its children, and return its id."""
        pid = self.pid(program)
        os.kill(pid, number)
        return pid

    def wait_restarted(self, program: str, old_pid: int) -> int:
        """Wait until a program runs again under another process id."""
        return wait_until(
            lambda: pid if (pid := self._supervisor.pids().get(program)) != old_pid else None,
            f"{program} to be started again",
        )

    def submit(self, set_name: str, selection: str = "all", **wanted: Any) -> int:
        """Submit a backfill and return its id; keywords are those of BackfillRequest.

        Partitions that succeeded before run again, unless the keywords say otherwise.
        """
        registry = Registry.load(self.settings.definition_sources())
        wanted = {"reprocess": "all", **wanted}
        request = BackfillRequest(partition_set=set_name, selection=selection, **wanted)
        submitted = backfills.submit(
            self.database,
            LocalDefinitions(registry),
            request,
            at=datetime.now(UTC),
            limit=self.settings.max_partitions,
        )
        return submitted.backfill_id

    def wait_final(self, backfill_id: int, seconds: float = 90.0) -> str:
        """Wait until a backfill is final and return its state."""
        return wait_until(
            lambda: state if (state := self.state(backfill_id)) in BACKFILL_FINAL else None,
            f"backfill {backfill_id} to end ({self.run_states(backfill_id)})",
            seconds,
        )

    def wait_succeeded_runs(self, backfill_id: int, count: int, seconds: float = 60.0) -> None:
        """Wait until so many of a backfill's runs have succeeded."""
        wait_until(
            lambda: self.run_states(backfill_id).get("succeeded", 0) >= count,
            f"{count} runs of backfill {backfill_id}",
            seconds,
        )

    def wait_all_final(self, backfill_id: int, seconds: float = 90.0) -> dict[str, int]:
        """Wait until a backfill is final, see that all is healthy, and count its runs."""
        self.wait_final(backfill_id, seconds)
        wait_until(lambda: not self.ill(), f"a healthy end: {self.ill()}", 15)
        return self.run_states(backfill_id)

    def ill(self) -> list[doctor.Finding]:
        """Return what breaks the invariants, or is not over."""
        return doctor.check(self.database, quiescent=True)

    def pause(self, backfill_id: int) -> None:
        """Pause a backfill."""
        backfills.pause(self.database, backfill_id, reason="a test looks at it")

    def resume(self, backfill_id: int) -> None:
        """Let a paused backfill go on."""
        backfills.resume(self.database, backfill_id)

    def cancel(self, backfill_id: int) -> None:
        """Give a backfill up."""
        backfills.cancel(self.database, backfill_id, reason="a test gave it up")

    def cancel_run(self, run_id: int) -> None:
        """Cancel one run."""
        runs.cancel_run(self.database, run_id, reason="a test gave it up")

    def run(self, backfill_id: int, partition: str) -> Row[Any]:
        """Return the row of a partition's run."""
        query = "SELECT * FROM runs WHERE backfill_id = :id AND partition = :partition"
        return self.rows(query, id=backfill_id, partition=partition)[0]

    def steps(self, run_id: int) -> dict[tuple[int, str], str]:
        """Return the states of a run's steps by attempt and name."""
        query = "SELECT attempt, step, state FROM step_outcomes WHERE run_id = :id"
        return {(row.attempt, row.step): row.state for row in self.rows(query, id=run_id)}

    def attempts(self, run_id: int) -> list[str]:
        """Return how a run's attempts before the last one ended."""
        query = "SELECT ending FROM attempts WHERE run_id = :id ORDER BY attempt"
        return [row.ending for row in self.rows(query, id=run_id)]

    def worker_of(self, run_id: int) -> str:
        """Return the program that executes a run."""
        query = "SELECT w.name FROM runs r JOIN workers w ON w.id = r.worker_id WHERE r.id = :id"
        return str(self.rows(query, id=run_id)[0].name).partition("@")[0]

    def state(self, backfill_id: int) -> str:
        """Return a backfill's state."""
        query = "SELECT state FROM backfills WHERE id = :id"
        return str(self.rows(query, id=backfill_id)[0].state)

    def run_states(self, backfill_id: int) -> dict[str, int]:
        """Count a backfill's runs by state."""
        query = "SELECT state, count(*) AS n FROM runs WHERE backfill_id = :id GROUP BY state"
        return {row.state: row.n for row in self.rows(query, id=backfill_id)}

    def rows(self, query: str, **values: Any) -> Sequence[Row[Any]]:
        """Ask the database."""
        with self.database.read() as conn:
            return conn.execute(text(query), values).all()

    def http(self, **options: Any) -> httpx.Client:
        """Return a client of the API."""
        return httpx.Client(base_url=self.settings.api_url, trust_env=False, **options)

    def log(self, program: str) -> str:
        """Return a program's log."""
        path = self.home / "logs" / f"{program}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def logs(self, characters: int = 3000) -> str:
        """Return the end of every program's log."""
        names = sorted(path.stem for path in (self.home / "logs").glob("*.log"))
        return "\n".join(f"--- {name}\n{self.log(name)[-characters:]}" for name in names)

    def _run(self) -> None:
        try:
            self._supervisor.run(self._ready.set)
        except BaseException as error:
            self._failed = error


def _settings(home: Path, database_url: str, options: StackOptions) -> Settings:
    port = free_port()
    given: dict[str, Any] = {
        "home": home,
        "database_url": database_url,
        "definitions": options.definitions,
        "port": port,
        "api_url": f"http://127.0.0.1:{port}",
    }
    return Settings(**{**given, **options.settings})


def _wanted(all_programs: Sequence[Program], options: StackOptions) -> list[Program]:
    chosen: list[Program] = []
    for program in all_programs:
        if program.name == "api" and not options.api:
            continue
        with_env = replace(program, env={**program.env, **options.env})
        chosen.append(with_env)
        if program.name == "coordinator":
            chosen += [_twin(with_env, number) for number in range(2, options.coordinators + 1)]
    return chosen


def _twin(program: Program, number: int) -> Program:
    """A second coordinator; ready when the first is."""
    env = {**program.env, "BACKFILL_READY_FILE": ""}
    return replace(
        program, name=f"{program.name}-{number}", env=env, is_ready=lambda: True, prepare=_nothing
    )


def _nothing(_: int) -> None:
    return
