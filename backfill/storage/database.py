"""The database: engines, transactions, the clock, wake-ups. All dialect code of the product.

Both databases run the same statements; what differs (the clock, record sets, COPY, how a write
transaction begins, how a waiter is woken) is rendered here.
"""

from __future__ import annotations

import fcntl
import json
import math
import random
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import repeat
from pathlib import Path
from typing import Any, TextIO, TypeVar

from sqlalchemy import Connection, Engine, Table, TextClause, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool, QueuePool

from backfill.definitions.text import storable
from backfill.errors import Invalid, Unavailable
from backfill.storage.copying import copy_lines

T = TypeVar("T")

POSTGRES_NOW = "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)"
SQLITE_NOW = "now_us()"
CHANNEL = "backfill"
CALM = "calm"
_RETRIED_SQLSTATES = {"40001", "40P01", "55P03", "57P01", "57P02", "57P03"}
_MIN_SQLITE = (3, 38, 0)

# For who moves runs from state to state. Plain index scans mark what is dead in the small indexes
# of the queued and the running; bitmap scans read thousands of dead entries until the next vacuum.
# And until the next ANALYZE a planner takes the hundred thousand runs just made for a few, which it
# would read all and sort: every statement has its index, in its order.
QUEUEING = (
    "enable_bitmapscan=off",
    "enable_seqscan=off",
    "enable_sort=off",
    "jit=off",
)
# For who names every row by its id besides: a plan made once serves any number of them, and
# making it anew for each would cost as much as a small statement itself.
BY_ID = (*QUEUEING, "plan_cache_mode=force_generic_plan")


