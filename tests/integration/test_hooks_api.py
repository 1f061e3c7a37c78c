"""Webhooks and deliveries through API, client and command line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from backfill.api.app import create_app
from backfill.cli.app import app
from backfill.client import Client
from backfill.settings import Settings, get_settings
from tests.support.house import NOON, House
from tests.support.serving import serving

URL = "https://hooks.example.com/T000/hidden"


@pytest.fixture
def client(house: House, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    house.settings = Settings(webhook_hosts="hooks.example.com", webhook_secret="s")
    served = create_app(house.settings, house.db, house.definitions, clock=lambda: NOON)
    with serving(served) as url, Client(url) as opened:
        monkeypatch.setenv("BACKFILL_API_URL", url)
        get_settings.cache_clear()
        yield opened
    get_settings.cache_clear()


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit) as ended:
        app(list(words))
    assert ended.value.code in (0, None)
    return capsys.readouterr().out


def test_webhooks_are_added_shown_without_their_secret_and_removed(client: Client) -> None:
    added = client.hooks.add("ops", URL, events=["finished", "paused"], partition_set="days")
    assert (added.host, added.events) == ("hooks.example.com", ["paused", "finished"])
    (listed,) = client.hooks
    assert listed == added
    assert "hidden" not in listed.model_dump_json()
    client.hooks.remove("ops")
    assert list(client.hooks) == []


def test_deliveries_are_listed_and_sent_again(house: House, client: Client) -> None:
    client.hooks.add("ops", URL, events=["paused"])
    for _ in range(2):
        house.pause(house.ready(1))
    newest, oldest = client.hooks.deliveries()
    assert (newest.event, newest.standing, newest.tries) == ("paused", "due", 0)
    assert [one.id for one in client.hooks.deliveries(backfill=oldest.backfill_id)] == [oldest.id]
    assert list(client.hooks.deliveries(standing="given_up")) == []
    assert client.hooks.again(newest.id).standing == "due"


def test_what_makes_no_sense_is_refused_with_its_reason(client: Client) -> None:
    with pytest.raises(Exception, match=r'may not go to "evil\.org"'):
        client.hooks.add("ops", "https://evil.org/")
    with pytest.raises(Exception, match="No delivery 7"):
        client.hooks.again(7)
    with pytest.raises(Exception, match="No backfill 9"):
        client.hooks.add("ops", URL, backfill=9)


def test_the_command_line_adds_lists_and_removes(
    house: House, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    told = printed(capsys, "hooks", "add", "ops", URL, "--on", "paused", "--slack")
    assert told == "Webhook ops at hooks.example.com is told of: paused.\n"
    assert "hooks.example.com" in printed(capsys, "hooks", "list")
    assert printed(capsys, "hooks", "deliveries") == "No deliveries.\n"
    house.pause(house.ready(1))
    table = printed(capsys, "hooks", "deliveries")
    assert "paused" in table
    assert "due" in table
    assert "is sent again" in printed(capsys, "hooks", "again", "1")
    assert printed(capsys, "hooks", "remove", "ops") == "Webhook ops is removed.\n"
    assert printed(capsys, "hooks", "list") == "No webhooks.\n"


def test_a_quiet_backfill_says_so_everywhere(house: House, client: Client) -> None:
    handle = client.submit("days", "day-00", quiet=True)
    assert handle.info.quiet
    assert house.backfill(int(handle.id)).quiet
    assert not client.submit("days", "day-01").info.quiet


def test_why_is_told_by_client_and_command_line(
    house: House, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    backfill_id = house.ready(2)
    house.pause(backfill_id, "wrong numbers")
    told = client.why(backfill=backfill_id)
    assert told.code == "paused"
    assert told.sentence.endswith(": wrong numbers")
    run_id: Any = house.rows("SELECT min(id) AS id FROM runs")[0].id
    assert client.why(run=run_id).sentence.startswith("Its backfill is paused")
    shown = printed(capsys, "why", str(backfill_id))
    assert shown.startswith(f"Backfill {backfill_id} is paused. It is paused since")
    assert "  Also: No coordinator has run yet" in shown
    assert "Its backfill is paused" in printed(capsys, "why", str(run_id), "--run")
    with pytest.raises(ValueError, match="either"):
        client.why()
