"""Which runs a filter means, newest first, found by index whatever it narrows to.

Most filters are one index each. A set, a pipeline or a tag of backfills means the runs of many
backfills, which lie in as many places of the index: the backfills whose newest runs can be on
the page are found first, then the newest of each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from backfill.definitions.tags import SCHEDULE_TAG
from backfill.states import BACKFILL_FINAL, RUN_FINAL, RunState
from backfill.storage.database import Database
from backfill.storage.queries.paging import Where
from backfill.storage.tags import tag_number

_ACTIVE = {RunState.QUEUED, RunState.RUNNING}
# SQLite takes a partial index only for a query that repeats its condition word for word.
_INDEXED = (
    ({RunState.FAILED, RunState.CANCELED}, "state IN ('failed', 'canceled')"),
    (
        {RunState.FAILED, RunState.CANCELED, RunState.SKIPPED},
        "state IN ('failed', 'canceled', 'skipped')",
    ),
    (_ACTIVE, "state IN ('queued', 'running')"),
    ({RunState.PENDING}, "state = 'pending'"),
)
# A connection keeps ids for its next runs: for half an hour, when it is given up, and a
# transaction's time. Runs that were made further apart than this have ids in the same order.
_DISORDER_US = 2 * 3600 * 1_000_000
_FINAL_BACKFILL = ", ".join(sorted(f"'{state.value}'" for state in BACKFILL_FINAL))


@dataclass(frozen=True)
class RunFilter:
    """Which runs; None does not narrow.

    Attributes:
        since: Made at this time or later, in microseconds since the epoch.
        until: Made before this time.
        tags: All of these, its own or its backfill's.
        schedule: Made by a tick of this schedule.
    """

    backfill_id: int | None = None
    partition_set: str | None = None
    partition: str | None = None
    pipeline: str | None = None
    states: Sequence[RunState] | None = None
    since: int | None = None
    until: int | None = None
    tags: Mapping[str, str] | None = None
    schedule: str | None = None


def newest_ids(db: Database, wanted: RunFilter, *, before: int | None, also: str = "") -> Where:
    """Return the condition that `r.id` is one of the newest ids a filter lets through.

    Args:
        before: Only ids below this.
        also: A further condition on a run `x`.

    Returns:
        A condition that binds `page_limit`, which the caller gives: so many ids at most.
    """
    where = _of_run(db, wanted)
    if before is not None:
        where.add(f"{_order(wanted)} < :before", before=before)
    if also:
        where.add(also)
    parts = _parts(db, wanted, where)
    one_by_one = [f"SELECT id FROM ({part}) AS p{number}" for number, part in enumerate(parts)]
    found = Where()
    found.add(
        f"r.id IN (SELECT id FROM ({' UNION '.join(one_by_one)}) AS p "
        "ORDER BY id DESC LIMIT :page_limit)",
        **where.params,
    )
    return found


def condition_of(db: Database, wanted: RunFilter) -> Where:
    """Return the condition that a run `x` is one that a filter lets through."""
    return _of_run(db, wanted)


def _parts(db: Database, wanted: RunFilter, where: Where) -> list[str]:
    """Return statements that together give the ids, each its newest."""
    if wanted.schedule is not None:
        where.params["tag"] = tag_number(SCHEDULE_TAG, wanted.schedule)
        return [_tagged(where)]
    if wanted.tags:
        where.params["tag"] = tag_number(*next(iter(wanted.tags.items())))
        return [_tagged(where), _of_backfills(db, wanted, where)]
    if wanted.backfill_id is not None or wanted.partition is not None:
        return [_plain(str(where))]
    if wanted.partition_set is not None or wanted.pipeline is not None:
        return [_plain(f"x.backfill_id IS NULL AND {where}"), _of_backfills(db, wanted, where)]
    return [_plain(str(where), order=_order(wanted))]


def _order(wanted: RunFilter) -> str:
    """Return what the newest runs are ordered by: their id.

    Active ones are few: the + keeps SQLite from going through all runs for the order's sake.
    """
    active = wanted.states is not None and _ACTIVE.issuperset(wanted.states)
    others = (wanted.tags, wanted.schedule, wanted.partition_set, wanted.pipeline)
    return "+x.id" if active and not any(others) else "x.id"


def _plain(condition: str, *, order: str = "x.id") -> str:
    return f"SELECT x.id FROM runs x WHERE {condition} ORDER BY {order} DESC LIMIT :page_limit"


def _tagged(where: Where) -> str:
    """Go through the runs that have the tag of their own."""
    return (
        "SELECT x.id FROM run_tags t CROSS JOIN runs x WHERE t.tag = :tag AND x.id = t.run_id "
        f"AND {where} ORDER BY t.run_id DESC LIMIT :page_limit".replace(
            "x.id < :before", "t.run_id < :before"
        )
    )


def _of_backfills(db: Database, wanted: RunFilter, where: Where) -> str:
    """Go through the backfills that can have such runs, those with the newest ones first."""
    newest = (
        f"SELECT x.id FROM runs x WHERE x.backfill_id = b.id AND {where} ORDER BY x.id DESC LIMIT 1"
    )
    reached = (
        f"SELECT b.id, ({newest}) AS newest FROM backfills b WHERE {_of_backfill(db, wanted)} "
        "ORDER BY newest DESC NULLS LAST LIMIT :page_limit"
    )
    # With a page full of backfills, no id below the newest one of the last of them is on it.
    bound = (
        "SELECT CASE WHEN count(newest) >= :page_limit THEN min(newest) ELSE 0 END AS low "
        "FROM reached"
    )
    # The bound as a pair, which only an index of backfills serves: by the id alone PostgreSQL
    # would rather go back through all runs.
    newest_ones = _plain(
        "x.backfill_id = reached.id AND (x.backfill_id, x.id) >= (reached.id, bound.low) "
        f"AND {where}"
    )
    each = db.ids_for_each("reached CROSS JOIN bound", "runs", newest_ones)
    return f"WITH reached AS ({reached}), bound AS ({bound}) {each}"


def _of_backfill(db: Database, wanted: RunFilter) -> Where:
    """Return what is true of every backfill `b` with such runs; binds what `_of_run` does."""
    where = Where()
    if wanted.backfill_id is not None:
        where.add("b.id = :backfill")
    if wanted.partition_set is not None:
        where.add("b.set_id = (SELECT id FROM partition_sets WHERE name = :set)")
    if wanted.pipeline is not None:
        where.add("b.pipeline_id = (SELECT id FROM pipelines WHERE name = :pipeline)")
    if wanted.tags:
        where.add(f"{db.json_text('b.tags', 'tag_name_0')} = :tag_value_0")
    if wanted.states is not None and not RUN_FINAL & set(wanted.states):
        where.add(f"b.state NOT IN ({_FINAL_BACKFILL})")
    if wanted.since is not None:
        where.add("(b.finished_at IS NULL OR b.finished_at >= :since)")
    if wanted.until is not None:
        where.add("b.created_at < :until")
    return where


def _of_run(db: Database, wanted: RunFilter) -> Where:
    """Return what is true of every such run `x`."""
    where = Where()
    if wanted.backfill_id is not None:
        where.add("x.backfill_id = :backfill", backfill=wanted.backfill_id)
    where.named("x.set_id", "partition_sets", wanted.partition_set, "set")
    where.named("x.pipeline_id", "pipelines", wanted.pipeline, "pipeline")
    if wanted.partition is not None:
        where.add("x.partition = :partition", partition=wanted.partition)
        if wanted.partition_set is None:
            where.add("x.set_id IN (SELECT id FROM partition_sets)")
    if wanted.states is not None:
        where.add(_in(wanted.states))
    if wanted.schedule is not None:
        where.add("x.tick_id IS NOT NULL")
        where.add(
            f"{db.json_text('x.tags', 'schedule_tag')} = :schedule",
            schedule_tag=SCHEDULE_TAG,
            schedule=wanted.schedule,
        )
    _add_tags(db, where, wanted.tags or {})
    _add_times(where, wanted)
    return where


def _add_tags(db: Database, where: Where, tags: Mapping[str, str]) -> None:
    """Narrow to runs with tags: a run's own goes before its backfill's."""
    for number, (name, value) in enumerate(tags.items()):
        bound = f"tag_name_{number}"
        of_backfill = (
            f"SELECT {db.json_text('o.tags', bound)} FROM backfills o WHERE o.id = x.backfill_id"
        )
        where.add(
            f"coalesce({db.json_text('x.tags', bound)}, ({of_backfill})) = :tag_value_{number}",
            **{bound: name, f"tag_value_{number}": value},
        )


def _add_times(where: Where, wanted: RunFilter) -> None:
    """Narrow to times, and to the ids that runs of these times can have."""
    sampled = "SELECT s.id FROM runs s WHERE s.id % 128 = 0 AND s.created_at"
    if wanted.since is not None:
        where.add("x.created_at >= :since", since=wanted.since)
        where.add(
            f"x.id > coalesce(({sampled} < :long_before ORDER BY s.created_at DESC LIMIT 1), 0)",
            long_before=wanted.since - _DISORDER_US,
        )
    if wanted.until is not None:
        where.add("x.created_at < :until", until=wanted.until)
        where.add(
            f"x.id < coalesce(({sampled} > :long_after ORDER BY s.created_at LIMIT 1), :no_id)",
            long_after=wanted.until + _DISORDER_US,
            no_id=2**63 - 1,
        )


def _in(states: Sequence[RunState]) -> str:
    """Render states as text, and as the indexes of states have it, so that those serve."""
    if not states:
        return "false"
    listed = "x.state IN (" + ", ".join(f"'{RunState(s).value}'" for s in states) + ")"
    indexed = [f"x.{text} AND " for group, text in _INDEXED if group.issuperset(states)]
    return "".join(indexed) + listed
