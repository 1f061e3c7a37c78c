"""The Run Matrix: partitions x steps, a page of keys at a time.

A box shows the newest run of its partition that has something to say about the step: a run on its
way shows where the step is, a final one its outcome. A run that ended before it came to the step
does not hide what an older one did.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from operator import attrgetter
from typing import Any, NamedTuple

from sqlalchemy import Connection

from backfill.states import RUN_FINAL, STEP_FINAL, BoxStatus, ReexecutionMode, RunState, StepState
from backfill.storage.database import Database, decoded
from backfill.storage.queries.guarded import guards_exist, with_guards
from backfill.storage.queries.marks import Mark
from backfill.storage.queries.paging import Where
from backfill.storage.queries.plain import tuples
from backfill.storage.queries.run_search import RunFilter, condition_of

_FINAL = frozenset(state.value for state in RUN_FINAL)
RUNS_LOOKED_AT = 20  # of a partition; older ones no longer show in the matrix


class Box(NamedTuple):
    """One box; run, attempt and times are None where no run says anything of the step.

    `previous` is what the runs before say of it, where that was asked for. `marked` ones have the
    status that an operator gave them, whatever their run says.
    """

    status: BoxStatus
    run_id: int | None = None
    attempt: int | None = None
    started_at: int | None = None
    finished_at: int | None = None
    previous: BoxStatus | None = None
    marked: bool = False


class PartitionRow(NamedTuple):
    """One partition of the matrix: its newest run and its boxes by step.

    Attributes:
        runs: How many runs of it there are.
        state: The newest run's; None without any.
        blocked: Why nothing runs it; None when it is not blocked.
        mark: What an operator said of all of it, unless a later run overrules that.
    """

    key: str
    boxes: Mapping[str, Box]
    runs: int = 0
    run_id: int | None = None
    state: RunState | None = None
    backfill_id: int | None = None
    started_at: int | None = None
    finished_at: int | None = None
    blocked: str | None = None
    mark: Mark | None = None


class _Run(NamedTuple):
    """What of a run matters to its boxes.

    Attributes:
        steps: None for all.
        goes_on: It goes on from a failure: what succeeded before is not executed again.
    """

    id: int
    state: str
    final: bool
    attempt: int
    steps: frozenset[str] | None
    goes_on: bool

    def covers(self, step: str) -> bool:
        return self.steps is None or step in self.steps


# run id, step, attempt, state, started_at, finished_at and what of no outcome is set: plain tuples
# as they were read, for there are thousands
Outcome = tuple[Any, ...]
_Outcomes = dict[int, dict[str, Outcome]]


class ToldBoxes(Mapping[str, Box]):
    """Boxes of a partition whose newest run tells them all: made when they are asked for.

    Nearly all are so, and writers of many take what they need from the outcomes.

    Attributes:
        run_id, attempt: Of the run.
        latest, earlier: What a state means for a box, of the run's attempt and of those before.
        outcomes: By step; of these, and maybe of others.
    """

    __slots__ = ("attempt", "earlier", "latest", "outcomes", "run_id", "steps")

    def __init__(self, run: _Run, steps: Sequence[str], outcomes: Mapping[str, Outcome]) -> None:
        self.run_id = run.id
        self.attempt = run.attempt
        self.latest, self.earlier = _meanings(run.state)
        self.steps = steps
        self.outcomes = outcomes

    def __getitem__(self, step: str) -> Box:
        return _told(self.outcomes[step], self.attempt, self.latest, self.earlier)

    def __iter__(self) -> Iterator[str]:
        return iter(self.steps)

    def __len__(self) -> int:
        return len(self.steps)


class _Found(NamedTuple):
    """A run as it is read."""

    id: int
    partition: str
    attempt: int
    state: str
    started_at: int | None
    finished_at: int | None
    place: int
    runs: int
    backfill_id: int | None
    mode: str | None
    steps: Any
    backfill_steps: Any
    guarded: bool


_PLACE = _Found._fields.index("place")  # outcomes are what comes before, and have none
_PLACE_OF = attrgetter("place")


@dataclass
class _Partition:
    """A partition being put together: newest run first."""

    newest: _Found
    runs: list[_Run] = field(default_factory=list)

    @property
    def goes_on(self) -> bool:
        """Whether older runs tell what the newest one will not do again."""
        return self.runs[0].goes_on and not self.runs[0].final


def matrix_page(
    db: Database,
    conn: Connection,
    set_name: str,
    keys: Sequence[str],
    steps: Sequence[str],
    *,
    only: RunFilter | None = None,
    previous: bool = False,
    removed: Collection[str] = (),
) -> list[PartitionRow]:
    """Return a row per key, in their order, with a box per step.

    Args:
        only: As if there were no other runs than these.
        removed: Those of the keys that have left the set: what came of them is shown as removed.
        previous: Say also what each box showed before its run.
    """
    partitions, outcomes, unguarded = _newest(db, conn, set_name, keys, only or RunFilter())
    rows = {k: _row(k, p, steps, outcomes) for k, p in partitions.items()}
    deep = {
        key: partition
        for key, partition in partitions.items()
        if len(partition.runs) > 1 and (previous or partition.goes_on or _lacks(rows[key]))
    }
    if deep:
        outcomes |= _outcomes(db, conn, [run for p in deep.values() for run in p.runs[1:]])
        rows |= {k: _row(k, p, steps, outcomes) for k, p in deep.items()}
    if previous:
        rows = {k: _with_previous(row, partitions[k], outcomes) for k, row in rows.items()}
    empty = {step: Box(BoxStatus.MISSING) for step in steps}
    found = [rows.get(key) or PartitionRow(key, empty) for key in keys]
    if not unguarded:
        found = with_guards(db, conn, set_name, found)
    return [_removed(row) if row.key in removed else row for row in found] if removed else found


# -- reading --------------------------------------------------------------------------------------


def _newest(
    db: Database, conn: Connection, set_name: str, keys: Sequence[str], only: RunFilter
) -> tuple[dict[str, _Partition], _Outcomes, bool]:
    """Return the newest runs of each key that has any, and what the newest did; one statement.

    Its rows are of two kinds, alike in what both have: runs, and the outcomes of steps. The last
    of what is returned says that the set has neither marks nor blocks; false where that is not
    known.
    """
    where = Where()
    where.add(
        "x.set_id = (SELECT id FROM partition_sets WHERE name = :set_name) "
        f"AND {db.one_of_texts('x.partition', 'keys')}",
        set_name=set_name,
        keys=db.texts(keys),
    )
    if only != RunFilter():
        narrowed = condition_of(db, only)
        where.add(str(narrowed), **narrowed.params)
    rows = tuples(
        conn.execute(
            db.sql(
                "WITH newest AS MATERIALIZED (SELECT * FROM (SELECT id, partition, attempt, state, "
                "started_at, finished_at, row_number() OVER (PARTITION BY partition "
                "ORDER BY created_at DESC, id DESC) AS place, "
                "count(*) OVER (PARTITION BY partition) AS runs, backfill_id, mode, steps "
                f"FROM runs x WHERE {where}) AS every WHERE place <= :most) "
                f"SELECT n.*, b.steps AS backfill_steps, {guards_exist('set_name')} AS guarded "
                "FROM newest n LEFT JOIN backfills b ON b.id = n.backfill_id "
                "UNION ALL SELECT o.run_id, o.step, o.attempt, o.state, o.started_at, "
                "o.finished_at, NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM "
                + db.rows_for_each("newest AS n", "step_outcomes", "run_id = n.id", name="o")
                + " WHERE n.place = 1 AND n.attempt > 0"
            ),
            {**where.params, "most": RUNS_LOOKED_AT},
        )
    )
    runs = [_Found._make(row) for row in rows if row[_PLACE] is not None]
    partitions: dict[str, _Partition] = {}
    for run in sorted(runs, key=_PLACE_OF):
        partitions.setdefault(run.partition, _Partition(run)).runs.append(_run(run))
    outcomes = _by_run(row for row in rows if row[_PLACE] is None)
    return partitions, outcomes, bool(runs) and not runs[0].guarded


def _run(found: _Found) -> _Run:
    steps = decoded(found.steps) or decoded(found.backfill_steps)
    return _Run(
        found.id,
        found.state,
        found.state in _FINAL,
        found.attempt,
        frozenset(steps) if steps else None,
        found.mode == ReexecutionMode.FROM_FAILURE,
    )


def _outcomes(db: Database, conn: Connection, runs: Iterable[_Run]) -> _Outcomes:
    """Return the newest attempt's outcome of each step by run id; unbegun runs have none."""
    begun = [run.id for run in runs if run.attempt]
    if not begun:
        return {}
    rows = tuples(
        conn.execute(
            db.sql(
                "SELECT run_id, step, attempt, state, started_at, finished_at FROM step_outcomes "
                f"WHERE {db.one_of('run_id', 'runs')}"
            ),
            {"runs": db.ints(begun)},
        )
    )
    return _by_run(rows)


