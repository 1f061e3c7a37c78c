"""The coordinator's ticks: each a callable that does one kind of due work and says whether it did.

Kill the process between any two statements and the next coordinator goes on: expansion has its
cursor, admission its marks, publishing its next publish time, reaping its leases.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import structlog
from sqlalchemy import Connection, Row
from sqlalchemy.exc import DBAPIError

from backfill.coordinator.broker import Publisher
from backfill.coordinator.expanding import Expander
from backfill.coordinator.scheduling import Scheduler
from backfill.coordinator.telling import Teller
from backfill.coordinator.upkeep import Chore, Upkeep
from backfill.definitions.calls import Definitions
from backfill.errors import Unavailable
from backfill.lifecycle import (
    backfills,
    fleet,
    folding,
    guards,
    limiting,
    moves,
    retrying,
)
from backfill.lifecycle.admission import RUNS_A_TURN, Admitter, Message
from backfill.settings import Settings
from backfill.states import BackfillState
from backfill.storage.database import Database, is_transient

log = structlog.get_logger(__name__)

REAP_LIMIT = 500
PUBLISH_LIMIT = 2_000
PUBLISH_AGAIN_AFTER_FAILURE_US = 2_000_000
AGAIN_AFTER_FAILURE_SECONDS = 5.0
HURRY_AFTER_US = 5_000_000
FEED_LIMIT = 2_000
LOOK_SECONDS = 0.25  # the hot ticks look after this time though nobody woke them
STIRRED_SECONDS = 5.0  # what follows moves is kept up to date this long after the last


class Ticks:
    """All ticks of a leading coordinator.

    Args:
        expand_beside: Make runs in a thread, which no turn waits for.
    """

    def __init__(
        self,
        db: Database,
        definitions: Definitions,
        settings: Settings,
        publisher: Publisher,
        holder: str,
        *,
        expand_beside: bool = False,
    ) -> None:
        self._db = db
        self._settings = settings
        self._publisher = publisher
        self._holder = holder
        self._admitter = Admitter(db, settings)
        self._scheduler = Scheduler(db, definitions)
        self._teller = Teller(db, definitions, settings)
        self._upkeep = Upkeep(db, definitions)
        self._expander = Expander(db, definitions, settings, holder, beside=expand_beside)
        self._epoch = 0
        self.deposed = False
        self._reap_from = 0.0
        self._broken: dict[str, float] = {}
        self._pipeline_names: dict[int, str] = {}
        self._queue_empty = False
        self._hot_due = self._stirred = 0.0
        self._slow = [
            Chore(1.0, self.reap),
            Chore(1.0, self.publish_again),
            Chore(0.25, self.wake),
            Chore(0.1, self.decide_canaries, follows=True),
            Chore(2.0, self.look_at_queues),
            Chore(1.0, self._scheduler.turn),
            Chore(1.0, self._teller.tell),
            Chore(1.0, self.end_overdue),
            Chore(5.0, self.settle_all),
        ]
        self.took_lead()

    def took_lead(self) -> None:
        """Wait one lease time before reaping: beats may be stuck behind the same outage."""
        self.database_was_lost()
        self.deposed = False

    def lost_lead(self) -> None:
        """Leave everything to another coordinator."""
        self._upkeep.rest()
        self._expander.rest()

    def database_was_lost(self) -> None:
        """Hold reaping off for one lease time, so an outage does not look like dead workers."""
        self._reap_from = time.monotonic() + self._settings.lease_seconds

    def turn(self, epoch: int, *, woken: bool = True) -> bool:
        """Run every tick that is due once; return whether there is more to do right now.

        Args:
            woken: Something was committed. Otherwise the hot ticks only look now and then.
        """
        self._epoch = epoch
        self.heed_failures()
        now = time.monotonic()
        if woken:
            self._stirred = now
        busy: list[bool] = []
        if woken or now >= self._hot_due:
            self._hot_due = now + LOOK_SECONDS
            hot = (self.fold, self.expand, self.retry, self.admit, self.settle)
            busy += [self._alone(tick.__name__, tick) for tick in hot]
        quiet = now - self._stirred > STIRRED_SECONDS
        self._upkeep.go_on(quiet=quiet)
        busy += [self._alone(s.work.__name__, partial(s.run, quiet=quiet)) for s in self._slow]
        return any(busy)

    def _alone(self, name: str, tick: Callable[[], bool]) -> bool:
        """Run one tick; what is wrong with it must not keep the others from their work.

        Raises:
            DBAPIError: The database was lost; so it is for all of them.
            Unavailable: The same.
        """
        if time.monotonic() < self._broken.get(name, 0.0):
            return False
        try:
            return tick()
        except Unavailable:
            raise
        except Exception as error:
            if isinstance(error, DBAPIError) and is_transient(error):
                raise
            log.exception("coordinator.tick_failed", tick=name)
            self._broken[name] = time.monotonic() + AGAIN_AFTER_FAILURE_SECONDS
            return False

    def close(self) -> None:
        """Begin nothing more."""
        self._upkeep.close()
        self._expander.close()
        self._scheduler.close()
        self._teller.close()

    def next_due(self) -> float:
        """Return in how many seconds a tick is due without anybody waking it."""
        slow = (max(s.due, self._broken.get(s.work.__name__, 0.0)) for s in self._slow)
        due = min(self._hot_due, *slow)
        return max(0.001, due - time.monotonic())

    # -- the hot ones -------------------------------------------------------------------------

    def fold(self) -> bool:
        """Add the feed up into counts, and wake what waited for freed partitions."""
        folded = self._db.transact(lambda conn: folding.fold(self._db, conn, limit=FEED_LIMIT))
        return folded.rows == FEED_LIMIT

    def expand(self) -> bool:
        """Have runs made of every backfill that is not fully expanded."""
        return self._expander.go_on()

    def retry(self) -> bool:
        """Make the next chunk of runs of every backfill that is retried."""
        with self._db.read() as conn:
            ids = retrying.retriable(self._db, conn)
        chunk = self._settings.expand_chunk
        return any([retrying.retry_chunk(self._db, i, limit=chunk) for i in ids])

    def admit(self) -> bool:
        """Move what fits to the broker: mark, commit, then publish."""
        if self._publisher.congested:
            return False
        messages = self._db.transact(self._admit)
        self._send(messages)
        # Else there is room again when runs end, and that wakes.
        return sum(len(message.run_ids) for message in messages) > RUNS_A_TURN // 2

    def _admit(self, conn: Connection) -> list[Message]:
        if not fleet.still_leading(self._db, conn, self._holder, self._epoch):
            self.deposed = True
            return []
        return self._admitter.turn(conn)

    def settle(self) -> bool:
        """Finish backfills whose counts say that all ended; wind down those being canceled."""
        return self._settle(by_counts=True)

    def settle_all(self) -> bool:
        """Look at every open backfill itself: the safety net under the counts."""
        return self._settle(by_counts=False)

    def _settle(self, *, by_counts: bool) -> bool:
        with self._db.read() as conn:
            candidates = backfills.unsettled(self._db, conn, by_counts=by_counts)
        return any([self._settle_one(i, state) for i, state in candidates])

    def _settle_one(self, backfill_id: int, state: BackfillState) -> bool:
        if state is BackfillState.CANCELING and backfills.cancel_chunk(self._db, backfill_id):
            return True
        ended = backfills.settle(self._db, backfill_id)
        if ended is not None:
            log.info("backfill.settled", backfill=backfill_id, state=ended.value)
            self._db.notify()
        return ended is not None

    # -- the slow ones ------------------------------------------------------------------------

    def reap(self) -> bool:
        """Take expired leases away."""
        if time.monotonic() < self._reap_from:
            return False
        reaped = self._db.transact(
            lambda conn: moves.reap(
                self._db, conn, max_crashes=self._settings.max_crashes, limit=REAP_LIMIT
            )
        )
        for row, state in reaped:
            log.warning(
                "run.reaped", run=row.id, attempt=row.attempt, worker=row.worker_id, to=state.value
            )
        return len(reaped) == REAP_LIMIT

    def end_overdue(self) -> bool:
        """Cancel or pause the backfills whose time is over."""
        with self._db.read() as conn:
            found = limiting.overdue(self._db, conn)
        for backfill in found:
            if limiting.end_overdue(self._db, backfill):
                log.warning("backfill.overdue", backfill=backfill.id, then=backfill.on_timeout)
        return bool(found)

    def wake(self) -> bool:
        """Make parked runs ready whose time has come."""
        return self._db.transact(lambda conn: moves.wake_due(self._db, conn, 5_000)) > 0

    def decide_canaries(self) -> bool:
        """Let the rest start where the canary passed; pause where it cannot pass any more."""
        with self._db.read() as conn:
            ids = guards.undecided(self._db, conn)
        decided = {i: guards.decide_canary(self._db, i) for i in ids}
        for backfill_id, how in decided.items():
            if how is not None:
                log.info("backfill.canary", backfill=backfill_id, state=how.value)
        return any(decided.values())

    def publish_again(self) -> bool:
        """Send again what nobody claimed: mark, commit, then publish."""
        hurry = HURRY_AFTER_US if self._queue_empty else None
        rows = self._db.transact(
            lambda conn: moves.mark_published_again(
                self._db,
                conn,
                limit=PUBLISH_LIMIT,
                again_us=int(self._settings.republish_seconds * 1e6),
                hurry_after_us=hurry,
            )
        )
        if rows:
            log.info("runs.published_again", runs=len(rows), queue_was_empty=self._queue_empty)
            self._send(_regrouped(rows, self._settings.default_queue))
        return len(rows) == PUBLISH_LIMIT

    def heed_failures(self) -> None:
        """Bring the next publish time of messages forward that could not be sent."""
        failed = [m for failure in self._publisher.failures() for m in failure.message_ids]
        if failed:
            self._db.transact(
                lambda conn: moves.publish_soon(
                    self._db, conn, failed, PUBLISH_AGAIN_AFTER_FAILURE_US
                )
            )

    def look_at_queues(self) -> bool:
        """Have the broker asked how deep its queues are, only while something should be in them.

        The answer is that of the question before: nobody waits for a broker here.
        """
        depths = self._publisher.gauge.measured()
        with self._db.read() as conn:
            state = fleet.publish_state(self._db, conn)
        if not state.n:
            self._queue_empty = False
            return False
        if state.at - state.oldest > HURRY_AFTER_US:
            self._publisher.gauge.measure(self._settings.default_queue)
        if depths:
            self._queue_empty = depths.get(self._settings.default_queue) == 0
            self._db.transact(lambda conn: fleet.note_queues(self._db, conn, depths))
        return False

    # -- sending ------------------------------------------------------------------------------

    def _send(self, messages: Sequence[Message]) -> None:
        if messages:
            self._publisher.send([(m, self._pipeline(m.pipeline_id)) for m in messages])

    def _pipeline(self, pipeline_id: int) -> str:
        if pipeline_id not in self._pipeline_names:
            with self._db.read() as conn:
                rows = conn.execute(self._db.sql("SELECT id, name FROM pipelines"))
                self._pipeline_names = {row.id: row.name for row in rows}
        return self._pipeline_names[pipeline_id]


def _regrouped(rows: Sequence[Row[Any]], default_queue: str) -> list[Message]:
    """Put runs back into the messages they were sent in, under the same task ids."""
    groups: dict[tuple[str, str, int, int], list[int]] = {}
    for row in rows:
        key = (row.message_id, row.queue or default_queue, row.pipeline_id, row.priority)
        groups.setdefault(key, []).append(row.id)
    return [
        Message(
            id=message_id,
            queue=queue,
            pipeline_id=pipeline_id,
            run_ids=tuple(sorted(ids)),
            label="sent again",
            priority=priority,
        )
        for (message_id, queue, pipeline_id, priority), ids in groups.items()
    ]
