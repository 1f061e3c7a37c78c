"""A RabbitMQ server of our own, where the machine has the program."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path
from types import TracebackType

from backfill.embedded.leash import Leashed, start
from tests.support.ports import free_port
from tests.support.waiting import wait_until

PROGRAMS = ("/usr/lib/rabbitmq/bin/rabbitmq-server", "/usr/local/sbin/rabbitmq-server")
START_SECONDS = 90.0


def find_server() -> Path | None:
    """Return the program that runs in the foreground as whoever calls it, if there is one."""
    return next((Path(p) for p in PROGRAMS if Path(p).exists() and shutil.which("epmd")), None)


class RabbitMQ:
    """One server on the loopback address, with its data in a folder.

    The Erlang port mapper would outlive the server that starts it, so it has one of its own.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._mapper_port = free_port()
        self._mapper: Leashed | None = None
        self._server: Leashed | None = None

    @property
    def url(self) -> str:
        """The Celery URL of its default virtual host."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    @property
    def pid(self) -> int:
        """The server's process id while it runs."""
        assert self._server is not None, "The server has not been started."
        return self._server.pid

    def __enter__(self) -> RabbitMQ:
        mapper = ["epmd", "-address", "127.0.0.1", "-port", str(self._mapper_port)]
        with (self.folder / "epmd.log").open("ab") as output:
            self._mapper = start(mapper, output=output)
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()
        if self._mapper is not None:
            self._mapper.stop()

    def start(self) -> None:
        """Start the server, with the data that is there, and wait until it answers."""
        command = find_server()
        assert command is not None, "There is no RabbitMQ on this machine."
        (self.folder / "plugins").write_text("[].")
        (self.folder / "rabbitmq.conf").write_text("loopback_users.guest = true\n")
        with (self.folder / "rabbitmq.log").open("ab") as output:
            self._server = start([str(command)], env=self._environment(), output=output)
        wait_until(self.answers, "RabbitMQ", START_SECONDS)

    def kill(self, *, forget: bool = False) -> None:
        """Kill the server; `forget` deletes its data too."""
        if self._server is not None:
            self._server.kill()
            self._server.stop()
            self._server = None
        if forget:
            shutil.rmtree(self.folder / "data", ignore_errors=True)

    def answers(self) -> bool:
        """Tell whether the server speaks AMQP now."""
        with socket.socket() as connection:
            connection.settimeout(2)
            try:
                connection.connect(("127.0.0.1", self.port))
                connection.sendall(b"AMQP\x00\x00\x09\x01")
                return bool(connection.recv(8))
            except OSError:
                return False

    def _environment(self) -> dict[str, str]:
        local = "-kernel inet_dist_use_interface {127,0,0,1}"
        return os.environ | {
            "HOME": str(self.folder),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self._mapper_port),
            "RABBITMQ_NODENAME": "tests@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
            "RABBITMQ_LOG_BASE": str(self.folder / "logs"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": local,
        }
