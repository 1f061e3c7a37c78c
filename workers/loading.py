"""Loading definitions in a worker process: now, again when they change, later when they do not."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

import structlog

from backfill.definitions.registry import Registry
from backfill.definitions.sources import forget_since
from backfill.errors import BackfillError, DefinitionsUnavailable

log = structlog.get_logger(__name__)

CHANGE_CHECK_SECONDS = 0.5
TRY_AGAIN_SECONDS = 2.0


class Loader:
    """Holds a process's registry, or why there is none yet."""

    def __init__(self, sources: Sequence[str], *, reloads: bool) -> None:
        self._sources = sources
        self._reloads = reloads
        self._registry: Registry | None = None
        self._error: BackfillError | None = None
        self._next_look = 0.0
        self._load()

    @property
    def registry(self) -> Registry:
        """The definitions.

        Raises:
            DefinitionsUnavailable: They could not be loaded so far.
        """
        if self._registry is None:
            why = self._error.detail if self._error is not None else "not loaded yet"
            raise DefinitionsUnavailable(f"This worker has no definitions: {why}")
        return self._registry

    @property
    def standing(self) -> tuple[str | None, str | None]:
        """The version of the definitions, and why they, or newer ones, could not be loaded."""
        version = self._registry.version if self._registry is not None else None
        return version, self._error.detail if self._error is not None else None

    def refresh(self) -> bool:
        """Load what could not be loaded, or what has changed; return whether there is news."""
        now = time.monotonic()
        if now < self._next_look or (self._registry is not None and not self._reloads):
            return False
        if self._registry is None:
            self._load()
            return self._registry is not None
        self._next_look = now + CHANGE_CHECK_SECONDS
        return self._registry.changed() and self._reload(self._registry)

    def _load(self) -> None:
        before = frozenset(sys.modules)
        try:
            self._registry = Registry.load(self._sources)
            self._error = None
        except BackfillError as error:
            log.error("definitions.load_failed", error=error.detail[:1000])
            forget_since(before)
            self._error = error
            self._next_look = time.monotonic() + TRY_AGAIN_SECONDS

    def _reload(self, registry: Registry) -> bool:
        try:
            registry.reload()
        except BackfillError as error:
            log.error("definitions.reload_failed", error=error.detail[:1000])
            self._error = error
            return False
        self._error = None
        log.info("definitions.reloaded", version=registry.version)
        return True
