"""A house whose schedules tick when a test says so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from backfill.definitions.in_process import LocalDefinitions
from backfill.definitions.schedules import Timetable
from backfill.lifecycle import schedules
from backfill.lifecycle.ticks import Handled, to_us
from backfill.storage.database import Database
from tests.support.clock import VirtualClock
from tests.support.house import House
from tests.support.loading import loaded

BEGIN = datetime(2026, 1, 1, 12, tzinfo=UTC)


@dataclass
class Ticking:
    """A house, the clock of its database, and what its schedules did.

    Attributes:
        definitions: What the code says; a test puts another in its place when the code changes.
    """

    house: House
    clock: VirtualClock
    definitions: LocalDefinitions

    @property
    def db(self) -> Database:
        return self.house.db

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(self.clock.at / 1e6, UTC)

    def set(self, time: datetime) -> None:
        """Let it be this time, later or earlier than it was."""
        self.clock.at = to_us(time)
        self.clock.advance(0)

    def pass_(self, **time: float) -> None:
        """Let time pass: `pass_(hours=3)`."""
        self.set(self.now + timedelta(**time))

    def start(self, *names: str) -> None:
        for name in names:
            schedules.start(self.db, self.definitions, name)

    def stop(self, name: str) -> bool:
        return schedules.stop(self.db, self.definitions, name)

    def tick(self, db: Database | None = None) -> list[Handled]:
        """Take turns until nothing is due, as one coordinator does; it may have its own handle."""
        handled: list[Handled] = []
        while turn := list(schedules.tick_all(db or self.db, self.definitions)):
            handled += turn
        return handled

    def next(self, name: str) -> datetime:
        """Let it be the schedule's next tick, and return that."""
        schedule = self.definitions.catalog().schedule(name)
        tick = Timetable(schedule.cron, schedule.timezone).following(self.now, 1)[0]
        self.set(tick)
        return tick

    def ticks(self, name: str) -> list[tuple[datetime, str, str | None]]:
        """Return time, state and reason of a schedule's ticks, oldest first."""
        rows = self.house.rows(
            "SELECT tick_at, state, reason FROM ticks WHERE schedule = :name ORDER BY tick_at",
            name=name,
        )
        return [(datetime.fromtimestamp(r.tick_at / 1e6, UTC), r.state, r.reason) for r in rows]

    def states(self, name: str) -> list[str]:
        return [state for _, state, _ in self.ticks(name)]

    def partitions(self, name: str) -> list[str]:
        """Return the partitions of the runs that a schedule made, in the order of its ticks."""
        rows = self.house.rows(
            "SELECT r.partition FROM runs r JOIN ticks t ON t.id = r.tick_id "
            "WHERE t.schedule = :name ORDER BY t.tick_at, r.id",
            name=name,
        )
        return [row.partition for row in rows]


@contextmanager
def open_ticking(url: str, folder: Path, source: str, **settings: Any) -> Iterator[Ticking]:
    """Open a house with these definitions, at the beginning of 2026."""
    clock = VirtualClock(url)
    try:
        with loaded(source, folder) as definitions:
            house = House(clock.open(), definitions, clock=clock, **settings)
            ticking = Ticking(house, clock, definitions)
            ticking.set(BEGIN)
            yield ticking
            house.fold()
            assert house.sick() == []
    finally:
        clock.close()