class Database:
    """One database, on PostgreSQL or SQLite.

    Args:
        url: SQLAlchemy URL. `postgresql://` uses psycopg 3.
        now: SQL expression of the current time in integer microseconds; tests put a clock of
            their own here.
        relaxed: Commit without waiting for the disk (PostgreSQL only): for writes that lose
            nothing when a database crash forgets them.
        forking: This process forks while it uses the database (see `storage.forking`): on SQLite
            each transaction has a connection of its own, closed at its end.
        tuning: Settings of its sessions (PostgreSQL only), such as `QUEUEING`.
    """

    def __init__(
        self,
        url: str,
        *,
        now: str | None = None,
        relaxed: bool = False,
        pool_size: int = 5,
        forking: bool = False,
        tuning: Sequence[str] = (),
    ) -> None:
        self.url = _parsed(url)
        self.postgres = self.url.get_backend_name() == "postgresql"
        self.now = now or (POSTGRES_NOW if self.postgres else SQLITE_NOW)
        self.engine = (
            _postgres_engine(self.url, relaxed=relaxed, tuning=tuning, pool_size=pool_size)
            if self.postgres
            else _sqlite_engine(self.url, forking=forking)
        )
        self._write_lock = None if self.postgres else _FileLock(_sqlite_path(self.url))

    # -- transactions -------------------------------------------------------------------------

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Open a write transaction that commits at the end of the block.

        On SQLite it is BEGIN IMMEDIATE behind a file lock, which makes waiting fair.
        """
        if self._write_lock is None:
            with self.engine.begin() as conn:
                yield conn
        else:
            with self._write_lock, self.engine.begin() as conn:
                yield conn

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a connection for reading: one snapshot on SQLite, each statement on PostgreSQL."""
        options: dict[str, Any] = {"backfill_read": True}
        if self.postgres:
            options["isolation_level"] = "AUTOCOMMIT"  # no BEGIN and ROLLBACK around a SELECT
        with self.engine.connect().execution_options(**options) as conn:
            yield conn

    @contextmanager
    def single(self) -> Iterator[Connection]:
        """Open a connection for one writing statement that is a transaction by itself."""
        if not self.postgres:
            with self.write() as conn:
                yield conn
            return
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
            yield conn

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """Open a connection for reading one moment, however many statements look at it."""
        options: dict[str, Any] = {"backfill_read": True}
        if self.postgres:
            options["isolation_level"] = "REPEATABLE READ"
        with self.engine.connect().execution_options(**options) as conn:
            yield conn

    def transact(
        self,
        work: Callable[[Connection], T],
        *,
        give_up_after: float = 20.0,
        single: bool = False,
    ) -> T:
        """Run `work` in a write transaction; again after deadlocks and lost connections.

        `work` must be safe to repeat after a commit whose answer was lost: all moves are.

        Args:
            single: `work` is one writing statement on PostgreSQL, which needs no BEGIN.

        Raises:
            Unavailable: The database could not be reached for `give_up_after` seconds.
        """
        deadline = time.monotonic() + give_up_after
        delay = 0.01
        while True:
            try:
                with self.single() if single else self.write() as conn:
                    return work(conn)
            except DBAPIError as error:
                if not is_transient(error):
                    raise
                if time.monotonic() + delay > deadline:
                    raise Unavailable(
                        f"The database {self.safe_url} cannot be reached: {error.orig}. "
                        "Check that it runs and that BACKFILL_DATABASE_URL is right."
                    ) from error
            time.sleep(delay * random.uniform(0.5, 1.0))
            delay = min(delay * 2, 1.0)

    def dispose(self, *, close: bool = True) -> None:
        """Forget all connections; `close=False` in a forked child leaves the parent's alone."""
        self.engine.dispose(close=close)
        if self._write_lock is not None:
            self._write_lock.close()

    @property
    def safe_url(self) -> str:
        """The URL without its password."""
        return self.url.render_as_string(hide_password=True)

    # -- rendering ----------------------------------------------------------------------------

    def sql(self, statement: str) -> TextClause:
        """Return a statement with `{now}` replaced by the clock; cached per text."""
        return _text(statement.replace("{now}", self.now))

    def one_of(self, column: str, name: str) -> str:
        """Render `column` being one of the integers bound as `name` (see `ints`)."""
        if self.postgres:
            return f"{column} = ANY(CAST(:{name} AS bigint[]))"
        return f"{column} IN (SELECT value FROM json_each(:{name}))"

    def ints(self, values: Iterable[int]) -> Any:
        """Bind a list of integers for `one_of`."""
        return list(values) if self.postgres else json.dumps(list(values))

    def checked(self, condition: str) -> str:
        """Render a condition on rows that are named by their ids: no index is chosen by it.

        The partial indexes of the queued and the running look tiny to a planner and are full of
        entries of runs that moved on.
        """
        return f"coalesce({condition}, false)"

    def one_of_texts(self, column: str, name: str) -> str:
        """Render `column` being one of the texts bound as `name` (see `texts`)."""
        if self.postgres:
            return f"{column} = ANY(CAST(:{name} AS text[]))"
        return f"{column} IN (SELECT value FROM json_each(:{name}))"

    def texts(self, values: Iterable[str]) -> Any:
        """Bind a list of texts for `one_of_texts`."""
        return list(values) if self.postgres else json.dumps(list(values))

    def json_text(self, column: str, name: str) -> str:
        """Render the text that a JSON column's object has under the name bound as `name`."""
        if self.postgres:
            return f"({column} ->> CAST(:{name} AS text))"
        return f"(SELECT value FROM json_each({column}) WHERE key = :{name})"

    def ids_for_each(self, outer: str, table: str, ids: str) -> str:
        """Render the ids that a statement gives for each row of `outer`, whose columns it names.

        Args:
            ids: A statement that gives column `id`, ids of rows of `table`.
        """
        if self.postgres:
            return f"SELECT found.id FROM {outer} CROSS JOIN LATERAL ({ids}) AS found"
        return f"SELECT found.id FROM {outer} CROSS JOIN {table} AS found WHERE found.id IN ({ids})"

    def rows_for_each(self, outer: str, table: str, condition: str, *, name: str) -> str:
        """Render the rows of a table that fit each of `outer`, found one by one by an index.

        A planner that cannot know how few there are in `outer` might read all of the table.
        """
        if self.postgres:
            found = f"SELECT * FROM {table} WHERE {condition} OFFSET 0"
            return f"{outer} CROSS JOIN LATERAL ({found}) AS {name}"
        return f"{outer} CROSS JOIN {table} AS {name} ON {condition}"

    def records(self, name: str, columns: Mapping[str, str]) -> str:
        """Render a record set bound as JSON under `name`; columns map to PostgreSQL types."""
        if self.postgres:
            shape = ", ".join(f'"{c}" {t}' for c, t in columns.items())
            return f"json_to_recordset(CAST(:{name} AS json)) AS {name}({shape})"
        fields = ", ".join(f"json_extract(value, '$.{c}') AS \"{c}\"" for c in columns)
        return f"(SELECT {fields} FROM json_each(:{name})) AS {name}"

    def json_entries(self, column: str) -> str:
        """Render the members of a JSON object as rows of key and value; of NULL there are none."""
        return f"json_each_text({column})" if self.postgres else f"json_each({column})"

    @property
    def skip_locked(self) -> str:
        """` FOR UPDATE SKIP LOCKED` where rows can be locked one by one."""
        return " FOR UPDATE SKIP LOCKED" if self.postgres else ""

    @property
    def for_update(self) -> str:
        """` FOR UPDATE` where rows can be locked one by one."""
        return " FOR UPDATE" if self.postgres else ""

    @property
    def for_no_key_update(self) -> str:
        """As `for_update`, but beside those who only take care that the row stays as it is."""
        return " FOR NO KEY UPDATE" if self.postgres else ""

    @property
    def for_key_share(self) -> str:
        """Lock a row against `for_update`, and against nothing else: counts go on changing."""
        return " FOR KEY SHARE" if self.postgres else ""

    def alone(self, conn: Connection, what: str, number: int) -> None:
        """Wait until nobody else does `what` to this number, and be the one until the commit.

        SQLite has one writer at a time anyway.
        """
        if self.postgres:
            conn.execute(
                self.sql("SELECT pg_advisory_xact_lock(hashtextextended(:what, :number))"),
                {"what": what, "number": number},
            )

    @property
    def feed_xid(self) -> str:
        """The expression that orders feed rows by visibility; see `models.feed`."""
        return "CAST(CAST(pg_current_xact_id() AS text) AS bigint)" if self.postgres else "0"

    def told_of(
        self, moved: str, source: str, target: str, more: Mapping[str, str] | None = None
    ) -> str:
        """Render the feed row of runs in the WITH query `moved`, as `Moved.body` would write it.

        PostgreSQL only: there a move and its feed row are one statement.

        Args:
            more: Further members of the body: SELECTs of JSON by their names.
        """
        assert self.postgres
        counts = (
            f"SELECT json_object_agg(b, json_build_object('{source}', -n, '{target}', n)) FROM "
            f"(SELECT backfill_id AS b, count(*) AS n FROM {moved} WHERE backfill_id IS NOT NULL "
            "GROUP BY backfill_id) AS c"
        )
        runs = (
            f"SELECT json_agg(json_build_array(id, '{target}', attempt, backfill_id, set_id, "
            f'"partition") ORDER BY id) FROM {moved}'
        )
        others = "".join(f", '{name}', ({query})" for name, query in (more or {}).items())
        return (
            f"INSERT INTO feed (xid, at, body) SELECT {self.feed_xid}, {{now}}, "
            f"CAST(json_build_object('counts', coalesce(({counts}), '{{}}'), 'runs', ({runs})"
            f"{others}) AS text) WHERE EXISTS (SELECT 1 FROM {moved})"
        )

    @property
    def feed_settled(self) -> str:
        """A condition on feed rows no concurrent transaction can still come before."""
        if not self.postgres:
            return "true"
        return "xid < CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text) AS bigint)"

    # -- bulk and clock -----------------------------------------------------------------------

    def bulk_insert(
        self,
        conn: Connection,
        table: Table,
        columns: Mapping[str, Sequence[Any]],
        constants: Mapping[str, Any] | None = None,
    ) -> None:
        """Insert many rows of numbers, booleans, texts and NULLs.

        COPY on PostgreSQL, executemany on SQLite; both given whole, which costs a tenth of a row
        at a time.

        Args:
            columns: Values of each column, as many of each.
            constants: What a column has in all of the rows.

        Raises:
            DBAPIError: As of any other statement.
        """
        constants = constants or {}
        names = ", ".join(f'"{c}"' for c in (*constants, *columns))
        if self.postgres:
            statement = f"COPY {table.name} ({names}) FROM STDIN"
            lines = copy_lines(list(columns.values()), list(constants.values()))
            with _as_statement(conn, statement), conn.connection.cursor().copy(statement) as copy:
                copy.write(lines)
            return
        marks = ", ".join("?" * (len(constants) + len(columns)))
        rows = list(zip(*map(repeat, constants.values()), *columns.values(), strict=False))
        if rows:
            conn.exec_driver_sql(f"INSERT INTO {table.name} ({names}) VALUES ({marks})", rows)

    def clock(self, conn: Connection) -> int:
        """Return the database's time in microseconds."""
        return int(conn.execute(self.sql("SELECT {now}")).scalar_one())

    # -- wake-ups -----------------------------------------------------------------------------

    def notify(self, *, calm: bool = False) -> None:
        """Wake every waiter. On SQLite the commit itself does.

        Args:
            calm: It is no hurry: one of many such, which may be served together.
        """
        if self.postgres:
            payload = f", '{CALM}'" if calm else ""
            with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
                conn.exec_driver_sql(f"NOTIFY {CHANNEL}{payload}")

    def ring(self, conn: Connection) -> None:
        """Wake every waiter when this transaction commits."""
        if self.postgres:
            conn.exec_driver_sql(f"NOTIFY {CHANNEL}")

    def bell(self) -> Bell:
        """Return a waiter of its own connection that hears commits of others."""
        return _PostgresBell(self.url) if self.postgres else _SqliteBell(self.url)

    # -- schema -------------------------------------------------------------------------------

    def migrate(self) -> None:
        """Bring the schema to the newest version (`backfill db upgrade`)."""
        from backfill.storage.migrations import upgrade

        if not self.postgres:
            _sqlite_path(self.url).parent.mkdir(parents=True, exist_ok=True)
        upgrade(self.engine)

    def require_schema(self) -> None:
        """Raise Unavailable unless the schema is at the version of this code."""
        from backfill.storage.migrations import pending_upgrade

        pending = pending_upgrade(self.engine)
        if pending:
            raise Unavailable(
                f"The database {self.safe_url} is at schema {pending.found or 'nothing'}, this "
                f"code needs {pending.needed}. Run `backfill db upgrade`."
            )


