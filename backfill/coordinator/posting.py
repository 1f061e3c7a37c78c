"""Posting to webhooks: one signed request, to an address that was looked at, and no further.

The name is resolved once, every address of it checked, and the connection made to a checked one,
so that a name that changes its address in between leads nowhere else. Redirects are answers like
any other; of the body no more is read than one line of an error needs.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import ipaddress
import json
import socket
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult

from backfill.errors import BackfillError, Invalid
from backfill.lifecycle.outbox import Delivery
from backfill.lifecycle.webhooks import check_url
from backfill.settings import Settings

READ_BYTES = 1_024
_SLACK_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_VERBS = {
    "started": "has started",
    "paused": "is paused",
    "breaker_tripped": "was paused by its breaker",
    "finished": "has ended",
}


class Refused(Exception):
    """A delivery was not taken.

    Attributes:
        status: Of the answer, if there was one.
        final: Trying again is of no use.
    """

    def __init__(self, detail: str, *, status: int | None = None, final: bool = False) -> None:
        super().__init__(detail)
        self.status = status
        self.final = final


@dataclass(frozen=True)
class Posted:
    """What was sent, for a signature to be checked: `signature` is over `time.body`."""

    body: bytes
    headers: Mapping[str, str]


def post(settings: Settings, delivery: Delivery, *, now: int) -> int:
    """Post a delivery to its webhook; return the status of the answer.

    Args:
        now: Seconds since the epoch, which the signature holds against replaying.

    Raises:
        Refused: It was not taken.
    """
    assert delivery.url is not None
    try:
        parts = check_url(settings, delivery.url)
    except Invalid as error:
        raise Refused(error.detail) from None
    posted = prepared(settings, delivery, now=now)
    try:
        return _send(settings, parts, posted)
    except (OSError, http.client.HTTPException, BackfillError) as error:
        raise Refused(f"{type(error).__name__}: {error}") from error


def prepared(settings: Settings, delivery: Delivery, *, now: int) -> Posted:
    """Return body and headers of a delivery."""
    told = slack_message(delivery) if delivery.format == "slack" else json_message(delivery)
    body = json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "backfill",
        "Backfill-Delivery": delivery.key,
        "Backfill-Event": delivery.event,
        "Backfill-Timestamp": str(now),
    }
    if settings.webhook_secret:
        headers["Backfill-Signature"] = signature(settings.webhook_secret, now, body)
    return Posted(body, headers)


def signature(secret: str, now: int, body: bytes) -> str:
    """Return `v1=` and the HMAC-SHA256, in hex, of the timestamp, a dot and the body."""
    signed = hmac.new(secret.encode(), f"{now}.".encode() + body, hashlib.sha256)
    return f"v1={signed.hexdigest()}"


def json_message(delivery: Delivery) -> dict[str, Any]:
    """Return what a webhook is told."""
    facts = dict(delivery.facts)
    event, at = facts.pop("event"), facts.pop("at")
    backfill = {"id": str(facts.pop("backfill_id")), **facts}
    return {"id": delivery.key, "event": event, "at": at, "backfill": backfill}


def slack_message(delivery: Delivery) -> dict[str, Any]:
    """Return a message that Slack, Mattermost and the like show."""
    facts = delivery.facts
    counts = ", ".join(f"{n:,} {state}" for state, n in facts["counts"].items() if n)
    what = _VERBS.get(delivery.event, delivery.event)
    state = f" as {facts['state']}" if delivery.event == "finished" else ""
    head = f"Backfill {facts['backfill_id']} of {facts['partition_set']} {what}{state}"
    why = f": {facts['reason']}" if facts.get("reason") else ""
    lines = [f"{head}{why}", f"{facts['selection'][:200]} ({counts or 'no run yet'})"]
    text = "\n".join(lines).translate(_SLACK_ESCAPES)
    block = {"type": "section", "text": {"type": "mrkdwn", "text": text[:2_900]}}
    return {"text": text[:2_900], "blocks": [block]}


# -- the connection -------------------------------------------------------------------------------


def _send(settings: Settings, parts: SplitResult, posted: Posted) -> int:
    seconds = settings.webhook_seconds
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    address = _checked_address(host, port, private=settings.webhook_private)
    with socket.create_connection(address, timeout=seconds) as plain:
        # A server that answers a byte at a time meets no timeout of the socket.
        limit = threading.Timer(seconds, _cut, [plain])
        limit.daemon = True
        limit.start()
        try:
            sock = _secured(plain, host) if parts.scheme == "https" else plain
            return _ask(sock, parts, port, posted)
        finally:
            limit.cancel()


def _checked_address(host: str, port: int, *, private: bool) -> tuple[str, int]:
    """Return an address of a host; with one that is not public among them, none."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise Refused(f'The host "{host}" is not found: {error.strerror}') from None
    addresses = [str(info[4][0]).partition("%")[0] for info in found]
    if not private:
        for address in addresses:
            if not _is_public(address):
                raise Refused(
                    f'The host "{host}" has the address {address}, which is not public; '
                    "BACKFILL_WEBHOOK_PRIVATE=1 allows that."
                )
    return addresses[0], port


def _is_public(address: str) -> bool:
    ip = ipaddress.ip_address(address)
    mapped = getattr(ip, "ipv4_mapped", None)
    if mapped is not None:
        ip = mapped
    return ip.is_global and not ip.is_multicast


def _secured(plain: socket.socket, host: str) -> ssl.SSLSocket:
    return ssl.create_default_context().wrap_socket(plain, server_hostname=host)


def _ask(sock: socket.socket, parts: SplitResult, port: int, posted: Posted) -> int:
    connection = http.client.HTTPConnection(parts.hostname or "", port)
    connection.sock = sock
    default = 443 if parts.scheme == "https" else 80
    named = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    host = named if port == default else f"{named}:{port}"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection.request("POST", path, posted.body, {"Host": host, **posted.headers})
    answer = connection.getresponse()
    if 200 <= answer.status < 300:
        return answer.status
    said = answer.read(READ_BYTES).decode("utf-8", "replace").strip()
    told = f": {said[:200]}" if said else ""
    if 300 <= answer.status < 400:
        told = "; redirects are not followed"
    gone = answer.status == 410
    raise Refused(
        f"It answered {answer.status} {answer.reason}{told}", status=answer.status, final=gone
    )


def _cut(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
