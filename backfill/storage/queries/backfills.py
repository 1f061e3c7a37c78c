"""Backfills: one, and a page of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row

from backfill.states import BACKFILL_FINAL, BackfillState, RunState
from backfill.storage.database import Database, decoded
from backfill.storage.queries.paging import Page, Where, read_page

_GIVEN_UP = {BackfillState.CANCELING, BackfillState.CANCELED}


@dataclass(frozen=True)
class Counts:
    """How many runs of a backfill are where.

    Attributes:
        pending: With the partitions that no run was made for yet.
        unlaunched: Partitions that no run will be made for: given up before.
    """

    pending: int
    queued: int
    running: int
    succeeded: int
    failed: int
    canceled: int
    skipped: int
    unlaunched: int

    @property
    def finished(self) -> int:
        """How many runs are final."""
        return self.succeeded + self.failed + self.canceled + self.skipped


@dataclass(frozen=True)
class BackfillView:
    """A backfill as it is shown.

    Attributes:
        stopped_by: The partition its line waits for in vain.
        pools: Slots that each of its runs takes, by pool.
        windows: When its runs may start; none: at any time.
        reprocess: Which of the selected partitions it takes: `missing`, `failed`, `all`, `stale`.
        left_out: How many of the selected partitions it does not take, by reason.
        total: Partitions that it takes.
        expanded: How many of them were turned into runs, or found gone.
        vanished: How many were gone from the set by then.
        retrying: Whether the runs of a retry are still being made.
        deadline_at: When its time is over.
        now: The database's time when this was read.
    """

    id: int
    partition_set: str
    pipeline: str
    state: BackfillState
    selection: str
    reprocess: str
    left_out: Mapping[str, int]
    total: int
    expanded: int
    vanished: int
    generation: int
    counts: Counts
    max_active_runs: int | None
    priority: int
    ordering: str
    sequential: bool
    depends_on_previous: bool
    stopped_by: str | None
    pools: Mapping[str, int]
    windows: Sequence[Mapping[str, Any]]
    max_failures: int
    queue: str | None
    tags: Mapping[str, str]
    run_config: Mapping[str, Any] | None
    steps: Sequence[str] | None
    quiet: bool
    note: str | None
    created_by: str | None
    pause_reason: str | None
    pause_facts: Mapping[str, Any] | None
    canary: int | None
    canary_percent: int
    canary_state: str | None
    breaker: Mapping[str, int] | None
    on_conflict: str
    narrowed: Mapping[str, int] | None
    retrying: bool
    cloned_from: int | None
    partitions_per_run: int | None
    run_timeout_seconds: float | None
    timeout_seconds: float | None
    on_timeout: str | None
    deadline_at: int | None
    selected_at: int
    created_at: int
    started_at: int | None
    finished_at: int | None
    now: int


@dataclass(frozen=True)
class BackfillFilter:
    """Which backfills; None does not narrow."""

    states: Sequence[BackfillState] | None = None
    partition_set: str | None = None
    pipeline: str | None = None
    created_by: str | None = None


_SELECT = (
    "SELECT b.*, s.name AS set_name, p.name AS pipeline_name, {now} AS now FROM backfills b "
    "JOIN partition_sets s ON s.id = b.set_id JOIN pipelines p ON p.id = b.pipeline_id"
)


def get_backfill(db: Database, conn: Connection, backfill_id: int) -> BackfillView | None:
    """Return a backfill, or None."""
    row = conn.execute(db.sql(f"{_SELECT} WHERE b.id = :id"), {"id": backfill_id}).first()
    return None if row is None else _view(row)


def list_backfills(
    db: Database,
    conn: Connection,
    wanted: BackfillFilter,
    *,
    limit: int,
    before: int | None = None,
) -> Page[BackfillView]:
    """Return backfills, newest first; `before` is the id of the last one already seen."""
    where = Where()
    if wanted.states is not None:
        where.add(db.one_of_texts("b.state", "states"), states=db.texts(wanted.states))
    where.named("b.set_id", "partition_sets", wanted.partition_set, "set")
    where.named("b.pipeline_id", "pipelines", wanted.pipeline, "pipeline")
    if wanted.created_by is not None:
        where.add("b.created_by = :created_by", created_by=wanted.created_by)
    if before is not None:
        where.add("b.id < :before", before=before)
    statement = f"{_SELECT} WHERE {where} ORDER BY b.id DESC"
    return read_page(db, conn, statement, where.params, _view, limit=limit)


def _view(row: Row[Any]) -> BackfillView:
    return BackfillView(
        id=row.id,
        partition_set=row.set_name,
        pipeline=row.pipeline_name,
        state=BackfillState(row.state),
        selection=row.selection,
        reprocess=row.reprocess,
        left_out=decoded(row.left_out) or {},
        total=row.total,
        expanded=row.expanded,
        vanished=row.vanished,
        generation=row.generation,
        counts=_counts(row),
        max_active_runs=row.max_active_runs,
        priority=row.priority,
        ordering=row.ordering,
        sequential=bool(row.sequential),
        depends_on_previous=bool(row.depends_on_previous),
        stopped_by=None if BackfillState(row.state) in BACKFILL_FINAL else row.stopped_by,
        pools=decoded(row.pools) or {},
        windows=decoded(row.windows) or [],
        max_failures=row.max_failures,
        queue=row.queue,
        tags=decoded(row.tags) or {},
        run_config=decoded(row.run_config),
        steps=decoded(row.steps),
        quiet=bool(row.quiet),
        note=row.note,
        created_by=row.created_by,
        pause_reason=row.pause_reason,
        pause_facts=decoded(row.pause_facts),
        canary=row.canary,
        canary_percent=row.canary_percent,
        canary_state=row.canary_state,
        breaker=decoded(row.breaker),
        on_conflict=row.on_conflict,
        narrowed=decoded(row.narrowed),
        retrying=row.retrying is not None,
        cloned_from=row.cloned_from,
        partitions_per_run=row.partitions_per_run,
        run_timeout_seconds=row.run_timeout_seconds,
        timeout_seconds=row.timeout_seconds,
        on_timeout=row.on_timeout,
        deadline_at=row.deadline_at,
        selected_at=row.selected_at,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        now=row.now,
    )


def _counts(row: Row[Any]) -> Counts:
    given_up = BackfillState(row.state) in _GIVEN_UP or row.expanded_at is not None
    counted = sum(getattr(row, state.value) for state in RunState)
    made = max(row.expanded - row.vanished, counted)  # a canary's runs come before its places
    unmade = max(row.total - row.vanished - made, 0)
    uncounted = max(made - counted, 0)  # the counts follow shortly
    return Counts(
        pending=row.pending + uncounted + (0 if given_up else unmade),
        queued=row.queued,
        running=row.running,
        succeeded=row.succeeded,
        failed=row.failed,
        canceled=row.canceled,
        skipped=row.skipped,
        unlaunched=unmade if given_up else 0,
    )
