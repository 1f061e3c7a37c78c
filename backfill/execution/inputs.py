"""The values a step's body is given, and why a step cannot run."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Any, Final

from backfill.definitions.graph import Constant
from backfill.execution.faults import InputWrong
from backfill.execution.plan import PlannedInput, PlannedOutput, PlannedStep


class Standing(IntEnum):
    """Where a step of a run stands, for those that wait for it."""

    WAITING = 0
    FULFILLED = 1  # succeeded, now or before, or is not part of this execution
    FAILED = 2
    SKIPPED = 3  # by its own wish, or because of such a step
    BLOCKED = 4  # skipped because a step failed


class _NoValue:
    def __repr__(self) -> str:
        return "<no value>"


NO_VALUE: Final = _NoValue()


def gather(step: PlannedStep, values: Sequence[Any]) -> dict[str, Any]:
    """Return the inputs of a body by name.

    Raises:
        InputWrong: A value is not of the type the step declares.
    """
    named = {}
    for port in step.inputs:
        if port.gathers:
            value: Any = [
                one for one in (_value(m, values) for m in port.members) if one is not NO_VALUE
            ]
        else:
            value = _value(port.members[0], values)
        if port.check is not None and not port.check(value):
            raise InputWrong(
                f'Input "{port.name}" of step "{step.name}" must be {port.type_name}, not '
                f"{type(value).__name__}."
            )
        named[port.name] = value
    return named


def blocked(
    step: PlannedStep,
    standings: Sequence[Standing],
    values: Sequence[Any],
    steps: Sequence[PlannedStep],
) -> str | None:
    """Return why a step cannot run, as a sentence, or None when it can."""
    for i in step.upstream:
        if standings[i] is Standing.FAILED:
            return f'step "{steps[i].name}" failed'
        if standings[i] is Standing.BLOCKED:
            return f'step "{steps[i].name}" was skipped'
    for i, output in step.after:
        if output is not None and values[output.slot] is NO_VALUE:
            return _not_yielded(output, standings, steps)
        if standings[i] is Standing.SKIPPED:
            return f'step "{steps[i].name}" was skipped'
    for port in step.inputs:
        reason = _unfed(port, standings, values, steps)
        if reason is not None:
            return reason
    return None


def _value(member: PlannedOutput | Constant, values: Sequence[Any]) -> Any:
    return member.value if isinstance(member, Constant) else values[member.slot]


def _unfed(
    port: PlannedInput,
    standings: Sequence[Standing],
    values: Sequence[Any],
    steps: Sequence[PlannedStep],
) -> str | None:
    """Return why an input has no value; one that gathers has as soon as one member has."""
    for member in port.members:
        if isinstance(member, Constant) or values[member.slot] is not NO_VALUE:
            return None
    first = port.members[0]
    return None if isinstance(first, Constant) else _not_yielded(first, standings, steps)


def _not_yielded(
    output: PlannedOutput, standings: Sequence[Standing], steps: Sequence[PlannedStep]
) -> str:
    name = steps[output.step].name
    if standings[output.step] is Standing.SKIPPED:
        return f'step "{name}" was skipped'
    return f'step "{name}" yielded no output "{output.name}"'
