"""Admission: which pending runs go to the broker next. Few at a time, so that everything acts.

The broker is kept shallow: a few messages per worker slot. Everything else stays pending, where
priorities, fair shares, pause, cancel and changed limits act at once.
"""

from __future__ import annotations

import math
import secrets
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Row

from backfill.lifecycle import moves
from backfill.lifecycle.guards import GATE, GATED
from backfill.settings import Settings
from backfill.storage.database import Database, decoded, to_json

HOLD_CHECK_US = 60_000_000
PROVEN_RUNS = 8  # a pipeline is known to be tiny after this many executed runs
MAX_RUNS_A_TURN = 4096
QUEUED_US = 200_000
MESSAGE_US = 3_000  # what a message costs on top of its runs
MOST_QUEUED = 64
WAIT = "wait"  # behind the run that holds the partition


@dataclass(frozen=True)
class Lane:
    """Where runs wait in order: one running backfill, or (id None) launches without one.

    Attributes:
        pack: Runs per message; what follows counts in messages of that size.
        run_us: How long its runs take on average, once that is known.
        gated: Its canary has not passed: only the canary's runs may start.
        on_conflict: What becomes of a run whose partition another run holds.
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

    @property
    def room(self) -> int:
        """How many more runs its own limit allows."""
        if self.max_active is None:
            return MAX_RUNS_A_TURN
        return max(0, self.max_active - self.active)

    @property
    def level(self) -> int:
        """Its active runs, counted in messages."""
        return math.ceil(self.active / self.pack)

    @property
    def ceiling(self) -> int:
        """The level its own limit allows."""
        return self.level + math.ceil(self.room / self.pack)


@dataclass(frozen=True)
class Message:
    """Runs that travel together: what to hand to the broker after the commit."""

    id: str
    queue: str
    pipeline_id: int
    run_ids: tuple[int, ...]
    label: str


def share(capacity: int, lanes: Sequence[Lane]) -> dict[int | None, int]:
    """Split room for `capacity` messages over lanes: higher priority first, equals level out.

    Among equals the lane with the fewest active messages is served first, up to the level of the
    others, so a huge backfill does not starve a small one.
    """
    grants: dict[int | None, int] = {}
    for priority in sorted({lane.priority for lane in lanes}, reverse=True):
        given = _level(capacity, [x for x in lanes if x.priority == priority])
        grants.update(given)
        capacity -= sum(given.values())
    return {lane: n for lane, n in grants.items() if n}


def _level(capacity: int, lanes: Sequence[Lane]) -> dict[int | None, int]:
    """Raise the levels of lanes towards one common level (water filling)."""
    levels = {lane.id: lane.level for lane in lanes}
    rising = [lane for lane in lanes if lane.room]
    while capacity > 0 and rising:
        lowest = min(levels[lane.id] for lane in rising)
        bottom = [lane for lane in rising if levels[lane.id] == lowest]
        above = [levels[lane.id] for lane in rising if levels[lane.id] > lowest]
        steps = [max(1, capacity // len(bottom)), *(lane.ceiling - lowest for lane in bottom)]
        step = min(steps + [min(above) - lowest] if above else steps)
        for lane in bottom[:capacity]:
            levels[lane.id] += step
            capacity -= step
        rising = [lane for lane in rising if levels[lane.id] < lane.ceiling]
    return {lane.id: levels[lane.id] - lane.level for lane in lanes}


def pack_size(mean_run_us: int | None, runs_seen: int, settings: Settings) -> int:
    """Return how many runs of a pipeline may share a message: about `pack_seconds` of work."""
    if not settings.pack_seconds or mean_run_us is None or runs_seen < PROVEN_RUNS:
        return 1
    return max(1, min(settings.pack_limit, int(settings.pack_seconds * 1e6 / max(mean_run_us, 1))))


def depth_per_slot(lanes: Sequence[Lane], at_least: int) -> int:
    """Return how many messages to keep queued per slot: enough for QUEUED_US of work.

    A queue of slow runs stays shallow; one of tiny runs is deep enough not to run dry between
    two turns. The slowest lane decides.
    """
    known = [MESSAGE_US + lane.run_us * lane.pack for lane in lanes if lane.run_us is not None]
    return max(at_least, min(MOST_QUEUED, QUEUED_US // max(known))) if known else at_least


class Admitter:
    """Admits runs turn by turn; holds no state between turns."""

    def __init__(self, db: Database, settings: Settings) -> None:
        self._db = db
        self._settings = settings

    def turn(self, conn: Connection) -> list[Message]:
        """Admit what fits now; the caller commits, then publishes the messages.

        The caller holds the leader row's lock, so sums of limits are taken by one at a time.
        """
        slots = living_slots(self._db, conn, self._settings)
        lanes = self._lanes(conn)
        waiting = self._waiting(conn)
        by_queue: dict[str, list[Lane]] = defaultdict(list)
        for lane in lanes:
            if not self._stuck_elsewhere(lane, waiting, slots):
                by_queue[lane.queue].append(lane)
        queued: Counter[str] = Counter()
        for (_, queue), messages_waiting in waiting.items():
            queued[queue] += messages_waiting
        messages: list[Message] = []
        for queue, together in by_queue.items():
            messages += self._fill(conn, together, slots.get(queue, 1), queued[queue])
        return messages

    def _stuck_elsewhere(
        self, lane: Lane, waiting: Mapping[tuple[int | None, str], int], slots: Mapping[str, int]
    ) -> bool:
        """Say whether enough runs of a backfill wait in a queue that their own tags sent them to.

        Launches are few and have nothing to do with each other: one does not hold up the rest.
        """
        return lane.id is not None and any(
            count >= slots.get(queue, 1) * self._settings.queued_per_slot
            for (lane_id, queue), count in waiting.items()
            if lane_id == lane.id and queue != lane.queue
        )

    def _fill(
        self, conn: Connection, lanes: Sequence[Lane], slots: int, queued: int
    ) -> list[Message]:
        """Fill the room of one queue once it is half empty; what a lane leaves others get."""
        window = slots * depth_per_slot(lanes, self._settings.queued_per_slot)
        left = window - queued if queued <= window // 2 else 0
        made: list[Message] = []
        while left > 0 and (grants := share(left, lanes)):
            hungry: list[Lane] = []
            for lane in lanes:
                if lane.id not in grants:
                    hungry.append(lane)
                    continue
                wanted = min(grants[lane.id] * lane.pack, lane.room)
                taken, seen = self._admit_lane(conn, lane, wanted, slots)
                made += taken
                left -= len(taken)
                if seen == wanted:
                    admitted = sum(len(m.run_ids) for m in taken)
                    hungry.append(replace(lane, active=lane.active + admitted))
            lanes = hungry
        return made

    def _admit_lane(
        self, conn: Connection, lane: Lane, wanted: int, slots: int
    ) -> tuple[list[Message], int]:
        """Admit up to `wanted` runs of a lane; return their messages and how many were seen."""
        candidates = self._candidates(conn, lane, wanted)
        if not candidates:
            return [], 0
        held = self._take_holds(conn, lane, candidates)
        messages = self._pack([row for row in candidates if row.id in held], lane, slots)
        admissions = [
            moves.Admission(run, message.id, len(message.run_ids))
            for message in messages
            for run in message.run_ids
        ]
        again_us = int(self._settings.republish_seconds * 1e6)
        moved = moves.admit(self._db, conn, admissions, publish_again_us=again_us)
        assert len(moved) == len(admissions), "a locked run moved under its lock"
        return messages, len(candidates)

    # -- reading ------------------------------------------------------------------------------

    def _lanes(self, conn: Connection) -> list[Lane]:
        """Read the lanes with something ready, locking their backfills against cancel and edit.

        Asking for the first ready run in its order makes the planner use the index of the ready.
        For a plain EXISTS it may read runs from the first on, all the finished ones.
        """
        rows = conn.execute(
            self._db.sql(
                "SELECT b.id, b.priority, b.queue, b.max_active_runs, b.ordering, b.pipeline_id, "
                "b.canary_state, b.on_conflict "
                "FROM backfills b WHERE b.state = 'running' AND (SELECT r.id FROM runs r "
                "WHERE r.backfill_id = b.id AND r.state = 'pending' AND r.ready "
                "ORDER BY r.sort, r.id LIMIT 1) IS NOT NULL "
                f"ORDER BY b.id{self._db.for_update}"
            )
        ).all()
        active = self._active(conn)
        paces = self._paces(conn)
        default = self._settings.default_queue
        lanes = [
            Lane(
                id=row.id,
                priority=row.priority,
                queue=row.queue or default,
                active=active[row.id],
                max_active=row.max_active_runs,
                newest_first=row.ordering == "newest",
                gated=row.canary_state in GATED,
                on_conflict=row.on_conflict,
                pack=paces[row.pipeline_id][0],
                run_us=paces[row.pipeline_id][1],
            )
            for row in rows
        ]
        if self._launches(conn):
            lanes.insert(0, Lane(id=None, priority=0, queue=default, active=active[None]))
        return lanes

    def _launches(self, conn: Connection) -> bool:
        """Say whether a run outside any backfill is ready."""
        return bool(
            conn.execute(
                self._db.sql(
                    "SELECT EXISTS (SELECT 1 FROM runs WHERE backfill_id IS NULL "
                    "AND state = 'pending' AND ready)"
                )
            ).scalar_one()
        )

    def _active(self, conn: Connection) -> Counter[int | None]:
        rows = conn.execute(
            self._db.sql(
                "SELECT backfill_id, count(*) AS n FROM runs "
                "WHERE state IN ('queued', 'running') GROUP BY backfill_id"
            )
        ).all()
        return Counter({row.backfill_id: row.n for row in rows})

    def _paces(self, conn: Connection) -> Mapping[int, tuple[int, int | None]]:
        """Return pack size and mean duration of every pipeline."""
        rows = conn.execute(self._db.sql("SELECT id, runs, mean_run_us FROM pipelines")).all()
        return {
            row.id: (
                pack_size(row.mean_run_us, row.runs, self._settings),
                row.mean_run_us if row.runs >= PROVEN_RUNS else None,
            )
            for row in rows
        }

    def _waiting(self, conn: Connection) -> Counter[tuple[int | None, str]]:
        """Return how many messages of each lane each queue holds."""
        rows = conn.execute(
            self._db.sql(
                "SELECT r.backfill_id, coalesce(r.queue, :default) AS queue, "
                "count(DISTINCT r.message_id) AS n FROM runs r WHERE r.state = 'queued' "
                "GROUP BY 1, 2"
            ),
            {"default": self._settings.default_queue},
        ).all()
        return Counter({(row.backfill_id, row.queue): row.n for row in rows})

    def _candidates(self, conn: Connection, lane: Lane, limit: int) -> Sequence[Row[Any]]:
        direction = "DESC" if lane.newest_first else "ASC"
        return conn.execute(
            self._db.sql(
                "SELECT id, set_id, partition, pipeline_id, queue, alone, on_conflict FROM runs "
                "WHERE state = 'pending' AND ready AND backfill_id "
                + ("IS NULL " if lane.id is None else "= :lane ")
                + (f"AND sort < {GATE} " if lane.gated else "")
                + f"ORDER BY sort {direction}, id {direction} LIMIT :limit{self._db.skip_locked}"
            ),
            {"limit": limit} | ({} if lane.id is None else {"lane": lane.id}),
        ).all()

    # -- holds --------------------------------------------------------------------------------

    def _take_holds(self, conn: Connection, lane: Lane, rows: Sequence[Row[Any]]) -> set[int]:
        """Take the partition hold of every run; park or skip those that cannot have it."""
        free = {row.id for row in rows if row.partition is None}
        needing = [row for row in rows if row.partition is not None]
        if not needing:
            return free
        shape = {"place": "int", "set_id": "bigint", "partition": "text", "run_id": "bigint"}
        wanted = [
            {"place": n, "set_id": r.set_id, "partition": r.partition, "run_id": r.id}
            for n, r in enumerate(needing)
        ]
        taken = conn.execute(
            self._db.sql(
                "INSERT INTO partition_holds (set_id, partition, run_id) "
                f"SELECT h.set_id, h.partition, h.run_id FROM {self._db.records('h', shape)} "
                "WHERE NOT EXISTS (SELECT 1 FROM blocked_partitions b "
                "WHERE b.set_id = h.set_id AND b.partition = h.partition) ORDER BY h.place "
                "ON CONFLICT DO NOTHING RETURNING run_id"
            ),
            {"h": to_json(wanted)},
        ).all()
        held = free | {row.run_id for row in taken}
        if len(held) == len(rows):
            return held
        return held | self._sort_out(conn, lane, needing, held)

    def _sort_out(
        self, conn: Connection, lane: Lane, needing: Sequence[Row[Any]], held: set[int]
    ) -> set[int]:
        """Say which of the rest hold their partitions from an earlier attempt.

        The others wait behind the holder, or are skipped: their partition is blocked, or that is
        what was asked for when another run holds it.
        """
        rest = {r.id: r for r in needing if r.id not in held}
        own: set[int] = set()
        waiting: list[tuple[int, int]] = []
        skipped: list[tuple[int, str]] = []
        for found in self._obstacles(conn, list(rest.values())):
            run = rest[found.run_id]
            if found.reason is not None:
                skipped.append((run.id, f"its partition is blocked: {found.reason}"))
            elif found.holder == run.id:
                own.add(run.id)
            elif found.holder is None:
                continue  # freed just now: it is a candidate again next time
            elif (lane.on_conflict if lane.id is not None else run.on_conflict or WAIT) == WAIT:
                waiting.append((run.id, found.holder))
            else:
                skipped.append((run.id, f"its partition is held by run {found.holder}"))
        if waiting:
            moves.park_behind(self._db, conn, waiting, check_again_us=HOLD_CHECK_US)
        moves.skip_each(self._db, conn, skipped)
        return own

    def _obstacles(self, conn: Connection, rest: Sequence[Row[Any]]) -> Sequence[Row[Any]]:
        """Return who holds the partition of each run, and why it is blocked, if it is."""
        shape = {"set_id": "bigint", "partition": "text", "run_id": "bigint"}
        wanted = [{"set_id": r.set_id, "partition": r.partition, "run_id": r.id} for r in rest]
        return conn.execute(
            self._db.sql(
                "SELECT w.run_id, h.run_id AS holder, k.reason "
                f"FROM {self._db.records('w', shape)} LEFT JOIN partition_holds h "
                "ON h.set_id = w.set_id AND h.partition = w.partition "
                "LEFT JOIN blocked_partitions b "
                "ON b.set_id = w.set_id AND b.partition = w.partition "
                "LEFT JOIN blocks k ON k.id = b.block_id"
            ),
            {"w": to_json(wanted)},
        ).all()

    # -- packing ------------------------------------------------------------------------------

    def _pack(self, rows: Sequence[Row[Any]], lane: Lane, slots: int) -> list[Message]:
        """Group runs into messages: alike ones together, marked ones alone, every slot used."""
        groups: dict[tuple[str, int, bool], list[Row[Any]]] = defaultdict(list)
        for row in rows:
            groups[(row.queue or lane.queue, row.pipeline_id, row.alone)].append(row)
        messages: list[Message] = []
        for (queue, pipeline_id, alone), group in groups.items():
            size = 1 if alone else min(lane.pack, math.ceil(len(group) / slots))
            messages += [
                Message(
                    id=new_message_id(),
                    queue=queue,
                    pipeline_id=pipeline_id,
                    run_ids=tuple(row.id for row in part),
                    label=_label(part),
                )
                for part in _chunks(group, size)
            ]
        return messages


def new_message_id() -> str:
    """Return a fresh Celery task id."""
    return secrets.token_hex(8)


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


def _chunks(rows: Sequence[Row[Any]], size: int) -> Iterable[Sequence[Row[Any]]]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def _label(rows: Sequence[Row[Any]]) -> str:
    """Name the partitions of a message for people who look at Flower."""
    keys = [row.partition for row in rows if row.partition is not None]
    if len(keys) <= 3:
        return ", ".join(keys)
    return f"{keys[0]} … {keys[-1]} ({len(keys)} partitions)"
