"""The state machine: any order of what coordinators, workers, people and misfortune do."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import event
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
)

from backfill.definitions.in_process import LocalDefinitions
from backfill.execution.outcomes import RunEnd
from backfill.lifecycle import runs
from backfill.states import StepState
from tests.state_machine import verbs
from tests.state_machine.world import Fault, World, new_world
from tests.support.clock import VirtualClock
from tests.support.databases import PostgresDatabases, SQLiteFiles
from tests.support.house import LIFECYCLE
from tests.support.loading import loaded

T = TypeVar("T")
Draw = Callable[[st.SearchStrategy[Any]], Any]

CALM_STEPS = 12  # nothing is given up before this: an empty world finds no bugs
MOST_BACKFILLS = 4
MOST_RUNS = 60

TICKS = ["admit", "expand", "settle", "publish", "reap", "wake", "fold", "fold", "cancel", "prune"]
TICKS += ["canary", "retry", "tell"]
SAID = [StepState.RUNNING, StepState.RETRYING, StepState.SUCCEEDED]

# What may happen, and how often among the rest.
HAPPENINGS = {
    "tick": 12,
    "finish": 10,
    "deliver": 8,
    "coordinate": 6,
    "say": 5,
    "steer": 3,
    "control": 4,
    "time_passes": 3,
    "beat": 2,
    "worker_ends": 2,
    "takeover": 2,
    "sprint": 2,
    "stop_one": 2,
    "zombie_speaks": 2,
    "submit": 2,
    "change_the_set": 2,
    "launch": 1,
    "cancel_run": 1,
    "revoke": 1,
    "lose_a_message": 1,
}
LOTS = [what for what, lots in HAPPENINGS.items() for _ in range(lots)]

FAULTS: st.SearchStrategy[Fault] = st.sampled_from(
    [None] * 12 + ["deaf"] + [0, 1, 2, 3, 4, 5, 7, 9]  # a crash before this statement
)
WHICH = st.integers(0, 15)


class Stage:
    """Where worlds are made: one set of definitions, and a database for each example."""

    def __init__(self, definitions: LocalDefinitions, shops: list[str]) -> None:
        self.definitions = definitions
        self.shops = shops
        self.totals: Counter[str] = Counter()

    def database(self) -> AbstractContextManager[str]:
        """Give the URL of an empty migrated database."""
        raise NotImplementedError


class FreshStage(Stage):
    """Makes a database for every example."""

    def __init__(
        self,
        definitions: LocalDefinitions,
        shops: list[str],
        databases: SQLiteFiles | PostgresDatabases,
    ) -> None:
        super().__init__(definitions, shops)
        self._databases = databases

    @contextmanager
    def database(self) -> Iterator[str]:
        url = self._databases.fresh()
        try:
            yield url
        finally:
            self._databases.drop(url)


@contextmanager
def staged(databases: SQLiteFiles | PostgresDatabases) -> Iterator[Stage]:
    """Load the definitions once for all examples."""
    shops: list[str] = []
    with (
        tempfile.TemporaryDirectory(prefix="backfill-") as folder,
        loaded(
            LIFECYCLE + verbs.CONTROL, Path(folder), dynamic_keys=lambda name: list(shops)
        ) as definitions,
    ):
        yield FreshStage(definitions, shops, databases)


class Lifecycle(RuleBasedStateMachine):
    """Backfills from submit to settle, whatever happens in between.

    `stage` is set by whoever runs it.
    """

    stage: Stage

    def __init__(self) -> None:
        super().__init__()
        self._scene = self.stage.database()
        self.clock = VirtualClock(self._scene.__enter__())
        self.world: World
        self.steps = 0

    @initialize(tiny=st.booleans(), first=WHICH, count=st.integers(3, 6), limit=st.integers(2, 6))
    def begin(self, tiny: bool, first: int, count: int, limit: int) -> None:
        stage = self.stage
        self.world = new_world(self.clock, stage.definitions, stage.shops, tiny=tiny)
        self.world.submit(first, count, None, max_failures=1)
        self.world.look()
        self.world.turn(limit)
        for which in range(len(self.world.wire)):
            self.world.deliver(which, None)
            self.world.look()

    @invariant()
    def nothing_is_wrong(self) -> None:
        if hasattr(self, "world"):
            self.steps += 1
            self.world.look()

    def teardown(self) -> None:
        try:
            if hasattr(self, "world") and self.world.well:
                self.world.live_on()
                for what, times in self.world.counts.items():
                    event(f"{what}: {'many' if times > 3 else times}")
                    self.stage.totals[what] += times
        finally:
            self.clock.close()
            self._scene.__exit__(None, None, None)

    @rule(what=st.sampled_from(LOTS), data=st.data())
    def happens(self, what: str, data: st.DataObject) -> None:
        """One thing happens.

        One rule for all: Hypothesis leaves rules out of whole examples, and a world in which
        nothing ever ends finds no bugs.
        """
        getattr(self, what)(data.draw)

    # -- people -------------------------------------------------------------------------------

    def submit(self, draw: Draw) -> None:
        if len(self.world.seen.backfills) < MOST_BACKFILLS:
            asked = verbs.wanted(draw)
            set_name = draw(st.sampled_from(verbs.SETS))
            first, count, fault = draw(WHICH), draw(st.integers(1, 6)), draw(FAULTS)
            self.world.submit(first, count, fault, set_name=set_name, **asked)

    def launch(self, draw: Draw) -> None:
        if len(self.world.seen.runs) < MOST_RUNS:
            self.world.launch(draw(st.sampled_from([None, *range(8)])), draw(FAULTS))

    def steer(self, draw: Draw) -> None:
        verbs = ["pause", "resume", "resume"] + ["cancel"] * (self.steps > CALM_STEPS)
        verb = draw(st.sampled_from(verbs))
        if backfill_id := _one(self.world.open(), draw):
            self.world.operate(lambda: getattr(self.world.house, verb)(backfill_id), draw(FAULTS))

    def control(self, draw: Draw) -> None:
        """One of the verbs of Control, on any backfill, also one that is over."""
        if backfill_id := _one(sorted(self.world.seen.backfills), draw):
            verbs.control(self.world, draw, backfill_id, draw(WHICH), draw(FAULTS))

    def cancel_run(self, draw: Draw) -> None:
        run_id = _one(sorted(self.world.seen.runs), draw)
        if run_id and self.steps > CALM_STEPS:
            self.world.operate(lambda: runs.cancel_run(self.world.db, run_id), draw(FAULTS))

    def revoke(self, draw: Draw) -> None:
        rows = sorted(self.world.seen.runs.items())
        message = _one([row.message_id for _, row in rows if row.message_id], draw)
        if message and self.steps > CALM_STEPS:
            db = self.world.db
            self.world.operate(lambda: runs.cancel_message(db, message, reason="gone"))

    def change_the_set(self, draw: Draw) -> None:
        """A key leaves the set, or a new one joins it anywhere."""
        shops = self.world.house.shops
        if draw(st.booleans()) and len(shops) > 2:
            del shops[draw(WHICH) % len(shops)]
        elif len(shops) < 12:
            shops.insert(draw(WHICH) % (len(shops) + 1), f"new-{self.steps}")

    # -- coordinators -------------------------------------------------------------------------

    def coordinate(self, draw: Draw) -> None:
        self.world.turn(draw(st.integers(1, 4)))

    def tick(self, draw: Draw) -> None:
        world, tick, fault = self.world, draw(st.sampled_from(TICKS)), draw(FAULTS)
        match tick:
            case "admit":
                world.admit(fault)
            case "reap":
                world.reap(fault)
            case "wake":
                world.do(world.house.wake)
            case "fold":
                world.fold(draw(st.integers(1, 20)), fault)
            case "prune":
                world.prune()
            case "tell":
                world.tell(fault)
            case "publish":
                world.publish_again(fault, hurry=draw(st.booleans()))
            case _ if backfill_id := _one(world.open(), draw):
                act = {
                    "expand": world.expand_some,
                    "settle": world.settle,
                    "cancel": world.wind,
                    "canary": world.decide_canary,
                    "retry": world.retry_some,
                }
                act[tick](backfill_id, fault)

    # -- the network --------------------------------------------------------------------------

    def deliver(self, draw: Draw) -> None:
        if wire := self.world.wire:
            late = draw(st.sampled_from([None, None, *range(8)]))
            self.world.deliver(len(wire) - 1 if late is None else late, draw(FAULTS))

    def lose_a_message(self, draw: Draw) -> None:
        if message := _one(self.world.wire, draw):
            self.world.wire.remove(message)

    # -- workers ------------------------------------------------------------------------------

    def say(self, draw: Draw) -> None:
        if held := _one(self.world.held, draw):
            step, state = draw(st.sampled_from(["a", "b"])), draw(st.sampled_from(SAID))
            self.world.say(held, step, state, draw(FAULTS))

    def finish(self, draw: Draw) -> None:
        if held := _one(self.world.held, draw):
            end = draw(st.sampled_from([RunEnd.SUCCEEDED] * 4 + list(RunEnd)))
            facts: dict[str, Any] = {}
            if end in (RunEnd.RETRY, RunEnd.RELEASED):
                facts["retry_in_seconds"] = draw(st.sampled_from([0.0, 5.0]))
                facts["counted"] = draw(st.booleans())
            if end is RunEnd.FAILED:
                facts["retryable"] = draw(st.booleans())
            self.world.finish(held, end, draw(FAULTS), **facts)

    def beat(self, draw: Draw) -> None:
        self.world.beat(draw(FAULTS))

    def worker_ends(self, draw: Draw) -> None:
        held = _one(self.world.held, draw)
        how = draw(st.sampled_from(["vanishes", "is ended", "stops", "dies"]))
        if held is None:
            return
        if how == "vanishes":
            self.world.held.remove(held)
        elif how == "is ended":
            self.world.stop(held, draw(FAULTS))
        else:
            self.world.child_dies(held, draw(FAULTS), stopping=how == "stops")

    def zombie_speaks(self, draw: Draw) -> None:
        if held := _one(self.world.zombies(), draw):
            end = draw(st.sampled_from([None, *RunEnd]))
            if end is None:
                self.world.say(held, "a", StepState.SUCCEEDED, None)
            else:
                self.world.finish(held, end, None)

    def sprint(self, draw: Draw) -> None:
        """All that is on its way arrives, and all that is held ends well."""
        world = self.world
        for number in range(len(world.wire)):
            world.deliver(number, None)
            world.look()
        for held in list(world.held):
            world.finish(held, RunEnd.SUCCEEDED, None)
            world.look()
        for backfill_id in world.open():
            world.settle(backfill_id, draw(FAULTS))
            world.look()

    def stop_one(self, draw: Draw) -> None:
        """A run is told to stop, and ends in some way of its own."""
        held = _one(self.world.held, draw)
        if held is not None and self.steps > CALM_STEPS:
            db, run_id = self.world.db, held.claim.run_id
            self.world.operate(lambda: runs.cancel_run(db, run_id))
            self.world.look()
            self.world.finish(held, draw(st.sampled_from(list(RunEnd))), draw(FAULTS))

    # -- time ---------------------------------------------------------------------------------

    def time_passes(self, draw: Draw) -> None:
        self.clock.advance(draw(st.sampled_from([2.0, 10.0, 31.0, 61.0])))

    def takeover(self, draw: Draw) -> None:
        """Leases run out and other workers go on: what makes zombies."""
        self.clock.advance(61)
        self.world.reap(None)
        self.world.look()
        self.clock.advance(10)
        self.world.turn(3)
        if self.world.wire:
            self.world.deliver(len(self.world.wire) - 1, None)


def _one(things: Sequence[T], draw: Draw) -> T | None:
    return things[draw(WHICH) % len(things)] if things else None
