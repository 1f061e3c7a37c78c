"""The resources of one run: set up when first needed, torn down in reverse when it ends."""

from __future__ import annotations

import threading
from collections.abc import Generator, Mapping
from types import GeneratorType
from typing import Any

from backfill.definitions.resources import ResourceDefinition
from backfill.execution.context import ResourceContext, Surroundings
from backfill.execution.error_info import describe_error
from backfill.execution.faults import StepFault
from backfill.execution.outcomes import LogLine


class ResourceScope:
    """Sets up each resource of a run once, and tears down what it set up."""

    __slots__ = ("_configs", "_defs", "_lock", "_on", "_teardowns", "_values")

    def __init__(self, defs: Mapping[str, ResourceDefinition], configs: Mapping[str, Any]) -> None:
        self._defs = defs
        self._configs = configs
        self._values: dict[str, Any] = {}
        self._teardowns: list[tuple[str, Generator[Any, None, None]]] = []
        self._lock = threading.RLock()
        self._on: Surroundings | None = None

    def bind(self, on: Surroundings) -> None:
        """Say which run this is the scope of."""
        self._on = on

    def get(self, name: str) -> Any:
        """Return a resource, set up by the first call; raises what its function raises."""
        with self._lock:
            if name not in self._values:
                self._values[name] = self._set_up(name)
            return self._values[name]

    def _set_up(self, name: str) -> Any:
        definition = self._defs[name]
        for needed in sorted(definition.required_resource_keys):
            self.get(needed)
        value = (
            definition.fn(self._context(name, definition))
            if definition.takes_context
            else (definition.fn())
        )
        if not isinstance(value, GeneratorType):
            return value
        try:
            resource = next(value)
        except StopIteration:
            raise StepFault(
                f'Resource "{name}" ({definition.place}) yielded nothing; yield it once.'
            ) from None
        self._teardowns.append((name, value))
        return resource

    def _context(self, name: str, definition: ResourceDefinition) -> ResourceContext:
        assert self._on is not None
        needs = tuple(definition.required_resource_keys)
        config = self._configs.get(name)
        return ResourceContext(self._on, None, f'Resource "{name}"', config, needs)

    def close(self) -> None:
        """Tear down in reverse order of setting up; what fails is logged, and hurts nothing."""
        while self._teardowns:
            name, generator = self._teardowns.pop()
            try:
                self._finish(name, generator)
            except BaseException as error:
                self._log_failure(name, error)
                if isinstance(error, KeyboardInterrupt):
                    self.close()
                    raise
        self._values.clear()

    def _finish(self, name: str, generator: Generator[Any, None, None]) -> None:
        try:
            next(generator)
        except StopIteration:
            return
        generator.close()
        raise StepFault(f'Resource "{name}" yielded a second time.')

    def _log_failure(self, name: str, error: BaseException) -> None:
        on = self._on
        assert on is not None
        told = describe_error(error, on.redactor)
        text = f'Tearing down the resource "{name}" failed: {told.traceback}'
        on.recorder.log(LogLine(None, on.clock(), "error", on.line(text)))
