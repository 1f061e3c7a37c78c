"""Hooks and webhooks of backfills: told of everything, lost by nothing, hurting nobody."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from backfill.coordinator.posting import prepared, slack_message
from backfill.coordinator.telling import Teller
from backfill.errors import Conflict, Invalid, NotFound
from backfill.lifecycle import outbox
from backfill.lifecycle.webhooks import NewWebhook, add_webhook, remove_webhook
from backfill.settings import Settings
from backfill.states import BackfillMove
from backfill.storage.queries.hooks import DeliveryView, list_deliveries, list_webhooks
from tests.support.failpoints import every_crash
from tests.support.house import House
from tests.support.loading import loaded

SECRET = "a secret of tests"


@dataclass
class Receiver:
    """An HTTP server that keeps what it is sent and answers as it is told."""

    url: str
    answers: list[int] = field(default_factory=list)
    received: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    @property
    def told(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.received]

    @property
    def events(self) -> list[str]:
        return [headers["backfill-event"] for headers, _ in self.received]


@contextmanager
def receiving() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.received.append(({k.lower(): v for k, v in self.headers.items()}, body))
            status = receiver.answers.pop(0) if receiver.answers else 204
            self.send_response(status)
            self.send_header("Location", f"{receiver.url}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver = Receiver(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as opened:
        yield opened


@pytest.fixture
def settings(house: House) -> Settings:
    house.settings = Settings(
        webhook_hosts="127.0.0.1,*.example.com",
        webhook_secret=SECRET,
        webhook_private=True,
        webhook_seconds=2,
    )
    return house.settings


@pytest.fixture
def teller(house: House, settings: Settings) -> Teller:
    return Teller(house.db, house.definitions, settings)


def hooked(house: House, receiver: Receiver, **wanted: Any) -> None:
    add_webhook(
        house.db, house.settings, NewWebhook(**{"name": "ops", "url": receiver.url, **wanted})
    )


def deliveries(house: House, **wanted: Any) -> list[DeliveryView]:
    with house.db.read() as conn:
        return list(list_deliveries(house.db, conn, limit=100, **wanted).items)


def events(house: House, kind: str) -> list[str]:
    found = house.rows("SELECT message FROM events WHERE kind = :kind ORDER BY id", kind=kind)
    return [row.message for row in found]


def all_told(teller: Teller) -> None:
    while teller.tell_due():
        pass


# -- what is told ---------------------------------------------------------------------------------


def test_a_webhook_is_told_of_start_pause_and_end(
    house: House, receiver: Receiver, teller: Teller
) -> None:
    hooked(house, receiver)
    (claim,) = house.running(1, tags={"team": "sales"})
    house.pause(1, "wrong numbers")
    house.resume(1)
    house.succeed(claim)
    house.fold()
    house.settle(1)
    all_told(teller)
    assert receiver.events == ["started", "paused", "finished"]
    first, paused, finished = receiver.told
    assert first["backfill"]["id"] == "1"
    assert first["backfill"]["tags"]["team"] == "sales"
    assert paused["backfill"]["reason"] == "wrong numbers"
    assert (finished["backfill"]["state"], finished["backfill"]["counts"]["succeeded"]) == (
        "succeeded",
        1,
    )
    assert len({told["id"] for told in receiver.told}) == 3
    assert [d.standing for d in deliveries(house)] == ["delivered"] * 3


def test_a_resume_of_what_was_paused_before_it_began_is_its_start(
    house: House, receiver: Receiver, teller: Teller
) -> None:
    hooked(house, receiver, events=["started"])
    backfill_id = house.submit("day-00")
    house.pause(backfill_id)
    house.expand(backfill_id)
    house.resume(backfill_id)
    house.pause(backfill_id)
    house.resume(backfill_id)
    all_told(teller)
    assert receiver.events == ["started"]


def test_a_canceled_backfill_has_ended(house: House, receiver: Receiver, teller: Teller) -> None:
    hooked(house, receiver, events=["finished"])
    backfill_id = house.ready(2)
    house.cancel_all(backfill_id)
    house.settle(backfill_id)
    all_told(teller)
    assert [told["backfill"]["state"] for told in receiver.told] == ["canceled"]


def test_a_webhook_of_one_set_or_one_backfill_hears_of_no_other(
    house: House, receiver: Receiver, teller: Teller
) -> None:
    hooked(house, receiver, name="slow", partition_set="slow")
    first = house.submit("day-00")
    hooked(house, receiver, name="first", backfill_id=first)
    second = house.submit("day-01")
    for backfill_id in (first, second):
        house.pause(backfill_id)
    all_told(teller)
    assert [told["backfill"]["id"] for told in receiver.told] == [str(first)]


def test_a_tripped_breaker_is_a_pause_to_who_knows_only_pauses() -> None:
    event = outbox.event_of(BackfillMove.PAUSE, {"by": "breaker"}, first_start=False)
    assert event is not None
    assert event.value == "breaker_tripped"
    assert outbox._told_as(event, ["paused"]) == "paused"
    assert outbox._told_as(event, ["paused", "breaker_tripped"]) == "breaker_tripped"
    assert outbox._told_as(event, ["finished"]) is None


def test_a_message_for_slack_reads_well_and_hides_nothing_in_markup(
    house: House, receiver: Receiver, teller: Teller
) -> None:
    hooked(house, receiver, format="slack", events=["paused"])
    backfill_id = house.ready(3)
    house.fold()
    house.pause(backfill_id, "a <b> & c")
    all_told(teller)
    (told,) = receiver.told
    assert told["text"] == (
        "Backfill 1 of days is paused: a &lt;b&gt; &amp; c\n[day-00...day-02] (3 pending)"
    )
    assert told["blocks"][0]["text"] == {"type": "mrkdwn", "text": told["text"]}


# -- signed, retried, never lost ------------------------------------------------------------------


def test_a_delivery_is_signed_over_its_time_and_body(
    house: House, receiver: Receiver, teller: Teller
) -> None:
    hooked(house, receiver, events=["paused"])
    house.pause(house.ready(1))
    all_told(teller)
    ((headers, body),) = receiver.received
    signed = headers["backfill-timestamp"].encode() + b"." + body
    expected = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
    assert headers["backfill-signature"] == f"v1={expected}"
    assert headers["backfill-delivery"] == json.loads(body)["id"]


def test_what_was_not_taken_is_told_again_with_the_same_id(
    house: House, receiver: Receiver, teller: Teller
) -> None:
    hooked(house, receiver, events=["paused"])
    receiver.answers = [500, 503]
    house.pause(house.ready(1))
    all_told(teller)
    (waiting,) = deliveries(house)
    assert (waiting.standing, waiting.tries, waiting.status) == ("retrying", 1, 500)
    assert waiting.error == "It answered 500 Internal Server Error"
    house.advance(11)
    all_told(teller)
    house.advance(10)
    all_told(teller)  # not due: the second wait is twice as long
    assert len(receiver.received) == 2
    house.advance(11)
    all_told(teller)
    assert len(receiver.received) == 3
    assert len({told["id"] for told in receiver.told}) == 1
    assert deliveries(house)[0].standing == "delivered"
    assert len(events(house, "backfill.hook_failed")) == 1  # of the first failure, not of each


def test_after_ten_hours_it_is_given_up_and_said_so(
    house: House, receiver: Receiver, teller: Teller
) -> None:
    hooked(house, receiver, events=["paused"])
    receiver.answers = [500] * 100
    house.pause(house.ready(1))
    for _ in range(outbox.MOST_TRIES + 3):
        all_told(teller)
        house.advance(6_000)
    assert len(receiver.received) == outbox.MOST_TRIES
    (given_up,) = deliveries(house, standing="given_up")
    assert given_up.next_try_at is None
    assert "it is given up" in events(house, "backfill.hook_failed")[-1]
    outbox.send_again(house.db, given_up.id, actor="ann")
    receiver.answers = []
    all_told(teller)
    assert deliveries(house)[0].standing == "delivered"


def test_a_redirect_is_not_followed(house: House, receiver: Receiver, teller: Teller) -> None:
    hooked(house, receiver, events=["paused"])
    receiver.answers = [302]
    house.pause(house.ready(1))
    all_told(teller)
    assert len(receiver.received) == 1
    assert deliveries(house)[0].error == "It answered 302 Found; redirects are not followed"


def test_one_that_is_gone_is_given_up_at_once(
    house: House, receiver: Receiver, teller: Teller
) -> None:
    hooked(house, receiver, events=["paused"])
    receiver.answers = [410]
    house.pause(house.ready(1))
    all_told(teller)
    assert deliveries(house)[0].standing == "given_up"


def test_one_dead_webhook_holds_up_no_other(
    house: House, receiver: Receiver, teller: Teller
) -> None:
    with receiving() as gone:
        dead = gone.url
    hooked(house, receiver, name="dead", url=dead, events=["paused"])
    hooked(house, receiver, name="alive", events=["paused"])
    for _ in range(3):
        house.pause(house.ready(1))
    all_told(teller)
    assert len(receiver.received) == 3
    assert "ConnectionRefusedError" in (deliveries(house, standing="retrying")[0].error or "")


def test_a_crash_anywhere_loses_no_delivery_and_makes_none_without_its_event(
    house: House, receiver: Receiver, teller: Teller
) -> None:
    hooked(house, receiver, events=["paused"])
    backfill_id = house.ready(1)
    for _ in every_crash(house.db, lambda: house.pause(backfill_id)):
        paused = house.rows("SELECT id FROM events WHERE kind = 'backfill.paused'")
        assert len(deliveries(house)) == len(paused)
        if house.backfill(backfill_id).state == "paused":
            house.resume(backfill_id)
    all_told(teller)
    assert receiver.events == ["paused"] * len(deliveries(house))


def test_a_coordinator_that_dies_before_it_sent_tells_it_later(
    house: House, receiver: Receiver, teller: Teller
) -> None:
    hooked(house, receiver, events=["paused"])
    house.pause(house.ready(1))
    marked = house.db.transact(lambda conn: outbox.due(house.db, conn, limit=10))
    assert len(marked) == 1  # and the process ends here
    all_told(teller)
    assert receiver.received == []
    house.advance(11)
    all_told(teller)
    assert receiver.events == ["paused"]


# -- where they may go ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://evil.org/x", 'Webhooks may not go to "evil.org"'),
        ("https://example.com/x", 'Webhooks may not go to "example.com"'),
        ("https://notexample.com/", 'Webhooks may not go to "notexample.com"'),
        ("https://a.example.com@evil.org/", "holds no user"),
        ("https://user:pass@a.example.com/", "holds no user"),
        ("http://a.example.com/", "begins with https"),
        ("ftp://a.example.com/", "looks like https"),
        ("https://a.example.com:0/", "looks like https"),
        ("https://a.example.com/a b", "looks like https"),
        ("https://[::1", "This is no URL"),
        ("https://a.example.com/#x", "holds no user, password or fragment"),
    ],
)
def test_a_url_that_leads_elsewhere_is_refused(house: House, url: str, said: str) -> None:
    settings = Settings(webhook_hosts="*.example.com", webhook_secret=SECRET)
    with pytest.raises(Invalid, match=said):
        add_webhook(house.db, settings, NewWebhook("ops", url))


def test_without_allowed_hosts_or_a_secret_there_are_no_webhooks(house: House) -> None:
    with pytest.raises(Invalid, match="BACKFILL_WEBHOOK_HOSTS"):
        add_webhook(
            house.db, Settings(webhook_secret=SECRET), NewWebhook("ops", "https://a.example.com/")
        )
    allowed = Settings(webhook_hosts="a.example.com")
    with pytest.raises(Invalid, match="BACKFILL_WEBHOOK_SECRET"):
        add_webhook(house.db, allowed, NewWebhook("ops", "https://a.example.com/"))


def test_a_private_address_is_not_posted_to_unless_allowed(
    house: House, receiver: Receiver, settings: Settings
) -> None:
    hooked(house, receiver, events=["paused"])
    house.pause(house.ready(1))
    private = settings.model_copy(update={"webhook_private": False})
    port = receiver.url.rpartition(":")[2]
    house.db.transact(
        lambda conn: conn.execute(
            house.db.sql("UPDATE webhooks SET url = :url"), {"url": f"https://127.0.0.1:{port}/"}
        )
    )
    all_told(Teller(house.db, house.definitions, private))
    assert receiver.received == []
    assert "which is not public" in (deliveries(house)[0].error or "")


def test_a_host_no_longer_allowed_gets_nothing(
    house: House, receiver: Receiver, settings: Settings
) -> None:
    hooked(house, receiver, events=["paused"])
    house.pause(house.ready(1))
    forbidden = settings.model_copy(update={"webhook_hosts": "elsewhere.example.com"})
    all_told(Teller(house.db, house.definitions, forbidden))
    assert receiver.received == []
    assert "may not go to" in (deliveries(house)[0].error or "")


def test_a_webhook_is_shown_by_its_host_alone(
    house: House, receiver: Receiver, settings: Settings
) -> None:
    hooked(house, receiver, url=f"{receiver.url}/T000/secret-part")
    with house.db.read() as conn:
        (shown,) = list_webhooks(house.db, conn)
    assert shown.host == "127.0.0.1"
    assert "secret-part" not in str(shown)


def test_a_name_is_used_once_and_a_removed_webhook_is_told_nothing_more(
    house: House, receiver: Receiver, teller: Teller
) -> None:
    hooked(house, receiver, events=["paused"])
    with pytest.raises(Conflict, match='a webhook "ops" already'):
        hooked(house, receiver)
    house.pause(house.ready(1))
    remove_webhook(house.db, "ops")
    all_told(teller)
    assert receiver.received == []
    (given_up,) = deliveries(house)
    assert (given_up.standing, given_up.error) == ("given_up", "its webhook was removed")
    with pytest.raises(Conflict, match="was removed"):
        outbox.send_again(house.db, given_up.id)
    with pytest.raises(NotFound, match='No webhook "ops"'):
        remove_webhook(house.db, "ops")


# -- hooks in Python ------------------------------------------------------------------------------

HOOKED = """
from backfill import Partition, PartitionSetDefinition, backfill_hook, pipeline, step

