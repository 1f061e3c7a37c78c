"""What a step is given as `context`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn
from urllib.parse import quote

from backfill.definitions.keys import TimeWindow
from backfill.definitions.partition import Partition
from backfill.definitions.policies import Failure
from backfill.definitions.redaction import Redactor
from backfill.definitions.text import bounded
from backfill.errors import did_you_mean
from backfill.execution.faults import NoPartition, StepFault
from backfill.execution.interrupts import Interrupt, RunCanceled
from backfill.execution.metadata import add_metadata
from backfill.execution.outcomes import Control, LogLine, PartitionReport, Recorder, RunInfo
from backfill.execution.step_log import StepLog

if TYPE_CHECKING:
    from backfill.execution.resource_scope import ResourceScope

ATTEMPT_BITS = 20
MAX_LINE = 16 * 1024  # characters of a line of the log


class PartitionKeyRange(NamedTuple):
    """The first and the last partition of a run, in the set's order."""

    start: str
    end: str


class Surroundings(NamedTuple):
    """What all contexts of one run share."""

    info: RunInfo
    recorder: Recorder
    control: Control
    clock: Callable[[], int]
    redactor: Redactor
    scope: ResourceScope
    partitions: dict[str, PartitionReport] | None = None

    def line(self, text: str) -> str:
        """Return a text as a line of the log: without secrets, storable, then bounded."""
        return bounded(self.redactor.text(text), MAX_LINE)


class Resources:
    """`context.resources`: the required resources, by attribute."""

    __slots__ = ("_names", "_scope", "_what")

    def __init__(self, scope: ResourceScope, names: tuple[str, ...], what: str) -> None:
        self._scope = scope
        self._names = names
        self._what = what

    def __getattr__(self, name: str) -> Any:
        if name in self._names:
            return self._scope.get(name)
        if name.startswith("__"):
            raise AttributeError(name)
        raise StepFault(
            f'{self._what} did not ask for the resource "{name}": add it to its '
            f"required_resource_keys.{did_you_mean(name, self._names)}"
        )


class RunContext:
    """What a context knows about its run. Every use of it ends a canceled run's step.

    Once `RunCanceled` was raised the context stays usable, for cleaning up.
    """

    __slots__ = ("_config", "_interrupt", "_on", "_resources", "_step", "_told", "_what")

    def __init__(
        self, on: Surroundings, step: str | None, what: str, config: Any, resources: tuple[str, ...]
    ) -> None:
        self._on = on
        self._step = step
        self._what = what
        self._config = config
        self._resources = resources
        self._interrupt: Interrupt | None = None
        self._told = False

    def _check(self) -> RunInfo:
        """Raise what interrupts the step; return what the run is."""
        if self._interrupt is not None:
            raise self._interrupt
        on = self._on
        if not self._told and on.control.canceled():
            self._told = True
            raise RunCanceled
        return on.info

    def _name(self) -> str:
        """Say whose context it is, to begin an error with."""
        return self._what if self._step is None else f'Step "{self._step}"'

    def _emit(self, level: str, text: str) -> None:
        self._check()
        on = self._on
        on.recorder.log(LogLine(self._step, on.clock(), level, on.line(text)))

    def interrupt(self, error: Interrupt) -> None:
        """Have every further use of this context raise `error`: the step was given up."""
        self._interrupt = error

    def public(self, text: str) -> str:
        """Return a text without the run's secrets; asking does not raise."""
        return self._on.redactor.text(text)

    @property
    def given_up(self) -> bool:
        """Whether the step ran out of time in a thread that could not be interrupted."""
        return self._interrupt is not None

    @property
    def log(self) -> StepLog:
        """Writes lines to the log of the run."""
        return StepLog(self._emit)

    @property
    def resources(self) -> Resources:
        """The required resources, by attribute."""
        self._check()
        return Resources(self._on.scope, self._resources, self._name())

    @property
    def canceled(self) -> bool:
        """Whether the run was canceled; asking does not raise."""
        return self._on.control.canceled()

    @property
    def run_id(self) -> int:
        """The run's id."""
        return self._check().run_id

    @property
    def attempt(self) -> int:
        """Which try of the run this is, counted from 1."""
        return self._check().attempt

    @property
    def backfill_id(self) -> int | None:
        """The backfill the run belongs to, if any."""
        return self._check().backfill_id

    @property
    def pipeline_name(self) -> str:
        """The pipeline's name."""
        return self._check().pipeline_name

    @property
    def partition_set(self) -> str | None:
        """The name of the partition set, if any."""
        return self._check().partition_set

    @property
    def tags(self) -> Mapping[str, str]:
        """The run's tags."""
        return self._check().tags

    @property
    def has_partition_key(self) -> bool:
        """Whether the run is over exactly one partition."""
        return len(self._check().partition_keys) == 1

    @property
    def partition_keys(self) -> tuple[str, ...]:
        """The keys of the run's partitions, in the set's order."""
        return self._check().partition_keys

    @property
    def partition_key(self) -> str:
        """The key of the run's one partition; raises NoPartition unless there is just one."""
        info = self._check()
        if len(info.partition_keys) != 1:
            self._no_partition("partition_key")
        return info.partition_keys[0]

    @property
    def partition_key_range(self) -> PartitionKeyRange:
        """The first and the last key; raises NoPartition without partitions."""
        keys = self._check().partition_keys
        if not keys:
            self._no_partition("partition_key_range")
        return PartitionKeyRange(keys[0], keys[-1])

    @property
    def partition(self) -> Any:
        """The run's one partition, as the set gives it; raises NoPartition unless just one."""
        info = self._check()
        return Partition(self.partition_key) if info.partition is None else info.partition

    @property
    def partition_time_window(self) -> TimeWindow:
        """The time the run's partitions cover; raises NoPartition where they are of no time."""
        window = self._check().time_window
        if window is None:
            self._no_partition("partition_time_window")
        return window

    def _no_partition(self, asked: str) -> NoReturn:
        info = self._on.info
        count = len(info.partition_keys)
        has = {0: "no partition", 1: f'the partition "{info.partition_keys[0]}"' if count else ""}
        raise NoPartition(
            f"{self._name()} asks for context.{asked}, but run {info.run_id} has "
            f"{has.get(count, f'{count} partitions')}. "
            "context.partition_keys holds the keys of every kind of run."
        )


