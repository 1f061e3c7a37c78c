"""The client: a method per route, typed answers, iterators over pages."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Self

import httpx

from backfill.client.access import AccessRequests
from backfill.client.backfills import BackfillRequests
from backfill.client.definitions import DefinitionRequests
from backfill.client.hooks import Hooks
from backfill.client.limits import LimitRequests
from backfill.client.listening import listen
from backfill.client.matrix import MatrixRequests
from backfill.client.requests import part
from backfill.client.runs import RunRequests
from backfill.client.schedules import ScheduleRequests
from backfill.client.transport import Transport
from backfill.schemas.backfills import Event
from backfill.schemas.fleet import Fleet
from backfill.schemas.live import LiveEvent
from backfill.schemas.why import Why
from backfill.settings import get_settings


class Client(
    DefinitionRequests,
    BackfillRequests,
    RunRequests,
    LimitRequests,
    ScheduleRequests,
    MatrixRequests,
    AccessRequests,
):
    """A client of one API; safe to share between threads.

    Args:
        url: Where the API is; BACKFILL_API_URL when not given.
        token: A bearer token; BACKFILL_TOKEN when not given.
        timeout_seconds: The longest wait for an answer.
        retries: How often a request is sent again when the connection fails.
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        timeout_seconds: float = 60.0,
        retries: int = 4,
        http: httpx.Client | None = None,
    ) -> None:
        settings = get_settings()
        self.transport = Transport(
            url or settings.api_url,
            token or settings.token or None,
            timeout_seconds=timeout_seconds,
            retries=retries,
            http=http,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self.transport.close()

    @property
    def url(self) -> str:
        """Where the API is."""
        return self.transport.url

    @property
    def hooks(self) -> Hooks:
        """Webhooks and what they were told: iterate, `add`, `remove`, `deliveries`, `again`."""
        return Hooks(self.transport)

    def why(self, *, run: str | int | None = None, backfill: str | int | None = None) -> Why:
        """Say why a run or a backfill, whichever is given, stands where it stands."""
        if (run is None) == (backfill is None):
            raise ValueError("why() takes either run= or backfill=.")
        path = f"/backfills/{part(str(backfill))}" if run is None else f"/runs/{part(str(run))}"
        return Why.model_validate(self._get(f"{path}/why"))

    def fleet(self) -> Fleet:
        """Return the workers, the queues and the coordinator."""
        return Fleet.model_validate(self._get("/fleet"))

    def events(
        self, *, backfill: str | int | None = None, run: str | int | None = None
    ) -> Iterator[Event]:
        """Iterate over what operators did with a backfill or a run, newest first."""
        if (run is None) == (backfill is None):
            raise ValueError("events() takes either backfill= or run=.")
        path = f"/backfills/{part(str(backfill))}" if run is None else f"/runs/{part(str(run))}"
        return self.pages(f"{path}/events", Event, {})

    def listen(
        self,
        *,
        backfill: str | int | None = None,
        run: str | int | None = None,
        partition_set: str | None = None,
        after: str | None = None,
    ) -> Iterator[LiveEvent]:
        """Iterate over live events, for ever; goes on by itself when the connection breaks.

        The first event is `ready`: what is read after it misses nothing. `reset` says that
        something was missed: read everything anew.

        Args:
            after: The id of the last event seen, to go on behind it.
        """
        wanted = {"backfill": backfill, "run": run, "partition_set": partition_set}
        return listen(self.transport, wanted, after)
