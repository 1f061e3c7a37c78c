"""Re-execution of runs: a new run made from one that ended, of all its steps or of some.

The new run stands outside any backfill; its parent and the root of its lineage are kept with it.
The runs of a backfill that did not succeed are tried again within it by `retrying`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from backfill.definitions.calls import Definitions
from backfill.definitions.catalog import PipelineInfo
from backfill.definitions.step_selection import downstream_of, select_steps
from backfill.errors import ConfigInvalid, Conflict, Invalid, no_run
from backfill.lifecycle import moves
from backfill.lifecycle.lineage import succeeded_along
from backfill.lifecycle.telling import note_event
from backfill.states import RUN_FINAL, ReexecutionMode, RunState
from backfill.storage.database import Database, decoded
from backfill.storage.queries.lineage import ancestors_of, has_unfinished_child
from backfill.storage.queries.runs import RunFilter, reexecutable_runs

CHUNK = 200  # runs per transaction


@dataclass(frozen=True)
class Again:
    """Which steps to execute again, and how.

    Attributes:
        steps: A step selection, of the mode `steps`.
        from_step: A step: it and everything downstream of it. Given in place of `steps`.
        run_config: In place of what was given when the run was launched.
        max_failures: As the run had when None.
    """

    mode: ReexecutionMode = ReexecutionMode.FROM_FAILURE
    steps: Sequence[str] | None = None
    from_step: str | None = None
    run_config: Mapping[str, Any] | None = None
    priority: int = 0
    max_failures: int | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


def steps_to_execute(pipeline: PipelineInfo, again: Again) -> tuple[ReexecutionMode, list[str]]:
    """Return the mode that is meant and the steps it names, which are none but for `steps`.

    Raises:
        Invalid: Mode and steps contradict each other, or a step is not of the pipeline.
    """
    named = list(again.steps or ())
    if again.from_step is not None:
        if named:
            raise Invalid("Give either from_step or steps, not both.")
    elif not named:
        if again.mode is ReexecutionMode.STEPS:
            raise Invalid("Re-executing steps needs to know which: give steps or from_step.")
        return again.mode, []
    if again.mode is ReexecutionMode.ALL:
        raise Invalid("Either all steps are executed again or some: give a mode or steps.")
    upstream = {step.name: step.upstream for step in pipeline.steps}
    if again.from_step is None:
        return ReexecutionMode.STEPS, select_steps(pipeline.name, upstream, named)
    (first,) = select_steps(pipeline.name, upstream, [again.from_step.strip("*+")])
    reached = downstream_of(upstream, {first})
    return ReexecutionMode.STEPS, [name for name in upstream if name in reached]


def reexecute(
    db: Database,
    definitions: Definitions,
    run_id: int,
    again: Again,
    *,
    at: datetime,
    note: str | None = None,
    actor: str | None = None,
) -> int:
    """Make a new run from one that ended; return its id.

    Args:
        at: The moment its partition set is looked at.

    Raises:
        NotFound: No such run, or its pipeline is gone.
        Invalid: The steps make no sense.
        ConfigInvalid: The config its partition gets now does not fit the pipeline.
        Conflict: The run has not ended, is being re-executed already, or has nothing that failed.
    """
    with db.read() as conn:
        parent = _parent(db, conn, run_id)
    pipeline = definitions.catalog().pipeline(parent.pipeline_name)
    mode, steps = steps_to_execute(pipeline, again)
    if mode is ReexecutionMode.FROM_FAILURE:
        _require_failure(db, parent, pipeline)
    _require_config(definitions, parent, _override(parent, again), at)
    tried = False

    def work(conn: Connection) -> int:
        nonlocal tried
        repeated, tried = tried, True
        locked = _parent(db, conn, run_id, lock=True)
        child = has_unfinished_child(db, conn, run_id)
        if child is not None:
            if repeated:  # the answer of the first commit was lost
                return child
            raise Conflict(
                f"Run {run_id} is being re-executed already, by run {child}.", run_id=str(child)
            )
        (made,) = _make(db, conn, [locked], again, mode, steps)
        _note(db, conn, locked, made, mode, steps, note, actor)
        return made

    made = db.transact(work)
    db.notify()
    return made


@dataclass(frozen=True)
class Reexecuted:
    """How many runs were made, ids of the first, and whether others fit too."""

    made: int
    run_ids: Sequence[int]
    more: bool


def reexecute_runs(
    db: Database,
    definitions: Definitions,
    wanted: RunFilter,
    again: Again,
    *,
    limit: int,
    note: str | None = None,
    actor: str | None = None,
) -> Reexecuted:
    """Re-execute at most `limit` runs that ended, newest first; ask again while there are more.

    One that was re-executed before is left to its re-execution.

    Raises:
        Invalid: Steps are named that one of the pipelines does not have.
    """
    with db.read() as conn:
        found = reexecutable_runs(db, conn, wanted, limit=limit + 1)
    ids = found[:limit]
    made: list[int] = []
    for start in range(0, len(ids), CHUNK):
        chunk = ids[start : start + CHUNK]
        made += db.transact(
            lambda conn, chunk=chunk: _reexecute(db, conn, definitions, chunk, again)  # type: ignore[misc]
        )
        db.notify()
    if made:
        db.transact(lambda conn: _note_many(db, conn, wanted, len(made), note, actor))
    return Reexecuted(len(made), made[:CHUNK], len(found) > limit)


def _reexecute(
    db: Database, conn: Connection, definitions: Definitions, ids: Sequence[int], again: Again
) -> list[int]:
    """Re-execute those that still have no re-execution, under their locks."""
    rows = conn.execute(
        db.sql(
            f"{_PARENT} WHERE {db.one_of('r.id', 'ids')} AND r.finished_at IS NOT NULL "
            "AND NOT EXISTS (SELECT 1 FROM runs c WHERE c.parent_id = r.id) "
            f"ORDER BY r.id{_for_update(db)}"
        ),
        {"ids": db.ints(ids)},
    ).all()
    by_pipeline: dict[str, list[Row[Any]]] = {}
    for row in rows:
        by_pipeline.setdefault(row.pipeline_name, []).append(row)
    catalog = definitions.catalog()
    made: list[int] = []
    for name, parents in by_pipeline.items():
        mode, steps = steps_to_execute(catalog.pipeline(name), again)
        made += _make(db, conn, parents, again, mode, steps)
    return made


# -- reading --------------------------------------------------------------------------------------

_PARENT = (
    "SELECT r.id, r.state, r.span, r.set_id, s.name AS set_name, r.partition, r.pipeline_id, "
    "r.pools, p.name AS pipeline_name, "
    "r.queue, r.tags, r.override, r.steps, r.root_id, r.max_failures, r.timeout_seconds, "
    "r.backfill_id, b.run_config AS backfill_config, b.tags AS backfill_tags, "
    "b.steps AS backfill_steps, b.run_timeout_seconds FROM runs r "
    "JOIN pipelines p ON p.id = r.pipeline_id LEFT JOIN partition_sets s ON s.id = r.set_id "
    "LEFT JOIN backfills b ON b.id = r.backfill_id"
)


def _for_update(db: Database) -> str:
    return " FOR UPDATE OF r" if db.postgres else ""


def _parent(db: Database, conn: Connection, run_id: int, *, lock: bool = False) -> Row[Any]:
    row = conn.execute(
        db.sql(f"{_PARENT} WHERE r.id = :id{_for_update(db) if lock else ''}"), {"id": run_id}
    ).first()
    if row is None:
        raise no_run(run_id)
    if RunState(row.state) not in RUN_FINAL:
        raise Conflict(
            f"Run {run_id} cannot be re-executed: it is {row.state}. Cancel it first, or wait.",
            state=row.state,
        )
    return row


def _require_failure(db: Database, parent: Row[Any], pipeline: PipelineInfo) -> None:
    if parent.span is not None:
        return
    with db.read() as conn:
        done = succeeded_along(ancestors_of(db, conn, parent.id))
    chosen = decoded(parent.steps) or decoded(parent.backfill_steps)
    wanted = chosen or [step.name for step in pipeline.steps]
    if all(step in done for step in wanted):
        raise Conflict(
            f"Every step of run {parent.id} succeeded: there is no failure to go on from. "
            "Re-execute all its steps, or name some."
        )


def _override(parent: Row[Any], again: Again) -> Mapping[str, Any] | None:
    """Return the config given for the run: now, at its launch, or to its backfill."""
    if again.run_config is not None:
        return again.run_config
    given: Mapping[str, Any] | None = decoded(parent.override) or decoded(parent.backfill_config)
    return given


def _require_config(
    definitions: Definitions, parent: Row[Any], override: Mapping[str, Any] | None, at: datetime
) -> None:
    if parent.partition is None:
        errors = definitions.validate_config(parent.pipeline_name, override or {})
    else:
        resolved = definitions.run_config(parent.set_name, parent.partition, at, override=override)
        errors = resolved.errors
    if errors:
        raise ConfigInvalid(
            f"The run config of run {parent.id} does not fit its pipeline any more: "
            f"{errors[0].get('message') or errors[0]}",
            errors=list(errors),
        )


# -- making ---------------------------------------------------------------------------------------


def _make(
    db: Database,
    conn: Connection,
    parents: Sequence[Row[Any]],
    again: Again,
    mode: ReexecutionMode,
    steps: Sequence[str],
) -> list[int]:
    return moves.create_runs(db, conn, [_values(p, again, mode, steps) for p in parents])


def _values(
    parent: Row[Any], again: Again, mode: ReexecutionMode, steps: Sequence[str]
) -> dict[str, Any]:
    """Return the columns of a run made from another; what its backfill gave it comes along."""
    override = _override(parent, again)
    tags = {**(decoded(parent.backfill_tags) or {}), **(decoded(parent.tags) or {}), **again.tags}
    given = decoded(parent.steps) or decoded(parent.backfill_steps)
    return {
        "set_id": parent.set_id,
        "partition": parent.partition,
        "pipeline_id": parent.pipeline_id,
        "sort": -again.priority,
        "max_failures": parent.max_failures if again.max_failures is None else again.max_failures,
        "queue": parent.queue,
        "pools": decoded(parent.pools),
        "tags": tags or None,
        "run_config": override,
        "override": override,
        "steps": list(steps) or given,
        "parent_id": parent.id,
        "root_id": parent.root_id or parent.id,
        "mode": _mode_of(parent, mode).value,
        "timeout_seconds": parent.timeout_seconds or parent.run_timeout_seconds,
    }


def _mode_of(parent: Row[Any], mode: ReexecutionMode) -> ReexecutionMode:
    """Return the mode for one partition: what it had with others together is done again whole."""
    whole = parent.span is not None and mode is ReexecutionMode.FROM_FAILURE
    return ReexecutionMode.ALL if whole else mode


def _note(
    db: Database,
    conn: Connection,
    parent: Row[Any],
    made: int,
    mode: ReexecutionMode,
    steps: Sequence[str],
    note: str | None,
    actor: str | None,
) -> None:
    how = {"from_failure": "from its failure", "all": "whole"}.get(
        mode, f"steps {', '.join(steps)}"
    )
    why = f": {note}" if note else ""
    facts = {"run_id": str(made), "mode": mode.value, "steps": list(steps)}
    for run_id, message in (
        (parent.id, f"re-executed by run {made}, {how}{why}"),
        (made, f"re-executes run {parent.id}, {how}{why}"),
    ):
        note_event(
            db,
            conn,
            kind="run.reexecuted",
            message=message,
            run_id=run_id,
            actor=actor,
            facts=facts,
        )


def _note_many(
    db: Database,
    conn: Connection,
    wanted: RunFilter,
    made: int,
    note: str | None,
    actor: str | None,
) -> None:
    note_event(
        db,
        conn,
        kind="runs.reexecuted",
        message=f"{made} runs re-executed" + (f": {note}" if note else ""),
        backfill_id=wanted.backfill_id,
        actor=actor,
        facts={"made": made},
    )
