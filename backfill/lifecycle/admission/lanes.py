"""Lanes: where runs wait in order, and what of them is active."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row

from backfill.definitions.hours import opening, unpacked
from backfill.lifecycle.guards import GATED
from backfill.settings import Settings
from backfill.storage.database import Database, decoded, to_json

PROVEN_RUNS = 8  # a pipeline is known to be tiny after this many executed runs
MAX_RUNS_A_TURN = 4096
WAIT = "wait"  # behind the run that holds the partition

LaneKey = int | str

_COLUMNS = (
    "b.id, b.priority, b.queue, b.max_active_runs, b.ordering, b.pipeline_id, b.canary_state, "
    "b.on_conflict, b.sequential, b.depends_on_previous, b.stopped_by, b.pools, b.windows, "
    "b.tags, b.expanded_at, b.partitions_per_run"
)


@dataclass(frozen=True)
class Lane:
    """Where runs wait in order: one running backfill, or (id None) launches of one priority.

    Attributes:
        pack: Runs per message; what follows counts in messages of that size.
        run_us: How long its runs take on average, once that is known.
        gated: Its canary has not passed: only the canary's runs may start.
        on_conflict: What becomes of a run whose partition another run holds.
        pools: Slots that each of its runs takes, by pool.
        tags: What all of its runs carry beside their own.
        in_line: Its runs go one at a time, in order.
        depends: Each of them also needs the partition before it to have succeeded.
        stopped_by: The partition its line was last seen to wait for in vain.
        ranged: Its runs are executed several together; each such span counts as one.
    """

    id: int | None
    priority: int
    queue: str
    active: int
    max_active: int | None = None
    newest_first: bool = False
    gated: bool = False
    on_conflict: str = WAIT
    pack: int = 1
    run_us: int | None = None
    pools: Mapping[str, int] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    in_line: bool = False
    depends: bool = False
    stopped_by: str | None = None
    ranged: bool = False

    @property
    def key(self) -> LaneKey:
        """What tells it apart from others."""
        return lane_key(self.id, self.priority)

    @property
    def room(self) -> int:
        """How many more runs its own limit allows."""
        most = 1 if self.in_line else self.max_active
        return MAX_RUNS_A_TURN if most is None else max(0, most - self.active)

    @property
    def level(self) -> int:
        """Its active runs, counted in messages."""
        return math.ceil(self.active / self.pack)

    @property
    def ceiling(self) -> int:
        """The level its own limit allows."""
        return self.level + math.ceil(self.room / self.pack)


def lane_key(backfill_id: int | None, priority: int) -> LaneKey:
    """Return the key of a backfill's lane, or of that of launches of a priority."""
    return backfill_id if backfill_id is not None else f"launches:{priority}"


def lane_order(*, newest_first: bool) -> str:
    """Render the order in which a lane's runs go."""
    direction = "DESC" if newest_first else "ASC"
    return f"ORDER BY sort {direction}, id {direction}"


def is_first(run: Row[Any], other: Row[Any], *, newest_first: bool) -> bool:
    """Say whether a run of a lane goes before another of it."""
    before = (run.sort, run.id) < (other.sort, other.id)
    return before != newest_first


@dataclass
class Activity:
    """What is queued and running.

    Attributes:
        runs: Queued and running runs of each lane.
        messages: Messages of each lane that each queue holds.
        priorities: Of the lanes that have any.
    """

    runs: Counter[LaneKey] = field(default_factory=Counter)
    messages: Counter[tuple[LaneKey, str]] = field(default_factory=Counter)
    priorities: dict[LaneKey, int] = field(default_factory=dict)

    def is_queued(self, backfill_id: int) -> bool:
        """Say whether runs of a backfill wait in any queue."""
        return any(n for (lane, _), n in self.messages.items() if lane == backfill_id)

    def queued(self, queue: str) -> Counter[int]:
        """Return how many messages of each priority a queue holds."""
        found: Counter[int] = Counter()
        for (lane, of), count in self.messages.items():
            if of == queue:
                found[self.priorities[lane]] += count
        return found


def read_activity(db: Database, conn: Connection, settings: Settings) -> Activity:
    """Count what is queued and running, in one pass."""
    rows = conn.execute(
        db.sql(
            "SELECT r.backfill_id, coalesce(b.priority, -r.sort) AS priority, "
            "coalesce(r.queue, :default) AS queue, count(CASE WHEN r.span IS NULL THEN 1 END) "
            "+ count(DISTINCT CASE WHEN r.span IS NOT NULL THEN r.message_id END) AS active, "
            "count(DISTINCT "
            "CASE WHEN r.state = 'queued' THEN r.message_id END) AS messages "
            "FROM runs r LEFT JOIN backfills b ON b.id = r.backfill_id "
            "WHERE r.state IN ('queued', 'running') GROUP BY 1, 2, 3"
        ),
        {"default": settings.default_queue},
    ).all()
    activity = Activity()
    for row in rows:
        key = lane_key(row.backfill_id, row.priority)
        activity.runs[key] += row.active
        activity.messages[(key, row.queue)] += row.messages
        activity.priorities[key] = row.priority
    return activity


