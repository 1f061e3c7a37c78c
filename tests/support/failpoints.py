"""Processes that die, answers that are lost and threads that stop, at a chosen statement."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import psycopg
from sqlalchemy import Connection, event
from sqlalchemy.exc import OperationalError

from backfill.storage.database import Database

T = TypeVar("T")


class Crash(BaseException):
    """The process ended here: nothing after this ran."""


@dataclass
class Countdown:
    """How many statements are still to come before the crash; `crashed` says that it came."""

    left: int
    crashed: bool = False

    def step(self) -> None:
        if self.left == 0:
            self.crashed = True
            raise Crash
        self.left -= 1


@contextmanager
def crash_before(db: Database, statement: int) -> Iterator[Countdown]:
    """End the process before one statement or commit of this database, counted from 0.

    The block ends where the crash came; what was not committed is gone.
    """
    countdown = Countdown(statement)

    def before_statement(*_: Any) -> None:
        countdown.step()

    def before_commit(_: Connection) -> None:
        countdown.step()

    event.listen(db.engine, "before_cursor_execute", before_statement)
    event.listen(db.engine, "commit", before_commit)
    try:
        yield countdown
    except Crash:
        pass
    finally:
        event.remove(db.engine, "before_cursor_execute", before_statement)
        event.remove(db.engine, "commit", before_commit)


def every_crash(db: Database, act: Callable[[], object], *, most: int = 80) -> Iterator[int]:
    """Do `act` with a crash before its first statement, its second … until it gets through.

    Yields after every crash, so that the caller can look and bring things back in order.
    """
    for statement in range(most):
        with crash_before(db, statement) as countdown:
            act()
        if not countdown.crashed:
            assert statement > 2, "nothing was tried"
            return
        yield statement
    raise AssertionError(f"more than {most} statements: is it ever done?")


class ForgetfulDatabase(Database):
    """A database whose answers to the next commits are lost: they happened, nobody knows."""

    lost_answers = 0

    @contextmanager
    def write(self) -> Iterator[Connection]:
        with super().write() as conn:
            yield conn
        self._maybe_lose()

    @contextmanager
    def single(self) -> Iterator[Connection]:
        with super().single() as conn:
            yield conn
        if self.postgres:
            self._maybe_lose()

    def _maybe_lose(self) -> None:
        if self.lost_answers:
            self.lost_answers -= 1
            raise self._lost()

    def _lost(self) -> OperationalError:
        if self.postgres:
            gone = psycopg.OperationalError("server closed the connection unexpectedly")
            return OperationalError("COMMIT", {}, gone, connection_invalidated=True)
        return OperationalError("COMMIT", {}, sqlite3.OperationalError("database is locked"))


# -- threads that stop ----------------------------------------------------------------------------


@dataclass
class StopPoint:
    """Where a thread stands still, its transaction open, until it is let go."""

    at: int
    reached: threading.Event = field(default_factory=threading.Event)
    _go: threading.Event = field(default_factory=threading.Event)
    _seen: int = 0

    def step(self) -> None:
        if self._seen == self.at:
            self.reached.set()
            assert self._go.wait(30), "nobody let this thread go"
        self._seen += 1

    def let_go(self) -> None:
        self._go.set()


@contextmanager
def stopped_before(db: Database, statement: int) -> Iterator[StopPoint]:
    """Have whoever uses this database stop before a statement or commit, counted from 0."""
    point = StopPoint(statement)

    def before_statement(*_: Any) -> None:
        point.step()

    def before_commit(_: Connection) -> None:
        point.step()

    event.listen(db.engine, "before_cursor_execute", before_statement)
    event.listen(db.engine, "commit", before_commit)
    try:
        yield point
    finally:
        point.let_go()
        event.remove(db.engine, "before_cursor_execute", before_statement)
        event.remove(db.engine, "commit", before_commit)


@dataclass
class Race:
    """What became of two acts: their results, or what they raised.

    Attributes:
        statement: Before which of its statements the first act stood still while the second
            went as far as it could.
        waited: Whether the second had to wait for the first's locks.
    """

    statement: int
    first: Any
    second: Any
    waited: bool


class Racing:
    """Lets two acts meet over one database, each with a `Database` of its own."""

    POLL_SECONDS = 0.002

    def __init__(self, db: Database) -> None:
        self._threads = ThreadPoolExecutor(2)
        self._watcher: psycopg.Connection[Any] | None = None
        if db.postgres:
            libpq = db.url.set(drivername="postgresql").render_as_string(hide_password=False)
            self._watcher = psycopg.connect(libpq, autocommit=True)

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown()
        if self._watcher is not None:
            self._watcher.close()

    def race(
        self, db: Database, first: Callable[[], Any], second: Callable[[], Any], *, statement: int
    ) -> Race | None:
        """Stop `first` before a statement, let `second` run until it ends or waits; go on.

        Args:
            db: The one `first` uses.

        Returns:
            None when `first` has fewer statements: every interleaving of this kind was tried.
        """
        with stopped_before(db, statement) as point:
            one = self._threads.submit(first)
            self._wait(lambda: point.reached.is_set() or one.done(), "the first act")
            if not point.reached.is_set():
                one.result()
                return None
            other = self._threads.submit(second)
            waited = self._ended_or_blocked(other)
            point.let_go()
            return Race(statement, _outcome(one), _outcome(other), waited)

    def _ended_or_blocked(self, act: Future[Any]) -> bool:
        """Return whether the act waits for a lock. SQLite cannot tell: there nobody waits."""
        watcher = self._watcher
        if watcher is None:
            return False
        blocked = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND wait_event_type = 'Lock'"
        )

        def settled() -> str | None:
            if act.done():
                return "ended"
            (row,) = watcher.execute(blocked).fetchall()
            return "blocked" if row[0] else None

        return self._wait(settled, "the second act to end or to wait") == "blocked"

    def _wait(self, condition: Callable[[], T], what: str) -> T:
        deadline = time.monotonic() + 30
        pause = threading.Event()
        while not (value := condition()):
            assert time.monotonic() < deadline, f"Waited in vain for {what}."
            pause.wait(self.POLL_SECONDS)
        return value


def _outcome(act: Future[Any]) -> Any:
    try:
        return act.result(timeout=30)
    except Exception as error:
        return error
