"""A schedule as the client sees it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from backfill.client.transport import Transport
from backfill.schemas.schedules import NextTicks, ScheduleStatus, Tick, TickOutcome
from backfill.states import TickState

PAGE = 200


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
        wanted = None if states is None else [str(state) for state in states]
        cursor: str | None = None
        while True:
            params = {"state": wanted, "limit": PAGE, "cursor": cursor}
            page = self._send("GET", "/ticks", params=params)
            for item in page["items"]:
                yield Tick.model_validate(item)
            cursor = page["next"]
            if cursor is None:
                return

    def next_ticks(self, count: int = 10) -> Sequence[datetime]:
        """Return when it ticks next, or would if it were running."""
        told = NextTicks.model_validate(self._send("GET", "/next", params={"count": count}))
        return told.items

    def _send(self, method: str, path: str, **request: Any) -> Any:
        return self._transport.send(
            method, f"/schedules/{quote(self.name, safe='')}{path}", **request
        )
