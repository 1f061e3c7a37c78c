"""The fleet, and whether this API is well."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import APIRouter

from backfill.api.context import Api, Context
from backfill.schemas.fleet import Coordinator, Fleet, Health, Queue, Worker
from backfill.storage.queries import fleet as queries

router = APIRouter(tags=["fleet"])
health = APIRouter(tags=["health"])


@router.get("/fleet")
def get_fleet(api: Api) -> Fleet:
    """Return the workers, the queues and the coordinator."""
    with api.db.read() as conn:
        workers = queries.list_workers(api.db, conn, silence_us=_silence(api))
        queues = queries.list_queues(api.db, conn, workers, default=api.settings.default_queue)
        leader = queries.coordinator(api.db, conn)
    return Fleet(
        workers=[Worker.model_validate(view) for view in workers],
        queues=[Queue.model_validate(view) for view in queues],
        coordinator=Coordinator.model_validate(leader) if leader is not None else None,
    )


@health.get("/healthz")
def get_health(api: Api) -> Health:
    """Say that the API runs and reaches its database."""
    with api.db.read() as conn:
        api.db.clock(conn)
    return Health(status="ok", version=version("backfill"))


def _silence(api: Context) -> int:
    return int(api.settings.lease_seconds * 1e6)