def _by_run(outcomes: Iterable[Outcome]) -> _Outcomes:
    """Return of each step its newest attempt's."""
    found: _Outcomes = defaultdict(dict)
    for outcome in outcomes:
        told = found[outcome[0]]
        known = told.setdefault(outcome[1], outcome)
        if known is not outcome and known[2] < outcome[2]:
            told[outcome[1]] = outcome
    return found


# -- deciding -------------------------------------------------------------------------------------


def _row(
    key: str,
    partition: _Partition,
    steps: Sequence[str],
    outcomes: _Outcomes,
) -> PartitionRow:
    newest = partition.newest
    return PartitionRow(
        key=key,
        boxes=_boxes(steps, partition.runs, outcomes),
        runs=newest.runs,
        run_id=newest.id,
        state=RunState(newest.state),
        backfill_id=newest.backfill_id,
        started_at=newest.started_at,
        finished_at=newest.finished_at,
    )


def _lacks(row: PartitionRow) -> bool:
    """Say whether the newest run leaves a box empty, which an older one may fill."""
    return not isinstance(row.boxes, ToldBoxes) and any(
        box.status is BoxStatus.MISSING for box in row.boxes.values()
    )


def _removed(row: PartitionRow) -> PartitionRow:
    """Show what came of a partition as removed; what is on its way is shown as it is."""
    over = {*STEP_FINAL, BoxStatus.BLOCKED}
    boxes = {
        step: box._replace(status=BoxStatus.REMOVED) if box.status in over else box
        for step, box in row.boxes.items()
    }
    return row._replace(boxes=boxes)


