"""The client: a method per route, typed answers, iterators over pages."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote

import httpx

from backfill.client.exporting import export
from backfill.client.guards import PartitionSetHandle
from backfill.client.handles import BackfillHandle, RunHandle, again
from backfill.client.hooks import Hooks
from backfill.client.listening import listen
from backfill.client.partitions import DynamicPartitions, validations
from backfill.client.schedules import ScheduleHandle
from backfill.client.transport import Transport
from backfill.definitions.hours import parse_hours
from backfill.roles import Role
from backfill.schemas.access import AuditEntry, NewToken, Session, Tokens
from backfill.schemas.backfills import Backfill, Event, Plan, Submitted, Validated
from backfill.schemas.base import Document
from backfill.schemas.definitions import (
    ConfigValidation,
    Definitions,
    Partition,
    Pipeline,
    ResolvedConfig,
)
from backfill.schemas.exports import RunsCanceled
from backfill.schemas.fleet import Fleet
from backfill.schemas.guards import Block
from backfill.schemas.live import LiveEvent
from backfill.schemas.matrix import BoxRun, MatrixPage
from backfill.schemas.overview import Overview
from backfill.schemas.pools import Pool, Pools, TagLimit, TagLimits
from backfill.schemas.reexecution import RunsReexecuted
from backfill.schemas.runs import Run, RunSteps
from backfill.schemas.schedules import Schedules, ScheduleStatus
from backfill.schemas.statistics import Staleness, Statistics
from backfill.schemas.why import Why
from backfill.settings import get_settings
from backfill.states import BackfillState, RunState

T = TypeVar("T", bound=Document)

PAGE = 200


class Client:
    """A client of one API; safe to share between threads.

    Args:
        url: Where the API is; BACKFILL_API_URL when not given.
        token: A bearer token; BACKFILL_TOKEN when not given.
        timeout_seconds: The longest wait for an answer.
        retries: How often a request is sent again when the connection fails.
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        timeout_seconds: float = 60.0,
        retries: int = 4,
        http: httpx.Client | None = None,
    ) -> None:
        settings = get_settings()
        self.transport = Transport(
            url or settings.api_url,
            token or settings.token or None,
            timeout_seconds=timeout_seconds,
            retries=retries,
            http=http,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self.transport.close()

    @property
    def url(self) -> str:
        """Where the API is."""
        return self.transport.url

    # -- definitions --------------------------------------------------------------------------

    def definitions(self) -> Definitions:
        """Return everything that is defined."""
        return Definitions.model_validate(self._get("/definitions"))

    def pipeline(self, name: str) -> Pipeline:
        """Return a pipeline."""
        return Pipeline.model_validate(self._get(f"/pipelines/{_part(name)}"))

    def validate_config(self, pipeline: str, run_config: Mapping[str, Any]) -> ConfigValidation:
        """Say whether a run config fits a pipeline."""
        body = {"run_config": run_config}
        return ConfigValidation.model_validate(
            self._post(f"/pipelines/{_part(pipeline)}/validate", body)
        )

    def partitions(
        self, partition_set: str, *, order: str = "oldest", start: str | None = None
    ) -> Iterator[Partition]:
        """Iterate over the partitions of a set."""
        path = f"/partition-sets/{_part(partition_set)}/partitions"
        return self.pages(path, Partition, {"order": order, "start": start})

    def dynamic_partitions(
        self, partition_set: str, *, definition: str | None = None
    ) -> DynamicPartitions:
        """Return the keys of a set that come and go at run time: iterate, `add`, `remove`."""
        return DynamicPartitions(self.transport, partition_set, definition)

    def partition_set(self, name: str) -> PartitionSetHandle:
        """Return a partition set, to `block`, `unblock`, `mark` and `unmark` partitions of it."""
        return PartitionSetHandle(self.transport, name)

    def blocks(self, *, partition_set: str | None = None) -> Iterator[Block]:
        """Iterate over what is blocked, newest first."""
        return self.pages("/blocks", Block, {"partition_set": partition_set})

    def config(self, partition_set: str, partition: str) -> ResolvedConfig:
        """Return the run config that the run of a partition would get."""
        path = f"/partition-sets/{_part(partition_set)}/config"
        return ResolvedConfig.model_validate(self._get(path, {"partition": partition}))

    # -- backfills ----------------------------------------------------------------------------

    def plan(
        self,
        partition_set: str,
        selection: str = "all",
        *,
        partition: str | None = None,
        **wanted: Any,
    ) -> Plan:
        """Say what `submit` with the same arguments would do, and why.

        Args:
            partition: Show the run config of this one instead of the first.
        """
        body = _asked(partition_set, selection, wanted)
        params = {"partition": partition}
        told = self.transport.send("POST", "/backfills/plan", params=params, body=body)
        return Plan.model_validate(told)

    def validate(
        self, partition_set: str, selection: str = "all", **wanted: Any
    ) -> Iterator[Validated]:
        """Validate the config of every partition `submit` would run; yield how far it is."""
        return validations(self.transport, _asked(partition_set, selection, wanted))

    def submit(
        self,
        partition_set: str,
        selection: str = "all",
        *,
        max_active_runs: int | None = None,
        priority: int = 0,
        ordering: str = "oldest",
        max_failures: int = 0,
        tags: Mapping[str, str] | None = None,
        run_config: Mapping[str, Any] | None = None,
        steps: Sequence[str] | None = None,
        note: str | None = None,
        reprocess: str | None = None,
        quiet: bool = False,
        planned: Mapping[str, int] | None = None,
        idempotency_key: str | None = None,
        sequential: bool = False,
        depends_on_previous: bool = False,
        windows: Sequence[str | Mapping[str, Any]] | None = None,
        **more: Any,
    ) -> BackfillHandle:
        """Submit a backfill.

        Args:
            ordering: `oldest`, `newest`, `listed` (as the selection names them) or `weight`.
            sequential: One partition at a time, in order; a retry keeps its place.
            depends_on_previous: Each also waits until the partition before it succeeded.
            windows: When its runs may start: texts such as `mon-fri 20:00-06:00 Europe/Zurich`,
                or as the API has them.
            more: Further fields of the request by name: `canary`, `canary_percent`, `canary_only`,
                `breaker`, `on_conflict`, `limit`, `sample` and so on.
            selection: `all`, keys, inclusive ranges `[a...b]`, joined by commas.
            reprocess: `missing` (all but what succeeded), `failed`, `all` or `stale`; when not
                given, `all` where the selection names statuses or steps are chosen, else `missing`.
            quiet: Call no hooks of its steps.
            planned: The `counts` of a plan; the handle's `info.changes` says what changed since.
            idempotency_key: Give the same one again to get the same backfill; drawn at random
                when not given, so that a retried request makes only one.
        """
        body = _asked(
            partition_set,
            selection,
            {
                "max_active_runs": max_active_runs,
                "priority": priority,
                "ordering": ordering,
                "max_failures": max_failures,
                "tags": tags,
                "run_config": run_config,
                "steps": steps,
                "note": note,
                "reprocess": reprocess,
                "quiet": quiet or None,
                "planned": planned,
                "sequential": sequential or None,
                "depends_on_previous": depends_on_previous or None,
                "windows": windows,
                **more,
            },
        )
        told = self.transport.send(
            "POST", "/backfills", body=body, idempotency_key=idempotency_key or _new_key()
        )
        return BackfillHandle(self.transport, Submitted.model_validate(told))

    def backfill(self, backfill_id: str | int) -> BackfillHandle:
        """Return a backfill."""
        told = self._get(f"/backfills/{_part(str(backfill_id))}")
        return BackfillHandle(self.transport, Backfill.model_validate(told))

    def backfills(
        self,
        *,
        states: Sequence[BackfillState | str] | None = None,
        partition_set: str | None = None,
        pipeline: str | None = None,
    ) -> Iterator[Backfill]:
        """Iterate over backfills, newest first."""
        wanted = {"state": _listed(states), "partition_set": partition_set, "pipeline": pipeline}
        return self.pages("/backfills", Backfill, wanted)

    # -- runs ---------------------------------------------------------------------------------

    def launch(
        self,
        pipeline: str,
        *,
        partition_set: str | None = None,
        partition: str | None = None,
        run_config: Mapping[str, Any] | None = None,
        config_mode: str = "merge",
        tags: Mapping[str, str] | None = None,
        steps: Sequence[str] | None = None,
        priority: int = 0,
        max_failures: int = 0,
        on_conflict: str = "wait",
        idempotency_key: str | None = None,
    ) -> RunHandle:
        """Launch one run.

        Args:
            config_mode: `merge` the run config over the partition's own, or `exact`: it is all.
            on_conflict: When another run has the partition: `wait`, `skip` this run, or `refuse`.
            idempotency_key: Give the same one again to get the same run; drawn at random when not
                given, so that a retried request makes only one.
        """
        body = {
            "pipeline": pipeline,
            "partition_set": partition_set,
            "partition": partition,
            "run_config": run_config,
            "config_mode": config_mode,
            "tags": tags or {},
            "steps": steps,
            "priority": priority,
            "max_failures": max_failures,
            "on_conflict": on_conflict,
        }
        told = self.transport.send(
            "POST", "/runs", body=body, idempotency_key=idempotency_key or _new_key()
        )
        return RunHandle(self.transport, Run.model_validate(told))

    def run(self, run_id: str | int) -> RunHandle:
        """Return a run."""
        told = self._get(f"/runs/{_part(str(run_id))}")
        return RunHandle(self.transport, Run.model_validate(told))

    def runs(
        self,
        *,
        backfill: str | int | None = None,
        partition_set: str | None = None,
        partition: str | None = None,
        pipeline: str | None = None,
        states: Sequence[RunState | str] | None = None,
        tags: Mapping[str, str] | None = None,
        schedule: str | None = None,
        created_after: datetime | str | None = None,
        created_before: datetime | str | None = None,
    ) -> Iterator[Run]:
        """Iterate over runs, newest first.

        Args:
            tags: All of these, a run's own or its backfill's.
            schedule: Made by ticks of this schedule.
            created_after: Made at this time or later; a text is ISO 8601.
            created_before: Made before this time.
        """
        wanted = {
            "backfill": backfill,
            "partition_set": partition_set,
            "partition": partition,
            "pipeline": pipeline,
            "state": _listed(states),
            "tag": _pairs(tags),
            "schedule": schedule,
            "created_after": _iso(created_after),
            "created_before": _iso(created_before),
        }
        return self.pages("/runs", Run, wanted)

    def export(self, table: str, *, format: str = "csv", **wanted: Any) -> Iterator[bytes]:
        """Give an export of `runs` or `outcomes` as `csv` or `jsonl`, as it comes.

        Args:
            wanted: As `runs` takes.
        """
        states = _listed(wanted.pop("states", None))
        tags = _pairs(wanted.pop("tags", None))
        times = {name: _iso(wanted.pop(name, None)) for name in ("created_after", "created_before")}
        params = {"format": format, "state": states, "tag": tags, **times, **wanted}
        return export(self.transport, table, params)

    def cancel_runs(
        self,
        *,
        states: Sequence[RunState | str] | None = None,
        limit: int = 1_000,
        note: str | None = None,
        **wanted: Any,
    ) -> RunsCanceled:
        """Cancel at most `limit` unfinished runs, newest first; ask again while there are `more`.

        Args:
            wanted: As `runs` takes; at least one must narrow them.
        """
        times = {name: _iso(wanted.pop(name, None)) for name in ("created_after", "created_before")}
        body = {"state": _listed(states), "limit": limit, "note": note, **times, **wanted}
        given = {name: value for name, value in body.items() if value is not None}
        return RunsCanceled.model_validate(self._post("/runs/cancel", given))

    def reexecute_runs(
        self,
        *,
        mode: str = "from_failure",
        steps: Sequence[str] | None = None,
        from_step: str | None = None,
        states: Sequence[RunState | str] | None = None,
        limit: int = 1_000,
        note: str | None = None,
        **wanted: Any,
    ) -> RunsReexecuted:
        """Re-execute at most `limit` runs that ended; ask again while there are `more`.

        Args:
            mode: `from_failure` or `all`; steps are chosen by naming them.
            states: `failed` and `canceled` when None.
            wanted: As `runs` takes; at least one must narrow them.
        """
        times = {name: _iso(wanted.pop(name, None)) for name in ("created_after", "created_before")}
        which = {"state": _listed(states), "limit": limit, "note": note, **times, **wanted}
        body = {**again(mode, steps, from_step), **which}
        given = {name: value for name, value in body.items() if value is not None}
        return RunsReexecuted.model_validate(self._post("/runs/re-execute", given))

    def steps(self, run_id: str | int) -> RunSteps:
        """Return the attempts of a run and the outcome of every step in each."""
        return RunSteps.model_validate(self._get(f"/runs/{_part(str(run_id))}/steps"))

    def why(self, *, run: str | int | None = None, backfill: str | int | None = None) -> Why:
        """Say why a run or a backfill, whichever is given, stands where it stands."""
        if (run is None) == (backfill is None):
            raise ValueError("why() takes either run= or backfill=.")
        path = f"/backfills/{_part(str(backfill))}" if run is None else f"/runs/{_part(str(run))}"
        return Why.model_validate(self._get(f"{path}/why"))

    @property
    def hooks(self) -> Hooks:
        """Webhooks and what they were told: iterate, `add`, `remove`, `deliveries`, `again`."""
        return Hooks(self.transport)

    # -- limits -------------------------------------------------------------------------------

    def pools(self) -> list[Pool]:
        """Return every pool, by name: its slots and how many are taken."""
        return Pools.model_validate(self._get("/pools")).items

    def set_pool(self, name: str, slots: int | None) -> Pool:
        """Change how many slots a pool has: 0 closes it, None makes it the default again."""
        return Pool.model_validate(self._post(f"/pools/{_part(name)}", {"slots": slots}))

    def tag_limits(self) -> list[TagLimit]:
        """Return every limit of the active runs with a tag."""
        return TagLimits.model_validate(self._get("/tag-limits")).items

    def set_tag_limit(
        self, key: str, max_active_runs: int | None, *, value: str | None = None
    ) -> list[TagLimit]:
        """Let at most so many runs with a tag be active; None takes the limit away.

        Args:
            value: Of the tag; None: so many of each value.
        """
        body = {"key": key, "value": value, "max_active_runs": max_active_runs}
        return TagLimits.model_validate(self._post("/tag-limits", body)).items

    # -- schedules ----------------------------------------------------------------------------

    def schedules(self) -> list[ScheduleStatus]:
        """Return how every schedule stands, by name."""
        return Schedules.model_validate(self._get("/schedules")).items

    def schedule(self, name: str) -> ScheduleHandle:
        """Return a schedule."""
        told = self._get(f"/schedules/{_part(name)}")
        return ScheduleHandle(self.transport, ScheduleStatus.model_validate(told))

    # -- matrix and fleet ---------------------------------------------------------------------

    def matrix(
        self,
        partition_set: str,
        *,
        order: str = "newest",
        start: str | None = None,
        cursor: str | None = None,
        limit: int = 100,
        select: str | None = None,
        backfill: str | int | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> MatrixPage:
        """Return a page of the Run Matrix.

        Args:
            select: Only partitions of this selection.
            backfill: Only what this backfill did; with partitions that left the set since.
            tags: The same, of runs with all of these.
        """
        wanted = {
            "order": order,
            "start": start,
            "cursor": cursor,
            "limit": limit,
            "select": select,
            "backfill": backfill,
            "tag": _pairs(tags),
        }
        path = f"/partition-sets/{_part(partition_set)}/matrix"
        return MatrixPage.model_validate(self._get(path, wanted))

    def box(self, partition_set: str, partition: str, step: str) -> Iterator[BoxRun]:
        """Iterate over every run of one step of one partition, newest first."""
        path = f"/partition-sets/{_part(partition_set)}/box"
        return self.pages(path, BoxRun, {"partition": partition, "step": step})

    def step_statistics(
        self,
        partition_set: str,
        *,
        newest: int = 100,
        first: str | None = None,
        last: str | None = None,
    ) -> Statistics:
        """Return how steps failed and how long they took, over the newest partitions or a range."""
        path = f"/partition-sets/{_part(partition_set)}/step-statistics"
        wanted = {"newest": newest, "first": first, "last": last}
        return Statistics.model_validate(self._get(path, wanted))

    def staleness(self, partition_set: str) -> Staleness:
        """Return how many partitions of a set last succeeded with older code."""
        path = f"/partition-sets/{_part(partition_set)}/staleness"
        return Staleness.model_validate(self._get(path))

    def fleet(self) -> Fleet:
        """Return the workers, the queues and the coordinator."""
        return Fleet.model_validate(self._get("/fleet"))

    def overview(
        self,
        partition_set: str,
        *,
        buckets: int = 100,
        first: str | None = None,
        last: str | None = None,
    ) -> Overview:
        """Return how many partitions show which status, by step, in buckets of a set or range."""
        path = f"/partition-sets/{_part(partition_set)}/overview"
        wanted = {"buckets": buckets, "first": first, "last": last}
        return Overview.model_validate(self._get(path, wanted))

    def events(
        self, *, backfill: str | int | None = None, run: str | int | None = None
    ) -> Iterator[Event]:
        """Iterate over what operators did with a backfill or a run, newest first."""
        if (run is None) == (backfill is None):
            raise ValueError("events() takes either backfill= or run=.")
        path = f"/backfills/{_part(str(backfill))}" if run is None else f"/runs/{_part(str(run))}"
        return self.pages(f"{path}/events", Event, {})

    def listen(
        self,
        *,
        backfill: str | int | None = None,
        run: str | int | None = None,
        partition_set: str | None = None,
        after: str | None = None,
    ) -> Iterator[LiveEvent]:
        """Iterate over live events, for ever; goes on by itself when the connection breaks.

        The first event is `ready`: what is read after it misses nothing. `reset` says that
        something was missed: read everything anew.

        Args:
            after: The id of the last event seen, to go on behind it.
        """
        wanted = {"backfill": backfill, "run": run, "partition_set": partition_set}
        return listen(self.transport, wanted, after)

    # -- access -------------------------------------------------------------------------------

    def who_am_i(self) -> Session:
        """Say who this client's token belongs to."""
        return Session.model_validate(self._get("/session"))

    def tokens(self) -> Tokens:
        """Return every token, without its secret."""
        return Tokens.model_validate(self._get("/tokens"))

    def create_token(self, name: str, role: Role | str, *, days: float | None = None) -> NewToken:
        """Make a token; it is shown this once."""
        body = {"name": name, "role": str(role), "days": days}
        return NewToken.model_validate(self._post("/tokens", body))

    def revoke_token(self, name: str) -> None:
        """Make a token and its sessions invalid at once."""
        self._post(f"/tokens/{_part(name)}/revoke", None)

    def audit(self) -> Iterator[AuditEntry]:
        """Iterate over who changed what, newest first."""
        return self.pages("/audit", AuditEntry, {})

    # -- requests -----------------------------------------------------------------------------

    def pages(self, path: str, kind: type[T], params: Mapping[str, Any]) -> Iterator[T]:
        """Iterate over the items of a list, fetching page after page."""
        cursor: str | None = None
        while True:
            page = self._get(path, {"limit": PAGE, **params, "cursor": cursor})
            for item in page["items"]:
                yield kind.model_validate(item)
            cursor = page["next"]
            if cursor is None:
                return

    def _get(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        return self.transport.send("GET", path, params=params)

    def _post(self, path: str, body: Mapping[str, Any] | None) -> Any:
        return self.transport.send("POST", path, body=body)


def _asked(partition_set: str, selection: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
    given = {name: value for name, value in wanted.items() if value is not None}
    if "windows" in given:
        given["windows"] = [
            parse_hours(window).packed() if isinstance(window, str) else window
            for window in given["windows"]
        ]
    return {"partition_set": partition_set, "selection": selection, **given}


def _listed(states: Sequence[str] | None) -> list[str] | None:
    return None if states is None else [str(state) for state in states]


def _pairs(tags: Mapping[str, str] | None) -> list[str] | None:
    return None if tags is None else [f"{name}={value}" for name, value in tags.items()]


def _iso(time: datetime | str | None) -> str | None:
    return time.isoformat() if isinstance(time, datetime) else time


def _part(name: str) -> str:
    return quote(name, safe="")


def _new_key() -> str:
    return secrets.token_urlsafe(18)
