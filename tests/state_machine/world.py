"""A world in one thread: coordinators, workers, a broker that loses and repeats, a clock.

All writes are the product's own; only time, the network and the deaths of processes are played.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import Connection

from backfill.definitions.in_process import LocalDefinitions
from backfill.errors import BackfillError, Conflict
from backfill.execution.outcomes import ErrorInfo, LogLine, RunEnd, RunOutcome, StepOutcome
from backfill.lifecycle import (
    backfills,
    doctor,
    folding,
    guards,
    moves,
    outbox,
    retrying,
    runs,
)
from backfill.lifecycle.moves import Claim, Report
from backfill.lifecycle.runs import LaunchRequest
from backfill.settings import Settings
from backfill.states import BACKFILL_FINAL, RUN_FINAL, BackfillState, RunState, StepState
from backfill.storage.database import Database
from tests.state_machine.endings import go_on, let_go
from tests.state_machine.watching import DEFAULT_SLOTS, Moment, watch
from tests.support.clock import SECOND, VirtualClock
from tests.support.failpoints import ForgetfulDatabase, crash_before
from tests.support.house import House

T = TypeVar("T")
ERROR = ErrorInfo("ValueError", "no", "Traceback: no")
LINE = LogLine("a", 1, "info", "said")
SHOPS = [f"shop-{n}" for n in range(8)]
ALL_EVENTS = '["started", "paused", "breaker_tripped", "finished"]'
ROUNDS = 80

# What befalls the process that writes: nothing, the answer of its commit is lost, or it dies
# before its n-th statement.
Fault = int | str | None


@dataclass
class Held:
    """A claim in a worker's hands; a zombie is one whose worker does not know it lost it."""

    claim: Claim
    told: bool = False  # of a step on its way