@dataclass(frozen=True)
class Lanes:
    """The lanes that may go on, the backfills outside their hours, and what is active."""

    open: Sequence[Lane]
    closed: Sequence[int]
    activity: Activity


def read_lanes(db: Database, conn: Connection, settings: Settings) -> Lanes:
    """Read the lanes with something ready, locking their backfills against cancel and edit.

    Asking for the first ready run in its order makes the planner use the index of the ready.
    For a plain EXISTS it may read runs from the first on, all the finished ones. What is active
    is read under those locks, so that no limit is passed.
    """
    rows = conn.execute(
        db.sql(
            f"SELECT {_COLUMNS}, {{now}} AS now FROM backfills b WHERE b.state = 'running' "
            "AND (b.windows IS NOT NULL OR (SELECT r.id FROM runs r "
            "WHERE r.backfill_id = b.id AND r.state = 'pending' AND r.ready "
            "ORDER BY r.sort, r.id LIMIT 1) IS NOT NULL) "
            f"ORDER BY b.id{db.for_no_key_update}"
        )
    ).all()
    activity = read_activity(db, conn, settings)
    paces = _paces(db, conn, settings)
    closed = [row.id for row in rows if not _is_open(row)]
    lanes = _launches(db, conn, settings, activity)
    for row in rows:
        whole = row.ordering == "weight" or row.partitions_per_run is not None
        unmade = row.expanded_at is None and row.canary_state not in GATED
        if row.id in closed or (whole and unmade):
            continue  # the heaviest, or more of a span, may be among the runs still to be made
        lanes.append(_lane(row, settings, activity.runs[row.id], paces))
    return Lanes(lanes, closed, activity)


def _lane(
    row: Row[Any], settings: Settings, active: int, paces: Mapping[int, tuple[int, int | None]]
) -> Lane:
    pools = decoded(row.pools) or {}
    in_line = bool(row.sequential or row.depends_on_previous)
    gated = row.canary_state in GATED
    size, run_us = paces[row.pipeline_id]
    return Lane(
        id=row.id,
        priority=row.priority,
        queue=row.queue or settings.default_queue,
        active=active,
        max_active=row.max_active_runs,
        newest_first=row.ordering == "newest",
        gated=gated,
        on_conflict=row.on_conflict,
        pack=1 if pools or in_line or gated or row.partitions_per_run is not None else size,
        run_us=run_us,
        pools=pools,
        tags=decoded(row.tags) or {},
        in_line=in_line,
        depends=bool(row.depends_on_previous),
        stopped_by=row.stopped_by,
        ranged=row.partitions_per_run is not None,
    )


def _is_open(row: Row[Any]) -> bool:
    windows = decoded(row.windows)
    if not windows:
        return True
    now = datetime.fromtimestamp(row.now / 1e6, UTC)
    return opening(unpacked(to_json(windows)), now).is_open


def _launches(db: Database, conn: Connection, settings: Settings, activity: Activity) -> list[Lane]:
    """Return a lane for each priority of the ready runs outside any backfill.

    Goes from one priority to the next through the index, however many runs are in between.
    """
    ready = "FROM runs WHERE backfill_id IS NULL AND state = 'pending' AND ready"
    rows = conn.execute(
        db.sql(
            f"WITH RECURSIVE levels(sort) AS (SELECT (SELECT sort {ready} ORDER BY sort LIMIT 1) "
            f"UNION ALL SELECT (SELECT sort {ready} AND sort > levels.sort ORDER BY sort LIMIT 1) "
            "FROM levels WHERE levels.sort IS NOT NULL) "
            "SELECT sort FROM levels WHERE sort IS NOT NULL"
        )
    ).all()
    return [
        Lane(
            id=None,
            priority=-row.sort,
            queue=settings.default_queue,
            active=activity.runs[lane_key(None, -row.sort)],
        )
        for row in rows
    ]


def _paces(
    db: Database, conn: Connection, settings: Settings
) -> Mapping[int, tuple[int, int | None]]:
    """Return pack size and mean duration of every pipeline."""
    rows = conn.execute(db.sql("SELECT id, runs, mean_run_us FROM pipelines")).all()
    return {
        row.id: (
            pack_size(row.mean_run_us, row.runs, settings),
            row.mean_run_us if row.runs >= PROVEN_RUNS else None,
        )
        for row in rows
    }


def pack_size(mean_run_us: int | None, runs_seen: int, settings: Settings) -> int:
    """Return how many runs of a pipeline may share a message: about `pack_seconds` of work."""
    if not settings.pack_seconds or mean_run_us is None or runs_seen < PROVEN_RUNS:
        return 1
    return max(1, min(settings.pack_limit, int(settings.pack_seconds * 1e6 / max(mean_run_us, 1))))


def living_slots(db: Database, conn: Connection, settings: Settings) -> dict[str, int]:
    """Return the slots of workers that beat lately, per queue they listen on."""
    rows = conn.execute(
        db.sql(
            "SELECT slots, queues FROM workers WHERE stopped_at IS NULL "
            "AND beat_at > {now} - :silence"
        ),
        {"silence": int(settings.lease_seconds * 1e6)},
    ).all()
    slots: Counter[str] = Counter()
    for row in rows:
        for queue in decoded(row.queues):
            slots[queue] += row.slots
    return dict(slots)
