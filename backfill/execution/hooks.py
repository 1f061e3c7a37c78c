"""Hooks of steps: called in the worker once an outcome stands; nothing they do changes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from backfill.definitions.hooks import HookDefinition, StepEvent
from backfill.definitions.resources import as_resource
from backfill.execution import capture
from backfill.execution.context import RunContext, Surroundings
from backfill.execution.deadlines import call_in_thread, call_with_alarm, can_interrupt
from backfill.execution.error_info import describe_error
from backfill.execution.inputs import NO_VALUE
from backfill.execution.interrupts import StepTimeout
from backfill.execution.outcomes import ErrorInfo, LogLine, RunEnd, StepOutcome
from backfill.execution.plan import PlannedStep
from backfill.states import StepState

if TYPE_CHECKING:
    from backfill.execution.run_execution import RunExecution

HOOK_SECONDS = 60.0
_EVENTS = {StepState.SUCCEEDED: StepEvent.SUCCESS, StepState.FAILED: StepEvent.FAILURE}
_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class NamedStep:
    """The step a hook is told of."""

    name: str
    tags: Mapping[str, str]


class HookContext(RunContext):
    """What a hook is given as `context`: its run, its step, and what became of that.

    Using it raises nothing when the run was canceled: what it tells of has happened.
    """

    __slots__ = ("_exception", "_hook", "_outcome", "_values")

    def __init__(
        self,
        on: Surroundings,
        hook: HookDefinition,
        outcome: StepOutcome,
        *,
        config: Any = None,
        exception: BaseException | None = None,
        values: Mapping[str, Any] = _NOTHING,
    ) -> None:
        resources = tuple(sorted(hook.required_resource_keys))
        super().__init__(on, outcome.step, f'Hook "{hook.name}"', config, resources)
        self._told = True
        self._hook = hook
        self._outcome = outcome
        self._exception = exception
        self._values = values

    def _name(self) -> str:
        return self._what

    @property
    def hook_def(self) -> HookDefinition:
        """The hook itself."""
        return self._hook

    @property
    def required_resource_keys(self) -> frozenset[str]:
        """What it may take from `resources`."""
        return self._hook.required_resource_keys

    @property
    def step_name(self) -> str:
        """The step's name in its pipeline."""
        return self._outcome.step

    step_key = step_name

    @property
    def step(self) -> NamedStep:
        """The step: `step.name`."""
        return NamedStep(self._outcome.step, self._on.info.tags)

    solid = op = step

    @property
    def step_config(self) -> Any:
        """The step's config, validated, with defaults."""
        self._check()
        return self._config

    solid_config = op_config = step_config

    @property
    def outcome(self) -> StepOutcome:
        """What was recorded of the step: tries, times, metadata, error."""
        return self._outcome

    @property
    def error(self) -> ErrorInfo | None:
        """What the step failed with, as it is recorded; None when it succeeded."""
        return self._outcome.error

    @property
    def step_exception(self) -> BaseException | None:
        """What the step raised; None when it succeeded."""
        return self._exception

    solid_exception = op_exception = step_exception

    @property
    def step_output_values(self) -> Mapping[str, Any]:
        """What the step yielded, by the names of its outputs."""
        return self._values

    solid_output_values = op_output_values = step_output_values


def run_hooks(
    run: RunExecution, step: PlannedStep, outcome: StepOutcome, exception: BaseException | None
) -> None:
    """Call the hooks of a step that has ended; a hook that fails is told to the recorder."""
    event = _EVENTS.get(outcome.state)
    for hook in step.hooks:
        if hook.event is event and not run.control.canceled():
            context = HookContext(
                run.on,
                hook,
                outcome,
                config=run.config.steps.get(step.name),
                exception=exception,
                values=_values(run, step),
            )
            _run_hook(run, hook, context)