@dataclass
class World:
    """Everything there is, and what was seen of it last.

    Attributes:
        wire: Messages on their way: the run ids each carries. They stay until dropped, so any may
            be delivered late and more than once.
        held: Claims that workers believe they have.
    """

    clock: VirtualClock
    db: ForgetfulDatabase
    house: House
    wire: list[tuple[int, ...]] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)
    seen: Moment = field(init=False)
    counts: dict[str, int] = field(default_factory=dict)
    well: bool = True

    def __post_init__(self) -> None:
        self.seen = Moment.of(self.db)

    # -- looking ------------------------------------------------------------------------------

    def look(self) -> None:
        """Hold this moment against the last one, and have the doctor see it."""
        now = Moment.of(self.db)
        watch(self.seen, now)
        self.seen = now
        found = doctor.check(self.db)
        assert not found, "\n".join(f"{f.rule} {f.detail} {f.run_id}" for f in found)
        self.well = True

    def note(self, what: str) -> None:
        """Count something worth having happened."""
        self.counts[what] = self.counts.get(what, 0) + 1

    # -- doing --------------------------------------------------------------------------------

    def do(self, act: Callable[[], T], fault: Fault = None) -> T | None:
        """Let a process act, and perhaps die or go deaf meanwhile. None when it died."""
        self.well = False
        if fault == "deaf":
            self.db.lost_answers = 1
            self.note("lost answer")
            try:
                return act()
            finally:
                self.db.lost_answers = 0
        if isinstance(fault, int):
            with crash_before(self.db, fault) as countdown:
                return act()
            self.note("crash") if countdown.crashed else None
            return None
        return act()

    def transact(self, work: Callable[[Connection], T], fault: Fault = None) -> T | None:
        """Do one transaction."""
        return self.do(lambda: self.db.transact(work), fault)

    # -- coordinators -------------------------------------------------------------------------

    def submit(
        self, first: int, count: int, fault: Fault, *, set_name: str = "shops", **wanted: Any
    ) -> None:
        """Submit; a selection that is all blocked, or a canary of nothing, is refused."""
        chosen = self.house.shops[first % len(self.house.shops) :][:count]
        selection = ", ".join(chosen)
        try:
            self.do(lambda: self.house.submit(selection, set_name, **wanted), fault)
        except BackfillError:
            self.note("refused")

    def expand_some(self, backfill_id: int, fault: Fault, *, limit: int = 2) -> None:
        self.do(lambda: self.house.expand(backfill_id, limit=limit), fault)

    def turn(self, limit: int) -> None:
        """Do what a coordinator without faults does in one turn."""
        for backfill_id in self.open():
            self.expand_some(backfill_id, None, limit=limit)
            self.look()
        self.do(self.house.wake)
        self.look()
        self.admit(None)
        self.look()
        for backfill_id in self.open():
            for act in (self.decide_canary, self.retry_some, self.wind, self.settle):
                act(backfill_id, None)
                self.look()

    def admit(self, fault: Fault) -> None:
        messages = self.do(self.house.admit, fault)
        self.wire += [message.run_ids for message in messages or ()]

    def publish_again(self, fault: Fault, *, hurry: bool) -> None:
        rows = self.transact(
            lambda conn: moves.mark_published_again(
                self.db,
                conn,
                limit=50,
                again_us=30 * SECOND,
                hurry_after_us=5 * SECOND if hurry else None,
            ),
            fault,
        )
        groups: dict[str, list[int]] = {}
        for row in rows or ():
            groups.setdefault(row.message_id, []).append(row.id)
        self.wire += [tuple(ids) for ids in groups.values()]

    def reap(self, fault: Fault) -> None:
        reaped = self.do(self.house.reap, fault)
        for row, _ in reaped or ():
            self.note("reaped")
            expired = self.seen.runs[row.id].lease_expires_at < self.clock.at
            assert expired, f"run {row.id} was taken from a worker that holds its lease"

    def fold(self, limit: int, fault: Fault) -> None:
        self.transact(lambda conn: folding.fold(self.db, conn, limit=limit), fault)

    def prune(self) -> None:
        self.transact(lambda conn: folding.prune_feed(self.db, conn, older_than_us=60 * SECOND))

    def decide_canary(self, backfill_id: int, fault: Fault) -> None:
        self.do(lambda: guards.decide_canary(self.db, backfill_id), fault)

    def retry_some(self, backfill_id: int, fault: Fault) -> None:
        self.do(lambda: retrying.retry_chunk(self.db, backfill_id, limit=2), fault)

    def tell(self, fault: Fault) -> None:
        """Mark what hooks are to be told, and note one of it as told."""
        due = self.transact(lambda conn: outbox.due(self.db, conn, limit=4), fault)
        for delivery in (due or [])[:1]:
            self.do(partial(outbox.delivered, self.db, delivery), fault)
            self.note("told")

    def settle(self, backfill_id: int, fault: Fault) -> None:
        self.do(lambda: backfills.settle(self.db, backfill_id), fault)

    def wind(self, backfill_id: int, fault: Fault) -> None:
        if self.seen.backfills[backfill_id].state == BackfillState.CANCELING:
            self.do(lambda: backfills.cancel_chunk(self.db, backfill_id), fault)

    # -- operators ----------------------------------------------------------------------------

    def operate(self, verb: Callable[[], object], fault: Fault = None) -> None:
        """Do what a person asks for; being told that it cannot be done is an answer."""
        try:
            self.do(verb, fault)
        except Conflict:
            self.note("conflict")

    def launch(self, shop: int | None, fault: Fault) -> None:
        if len(self.seen.runs) > 40:
            return
        place = {} if shop is None else {"partition_set": "shops", "partition": SHOPS[shop]}
        request = LaunchRequest(pipeline="work", max_failures=1, **place)  # type: ignore[arg-type]
        self.do(lambda: runs.launch(self.db, request), fault)

    # -- workers ------------------------------------------------------------------------------

    def deliver(self, which: int, fault: Fault) -> None:
        """A message arrives, perhaps late, perhaps not for the first time."""
        ids = self.wire[which % len(self.wire)]
        token = random.getrandbits(40)
        asked = 0

        def claim(conn: Connection) -> Any:
            nonlocal asked
            asked += 1
            already = moves.claimed_already(self.db, conn, ids, token) if asked > 1 else ()
            lease_us = int(self.house.settings.lease_seconds * SECOND)
            return already or moves.claim(
                self.db, conn, ids, worker_id=1, token=token, lease_us=lease_us
            )

        rows = self.do(lambda: self.db.transact(claim, single=True), fault)
        if rows is None:  # the worker died: it may have claimed, nobody will ever say
            return
        if not rows:
            self.note("stale message")
        self.held += [Held(Claim(row.id, row.attempt, token)) for row in rows]

    def zombies(self) -> list[Held]:
        """Return the claims that were lost without their workers' knowing."""
        return [held for held in self.held if not self.is_live(held.claim)]

    def is_live(self, claim: Claim) -> bool:
        """Say whether the database still gives this claim its run."""
        row = self.seen.runs[claim.run_id]
        now = (row.state, row.attempt, row.token)
        return now == (RunState.RUNNING.value, claim.attempt, claim.token)

    def say(self, held: Held, step: str, state: StepState, fault: Fault) -> None:
        """A worker tells of a step on its way."""
        outcome = _step(step, state)
        held.told = True
        self._report(held, Report(held.claim, steps=[outcome], logs=[LINE]), fault)

    def finish(self, held: Held, end: RunEnd, fault: Fault, **facts: Any) -> None:
        """A worker ends an attempt; its process may die before it knows that it did."""
        if end is RunEnd.SUCCEEDED:
            steps = [_step("a", StepState.SUCCEEDED), _step("b", StepState.SUCCEEDED)]
        else:
            steps = [_step("b", StepState.FAILED)]
        error = ERROR if end in (RunEnd.FAILED, RunEnd.RETRY) else None
        report = Report(
            held.claim,
            steps=steps,
            errors=[] if error is None else [("b", held.claim.attempt, 1, error)],
            logs=[LINE],
            outcome=RunOutcome(end, error=error, **facts),
            whole=not held.told,
        )
        self._report(held, report, fault)
        self.held.remove(held)
        self.note(f"end {end.value}")

    def _report(self, held: Held, report: Report, fault: Fault) -> None:
        """Hand in a report; a zombie's must not be heard."""
        claim = held.claim
        live = self.is_live(claim)
        recorded = self.do(lambda: self.house.record(report), fault)
        if not live:
            self.note("zombie write")
            assert Moment.of(self.db) == self.seen, "a worker that lost its lease was heard"
            assert recorded is None or recorded.fenced == [claim]
        elif recorded is not None and fault is None:
            assert recorded.fenced == [], "a worker that holds its lease was not heard"
            assert (claim.run_id in recorded.ended) == (report.outcome is not None)

    def beat(self, fault: Fault) -> None:
        tokens = sorted({held.claim.token for held in self.held})
        lease_us = int(self.house.settings.lease_seconds * SECOND)
        self.transact(lambda conn: moves.renew(self.db, conn, tokens, lease_us), fault)

    def child_dies(self, held: Held, fault: Fault, *, stopping: bool) -> None:
        """A worker's process dies and its parent says so at once."""
        token = held.claim.token
        self.held = [h for h in self.held if h.claim.token != token]
        if stopping:
            self.transact(lambda c: moves.release(self.db, c, [token], reason="bye"), fault)
        else:
            crashes = self.house.settings.max_crashes
            self.transact(lambda c: moves.lose(self.db, c, [token], max_crashes=crashes), fault)

    def stop(self, held: Held, fault: Fault) -> None:
        """A worker's parent ends the process of a run that was told to stop."""
        row = self.seen.runs[held.claim.run_id]
        if row.cancel_requested_at is not None:
            self.transact(lambda c: moves.stop(self.db, c, [held.claim], reason="ended"), fault)
            self.held.remove(held)

    # -- in the end ---------------------------------------------------------------------------

    def live_on(self) -> None:
        """With all faults off, everything comes to its end."""
        let_go(self)
        for _ in range(ROUNDS):
            go_on(self)
            if not self.unfinished():
                break
            self._round()
        assert self.unfinished() == [], "something never ends"
        while self.db.transact(lambda conn: folding.fold(self.db, conn)).rows:
            pass
        found = doctor.check(self.db, quiescent=True)
        assert not found, "\n".join(f"{f.rule} {f.detail} {f.run_id}" for f in found)

    def _round(self) -> None:
        self.clock.advance(61)
        self.house.worker()
        for backfill_id in self.open():
            while self.house.expand(backfill_id, limit=3) is not None:
                pass
        self.house.reap()
        self.house.wake()
        self.house.fold()
        self.wire.clear()
        self.admit(None)
        self.publish_again(None, hurry=False)
        for ids in list(self.wire):
            self.house.succeed(*self.house.claim(ids))
        for backfill_id in self.open():
            guards.decide_canary(self.db, backfill_id)
            retrying.retry_chunk(self.db, backfill_id, limit=3)
            if self.house.backfill(backfill_id).state == BackfillState.CANCELING:
                backfills.cancel_chunk(self.db, backfill_id)
            self.house.settle(backfill_id)

    def open(self, *states: BackfillState) -> list[int]:
        """Return the backfills that are not over, or those in these states."""
        rows = self.house.rows("SELECT id, state FROM backfills ORDER BY id")
        wanted = states or tuple(set(BackfillState) - BACKFILL_FINAL)
        return [row.id for row in rows if row.state in wanted]

    def unfinished(self) -> list[tuple[str, int, str]]:
        """Return what has not come to its end."""
        runs = self.house.rows("SELECT id, state FROM runs")
        left = [("run", r.id, r.state) for r in runs if r.state not in RUN_FINAL]
        return left + [("backfill", i, "open") for i in self.open()]


