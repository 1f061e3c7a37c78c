"""Webhooks and deliveries, from the client's side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from backfill.client.requests import pages, part
from backfill.client.transport import Transport
from backfill.schemas.hooks import Delivery, Webhook, Webhooks


class Hooks:
    """Whom backfills are told to, and what was told."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def __iter__(self) -> Iterator[Webhook]:
        """Iterate over the webhooks, by name."""
        return iter(Webhooks.model_validate(self._transport.send("GET", "/webhooks")).items)

    def add(
        self,
        name: str,
        url: str,
        *,
        events: Sequence[str] = (),
        format: str = "json",
        partition_set: str | None = None,
        backfill: str | int | None = None,
    ) -> Webhook:
        """Tell a webhook of backfills from now on.

        Args:
            events: `started`, `paused`, `breaker_tripped`, `finished`; all when empty.
            format: `json`, or `slack` for a message.
        """
        body = {
            "name": name,
            "url": url,
            "events": list(events),
            "format": format,
            "partition_set": partition_set,
            "backfill_id": None if backfill is None else int(backfill),
        }
        return Webhook.model_validate(self._transport.send("POST", "/webhooks", body=body))

    def remove(self, name: str) -> None:
        """Tell a webhook nothing more."""
        self._transport.send("POST", f"/webhooks/{part(name)}/remove")

    def deliveries(
        self, *, backfill: str | int | None = None, standing: str | None = None
    ) -> Iterator[Delivery]:
        """Iterate over what was told, newest first.

        Args:
            standing: `due`, `retrying`, `delivered` or `given_up`.
        """
        params = {"backfill": backfill, "standing": standing}
        return pages(self._transport, "/deliveries", Delivery, params)

    def again(self, delivery: str | int) -> Delivery:
        """Have a delivery sent now."""
        told = self._transport.send("POST", f"/deliveries/{int(delivery)}/again")
        return Delivery.model_validate(told)