def _run_hook(run: RunExecution, hook: HookDefinition, context: HookContext) -> None:
    try:
        _limited(run, hook, context)
    except BaseException as error:
        if not isinstance(error, Exception | StepTimeout) and _stops(run, error):
            return
        told = describe_error(error, run.on.redactor)
        text = f'Hook "{hook.name}" failed; the step stands as it is. {told.traceback}'
        run.recorder.log(LogLine(context.step_name, run.clock(), "error", run.on.line(text)))
        run.recorder.hook_failed(context.step_name, hook.name, told)


def _limited(run: RunExecution, hook: HookDefinition, context: HookContext) -> None:
    """Call a hook for HOOK_SECONDS at most: a worker does not wait for it for ever."""
    late = StepTimeout(f'hook "{hook.name}" took longer than {HOOK_SECONDS:g} s')

    def work() -> None:
        for name in sorted(hook.required_resource_keys):
            run.on.scope.get(name)
        if not run.captures:
            hook.fn(context)
            return
        output = capture.StepOutput(_printer(run, context))
        token = capture.current.set(output)
        try:
            hook.fn(context)
        finally:
            capture.current.reset(token)
            output.close()

    if can_interrupt():
        call_with_alarm(work, HOOK_SECONDS, late)
    else:
        call_in_thread(work, HOOK_SECONDS, late, lambda: context.interrupt(late))


def _printer(run: RunExecution, context: HookContext) -> Any:
    def write(level: str, text: str) -> None:
        if not context.given_up:
            run.recorder.log(LogLine(context.step_name, run.clock(), level, run.on.line(text)))

    return write


def _stops(run: RunExecution, error: BaseException) -> bool:
    """Say whether what ended a hook ends the run as well."""
    if isinstance(error, KeyboardInterrupt) and run.interactive:
        raise error
    if run.control.canceled():
        run.stop(RunEnd.CANCELED)
        return True
    if run.control.released():
        run.stop(RunEnd.RELEASED)
        return True
    return False


def _values(run: RunExecution, step: PlannedStep) -> dict[str, Any]:
    held = ((output.name, run.values[output.slot]) for output in step.outputs)
    return {name: value for name, value in held if value is not NO_VALUE}


def build_hook_context(
    resources: Mapping[str, Any] | None = None,
    *,
    step_name: str = "step",
    config: Any = None,
    exception: BaseException | None = None,
    output_values: Mapping[str, Any] | None = None,
    partition_key: str | None = None,
    partition_keys: Sequence[str] = (),
    run_id: int = 1,
    backfill_id: int | None = None,
) -> HookContext:
    """Return a context for calling a hook in a test: `tell(build_hook_context())`.

    Args:
        resources: Resource name -> a value, or what `@resource` made.
        exception: What the step raised; None: it succeeded.
    """
    from backfill.definitions.place import NOWHERE
    from backfill.definitions.redaction import Redactor
    from backfill.execution.local import LocalRecorder, Undisturbed, system_clock
    from backfill.execution.outcomes import RunInfo
    from backfill.execution.resource_scope import ResourceScope

    given = {name: as_resource(value) for name, value in (resources or {}).items()}
    redactor = Redactor(())
    keys = tuple(partition_keys) or ((partition_key,) if partition_key else ())
    info = RunInfo(run_id, 1, "test", backfill_id=backfill_id, partition_keys=keys)
    scope = ResourceScope(given, {})
    on = Surroundings(info, LocalRecorder(), Undisturbed(), system_clock, redactor, scope)
    scope.bind(on)
    failed = exception is not None
    event = StepEvent.FAILURE if failed else StepEvent.SUCCESS
    hook = HookDefinition("test", lambda _: None, event, NOWHERE, frozenset(given))
    outcome = StepOutcome(
        step_name,
        StepState.FAILED if failed else StepState.SUCCEEDED,
        tries=1,
        error=None if exception is None else describe_error(exception, redactor),
    )
    return HookContext(
        on,
        hook,
        outcome,
        config=config,
        exception=exception,
        values=dict(output_values or {}),
    )
