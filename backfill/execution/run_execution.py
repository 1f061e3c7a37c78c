"""One attempt of a run: its steps in order, and how it ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from backfill.definitions.redaction import Redactor
from backfill.definitions.run_config import ValidConfig
from backfill.errors import ConfigInvalid
from backfill.execution.context import Surroundings
from backfill.execution.error_info import describe_error
from backfill.execution.faults import UpstreamMissing
from backfill.execution.inputs import NO_VALUE, Standing, blocked
from backfill.execution.interrupts import StepTimeout
from backfill.execution.outcomes import (
    Control,
    ErrorInfo,
    LogLine,
    Recorder,
    RunEnd,
    RunInfo,
    RunOutcome,
    StepOutcome,
)
from backfill.execution.outputs import OutputStore
from backfill.execution.parallel import OneAtATime, Revocable, execute_in_threads
from backfill.execution.plan import ExecutionPlan, PlannedStep
from backfill.execution.resource_scope import ResourceScope
from backfill.execution.resuming import Done, Resumed, resume
from backfill.execution.retries import is_retryable, run_delay
from backfill.execution.step_execution import CANCELED_REASON, StepExecution, wait_in_slices
from backfill.states import StepState

_NO_SECRETS = Redactor(())


class RunExecution:
    """Executes one attempt; make one, call `execute` once.

    Attributes:
        rough: Some step failed, was skipped or left out an output: others may be blocked.
        quiet: No hook is told of its steps.
        interactive: A KeyboardInterrupt is raised to the caller, not taken as a failure.
        captures: What steps print becomes lines of the log.
        on_limit: Told how long a step may take that can be interrupted, and when it ended.
        tried: Step -> how often it was tried in earlier attempts.
        again: Step -> why it runs although it succeeded before.
        cause: What made the run fail.
    """

    def __init__(
        self,
        plan: ExecutionPlan,
        *,
        info: RunInfo,
        recorder: Recorder,
        control: Control,
        clock: Callable[[], int],
        outputs: OutputStore | None,
        tried: Mapping[str, int],
        captures: bool,
        timeout_seconds: float | None = None,
        on_limit: Callable[[float | None], None] | None = None,
        quiet: bool = False,
        interactive: bool = False,
        keeps_values: bool = False,
        wait: Callable[[float], None] | None = None,
    ) -> None:
        parallel = plan.pipeline.max_parallel_steps > 1
        self.plan = plan
        self.info = info
        self.recorder: Recorder = OneAtATime(recorder) if parallel else recorder
        self.control: Control = Revocable(control) if parallel else control
        self.clock = clock
        self.outputs = outputs
        self.tried = tried
        self.captures = captures
        self.interactive = interactive
        self.quiet = quiet
        self.on_limit = on_limit
        self.rough = False
        self.again: Mapping[str, str] = {}
        self.values: list[Any] = [NO_VALUE] * plan.slots
        self.standings = [Standing.FULFILLED] * len(plan.steps)
        self.cause: BaseException | None = None
        timeout = plan.pipeline.timeout_seconds if timeout_seconds is None else timeout_seconds
        self.has_limits = plan.has_limits or timeout is not None
        self.config: ValidConfig
        self.on: Surroundings
        self._recorder = recorder
        self._given_up = False
        self._outcomes: list[StepOutcome] = []
        self._keeps_values = keeps_values or parallel
        self._wait = wait
        self._end: RunEnd | None = None
        self._waits: tuple[str, float, ErrorInfo] | None = None
        self._failure: tuple[str | None, BaseException, ErrorInfo] | None = None
        self._timeout = timeout
        self._deadline = None if timeout is None else time.monotonic() + timeout

    def execute(self, run_config: Any, done: Done) -> RunOutcome:
        """Execute the steps and return how the attempt ended."""
        plan = self.plan
        try:
            self.config = plan.config.validate(run_config)
            resumed = None
            if done or len(plan.selected) < len(plan.steps):
                resumed = resume(plan, done, self.outputs)
        except (ConfigInvalid, UpstreamMissing) as error:
            self.cause = error
            told = describe_error(error, _NO_SECRETS)
            step = error.facts.get("step")
            return RunOutcome(RunEnd.FAILED, error=told, failed_step=step, retryable=False)
        secrets = self.config.secrets
        scope = ResourceScope(plan.pipeline.resource_defs, self.config.resources)
        self.on = Surroundings(
            self.info,
            self.recorder,
            self.control,
            self.clock,
            Redactor(secrets) if secrets else _NO_SECRETS,
            scope,
            {},
        )
        scope.bind(self.on)
        try:
            self._execute_steps(plan.steps if resumed is None else self._resumed(resumed))
        except BaseException:
            stopped = self.told_to_stop()
            self._give_up_threads()
            if stopped is None:
                raise
        finally:
            scope.close()
        outcome = self._outcome()
        return replace(outcome, partitions=self.on.partitions) if self.on.partitions else outcome

    def _resumed(self, resumed: Resumed) -> tuple[PlannedStep, ...]:
        """Take over what earlier attempts left; return the steps to execute."""
        for slot, value in resumed.values.items():
            self.values[slot] = value
        self.again = resumed.again
        for name, why in resumed.again.items():
            text = f"The step runs again although it succeeded before: {why}"
            self.recorder.log(LogLine(name, self.clock(), "warning", text))
        self.rough = True  # loaded outputs may not have been yielded
        return tuple(step for step in self.plan.steps if step.index in resumed.to_run)

    def _execute_steps(self, steps: tuple[PlannedStep, ...]) -> None:
        for step in steps:
            self.standings[step.index] = Standing.WAITING
        limit = self.plan.pipeline.max_parallel_steps
        if limit > 1 and len(steps) > 1:
            execute_in_threads(self, steps, limit)
        else:
            for step in steps:
                if self.told_to_stop() is not None:
                    break
                self.execute_step(step)

    def _give_up_threads(self) -> None:
        """Leave the steps that run in threads to themselves: nothing they do counts any more."""
        self._given_up = True
        if isinstance(self.control, Revocable) and isinstance(self.recorder, OneAtATime):
            self.recorder.close()
            self.control.revoke()

    def execute_step(self, step: PlannedStep) -> None:
        """Execute a step, or skip it when what it waits for did not come."""
        if self.rough:
            reason = blocked(step, self.standings, self.values, self.plan.steps)
            if reason is not None:
                self._skip(step, reason)
                return
        if self._deadline is not None and time.monotonic() >= self._deadline:
            error = self._run_timeout()
            self.step_failed(None, error, describe_error(error, self.on.redactor))
            self._skip(step, str(error))
            return
        StepExecution(self, step).execute()
        if step.frees and not self._keeps_values:
            for slot in step.frees:
                self.values[slot] = NO_VALUE

    def _skip(self, step: PlannedStep, reason: str) -> None:
        upstream = {self.standings[i] for i in step.upstream}
        failed = not upstream.isdisjoint((Standing.FAILED, Standing.BLOCKED))
        self.standings[step.index] = Standing.BLOCKED if failed else Standing.SKIPPED
        self.rough = True
        at = self.clock()
        self.finished(StepOutcome(step.name, StepState.SKIPPED, finished_at=at, reason=reason))

    def _cancel_rest(self) -> None:
        ended = {outcome.step for outcome in self._outcomes}
        at = self.clock()
        for step in self.plan.steps:
            if self.standings[step.index] is Standing.WAITING and step.name not in ended:
                outcome = StepOutcome(
                    step.name, StepState.CANCELED, finished_at=at, reason=CANCELED_REASON
                )
                self._outcomes.append(outcome)
                self._recorder.step_finished(outcome)

    def told_to_stop(self) -> RunEnd | None:
        """Return why no further step may start, if one may not."""
        if self._end is None:
            if self.control.canceled():
                self._end = RunEnd.CANCELED
            elif self.control.released():
                self._end = RunEnd.RELEASED
        return self._end

    def stop(self, end: RunEnd) -> None:
        """Have no further step start."""
        if not self._given_up:
            self._end = end

    def wait(self, seconds: float) -> None:
        """Wait for a retry, or until the run is told to stop."""
        if self._wait is not None:
            self._wait(seconds)
        else:
            wait_in_slices(seconds, self)

    def wait_for_step(self, step: PlannedStep, seconds: float, error: ErrorInfo) -> None:
        """Hand the run back; it goes on at this step later."""
        if self._waits is None or self._waits[1] < seconds:
            self._waits = (step.name, seconds, error)
        if self._end is None:
            self._end = RunEnd.RETRY

    def step_failed(self, step: str | None, error: BaseException, told: ErrorInfo) -> None:
        """Note that a step (or, None, the run as a whole) failed for good."""
        self.rough = True
        if self._failure is None:
            self.cause = error
            self._failure = (step, error, told)

    def finished(self, outcome: StepOutcome) -> None:
        """Take the outcome of a step."""
        if not self._given_up:
            self._outcomes.append(outcome)
            self.recorder.step_finished(outcome)

    def limit_of(self, step: PlannedStep) -> tuple[float, StepTimeout] | None:
        """Return the seconds the step may take from now, and what to raise when they are over."""
        left = None if self._deadline is None else self._deadline - time.monotonic()
        own = step.timeout_seconds
        if own is not None and (left is None or own <= left):
            text = f'step "{step.name}" took longer than its timeout of {own:g} s'
            return own, StepTimeout(text)
        return None if left is None else (left, self._run_timeout())

    def _run_timeout(self) -> StepTimeout:
        return StepTimeout(
            f"the run took longer than its timeout of {self._timeout:g} s", of_run=True
        )

    def _outcome(self) -> RunOutcome:
        """Build the end of the attempt from what happened."""
        if self._end is RunEnd.CANCELED:
            self._cancel_rest()
        steps = tuple(self._outcomes)
        config = self.config.recorded
        if self._failure is None and self._end is None:
            return RunOutcome(RunEnd.SUCCEEDED, steps, run_config=config)
        if self._end in (RunEnd.CANCELED, RunEnd.RELEASED):
            return RunOutcome(self._end, steps, run_config=config)
        if self._end is RunEnd.RETRY and self._waits is not None:
            name, seconds, told = self._waits
            return RunOutcome(
                RunEnd.RETRY,
                steps,
                error=told,
                failed_step=name,
                retry_in_seconds=seconds,
                counted=False,
                run_config=config,
            )
        assert self._failure is not None
        step, error, told = self._failure
        delay = run_delay(error, self.plan.pipeline.retry_policy, self.info.failures)
        return RunOutcome(
            RunEnd.FAILED if delay is None else RunEnd.RETRY,
            steps,
            error=told,
            failed_step=step,
            retry_in_seconds=delay,
            retryable=is_retryable(error),
            run_config=config,
        )
