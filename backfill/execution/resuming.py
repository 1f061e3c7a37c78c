"""Which steps an attempt executes when some are not selected, or succeeded before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from backfill.execution.faults import OutputMissing, UpstreamMissing
from backfill.execution.outputs import UNKEPT, UNSET, OutputStore
from backfill.execution.plan import ExecutionPlan, PlannedOutput, PlannedStep

Done = Mapping[str, Mapping[str, str]]


@dataclass
class Resumed:
    """What an attempt starts from.

    Attributes:
        to_run: Indexes of the steps to execute.
        values: Slot -> value, for outputs that were loaded.
        again: Step -> why it runs again although it succeeded before.
    """

    to_run: set[int]
    values: dict[int, Any] = field(default_factory=dict)
    again: dict[str, str] = field(default_factory=dict)


def resume(plan: ExecutionPlan, done: Done, store: OutputStore | None) -> Resumed:
    """Load what the steps to execute take from others; a step whose output is gone runs again.

    Args:
        done: Step -> its outputs' URLs, for steps that succeeded before.

    Raises:
        UpstreamMissing: A step to execute takes from one that is neither selected nor done.
    """
    resumed = Resumed({i for i in plan.selected if plan.steps[i].name not in done})
    needed: dict[int, list[PlannedOutput]] = {}
    taker: dict[int, PlannedStep] = {}
    for step in reversed(plan.steps):
        if step.index not in resumed.to_run and step.index in needed:
            _load_or_run(step, needed[step.index], taker[step.index], done, store, resumed)
        if step.index in resumed.to_run:
            for output in _taken(step):
                needed.setdefault(output.step, []).append(output)
                taker[output.step] = step
    return resumed


def _taken(step: PlannedStep) -> list[PlannedOutput]:
    """Return the outputs of other steps that a step takes or waits for."""
    data = [m for port in step.inputs for m in port.members if isinstance(m, PlannedOutput)]
    return data + [output for _, output in step.after if output is not None]


def _load_or_run(
    step: PlannedStep,
    outputs: list[PlannedOutput],
    taker: PlannedStep,
    done: Done,
    store: OutputStore | None,
    resumed: Resumed,
) -> None:
    if step.name not in done:
        names = ", ".join(sorted({f'"{output.name}"' for output in outputs}))
        raise UpstreamMissing(
            f'Step "{taker.name}" takes the output {names} of step "{step.name}", which is not '
            f'selected and has no kept output. Select "{step.name}" too, or execute from a run in '
            "which it succeeded.",
            step=taker.name,
        )
    load = _loader(store)
    try:
        loaded = {output.slot: load(done[step.name].get(output.name)) for output in outputs}
    except OutputMissing as error:
        resumed.again[step.name] = error.detail
        resumed.to_run.add(step.index)
        return
    resumed.values.update({slot: value for slot, value in loaded.items() if value is not UNSET})


def _loader(store: OutputStore | None) -> Callable[[str | None], Any]:
    def load(url: str | None) -> Any:
        if url is None:
            return None
        if url == UNSET:
            return UNSET
        if url == UNKEPT or store is None:
            raise OutputMissing("the output was not kept")
        return store.load(url)

    return load
