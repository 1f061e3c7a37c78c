"""Webhooks: who outside wants to be told of backfills. To allowed hosts only."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from backfill.definitions.hooks import BackfillEvent
from backfill.errors import Conflict, Invalid, NotFound, did_you_mean, no_backfill
from backfill.lifecycle.telling import note_event
from backfill.settings import Settings
from backfill.storage.database import Database, to_json

FORMATS = ("json", "slack")
MAX_URL = 2_000
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}")


@dataclass(frozen=True)
class NewWebhook:
    """A webhook to add.

    Attributes:
        events: Of `BackfillEvent`; empty means all.
        format: `json`, signed, or `slack`: a message that Slack and what is like it understand.
        partition_set: Only backfills over this one.
        backfill_id: Only this backfill.
    """

    name: str
    url: str
    events: Sequence[str] = ()
    format: str = "json"
    partition_set: str | None = None
    backfill_id: int | None = None


def add_webhook(
    db: Database, settings: Settings, wanted: NewWebhook, *, actor: str | None = None
) -> int:
    """Tell a webhook of backfills from now on. Return its id.

    Raises:
        Invalid: Its host is not allowed, or its name, URL, events or format make no sense.
        Conflict: There is one of that name.
        NotFound: There is no such backfill.
    """
    if not _NAME.fullmatch(wanted.name):
        raise Invalid("A webhook's name is 1 to 100 letters, digits, dots, hyphens, underscores.")
    if wanted.format not in FORMATS:
        raise Invalid(f'Format "{wanted.format}" is not known; use {" or ".join(FORMATS)}.')
    if wanted.format == "json" and not settings.webhook_secret:
        raise Invalid(
            "Webhooks are signed, and there is no secret to sign with: set "
            "BACKFILL_WEBHOOK_SECRET for API and coordinator."
        )
    check_url(settings, wanted.url)
    events = _events(wanted.events)
    as_json = "CAST(:events AS json)" if db.postgres else ":events"

    def work(conn: Connection) -> int:
        if wanted.backfill_id is not None:
            _require_backfill(db, conn, wanted.backfill_id)
        row = conn.execute(
            db.sql(
                "INSERT INTO webhooks (name, url, format, events, partition_set, backfill_id, "
                f"created_at, created_by) VALUES (:name, :url, :format, {as_json}, :set, "
                ":backfill, {now}, :actor) RETURNING id"
            ),
            {
                "name": wanted.name,
                "url": wanted.url,
                "format": wanted.format,
                "events": to_json(events),
                "set": wanted.partition_set,
                "backfill": wanted.backfill_id,
                "actor": actor,
            },
        ).one()
        note_event(
            db,
            conn,
            kind="webhook.added",
            message=f'webhook "{wanted.name}" is told of {", ".join(events)}',
            backfill_id=wanted.backfill_id,
            actor=actor,
        )
        return int(row.id)

    try:
        return db.transact(work)
    except IntegrityError:
        raise Conflict(f'There is a webhook "{wanted.name}" already; remove it first.') from None


def remove_webhook(db: Database, name: str, *, actor: str | None = None) -> None:
    """Tell a webhook nothing more; what waits for it is given up.

    Raises:
        NotFound: There is none of that name.
    """

    def work(conn: Connection) -> None:
        row = conn.execute(
            db.sql("DELETE FROM webhooks WHERE name = :name RETURNING id, backfill_id"),
            {"name": name},
        ).first()
        if row is None:
            known = [r.name for r in conn.execute(db.sql("SELECT name FROM webhooks"))]
            raise NotFound(f'No webhook "{name}".{did_you_mean(name, known)}')
        conn.execute(
            db.sql(
                "UPDATE deliveries SET given_up_at = {now}, next_try_at = NULL, "
                "error = 'its webhook was removed' "
                "WHERE webhook_id = :id AND next_try_at IS NOT NULL"
            ),
            {"id": row.id},
        )
        note_event(
            db,
            conn,
            kind="webhook.removed",
            message=f'webhook "{name}" was removed',
            backfill_id=row.backfill_id,
            actor=actor,
        )

    db.transact(work)


def check_url(settings: Settings, url: str) -> SplitResult:
    """Return the parts of a URL that webhooks may go to.

    Raises:
        Invalid: It is none, or its host is not allowed.
    """
    parts = _parts(url)
    host = parts.hostname or ""
    allowed = [h.strip().lower() for h in settings.webhook_hosts.split(",") if h.strip()]
    if not allowed:
        raise Invalid(
            "Webhooks are off: name the hosts they may go to in BACKFILL_WEBHOOK_HOSTS, such as "
            "hooks.slack.com,*.example.com."
        )
    if not any(_matches(host, pattern) for pattern in allowed):
        raise Invalid(
            f'Webhooks may not go to "{host}"; BACKFILL_WEBHOOK_HOSTS allows: {", ".join(allowed)}.'
        )
    if parts.scheme != "https" and not settings.webhook_private:
        raise Invalid("A webhook's URL begins with https://.")
    return parts


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Invalid("This is no URL.") from None
    clean = url.isascii() and url.isprintable() and " " not in url and len(url) <= MAX_URL
    if not clean or parts.scheme not in {"https", "http"} or not parts.hostname or port == 0:
        raise Invalid("A webhook's URL looks like https://host/path.")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise Invalid("A webhook's URL holds no user, password or fragment.")
    return parts


def _matches(host: str, pattern: str) -> bool:
    """Say whether a host is allowed; `*.example.com` allows every host below example.com."""
    if pattern.startswith("*."):
        return host.endswith(pattern[1:]) and len(host) > len(pattern) - 1
    return host == pattern


def _events(wanted: Sequence[str]) -> list[str]:
    known = [event.value for event in BackfillEvent]
    for event in wanted:
        if event not in known:
            raise Invalid(
                f'There is no event "{event}" of backfills.{did_you_mean(event, known)} '
                f"There are: {', '.join(known)}."
            )
    return [event for event in known if event in wanted] or known


def _require_backfill(db: Database, conn: Connection, backfill_id: int) -> None:
    found = conn.execute(
        db.sql("SELECT 1 FROM backfills WHERE id = :id"), {"id": backfill_id}
    ).first()
    if found is None:
        raise no_backfill(backfill_id)