def _with_previous(
    row: PartitionRow,
    partition: _Partition,
    outcomes: _Outcomes,
) -> PartitionRow:
    """Say of each box what it would show without the run it shows, and those after it."""

    def before(step: str, box: Box) -> BoxStatus | None:
        places = [place for place, run in enumerate(partition.runs) if run.id == box.run_id]
        older = partition.runs[places[0] + 1 :] if places else ()
        shown = _box(step, older, outcomes)
        return None if shown.status is BoxStatus.MISSING else shown.status

    boxes = {s: box._replace(previous=before(s, box)) for s, box in row.boxes.items()}
    return row._replace(boxes=boxes)


def _boxes(steps: Sequence[str], runs: Sequence[_Run], outcomes: _Outcomes) -> Mapping[str, Box]:
    """Return the boxes of a partition: nearly all are told by its newest run."""
    told = outcomes.get(runs[0].id, {})
    if told.keys() >= set(steps):
        return ToldBoxes(runs[0], steps, told)
    return {step: _box(step, runs, outcomes) for step in steps}


def _box(step: str, runs: Sequence[_Run], outcomes: _Outcomes) -> Box:
    for place, run in enumerate(runs):
        told = outcomes.get(run.id)
        outcome = told.get(step) if told is not None else None
        if outcome is not None:
            return _told(outcome, run.attempt, *_meanings(run.state))
        if not run.final and run.covers(step):
            before = _box(step, runs[place + 1 :], outcomes) if run.goes_on else None
            if before is not None and before.status is BoxStatus.SUCCEEDED:
                return before
            return Box(BoxStatus.QUEUED, run_id=run.id)
    return Box(BoxStatus.MISSING)


def _told(
    outcome: Outcome,
    newest: int,
    latest: Mapping[str, BoxStatus],
    earlier: Mapping[str, BoxStatus],
) -> Box:
    run_id, _, attempt, state, started_at, finished_at = outcome[:6]
    status = latest[state] if attempt == newest else earlier[state]
    return Box(status, run_id, attempt, started_at, finished_at)


@cache
def _meanings(state: str) -> tuple[Mapping[str, BoxStatus], Mapping[str, BoxStatus]]:
    """Return what outcomes of a run's newest attempt mean for their boxes, and of earlier ones."""
    run = RunState(state)
    latest, earlier = (
        {outcome.value: status_of(run, outcome, newest_attempt=newest) for outcome in StepState}
        for newest in (True, False)
    )
    return latest, earlier


@cache
def status_of(run: RunState, outcome: str, *, newest_attempt: bool) -> BoxStatus:
    """Say what a step's newest outcome means for its box: a run on its way may try it again."""
    state = StepState(outcome)
    over = run in RUN_FINAL or state in {StepState.SUCCEEDED, StepState.SKIPPED}
    if over or (run is RunState.RUNNING and newest_attempt):
        return BoxStatus(state.value)
    return BoxStatus.RETRYING if state is StepState.FAILED else BoxStatus.QUEUED
