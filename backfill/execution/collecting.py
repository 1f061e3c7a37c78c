"""What a step's body gave back: checked against the outputs the step has."""

from __future__ import annotations

from types import GeneratorType
from typing import Any

from backfill.definitions.events import Metadata, Output
from backfill.definitions.text import bounded, shown
from backfill.errors import did_you_mean
from backfill.execution.context import StepContext
from backfill.execution.faults import OutputWrong
from backfill.execution.plan import PlannedOutput, PlannedStep

_WHOLE = 10**9  # cut later, when secrets are out

Produced = list[tuple[PlannedOutput, Any]]


def collect(step: PlannedStep, value: Any, context: StepContext) -> Produced:
    """Return the outputs a body returned or yielded; keep the metadata it told.

    Raises:
        OutputWrong: It does not fit the outputs of the step.
        MetadataWrong: Metadata that JSON cannot carry.
    """
    collector = _Collector(step, context)
    if isinstance(value, GeneratorType):
        collector.drain(value)
    elif isinstance(value, Output):
        collector.take(value)
    elif len(step.outputs) == 1:
        collector.put(step.outputs[0], value)
    else:
        collector.take_tuple(value)
    collector.refuse_missing()
    return collector.produced


class _Collector:
    def __init__(self, step: PlannedStep, context: StepContext) -> None:
        self._step = step
        self._context = context
        self._by_name = {output.name: output for output in step.outputs}
        self.produced: Produced = []

    def drain(self, events: GeneratorType[Any, None, Any]) -> None:
        """Run a generator to its end."""
        try:
            while True:
                event = next(events)
                if isinstance(event, Output):
                    self.take(event)
                elif isinstance(event, Metadata):
                    self._context.add_metadata(event.entries)
                else:
                    raise OutputWrong(
                        f'Step "{self._step.name}" yielded {self._told(event)}; a step yields '
                        "Output(value) or Metadata(…)."
                    )
        except StopIteration as end:
            if end.value is not None:
                raise OutputWrong(
                    f'Step "{self._step.name}" yields and returns {self._told(end.value)}; a step '
                    "that yields gives its value as `yield Output(value)`."
                ) from None
        finally:
            events.close()

    def take(self, output: Output) -> None:
        """Take a value by the name of its output."""
        planned = self._by_name.get(output.name)
        if planned is None:
            raise OutputWrong(
                f'Step "{self._step.name}" has no output "{self._told(output.name)}".'
                f"{did_you_mean(str(output.name), self._by_name)} "
                f"It has: {', '.join(self._by_name)}."
            )
        self.put(planned, output.value)
        if output.metadata:
            self._context.add_metadata(output.metadata)

    def put(self, planned: PlannedOutput, value: Any) -> None:
        if any(planned is other for other, _ in self.produced):
            raise OutputWrong(
                f'Step "{self._step.name}" yielded its output "{planned.name}" twice.'
            )
        if planned.check is not None and not planned.check(value):
            raise OutputWrong(
                f'Output "{planned.name}" of step "{self._step.name}" must be '
                f"{planned.type_name}, not {type(value).__name__}."
            )
        self.produced.append((planned, value))

    def take_tuple(self, value: Any) -> None:
        """Take what a step with several outputs returned."""
        if isinstance(value, tuple | list) and value:
            if all(isinstance(item, Output) for item in value):
                for item in value:
                    self.take(item)
                return
            if len(value) == len(self._step.outputs):
                for planned, item in zip(self._step.outputs, value, strict=True):
                    self.take(item) if isinstance(item, Output) else self.put(planned, item)
                return
        raise OutputWrong(
            f'Step "{self._step.name}" has the outputs {", ".join(self._by_name)} and returned '
            f"{self._told(value)}; return a tuple of {len(self._by_name)}, or yield "
            "Output(value, name)."
        )

    def refuse_missing(self) -> None:
        for planned in self._step.outputs:
            if planned.required and not any(planned is one for one, _ in self.produced):
                raise OutputWrong(
                    f'Step "{self._step.name}" ended without its required output "{planned.name}".'
                )

    def _told(self, value: object) -> str:
        """Return a value for an error message: secrets out first, then bounded."""
        text = value if isinstance(value, str) else shown(value, _WHOLE)
        return bounded(self._context.public(text), 200)
