"""What routes work with, and what they all take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Header, Path, Query, Request

from backfill.api.cursors import MAX_INT, MAX_LENGTH
from backfill.api.door import Door
from backfill.api.live.directory import Directory
from backfill.api.live.hub import Hub
from backfill.api.rates import Rates
from backfill.definitions.calls import Definitions
from backfill.lifecycle import access
from backfill.settings import Settings
from backfill.storage.database import Database

MAX_PAGE = 1_000


@dataclass(frozen=True)
class Context:
    """The parts that requests need.

    Attributes:
        clock: Gives the moment at which partition sets are looked at, in UTC.
    """

    settings: Settings
    db: Database
    definitions: Definitions
    rates: Rates
    directory: Directory
    hub: Hub
    door: Door
    clock: Callable[[], datetime]


async def _context(request: Request) -> Context:
    context: Context = request.app.state.context
    return context


async def _holder(request: Request) -> access.Holder:
    holder: access.Holder = request.state.holder
    return holder


async def _actor(request: Request) -> str:
    holder: access.Holder = request.state.holder
    return holder.name


Api = Annotated[Context, Depends(_context)]
Holder = Annotated[access.Holder, Depends(_holder)]
Actor = Annotated[str, Depends(_actor)]
IdPath = Annotated[int, Path(ge=1, le=MAX_INT, examples=["42"], description="Its id.")]
NamePath = Annotated[str, Path(min_length=1, max_length=200, description="Its name.")]
NameQuery = Annotated[str | None, Query(max_length=200, description="Only of this name.")]
BackfillQuery = Annotated[
    int | None, Query(ge=1, le=MAX_INT, description="Only of the backfill with this id.")
]
PartitionQuery = Annotated[
    str | None, Query(max_length=1024, description="Only of the partition with this key.")
]
KeyQuery = Annotated[str, Query(min_length=1, max_length=1024, description="A partition key.")]
StartQuery = Annotated[str | None, Query(max_length=1024, description="Begin at this key.")]
KeyHeader = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        description="The same key with the same body makes nothing new; with another, it is 409.",
    ),
]
Cursor = Annotated[
    str | None,
    Query(max_length=MAX_LENGTH, description="`next` of the page before; none for the first."),
]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE, description="Items per page.")]
