"""The application: routes, guards and problem documents put together."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.middleware.gzip import GZipMiddleware

from backfill.api import problems
from backfill.api.context import Context
from backfill.api.guarding import Guard, SecurityHeaders, is_loopback
from backfill.api.rates import Rates
from backfill.api.routes import backfills, fleet, matrix, runs
from backfill.api.routes import definitions as defined
from backfill.definitions.calls import Definitions
from backfill.settings import Settings
from backfill.storage.database import Database

PREFIX = "/api/v1"
COMPRESSED_FROM_BYTES = 1_000


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
    app = FastAPI(
        title="Backfill",
        version="1",
        description="Partitioned backfills on Celery. Ids are strings, times ISO 8601 in UTC; "
        "every error is a problem document with a `code` and a `detail`.",
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=_operation_id,
    )
    app.state.context = Context(settings, db, definitions, Rates(), clock)
    for noun in (defined, matrix, backfills, runs, fleet):
        app.include_router(noun.router, prefix=PREFIX, responses=problems.RESPONSES)
    app.include_router(fleet.health, responses={503: problems.RESPONSES[503]})
    problems.install(app)
    app.add_middleware(GZipMiddleware, minimum_size=COMPRESSED_FROM_BYTES)
    app.add_middleware(Guard, local_only=is_loopback(settings.host))
    app.add_middleware(SecurityHeaders)
    return app


def _operation_id(route: APIRoute) -> str:
    return route.name