class StepContext(RunContext):
    """What a step is given as `context`.

    It belongs to one try of one step. A step interrupts nothing by using it from threads.
    """

    __slots__ = ("_entries", "_retry")

    def __init__(
        self,
        on: Surroundings,
        step: str,
        config: Any,
        resources: tuple[str, ...] = (),
        retry: int = 0,
    ) -> None:
        # what RunContext does, without the call: there is one of these per step of every run
        self._on = on
        self._step = step
        self._what = "Step"
        self._config = config
        self._resources = resources
        self._interrupt = None
        self._told = False
        self._retry = retry
        self._entries: dict[str, Any] | None = None

    @property
    def step_name(self) -> str:
        """The step's name in this pipeline."""
        self._check()
        return self._step or ""

    @property
    def step_config(self) -> Any:
        """The step's config, validated, with defaults."""
        self._check()
        return self._config

    solid_config = op_config = step_config

    @property
    def retry_number(self) -> int:
        """How often this step was tried before in this run."""
        self._check()
        return self._retry

    @property
    def idempotency_key(self) -> str:
        """The same text for every try to do this step's work for this partition.

        It names the backfill (or the run, without one), the partitions and the step, so it is the
        same over retries, attempts and re-execution within a backfill.
        """
        return idempotency_key(self._check(), self.step_name)

    @property
    def fencing_token(self) -> int:
        """A number that grows with every attempt of a run, and with every later run.

        Write it beside the data and refuse to overwrite a higher one: an attempt that was given
        up and still runs then does no harm. It fits 63 bits.
        """
        info = self._check()
        return info.run_id << ATTEMPT_BITS | min(info.attempt, (1 << ATTEMPT_BITS) - 1)

    def report_partition(self, key: str, state: str, reason: str | None = None) -> None:
        """Say what became of one of the run's partitions, whatever becomes of the others.

        A partition that failed is recorded so although the step succeeds; of a run over it alone
        the step fails here. One that succeeded is recorded so although this step fails, where
        every other step succeeded.

        Args:
            state: `succeeded` or `failed`.
            reason: Why it failed.

        Raises:
            NoPartition: The run has no such partition.
        """
        info = self._check()
        if key not in info.partition_keys:
            raise NoPartition(f'{self._name()} reports partition "{key}", which its run has not.')
        if state not in {"succeeded", "failed"}:
            raise StepFault(f'{self._name()} reports "{state}": expected succeeded or failed.')
        if state == "failed" and len(info.partition_keys) == 1:
            raise Failure(reason or f'partition "{key}" failed')
        if self._on.partitions is not None:
            words = None if reason is None else self._on.line(str(reason))
            self._on.partitions[key] = PartitionReport(
                state == "succeeded", words, self._step or ""
            )

    def add_metadata(self, entries: Mapping[str, Any] | None = None, /, **named: Any) -> None:
        """Keep facts with the step's outcome: `add_metadata(rows=3)`.

        Raises:
            MetadataWrong: A value is nothing JSON can carry.
        """
        self._check()
        if self._entries is None:
            self._entries = {}
        if entries is not None:
            add_metadata(self._entries, entries, self._on.redactor)
        if named:
            add_metadata(self._entries, named, self._on.redactor)


class ResourceContext(RunContext):
    """What a resource's function is given as `context`."""

    __slots__ = ()

    @property
    def resource_config(self) -> Any:
        """The resource's config, validated, with defaults."""
        self._check()
        return self._config


def idempotency_key(info: RunInfo, step: str) -> str:
    """Return `backfill-7/2020-05-05/load`, or `run-12/…` for a run without a backfill."""
    root = f"backfill-{info.backfill_id}" if info.backfill_id is not None else f"run-{info.run_id}"
    keys = [quote(key, safe="", errors="backslashreplace") for key in info.partition_keys]
    if len(keys) > 1:
        keys = [_digest(keys)]
    return "/".join((root, *keys, step))


def _digest(keys: list[str]) -> str:
    """Return a short name for a set of keys."""
    import hashlib

    return f"{len(keys)}-{hashlib.sha256('/'.join(keys).encode()).hexdigest()[:16]}"
