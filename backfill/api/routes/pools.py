"""Pools and limits of tags: look, and change their numbers while runs take them."""

from __future__ import annotations

from fastapi import APIRouter

from backfill.api.context import Actor, Api, Context, NamePath
from backfill.lifecycle import pooling
from backfill.schemas.pools import (
    Pool,
    Pools,
    PoolSlots,
    TagLimit,
    TagLimitRequest,
    TagLimits,
)

router = APIRouter(tags=["limits"])


@router.get("/pools")
def get_pools(api: Api) -> Pools:
    """Return every pool, its slots and how many are taken."""
    return Pools(items=_pools(api))


@router.post("/pools/{name}")
def set_pool_slots(api: Api, actor: Actor, name: NamePath, body: PoolSlots) -> Pool:
    """Change how many slots a pool has; runs that take some keep them."""
    pooling.set_slots(api.db, name, body.slots, actor=actor)
    return next(pool for pool in _pools(api) if pool.name == name)


@router.get("/tag-limits")
def get_tag_limits(api: Api) -> TagLimits:
    """Return how many runs with which tags may be active."""
    return _tag_limits(api)


@router.post("/tag-limits")
def set_tag_limit(api: Api, actor: Actor, body: TagLimitRequest) -> TagLimits:
    """Set or take away a limit of the active runs with a tag; return those there are now."""
    if body.max_active_runs is None:
        pooling.remove_tag_limit(api.db, body.key, body.value, actor=actor)
    else:
        pooling.set_tag_limit(api.db, body.key, body.value, body.max_active_runs, actor=actor)
    return _tag_limits(api)


def _pools(api: Context) -> list[Pool]:
    with api.db.read() as conn:
        found = pooling.list_pools(api.db, conn, api.settings)
    return [Pool.model_validate(pool) for pool in found]


def _tag_limits(api: Context) -> TagLimits:
    with api.db.read() as conn:
        found = pooling.list_tag_limits(api.db, conn)
    return TagLimits(items=[TagLimit.model_validate(limit) for limit in found])
