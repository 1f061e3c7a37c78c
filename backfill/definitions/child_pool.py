"""A few children that hold the same code, started when needed and replaced when it changes.

The first load, and each load after an edit, is done by the thread that needs it; meanwhile the
others go on with the children that hold the older code. Children are started from one thread of
the pool's own, because on Linux a child dies with the thread that started it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from pydantic import TypeAdapter

from backfill.definitions.catalog import Catalog, LoadProblem
from backfill.definitions.child import Child, Gone
from backfill.definitions.partitions import DynamicKeys
from backfill.definitions.sources import Source, forget, stamps
from backfill.definitions.wire import decode_error, encode_error
from backfill.errors import BackfillError, DefinitionsUnavailable, UserCodeStuck

_WATCH_EVERY_SECONDS = 1.0
_LOAD_AGAIN_SECONDS = 3.0
_CATALOG = TypeAdapter(Catalog)

Stamps = dict[str, tuple[int, int]]


class Limits(NamedTuple):
    """How long things may take, in seconds, and how many children there may be.

    Attributes:
        check: For listing a set's partitions when the definitions are loaded; once all together
            have taken this long, no further set is checked.
    """

    call: float
    load: float
    check: float
    children: int


class ChildPool:
    """Thread-safe; each child answers one call at a time."""

    def __init__(
        self,
        sources: Iterable[Source],
        limits: Limits,
        *,
        clock: Callable[[], datetime],
        watch: bool,
        dynamic_keys: DynamicKeys | None,
    ) -> None:
        self._sources = tuple(source.text for source in sources)
        self._limits = limits
        self._clock = clock
        self._watch = watch
        self._dynamic_keys = dynamic_keys
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="definitions-starter")
        self._loading = threading.Lock()
        self._state = threading.Condition()
        self._catalog = Catalog(self._sources)
        self._problems: tuple[LoadProblem, ...] = ()
        self._failure: dict[str, Any] | None = None
        self._files: Stamps = {}
        self._generation = 0
        self._idle: list[Child] = []
        self._running: set[Child] = set()
        self._starting = 0
        self._closed = False
        self._look_at = 0.0
        self._load_again_at = 0.0

    def catalog(self) -> Catalog:
        """Return what the code defines, loading it when it is not loaded or was changed."""
        self._refresh()
        return self._catalog

    def call(self, what: str, method: str, arguments: dict[str, Any]) -> Any:
        """Call a method in a child.

        Args:
            what: Begins the sentence about a call that hangs or crashes.

        Raises:
            DefinitionsUnavailable: The code cannot be loaded.
            UserCodeStuck: The call hung or crashed.
            BackfillError: Whatever the call raised.
        """
        self._refresh()
        child = self._borrow()
        try:
            answer = child.call(method, arguments, self._limits.call)
        except Gone as gone:
            self._drop(child)
            raise (_closed() if self._closed else _stuck(what, gone)) from None
        except BaseException:
            self._drop(child)
            raise
        self._give_back(child)
        return answer.unwrap()

    def close(self) -> None:
        """End every child; calls that still run fail."""
        with self._state:
            self._closed = True
            for child in self._running:
                child.stop()
            idle, self._idle = self._idle, []
            self._state.notify_all()
        for child in idle:
            self._drop(child)
        self._starter.shutdown(wait=False)

    def _refresh(self) -> None:
        """Load the definitions if they are not loaded, or again if they were changed."""
        is_first = self._generation == 0
        if not self._loading.acquire(blocking=is_first):
            return
        try:
            if not self._closed and self._is_due():
                self._load()
        finally:
            self._loading.release()

    def _is_due(self) -> bool:
        now = time.monotonic()
        if now < self._look_at:
            return False
        self._look_at = now + _WATCH_EVERY_SECONDS
        if self._generation == 0 and now >= self._load_again_at:
            return True
        return self._watch and stamps(self._files) != self._files

    def _load(self) -> None:
        """Take the code as it is now; when it cannot be loaded, the older one stays in force."""
        try:
            child, catalog, files = self._new_child()
        except BackfillError:
            return
        problems, checked = self._check_sets(child, catalog)
        self._adopt(checked, catalog, files, problems)

    def _new_child(self) -> tuple[Child, Catalog, Stamps]:
        """Start a child and wait until it has loaded the definitions.

        Raises:
            BackfillError: They cannot be loaded; the catalog says so, too.
        """
        before = stamps(self._files)
        forget((), [file for file, stamp in before.items() if stamp != self._files[file]])
        child = self._start()
        files: Stamps = {}
        try:
            answer = child.loaded(self._limits.load)
            # an edit during the load counts as a change: what is known keeps its earlier stamp
            files = {file: before.get(file, stamp) for file, stamp in answer.files.items()}
            catalog = _CATALOG.validate_python(answer.unwrap())
        except Gone as gone:
            failure: BackfillError = _unavailable(self._what_loads(), gone)
        except BackfillError as error:
            failure = error
        else:
            return child, catalog, files
        child.kill()
        self._fail(failure, {**before, **files})
        raise failure

    def _start(self) -> Child:
        start = partial(Child, self._sources, self._clock(), self._dynamic_keys)
        try:
            return self._starter.submit(start).result()
        except OSError as error:
            failure = DefinitionsUnavailable(f"A definitions process cannot start: {error}")
            self._fail(failure, self._files)
            raise failure from error
        except RuntimeError:
            raise _closed() from None

    def _check_sets(
        self, child: Child, catalog: Catalog
    ) -> tuple[tuple[LoadProblem, ...], Child | None]:
        """List every set once; return what is wrong, and a child that is still alive."""
        problems = []
        alive: Child | None = child
        deadline = time.monotonic() + self._limits.check
        for info in catalog.partition_sets:
            if alive is None or time.monotonic() > deadline:
                break
            arguments = {"set_name": info.name, "at": self._clock().isoformat()}
            try:
                answer = alive.call("check", arguments, self._limits.check)
            except Gone as gone:
                error = _unavailable(f'The partition function of set "{info.name}"', gone)
                problems.append(_problem(error, info.name))
                alive = self._another(catalog.version)
            else:
                if answer.value is not None:
                    problems.append(LoadProblem(**answer.value))
        return tuple(problems), alive

    def _another(self, version: str) -> Child | None:
        """Return a further child with the same code, or None when it has none any more."""
        try:
            child, catalog, _ = self._new_child()
        except BackfillError:
            return None
        if catalog.version == version:
            return child
        child.kill()
        return None

    def _adopt(
        self,
        child: Child | None,
        catalog: Catalog,
        files: Stamps,
        problems: tuple[LoadProblem, ...],
    ) -> None:
        """Serve this code from now on; children with older code end after their call."""
        with self._state:
            old, self._idle = self._idle, []
            self._generation += 1
            self._problems = problems
            self._catalog = replace(catalog, problems=problems)
            self._failure = None
            self._files = files
            if child is not None:
                child.generation = self._generation
                self._idle.append(child)
                self._running.add(child)
            self._state.notify_all()
        for outdated in old:
            self._drop(outdated)

    def _fail(self, error: BackfillError, files: Stamps) -> None:
        with self._state:
            self._failure = encode_error(error)
            self._files = files
            self._load_again_at = time.monotonic() + _LOAD_AGAIN_SECONDS
            problems = (*self._problems, _problem(error, None))
            self._catalog = replace(self._catalog, problems=problems)

    def _borrow(self) -> Child:
        """Return an idle child, or a new one while there are few; wait for one otherwise."""
        patience = self._limits.call + self._limits.load
        with self._state:
            while not self._idle:
                if self._closed:
                    raise _closed()
                if len(self._running) + self._starting < self._limits.children:
                    self._starting += 1
                    break
                if not self._state.wait(patience):
                    raise DefinitionsUnavailable(
                        f"Every definitions process was busy for {patience:g} s; try again later."
                    )
            else:
                return self._idle.pop()
        try:
            return self._one_more()
        finally:
            with self._state:
                self._starting -= 1

    def _one_more(self) -> Child:
        """Start a child for the caller; code that is another by now is taken as a reload."""
        if self._failure is not None and time.monotonic() < self._load_again_at:
            raise decode_error(self._failure)
        child, catalog, files = self._new_child()
        if catalog.version != self._catalog.version:
            self._adopt(None, catalog, files, ())
        with self._state:
            child.generation = self._generation
            self._running.add(child)
            if self._closed:
                child.stop()
        return child

    def _give_back(self, child: Child) -> None:
        with self._state:
            serves = not self._closed and child.generation == self._generation
            if serves:
                self._idle.append(child)
                self._state.notify()
        if not serves:
            self._drop(child)

    def _drop(self, child: Child) -> None:
        child.kill()
        with self._state:
            self._running.discard(child)
            self._state.notify()

    def _what_loads(self) -> str:
        return "Loading the definitions of " + ", ".join(self._sources)


def _stuck(what: str, gone: Gone) -> UserCodeStuck:
    where = f" It was in {gone.stack.splitlines()[0]}." if gone.stack else ""
    return UserCodeStuck(f"{what} {gone.how}.{where}", traceback=gone.stack or None)


def _unavailable(what: str, gone: Gone) -> DefinitionsUnavailable:
    stuck = _stuck(what, gone)
    return DefinitionsUnavailable(stuck.detail, **stuck.facts)


def _closed() -> DefinitionsUnavailable:
    return DefinitionsUnavailable("The definitions process is shut down.")


def _problem(error: BackfillError, set_name: str | None) -> LoadProblem:
    return LoadProblem(error.code, error.detail, set_name, error.facts.get("traceback"))
