"""Everything on one machine: broker, API, coordinator, workers and Flower under one command."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sqlalchemy.engine import make_url

from backfill.embedded.supervisor import Change, Phase, Supervisor
from backfill.errors import Conflict, Unavailable
from backfill.local_programs import Fleet, programs
from backfill.settings import Settings
from backfill.storage.database import Database

PORTS_TRIED = 100
INTERRUPTED = 130


@dataclass(frozen=True)
class LocalStack:
    """What runs, and where it can be looked at.

    Attributes:
        settings: With the ports, URLs and definitions that are really used.
        logs: The folder of the programs' log files.
        flower_url: None when Flower was not asked for.
        pids: Asks for the process id of each program that runs now.
        stopping: Set when everything is about to stop.
    """

    settings: Settings
    logs: Path
    flower_url: str | None
    pids: Callable[[], Mapping[str, int]]
    stopping: threading.Event = field(default_factory=threading.Event)


Foreground = Callable[[LocalStack], int | None]


def run_dev(
    settings: Settings,
    *,
    workers: int = 2,
    nodes: int = 1,
    flower: bool = True,
    definitions: str | None = None,
    console: Console | None = None,
    foreground: Foreground | None = None,
) -> int:
    """Run everything until a signal, or until `foreground` returns an exit status.

    Call it in the main thread: signals are handled here, and the programs are on this thread's
    leash.

    Args:
        workers: Pool processes of each node: how many runs it executes at a time.
        nodes: Celery workers.
        definitions: Modules and files, comma-separated; None keeps the settings'.
        console: Where to say what happens; stderr by default.
        foreground: Called in a thread once all is ready. An exit status ends everything; None
            leaves it running.

    Returns:
        The exit status: the foreground's; 130 when it was interrupted; else 0.

    Raises:
        Conflict: The home folder is in use by another `backfill dev`.
        Unavailable: Something could not be started; says which and why.
    """
    console = console or Console(stderr=True)
    if definitions is not None:
        settings = settings.model_copy(update={"definitions": definitions})
    fleet = Fleet(nodes=nodes, processes=workers, flower=flower)
    settings.home.mkdir(parents=True, exist_ok=True)
    with _only_one(settings.home):
        settings, fleet = _choose_ports(settings, fleet, console)
        _upgrade_database(settings)
        return _Session(settings, fleet, console, foreground).run()


class _Session:
    """One stay of the programs, with the signals and the foreground's thread."""

    def __init__(
        self,
        settings: Settings,
        fleet: Fleet,
        console: Console,
        foreground: Foreground | None,
    ) -> None:
        self._console = console
        self._foreground = foreground
        self._status = 0 if foreground is None else INTERRUPTED
        logs = settings.home.resolve() / "logs"
        self._supervisor = Supervisor(programs(settings, fleet), logs=logs, tell=self._tell)
        flower_url = settings.flower_url if fleet.flower else None
        self._stack = LocalStack(settings, logs, flower_url, self._supervisor.pids)

    def run(self) -> int:
        with _signals(self._interrupted):
            try:
                self._supervisor.run(self._ready)
            finally:
                self._stack.stopping.set()
                _place_of(self._stack.settings).unlink(missing_ok=True)
        return self._status

    def _stop(self) -> None:
        self._stack.stopping.set()
        self._supervisor.request_stop()

    def _interrupted(self) -> None:
        again = self._stack.stopping.is_set()
        self._console.print("Killing." if again else "Stopping; once more kills.", style="dim")
        self._stop()

    def _ready(self) -> None:
        _note(self._stack)
        self._console.print(describe(self._stack))
        if self._foreground is not None:
            threading.Thread(target=self._run_foreground, name="foreground", daemon=True).start()

    def _run_foreground(self) -> None:
        assert self._foreground is not None
        try:
            status = self._foreground(self._stack)
        except BaseException:
            self._status = 1
            self._stop()
            raise
        self._status = status or 0
        if status is not None:
            self._stop()

    def _tell(self, change: Change) -> None:
        if self._stack.stopping.is_set() and change.phase is Phase.STOPPED:
            return
        style = {Phase.GIVEN_UP: "red", Phase.BACKING_OFF: "yellow"}.get(change.phase, "dim")
        sentence = f"{change.program} {change.sentence}"
        self._console.print(sentence, style=style, markup=False, soft_wrap=True)