TOLD = []

@backfill_hook
def everything(context):
    TOLD.append((context.event, context.backfill_id, context.state, context.delivery))

@backfill_hook(on={"paused"}, name="only_pauses")
def pauses(context):
    TOLD.append(("only_pauses", context.reason))

@backfill_hook(on="finished")
def breaks(context):
    raise ValueError("no network")

@step
def a():
    return 1

@pipeline(hooks={everything})
def work():
    a()

days = PartitionSetDefinition(
    name="days",
    pipeline=work,
    partition_fn=lambda: [Partition(f"day-{n:02}") for n in range(60)],
    hooks=[pauses, breaks],
)
"""


@pytest.fixture
def with_hooks(house: House, tmp_path: Path) -> Iterator[House]:
    folder = tmp_path / "hooked"
    folder.mkdir()
    with loaded(HOOKED, folder) as definitions:
        house.definitions = definitions
        yield house


def told_of(house: House) -> list[Any]:
    registry = house.definitions._registry
    hooks = registry.partition_set("days").hooks
    found: list[Any] = hooks[0].fn.__globals__["TOLD"]
    return found


def test_hooks_of_set_and_pipeline_are_told_in_the_definitions(with_hooks: House) -> None:
    house = with_hooks
    (claim,) = house.running(1)
    house.pause(1, "wrong numbers")
    house.succeed(claim)
    house.fold()
    house.settle(1)
    all_told(Teller(house.db, house.definitions, house.settings))
    told = told_of(house)
    assert sorted(row[0] for row in told) == ["finished", "only_pauses", "paused", "started"]
    assert ("only_pauses", "wrong numbers") in told
    assert [row[2] for row in told if row[0] == "started"] == ["running"]
    failed = [d for d in deliveries(house) if d.standing == "retrying"]
    assert [(d.kind, d.hook, d.error) for d in failed] == [
        ("python", "breaks", 'Hook "breaks" raised ValueError: no network')
    ]
    assert house.backfill(1).state == "succeeded"


def test_a_hook_that_left_the_code_is_given_up(with_hooks: House, tmp_path: Path) -> None:
    house = with_hooks
    house.pause(house.ready(1))
    with loaded(HOOKED.replace("hooks={everything}", ""), tmp_path) as definitions:
        all_told(Teller(house.db, definitions, house.settings))
    given_up = deliveries(house, standing="given_up")
    assert {d.hook for d in given_up} == {"everything"}


def test_the_catalog_tells_a_sets_hooks(with_hooks: House) -> None:
    (found,) = with_hooks.definitions.catalog().partition_sets
    assert [(hook.name, len(hook.events)) for hook in found.hooks] == [
        ("breaks", 1),
        ("only_pauses", 1),
        ("everything", 4),
    ]


def test_a_body_is_the_same_for_every_try(house: House, settings: Settings) -> None:
    house.ready(1)
    facts = {"event": "paused", "at": "x", "backfill_id": 1, "counts": {}, "selection": "all"}
    facts |= {"partition_set": "days", "state": "paused"}
    one = outbox.Delivery(1, "k", 1, "paused", "webhook", "ops", facts, "https://x/", "json", 1)
    assert prepared(settings, one, now=1).body == prepared(settings, one, now=2).body
    signatures = {prepared(settings, one, now=n).headers["Backfill-Signature"] for n in (1, 2)}
    assert len(signatures) == 2
    assert slack_message(one)["text"].endswith("(no run yet)")
