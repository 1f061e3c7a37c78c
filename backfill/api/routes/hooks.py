"""Hooks: webhooks, and what was delivered to whom."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from backfill.api.context import Actor, Api, BackfillQuery, Context, Cursor, IdPath, Limit, NamePath
from backfill.api.cursors import decode_ints, encode
from backfill.errors import NotFound
from backfill.lifecycle import outbox, webhooks
from backfill.lifecycle.webhooks import NewWebhook
from backfill.schemas.base import Page
from backfill.schemas.hooks import Delivery, StandingName, Webhook, WebhookRequest, Webhooks
from backfill.storage.queries.hooks import get_delivery, list_deliveries, list_webhooks

router = APIRouter(tags=["hooks"])


@router.get("/webhooks")
def get_webhooks(api: Api) -> Webhooks:
    """Return every webhook, without its URL."""
    return _shown(api)


@router.post("/webhooks", status_code=201)
def add_webhook(api: Api, actor: Actor, body: WebhookRequest) -> Webhook:
    """Tell a webhook of backfills from now on: signed, again until it is taken."""
    wanted = NewWebhook(**body.model_dump())
    added = webhooks.add_webhook(api.db, api.settings, wanted, actor=actor)
    return next(item for item in _shown(api).items if item.id == str(added))


@router.post("/webhooks/{name}/remove", status_code=204)
def remove_webhook(api: Api, actor: Actor, name: NamePath) -> None:
    """Tell a webhook nothing more; what waits for it is given up."""
    webhooks.remove_webhook(api.db, name, actor=actor)


@router.get("/deliveries")
def get_deliveries(
    api: Api,
    backfill: BackfillQuery = None,
    standing: Annotated[
        StandingName | None, Query(description="Only those that stand like this.")
    ] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[Delivery]:
    """Return what was told, or is to be told, to hooks and webhooks, newest first."""
    before = None if cursor is None else decode_ints(cursor, 1)[0]
    with api.db.read() as conn:
        page = list_deliveries(
            api.db, conn, limit=limit, backfill_id=backfill, standing=standing, before=before
        )
    after = encode(page.items[-1].id) if page.more else None
    return Page[Delivery](items=[Delivery.model_validate(view) for view in page.items], next=after)


@router.post("/deliveries/{delivery_id}/again")
def send_delivery_again(api: Api, actor: Actor, delivery_id: IdPath) -> Delivery:
    """Have a delivery sent now, whether it was taken, given up or waits for its next try."""
    outbox.send_again(api.db, delivery_id, actor=actor)
    with api.db.read() as conn:
        view = get_delivery(api.db, conn, delivery_id)
    if view is None:
        raise NotFound(f"No delivery {delivery_id}: it was forgotten just now.")
    return Delivery.model_validate(view)


def _shown(api: Context) -> Webhooks:
    with api.db.read() as conn:
        found = list_webhooks(api.db, conn)
    return Webhooks(items=[Webhook.model_validate(view) for view in found])
