"""Schedules as the client sees them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from backfill.client.requests import Requests, listed, pages, part
from backfill.client.transport import Transport
from backfill.schemas.schedules import NextTicks, Schedules, ScheduleStatus, Tick, TickOutcome
from backfill.states import TickState


class ScheduleRequests(Requests):
    """Schedules: all of them, or one to work with."""

    def schedules(self) -> list[ScheduleStatus]:
        """Return how every schedule stands, by name."""
        return Schedules.model_validate(self._get("/schedules")).items

    def schedule(self, name: str) -> ScheduleHandle:
        """Return a schedule."""
        told = self._get(f"/schedules/{part(name)}")
        return ScheduleHandle(self.transport, ScheduleStatus.model_validate(told))


class ScheduleHandle:
    """One schedule: look at it, start it, stop it, tick by hand.

    Attributes:
        info: How it stood when it was last asked about.
    """

    def __init__(self, transport: Transport, info: ScheduleStatus) -> None:
        self._transport = transport
        self.info = info

    @property
    def name(self) -> str:
        """Its name."""
        return self.info.name

    def refresh(self) -> ScheduleStatus:
        """Ask how it stands now."""
        self.info = ScheduleStatus.model_validate(self._send("GET", ""))
        return self.info

    def start(self) -> ScheduleStatus:
        """Let it tick from now on; no tick from before is made up for."""
        self.info = ScheduleStatus.model_validate(self._send("POST", "/start"))
        return self.info

    def stop(self) -> ScheduleStatus:
        """Let it rest; the runs it made go on."""
        self.info = ScheduleStatus.model_validate(self._send("POST", "/stop"))
        return self.info

    def tick(self, at: datetime | None = None, *, dry_run: bool = False) -> TickOutcome:
        """Handle one tick now, the last one when none is given; or only say what it would do."""
        body = {"at": None if at is None else at.isoformat(), "dry_run": dry_run}
        return TickOutcome.model_validate(self._send("POST", "/tick", body=body))

    def ticks(self, *, states: Sequence[TickState | str] | None = None) -> Iterator[Tick]:
        """Iterate over its ticks, newest first."""
        params = {"state": listed(states)}
        return pages(self._transport, f"{self._path}/ticks", Tick, params)

    def next_ticks(self, count: int = 10) -> Sequence[datetime]:
        """Return when it ticks next, or would if it were running."""
        told = NextTicks.model_validate(self._send("GET", "/next", params={"count": count}))
        return told.items

    @property
    def _path(self) -> str:
        return f"/schedules/{part(self.name)}"

    def _send(self, method: str, path: str, **request: Any) -> Any:
        return self._transport.send(method, f"{self._path}{path}", **request)
