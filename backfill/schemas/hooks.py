"""Webhooks, and what was delivered to them and to hooks in Python."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from backfill.schemas.base import Body, Document, Id, Name, Time

EventName = Literal["started", "paused", "breaker_tripped", "finished"]
StandingName = Literal["due", "retrying", "delivered", "given_up"]


class WebhookRequest(Body):
    """A webhook to add: whom to tell of which backfills."""

    name: Name = Field(examples=["ops"])
    url: Annotated[str, Field(min_length=1, max_length=2_000)] = Field(
        description="Where to POST, at a host that BACKFILL_WEBHOOK_HOSTS allows.",
        examples=["https://hooks.example.com/backfills"],
    )
    events: list[EventName] = Field(default_factory=list, description="Empty: all of them.")
    format: Literal["json", "slack"] = Field(
        default="json", description="`slack`: a message that Slack and what is like it show."
    )
    partition_set: Name | None = Field(default=None, description="Only backfills over this set.")
    backfill_id: int | None = Field(
        default=None, ge=1, le=2**63 - 1, description="Only this backfill."
    )


class Webhook(Document):
    """A webhook; of its URL, which may hold a secret, only the host is shown."""

    id: Id
    name: str
    host: str
    format: Literal["json", "slack"]
    events: list[EventName]
    partition_set: str | None
    backfill_id: Id | None
    created_at: Time
    created_by: str | None


class Webhooks(Document):
    """Every webhook, by name."""

    items: list[Webhook]


class Delivery(Document):
    """One event told, or to tell, to one webhook or hook in Python."""

    id: Id
    key: str = Field(description="The same for every try: it tells a repeated one apart.")
    backfill_id: Id
    event: EventName
    kind: Literal["python", "webhook"]
    hook: str = Field(description="The webhook's or the function's name.")
    standing: StandingName
    tries: int
    created_at: Time
    next_try_at: Time | None
    delivered_at: Time | None
    given_up_at: Time | None
    status: int | None = Field(description="Of the last answer.")
    error: str | None = Field(description="Of the last try.")
