"""The application: routes, guards and problem documents put together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from fastapi import Depends, FastAPI
from fastapi.concurrency import run_in_threadpool
from fastapi.routing import APIRoute
from starlette.middleware.gzip import GZipMiddleware

from backfill.api import docs_page, problems, web_app
from backfill.api.context import Context
from backfill.api.door import Audit, Door, authorize
from backfill.api.guarding import Guard, SecurityHeaders
from backfill.api.live.directory import Directory
from backfill.api.live.hub import Hub
from backfill.api.live.reader import Reader
from backfill.api.rates import Rates
from backfill.api.routes import (
    access,
    backfills,
    drift,
    dynamic,
    editing,
    events,
    exports,
    fleet,
    guards,
    hooks,
    matrix,
    overview,
    pools,
    reexecution,
    runs,
    schedules,
    statistics,
    validating,
)
from backfill.api.routes import definitions as defined
from backfill.api.tagging import EntityTags
from backfill.definitions.calls import Definitions
from backfill.settings import Settings
from backfill.storage.database import Database

PREFIX = "/api/v1"
COMPRESSED_FROM_BYTES = 1_000
COMPRESSED_AT_LEVEL = 1  # a ninth of the time of the highest, and little more room


def create_app(
    settings: Settings,
    db: Database,
    definitions: Definitions,
    *,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> FastAPI:
    """Build the API.

    Args:
        clock: Gives the moment at which partition sets are looked at, in UTC.
    """
    directory = Directory(db)
    context = Context(
        settings, db, definitions, Rates(), directory, Hub(directory), Door(settings, db), clock
    )
    app = FastAPI(
        title="Backfill",
        version="1",
        description="Partitioned backfills on Celery. Ids are strings, times ISO 8601 in UTC; "
        "every error is a problem document with a `code` and a `detail`.",
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=_operation_id,
        lifespan=_following_the_feed,
    )
    app.state.context = context
    behind_the_door = [Depends(authorize)]
    for noun in (
        defined,
        dynamic,
        matrix,
        overview,
        statistics,
        validating,
        backfills,
        editing,
        drift,
        guards,
        runs,
        reexecution,
        schedules,
        hooks,
        events,
        exports,
        fleet,
        pools,
        access,
    ):
        app.include_router(
            noun.router,
            prefix=PREFIX,
            responses=problems.RESPONSES,
            dependencies=behind_the_door,
        )
    app.include_router(access.public, prefix=PREFIX, responses=problems.RESPONSES)
    app.include_router(fleet.health, responses={503: problems.RESPONSES[503]})
    docs_page.install(app)
    problems.install(app)
    web_app.install(app)
    app.add_middleware(Audit)
    app.add_middleware(EntityTags)
    app.add_middleware(
        GZipMiddleware, minimum_size=COMPRESSED_FROM_BYTES, compresslevel=COMPRESSED_AT_LEVEL
    )
    app.add_middleware(Guard)
    app.add_middleware(SecurityHeaders)
    return app


@asynccontextmanager
async def _following_the_feed(app: FastAPI) -> AsyncIterator[None]:
    """Follow the feed while the app serves."""
    context: Context = app.state.context
    reader = Reader(
        context.db,
        context.hub,
        context.directory,
        context.rates,
        context.door.still_welcome,
    )
    reader.start()
    try:
        yield
    finally:
        context.hub.end()
        await run_in_threadpool(reader.stop)


def _operation_id(route: APIRoute) -> str:
    return route.name
