"""One step of one run: its tries, and the outcome of the last."""

from __future__ import annotations

import time
from types import GeneratorType
from typing import TYPE_CHECKING, Any

from backfill.definitions.events import Output
from backfill.definitions.policies import Failure, Skip
from backfill.execution import capture
from backfill.execution.collecting import Produced, collect
from backfill.execution.context import StepContext
from backfill.execution.deadlines import call_in_thread, call_with_alarm, can_interrupt
from backfill.execution.error_info import describe_error
from backfill.execution.faults import MetadataWrong
from backfill.execution.hooks import run_hooks
from backfill.execution.inputs import Standing, gather
from backfill.execution.interrupts import StepTimeout
from backfill.execution.metadata import add_metadata
from backfill.execution.outcomes import ErrorInfo, LogLine, RunEnd, StepOutcome
from backfill.execution.outputs import UNKEPT, UNSET
from backfill.execution.plan import PlannedStep
from backfill.execution.retries import WAIT_IN_PLACE_SECONDS, step_delay
from backfill.states import StepState

if TYPE_CHECKING:
    from backfill.execution.run_execution import RunExecution

CANCELED_REASON = "the run was canceled"
RELEASED_REASON = "the worker shut down and handed the run back"


class StepExecution:
    """Executes a step, again while its policy says so and the wait is short."""

    __slots__ = ("_context", "_run", "_started_at", "_step", "_tries")

    def __init__(self, run: RunExecution, step: PlannedStep) -> None:
        self._run = run
        self._step = step
        self._tries = 0
        self._started_at = 0

    def execute(self) -> None:
        """Execute the step to its outcome, which goes to the run and its recorder."""
        run, step = self._run, self._step
        earlier = run.tried.get(step.name, 0)
        while True:
            at = run.clock()
            self._tries += 1
            if self._tries == 1:
                self._started_at = at
            run.recorder.step_started(step.name, self._tries, at)
            config = run.config.steps.get(step.name)
            self._context = StepContext(
                run.on, step.name, config, step.resources, earlier + self._tries - 1
            )
            if run.again and step.name in run.again:
                self._context._entries = {"ran_again": run.again[step.name]}
            try:
                outputs = self._attempt()
            except BaseException as error:
                if self._ended(error):
                    return
            else:
                run.standings[step.index] = Standing.FULFILLED
                outcome = self._finish(StepState.SUCCEEDED, outputs=outputs)
                if step.hooks and not run.quiet:
                    run_hooks(run, step, outcome, None)
                return

    def _attempt(self) -> dict[str, str] | None:
        """Run the body once and keep what it yields; return the URLs of what was kept."""
        run, step = self._run, self._step
        named = gather(step, run.values) if step.inputs else {}
        limit = run.limit_of(step) if run.has_limits else None
        value = self._body(named) if limit is None else self._limited_body(named, *limit)
        if step.plain_slot >= 0 and not isinstance(value, list):
            run.values[step.plain_slot] = value
            return None
        return self._keep(value)

    def _limited_body(self, named: dict[str, Any], seconds: float, error: StepTimeout) -> Any:
        if can_interrupt():
            told = self._run.on_limit or _nobody
            told(seconds)
            try:
                return call_with_alarm(lambda: self._body(named), seconds, error)
            finally:
                told(None)
        context = self._context
        return call_in_thread(
            lambda: self._body(named), seconds, error, lambda: context.interrupt(error)
        )

    def _body(self, named: dict[str, Any]) -> Any:
        """Call the user's function; return its plain value, or what it produced as a list."""
        if not self._run.captures:
            return self._call(named)
        output = capture.StepOutput(self._print)
        token = capture.current.set(output)
        try:
            return self._call(named)
        finally:
            capture.current.reset(token)
            output.close()

    def _call(self, named: dict[str, Any]) -> Any:
        step, context = self._step, self._context
        for name in step.resources:
            self._run.on.scope.get(name)
        value = step.fn(context, **named) if step.takes_context else step.fn(**named)
        if step.plain_slot >= 0 and not isinstance(value, GeneratorType | Output | list):
            return value
        return collect(step, value, context)

    def _print(self, level: str, text: str) -> None:
        run = self._run
        if not self._context.given_up:
            run.recorder.log(LogLine(self._step.name, run.clock(), level, run.on.line(text)))

    def _keep(self, produced: Produced) -> dict[str, str] | None:
        """Put outputs where the next steps find them, and keep those that are taken."""
        run, step = self._run, self._step
        urls: dict[str, str] = {}
        for planned, value in produced:
            if planned.consumed and value is not None:
                urls[planned.name] = self._save(planned.name, value, planned.serializer)
        for planned, value in produced:
            run.values[planned.slot] = value
        if len(produced) < len(step.outputs):
            yielded = {planned.name for planned, _ in produced}
            run.rough = True
            urls.update({o.name: UNSET for o in step.outputs if o.name not in yielded})
        return urls or None

    def _save(self, output: str, value: Any, serializer: str) -> str:
        run = self._run
        if run.outputs is None:
            return UNKEPT
        return run.outputs.save(
            run_id=run.info.run_id,
            attempt=run.info.attempt,
            step=self._step.name,
            output=output,
            value=value,
            serializer=serializer,
        )

    def _ended(self, error: BaseException) -> bool:
        """Decide what an exception means; return whether the step has ended."""
        run = self._run
        if isinstance(error, Skip):
            self._skipped(error.reason)
            return True
        if not isinstance(error, Exception | StepTimeout):
            if run.control.canceled():
                self._stopped(RunEnd.CANCELED)
                return True
            if run.control.released():
                self._stopped(RunEnd.RELEASED)
                return True
        if isinstance(error, KeyboardInterrupt) and run.interactive:
            raise error
        told = describe_error(error, run.on.redactor)
        if isinstance(error, Failure) and error.metadata:
            self._add_metadata(error)
        delay = step_delay(error, self._step.retry_policy, self._context._retry)
        if delay is None:
            self._failed(error, told)
            return True
        return self._retry(delay, told)

    def _retry(self, delay: float, told: ErrorInfo) -> bool:
        """Wait for the next try, or leave it to a later attempt; return whether it is left."""
        run, step = self._run, self._step
        run.recorder.step_retrying(step.name, self._tries, run.clock(), told)
        if delay > WAIT_IN_PLACE_SECONDS:
            run.wait_for_step(step, delay, told)
            self._finish(StepState.RETRYING, error=told)
            return True
        if delay:
            run.wait(delay)
        stop = run.told_to_stop()
        if stop is not None:
            self._stopped(stop, told)
        return stop is not None

    def _failed(self, error: BaseException, told: ErrorInfo) -> None:
        run = self._run
        run.standings[self._step.index] = Standing.FAILED
        run.step_failed(self._step.name, error, told)
        outcome = self._finish(StepState.FAILED, error=told)
        if self._step.hooks and not run.quiet:
            run_hooks(run, self._step, outcome, error)

    def _skipped(self, reason: str) -> None:
        run = self._run
        run.standings[self._step.index] = Standing.SKIPPED
        run.rough = True
        self._finish(StepState.SKIPPED, reason=run.on.redactor.text(str(reason))[:2000])

    def _stopped(self, end: RunEnd, error: ErrorInfo | None = None) -> None:
        self._run.stop(end)
        reason = CANCELED_REASON if end is RunEnd.CANCELED else RELEASED_REASON
        self._finish(StepState.CANCELED, reason=reason, error=error)

    def _add_metadata(self, failure: Failure) -> None:
        """Keep the facts of a failure; those that cannot be kept must not hide the failure."""
        entries: dict[str, Any] = dict(self._context._entries or {})
        try:
            add_metadata(entries, failure.metadata or {}, self._run.on.redactor)
        except MetadataWrong as wrong:
            entries["metadata_error"] = wrong.detail
        self._context._entries = entries

    def _finish(
        self,
        state: StepState,
        *,
        error: ErrorInfo | None = None,
        reason: str | None = None,
        outputs: dict[str, str] | None = None,
    ) -> StepOutcome:
        entries = self._context._entries
        outcome = StepOutcome(
            self._step.name,
            state,
            self._tries,
            self._started_at,
            self._run.clock(),
            error,
            reason,
            dict(entries) if entries else None,
            outputs,
        )
        self._run.finished(outcome)
        return outcome


def wait_in_slices(seconds: float, run: RunExecution) -> None:
    """Sleep, but not longer than until the run is told to stop."""
    until = time.monotonic() + seconds
    while run.told_to_stop() is None and (left := until - time.monotonic()) > 0:
        time.sleep(min(left, 0.1))


def _nobody(_seconds: float | None) -> None:
    return
