"""The admitter: a turn of admission, from what is active to the messages to send."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Row

from backfill.lifecycle import moves
from backfill.lifecycle.admission.candidates import read_candidates, read_span
from backfill.lifecycle.admission.holds import take_holds, take_holds_of_all
from backfill.lifecycle.admission.lanes import (
    Activity,
    Lane,
    living_slots,
    read_lanes,
)
from backfill.lifecycle.admission.ledger import Ledger, read_ledger
from backfill.lifecycle.admission.lines import may_start
from backfill.lifecycle.admission.packing import Message, pack, span_message
from backfill.lifecycle.admission.sharing import depth_per_slot, share
from backfill.settings import Settings
from backfill.storage.database import Database, decoded

SPANS_PASSED_OVER = 64  # in one turn, that wait for a partition of theirs
SENT_AT_ONCE = 2  # messages per slot; more are no hurry
RUNS_A_TURN = 192  # some 20 ms of work, which an urgent run may have to wait for


class Admitter:
    """Admits runs turn by turn; holds no state between turns."""

    def __init__(self, db: Database, settings: Settings) -> None:
        self._db = db
        self._settings = settings

    def turn(self, conn: Connection) -> list[Message]:
        """Admit what fits now; the caller commits, then publishes the messages.

        With RUNS_A_TURN runs or nearly so there may be room for more at once.

        The caller holds the leader row's lock, so sums of limits are taken by one at a time.
        """
        slots = living_slots(self._db, conn, self._settings)
        lanes = read_lanes(self._db, conn, self._settings)
        activity = lanes.activity
        for backfill_id in lanes.closed:
            if activity.is_queued(backfill_id):
                moves.recall(self._db, conn, backfill_id)
        if not lanes.open:
            return []
        turn = _Turn(
            self._db,
            conn,
            self._settings,
            read_ledger(self._db, conn, default_slots=self._settings.pool_slots),
        )
        by_queue: dict[str, list[Lane]] = defaultdict(list)
        for lane in lanes.open:
            if not self._stuck_elsewhere(lane, activity, slots):
                by_queue[lane.queue].append(lane)
        messages: list[Message] = []
        for queue, together in by_queue.items():
            messages += turn.fill(together, slots.get(queue, 1), activity.queued(queue))
        return messages

    def _stuck_elsewhere(self, lane: Lane, activity: Activity, slots: Mapping[str, int]) -> bool:
        """Say whether enough runs of a backfill wait in a queue that their own tags sent them to.

        Launches are few and have nothing to do with each other: one does not hold up the rest.
        """
        return lane.id is not None and any(
            count >= slots.get(queue, 1) * self._settings.queued_per_slot
            for (key, queue), count in activity.messages.items()
            if key == lane.key and queue != lane.queue
        )


class _Turn:
    """What one turn shares between its lanes: the ledger above all."""

    def __init__(self, db: Database, conn: Connection, settings: Settings, ledger: Ledger) -> None:
        self._db = db
        self._conn = conn
        self._settings = settings
        self._ledger = ledger
        self._budget = RUNS_A_TURN

    def fill(self, lanes: Sequence[Lane], slots: int, queued: Counter[int]) -> list[Message]:
        """Fill the room of one queue, the highest priority first.

        Only messages of the same priority or a higher one are in a run's way: the broker hands
        those out first. So a run of high priority never waits for the queue to get emptier.
        """
        window = slots * depth_per_slot(lanes, self._settings.queued_per_slot)
        made: list[Message] = []
        for priority in sorted({lane.priority for lane in lanes}, reverse=True):
            ahead = sum(count for level, count in queued.items() if level >= priority)
            if ahead <= window // 2 and self._budget > 0:
                level = [lane for lane in lanes if lane.priority == priority]
                packed = any(lane.pack > 1 for lane in level)
                if packed and 0 < len(made) <= SENT_AT_ONCE * slots:
                    break  # a few of higher priority are not kept waiting for many others
                room = min(window - ahead - len(made), self._affordable(level))
                made += self._fill_level(level, slots, room, crowded=bool(queued[priority]))
        return made

    def _affordable(self, lanes: Sequence[Lane]) -> int:
        """Return how many messages this turn may still make, so that all lanes get their part."""
        return max(1, self._budget // max(lane.pack for lane in lanes))

    def _fill_level(
        self, lanes: Sequence[Lane], slots: int, left: int, *, crowded: bool
    ) -> list[Message]:
        """Share room among equals; what a lane leaves others get.

        Args:
            crowded: Messages of the same priority wait in the queue.
        """
        made: list[Message] = []
        while left > 0 and self._budget > 0 and (grants := share(left, lanes)):
            hungry: list[Lane] = []
            for lane in sorted(lanes, key=lambda lane: lane.level):
                if lane.key not in grants:
                    hungry.append(lane)
                    continue
                rivals = sum(not lane.pools.keys().isdisjoint(x.pools) for x in lanes)
                wanted = min(grants[lane.key] * lane.pack, lane.room, self._fair(lane, rivals))
                taken, more = self._admit(lane, wanted, slots)
                if crowded and not lane.active:
                    taken = [replace(m, ahead=n < slots) for n, m in enumerate(taken)]
                made += taken
                left -= len(taken)
                if more:
                    admitted = len(taken) if lane.ranged else sum(len(m.run_ids) for m in taken)
                    hungry.append(replace(lane, active=lane.active + admitted))
            lanes = hungry
        return made

    def _fair(self, lane: Lane, rivals: int) -> int:
        """Return how many runs of a lane its limits allow now, others left some of its pools.

        Where not even one fits, what it lacks is kept for it.
        """
        needs = self._ledger.needs(lane.pools, lane.tags)
        fit = self._ledger.fits(needs)
        if fit <= 0:
            self._ledger.keep_short(needs)
        return fit if rivals < 2 else math.ceil(fit / rivals)

    def _admit(self, lane: Lane, wanted: int, slots: int) -> tuple[list[Message], bool]:
        """Admit up to `wanted` runs of a lane; return their messages, and whether it has more."""
        if wanted <= 0:
            return [], False
        if lane.ranged:
            return self._admit_spans(lane, wanted)
        found = read_candidates(self._db, self._conn, lane, self._ledger, limit=wanted)
        more = len(found) == wanted
        if lane.in_line:
            found = [run for run in found[:1] if may_start(self._db, self._conn, lane, run)]
            more = False
        needs = {run.id: self._needs(lane, run) for run in found}
        affordable = [run for run in found if self._ledger.take(needs[run.id])]
        held = take_holds(self._db, self._conn, lane, affordable) if affordable else set[int]()
        for run in affordable:
            if run.id not in held:
                self._ledger.give_back(needs[run.id])
        return self._queue(lane, [run for run in affordable if run.id in held], needs, slots), more

    def _admit_spans(self, lane: Lane, wanted: int) -> tuple[list[Message], bool]:
        """Admit up to so many spans: each takes the holds of all its partitions, or waits whole."""
        made: list[Message] = []
        for _ in range(wanted + SPANS_PASSED_OVER):
            if len(made) == wanted or self._budget <= 0:
                return made, True
            found = read_span(self._db, self._conn, lane)
            if not found:
                return made, False
            needs = self._needs(lane, found[0])
            if not self._ledger.take(needs):
                return made, False
            held = take_holds_of_all(self._db, self._conn, lane, found)
            if not held:
                self._ledger.give_back(needs)
                continue
            message = span_message(held, lane)
            admissions = [
                moves.Admission(run, message.id, len(held), needs or None if n == 0 else None)
                for n, run in enumerate(message.run_ids)
            ]
            again_us = int(self._settings.republish_seconds * 1e6)
            moves.admit(self._db, self._conn, admissions, publish_again_us=again_us)
            self._budget -= len(admissions)
            made.append(message)
        return made, False

    def _needs(self, lane: Lane, run: Row[Any]) -> dict[str, int]:
        if lane.id is not None and not self._ledger.keys:
            return self._ledger.needs(lane.pools, {})
        pools = decoded(run.pools) or {} if lane.id is None else lane.pools
        return self._ledger.needs(pools, {**lane.tags, **(decoded(run.tags) or {})})

    def _queue(
        self,
        lane: Lane,
        runs: Sequence[Row[Any]],
        needs: Mapping[int, Mapping[str, int]],
        slots: int,
    ) -> list[Message]:
        """Move runs that have all they need; return the messages that carry them."""
        if not runs:
            return []
        limited = {run.id for run in runs if needs[run.id]}
        messages = pack(runs, lane, slots, single=limited)
        admissions = [
            moves.Admission(run, message.id, len(message.run_ids), needs[run] or None)
            for message in messages
            for run in message.run_ids
        ]
        again_us = int(self._settings.republish_seconds * 1e6)
        moved = moves.admit(self._db, self._conn, admissions, publish_again_us=again_us)
        assert len(moved) == len(admissions), "a locked run moved under its lock"
        self._budget -= len(admissions)
        return messages
