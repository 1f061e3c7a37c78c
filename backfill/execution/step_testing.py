"""Contexts for tests that call a step's function by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from backfill.definitions.keys import TimeWindow
from backfill.definitions.redaction import Redactor
from backfill.definitions.resources import as_resource
from backfill.execution.context import StepContext, Surroundings
from backfill.execution.local import LocalRecorder, Undisturbed, system_clock
from backfill.execution.outcomes import LogLine, RunInfo
from backfill.execution.resource_scope import ResourceScope


class BuiltContext(StepContext):
    """A step's context without a run: `load(context, rows)` calls the function itself."""

    __slots__ = ("_built",)

    def __init__(
        self, on: Surroundings, config: Any, resources: tuple[str, ...], built: LocalRecorder
    ) -> None:
        super().__init__(on, "step", config, resources)
        self._built = built

    @property
    def lines(self) -> Sequence[LogLine]:
        """What was logged so far."""
        return tuple(self._built.lines)

    @property
    def metadata(self) -> Mapping[str, Any]:
        """What `add_metadata` was given so far, as it would be recorded."""
        return dict(self._entries or {})


def build_step_context(
    config: Any = None,
    *,
    resources: Mapping[str, Any] | None = None,
    partition_key: str | None = None,
    partition_keys: Sequence[str] = (),
    partition: Any = None,
    partition_time_window: TimeWindow | None = None,
    tags: Mapping[str, str] | None = None,
    run_id: int = 1,
    attempt: int = 1,
    backfill_id: int | None = None,
) -> BuiltContext:
    """Return a context for calling a step's function in a test.

    Args:
        config: What `context.step_config` gives; it is not checked against a schema.
        resources: Resource name -> a value, or what `@resource` made.
    """
    definitions = {name: as_resource(value) for name, value in (resources or {}).items()}
    info = RunInfo(
        run_id=run_id,
        attempt=attempt,
        pipeline_name="test",
        backfill_id=backfill_id,
        partition_keys=tuple(partition_keys) or ((partition_key,) if partition_key else ()),
        partition=partition,
        time_window=partition_time_window,
        tags=dict(tags or {}),
    )
    recorder = LocalRecorder()
    scope = ResourceScope(definitions, {})
    on = Surroundings(info, recorder, Undisturbed(), system_clock, Redactor(()), scope)
    scope.bind(on)
    return BuiltContext(on, config, tuple(definitions), recorder)