@contextmanager
def _as_statement(conn: Connection, statement: str) -> Iterator[None]:
    """Have what the driver raises look as it does from a statement of SQLAlchemy's."""
    error_class = conn.dialect.loaded_dbapi.Error
    try:
        yield
    except error_class as error:
        lost = conn.dialect.is_disconnect(error, conn.connection.driver_connection, None)
        raise DBAPIError.instance(
            statement, None, error, error_class, connection_invalidated=lost, dialect=conn.dialect
        ) from error


def to_json(value: Any) -> str:
    """Encode as JSON that both databases take: no NaN, no NUL characters, no lone surrogates.

    PostgreSQL refuses them, and one such character from a user's log line must not keep a whole
    batch from being recorded. Numbers that JSON does not know become words, such as `nan`.
    """
    try:
        encoded = json.dumps(value, separators=(",", ":"), allow_nan=False)
    except ValueError:
        return json.dumps(_storable(value), separators=(",", ":"))
    if "\\u0000" in encoded or "\\ud" in encoded:
        encoded = json.dumps(_storable(value), separators=(",", ":"))
    return encoded


def decoded(value: Any) -> Any:
    """Return a JSON column's value: PostgreSQL's driver decodes it, SQLite's does not."""
    return json.loads(value) if isinstance(value, str) else value


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {_storable(k): _storable(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_storable(v) for v in value]
    return value


def is_transient(error: DBAPIError) -> bool:
    """Say whether trying again can help: deadlock, lock timeout, lost or refused connection."""
    if error.connection_invalidated:
        return True
    state = getattr(error.orig, "sqlstate", None)
    if state is not None:
        return state in _RETRIED_SQLSTATES or state.startswith("08")
    if isinstance(error.orig, sqlite3.OperationalError):
        words = str(error.orig)
        return "locked" in words or "busy" in words
    return type(error.orig).__name__ in {"OperationalError", "ConnectionTimeout", "InterfaceError"}


@lru_cache(maxsize=512)
def _text(statement: str) -> TextClause:
    return text(statement)


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except Exception as error:
        raise Invalid(
            "BACKFILL_DATABASE_URL is not a database URL. "
            "Give postgresql+psycopg://user:password@host/name or sqlite:////path/file.db."
        ) from error
    if parsed.get_backend_name() not in {"postgresql", "sqlite"}:
        raise Invalid(f"{parsed.get_backend_name()} is not supported; use PostgreSQL or SQLite.")
    if parsed.drivername in {"postgresql", "postgres"}:
        parsed = parsed.set(drivername="postgresql+psycopg")
    return parsed


def _postgres_engine(url: URL, *, relaxed: bool, tuning: Sequence[str], pool_size: int) -> Engine:
    options = "-c statement_timeout=60000 -c lock_timeout=10000 -c timezone=UTC"
    if relaxed:
        options += " -c synchronous_commit=off"
    options += "".join(f" -c {setting}" for setting in tuning)
    return create_engine(
        url,
        pool_size=pool_size,
        max_overflow=20,
        pool_recycle=1800,
        pool_use_lifo=True,
        connect_args={"options": options, "connect_timeout": 5, "application_name": "backfill"},
    )


def _sqlite_engine(url: URL, *, forking: bool) -> Engine:
    if sqlite3.sqlite_version_info < _MIN_SQLITE:
        raise Unavailable(
            f"SQLite {sqlite3.sqlite_version} is too old; {'.'.join(map(str, _MIN_SQLITE))} or "
            "newer is needed. Use a newer Python, or PostgreSQL."
        )
    engine = create_engine(
        url,
        connect_args={"timeout": 20, "check_same_thread": False},
        poolclass=NullPool if forking else QueuePool,
    )

    @event.listens_for(engine, "connect")
    def _connect(connection: sqlite3.Connection, _record: object) -> None:
        _prepare_sqlite(connection)

    @event.listens_for(engine, "begin")
    def _begin(conn: Connection) -> None:
        reading = conn.get_execution_options().get("backfill_read", False)
        conn.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    return engine


def _prepare_sqlite(connection: sqlite3.Connection) -> None:
    connection.isolation_level = None
    connection.create_function("now_us", 0, lambda: time.time_ns() // 1000)
    for pragma in (
        "busy_timeout = 20000",
        "journal_mode = WAL",
        "synchronous = NORMAL",
        "cache_size = -32000",
        "temp_store = MEMORY",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _sqlite_path(url: URL) -> Path:
    if not url.database or url.database == ":memory:":
        raise Invalid("SQLite needs a file that several processes can share, not :memory:.")
    return Path(url.database)


class _FileLock:
    """An flock taken before BEGIN IMMEDIATE: SQLite's own waiting is unfair (up to seconds)."""

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(database.name + ".lock")
        self._local = threading.local()
        self._files: list[TextIO] = []

    def __enter__(self) -> None:
        # A descriptor per thread: flock excludes descriptions, so threads exclude each other.
        file = getattr(self._local, "file", None)
        if file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            file = self._local.file = open(self._path, "w")
            self._files.append(file)
        fcntl.flock(file, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        fcntl.flock(self._local.file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the descriptors of all threads; the next use opens new ones."""
        files, self._files, self._local = self._files, [], threading.local()
        for file in files:
            file.close()


class Bell:
    """Waits until somebody else committed something, or a timeout."""

    def wait(self, seconds: float) -> bool:
        """Return True as soon as something may have changed, False after `seconds`."""
        raise NotImplementedError

    def gather(self, seconds: float) -> None:
        """Let more changes gather for so long after one; where one is in a hurry, not at all."""
        raise NotImplementedError

    def close(self) -> None:
        """Give the connection back."""
        raise NotImplementedError


class _PostgresBell(Bell):
    def __init__(self, url: URL) -> None:
        self._url = url
        self._conn: Any = None
        self._hurry = False

    def wait(self, seconds: float) -> bool:
        import psycopg

        try:
            if self._conn is None:
                self._conn = psycopg.connect(_libpq(self._url), autocommit=True)
                self._conn.execute(f"LISTEN {CHANNEL}")
                return True  # something may have been missed before
            heard = [n.payload for n in self._conn.notifies(timeout=seconds, stop_after=1)]
            self._hurry = any(payload != CALM for payload in heard)
            return bool(heard)
        except psycopg.Error:
            self.close()
            time.sleep(min(seconds, 0.2))
            return False

    def gather(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not self._hurry and (left := deadline - time.monotonic()) > 0:
            self.wait(left)

    def close(self) -> None:
        if self._conn is not None:
            self._conn.close()
            self._conn = None


class _SqliteBell(Bell):
    POLL_SECONDS = 0.01

    def __init__(self, url: URL) -> None:
        path = _sqlite_path(url)
        self._conn = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._seen = self._version()

    def wait(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while True:
            version = self._version()
            if version != self._seen:
                self._seen = version
                return True
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            time.sleep(min(self.POLL_SECONDS, left))

    def gather(self, seconds: float) -> None:
        time.sleep(max(0.0, seconds))

    def close(self) -> None:
        self._conn.close()

    def _version(self) -> int:
        return int(self._conn.execute("PRAGMA data_version").fetchone()[0])


def _libpq(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)