def describe(stack: LocalStack) -> Table:
    """Return the table that says where everything can be looked at."""
    settings = stack.settings
    rows = {
        "Backfill": settings.api_url,
        "API": f"{settings.api_url}/docs",
        "Flower": stack.flower_url or "off",
        "Database": make_url(settings.effective_database_url()).render_as_string(),
        "Logs": f"{stack.logs}{os.sep}*.log",
        "Definitions": settings.definitions or "none (give some with -m MODULE or -f FILE)",
    }
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows.items():
        table.add_row(f"[bold]{name}[/bold]", value)
    table.caption = "Ctrl-C stops everything."
    table.caption_justify = "left"
    return table


def example_files() -> list[Path]:
    """Return the files of the examples: the seed's program and the weather.

    Raises:
        Unavailable: They are not there: neither in the package nor beside it.
    """
    here = Path(__file__).resolve().parent
    for folder in (here / "examples", here.parent / "examples"):
        files = [folder / "may_2020.py", folder / "weather.py"]
        if all(file.exists() for file in files):
            return files
    raise Unavailable(f"The examples are not installed: looked in {here} and beside it.")


def read_place(settings: Settings) -> Mapping[str, object] | None:
    """Return what the `backfill dev` of this home folder noted about itself, if one runs.

    Keys: `pid`, `api_url`, `flower_url`, `pids` (by program, as of its start).
    """
    try:
        noted: Mapping[str, object] = json.loads(_place_of(settings).read_text())
    except (FileNotFoundError, ValueError):
        return None
    return noted


def _place_of(settings: Settings) -> Path:
    return settings.home / "dev.json"


def _note(stack: LocalStack) -> None:
    noted = {
        "pid": os.getpid(),
        "api_url": stack.settings.api_url,
        "flower_url": stack.flower_url,
        "pids": dict(stack.pids()),
    }
    _place_of(stack.settings).write_text(json.dumps(noted, indent=2))


@contextmanager
def _only_one(home: Path) -> Iterator[None]:
    """Hold the home folder's lock; the system frees it however we end."""
    with (home / "dev.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise Conflict(
                f"Another `backfill dev` (process {lock.read().strip() or 'unknown'}) uses "
                f"{home.resolve()}. Stop it, or set BACKFILL_HOME to another folder."
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _choose_ports(settings: Settings, fleet: Fleet, console: Console) -> tuple[Settings, Fleet]:
    """Take the next free port where one is taken, and say so."""
    port = _free_port(settings.host, settings.port, console, "The API")
    flower_port = fleet.flower_port
    if fleet.flower:
        flower_port = _free_port("127.0.0.1", flower_port, console, "Flower", taken=port)
    update = {
        "port": port,
        "api_url": f"http://{settings.host}:{port}",
        "flower_url": f"http://127.0.0.1:{flower_port}" if fleet.flower else "",
        "reload": True,
    }
    return settings.model_copy(update=update), fleet.on_port(flower_port)


def _free_port(host: str, first: int, console: Console, who: str, taken: int = 0) -> int:
    for port in range(first, first + PORTS_TRIED):
        if port == taken or not _is_free(host, port):
            continue
        if port != first:
            console.print(f"{who} listens on port {port}: {first} is taken.", style="yellow")
        return port
    raise Unavailable(
        f"{who} finds no free port from {first} to {first + PORTS_TRIED - 1} on {host}."
    )


def _is_free(host: str, port: int) -> bool:
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
        except OSError:
            return False
        return True


def _upgrade_database(settings: Settings) -> None:
    database = Database(settings.effective_database_url())
    try:
        database.migrate()
    finally:
        database.dispose()


@contextmanager
def _signals(stop: Callable[[], None]) -> Iterator[None]:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, lambda *_: stop()) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