def _json(db: Database, text: str) -> str:
    return f"CAST('{text}' AS json)" if db.postgres else f"'{text}'"


def _step(name: str, state: StepState) -> StepOutcome:
    finished = None if state in (StepState.RUNNING, StepState.RETRYING) else 2
    return StepOutcome(name, state, tries=1, started_at=1, finished_at=finished)


def new_world(
    clock: VirtualClock, definitions: LocalDefinitions, shops: list[str], *, tiny: bool
) -> World:
    """Return an empty world over a fresh database.

    Args:
        shops: The keys that the definitions find, which the world changes.
        tiny: Runs are known to be tiny, so that several go into one message.
    """
    db = clock.open(ForgetfulDatabase)
    settings = Settings(
        queued_per_slot=2, pack_seconds=0.1, pack_limit=3, max_crashes=2, pool_slots=DEFAULT_SLOTS
    )
    house = House(db, definitions, settings, clock=clock, shops=shops)
    shops[:] = SHOPS
    house.worker()
    with db.write() as conn:
        sql = "INSERT INTO pipelines (name, runs, mean_run_us) VALUES ('work', :runs, 1000)"
        conn.execute(db.sql(sql), {"runs": 100 if tiny else 0})
        conn.execute(
            db.sql(
                "INSERT INTO webhooks (name, url, format, events, created_at) "
                f"VALUES ('ops', 'https://example.com/', 'json', {_json(db, ALL_EVENTS)}, {{now}})"
            )
        )
    return World(clock, db, house)
