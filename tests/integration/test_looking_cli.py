"""What the command line shows of many partitions, of one box, and of what happens."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from typer.testing import CliRunner

from backfill.api.app import create_app
from backfill.cli.app import app as cli
from tests.support.house import NOON, House
from tests.support.serving import serving
from tests.support.waiting import wait_until

Said = Callable[..., str]


@pytest.fixture
def url(house: House) -> Iterator[str]:
    app = create_app(house.settings, house.db, house.definitions, clock=lambda: NOON)
    with serving(app) as address:
        wait_until(lambda: app.state.context.hub.place is not None, "the reader to begin")
        yield address


@pytest.fixture
def said(url: str) -> Said:
    def run(*words: str, status: int = 0) -> str:
        done = CliRunner().invoke(cli, ["--url", url, *words])
        assert done.exit_code == status, done.output
        return done.stdout

    return run


@pytest.fixture
def worked(house: House) -> House:
    """Three runs: one succeeded, one failed, one is running."""
    claims = house.running(3)
    house.succeed(claims[0])
    house.fail(claims[1], retryable=False)
    house.fold()
    return house


def test_an_overview_counts_statuses_over_a_range(worked: House, said: Said) -> None:
    text = said("overview", "days", "--from", "day-00", "--to", "day-09", "--buckets", "2")
    assert "1-5" in text
    assert "6-10" in text
    assert "10 partitions:" in text
    assert "1 succeeded" in text
    assert "1 failed" in text
    body = json.loads(said("overview", "days", "--buckets", "3", "--json"))
    assert (body["partition_set"], len(body["buckets"]), body["count"]) == ("days", 3, 60)


def test_statistics_show_failures_and_durations_by_step(worked: House, said: Said) -> None:
    text = said("statistics", "days", "--from", "day-00", "--to", "day-02")
    assert "P90" in text
    assert "3 partitions, from day-00 to day-02." in text
    body = json.loads(said("statistics", "days", "--newest", "60", "--json"))
    assert [step["step"] for step in body["steps"]] == ["a", "b"]
    assert body["steps"][0]["ended"] == 1


def test_a_box_shows_every_attempt_of_a_step(worked: House, said: Said) -> None:
    text = said("box", "days", "day-00", "a")
    assert "succeeded" in text
    assert "backfill logs RUN --step a" in text
    assert said("box", "days", "day-59", "a") == "a never ran for day-59.\n"
    body = json.loads(said("box", "days", "day-00", "a", "--json"))
    assert body[0]["outcomes"][0]["state"] == "succeeded"


def test_events_show_what_was_done(worked: House, said: Said) -> None:
    worked.pause(1, "lunch")
    assert "lunch" in said("events", "1")
    assert json.loads(said("events", "1", "--json"))[0]["kind"] == "backfill.paused"
    assert said("events", "--run", "1") == "Nothing was done with it.\n"
    said("events", status=1)


def test_events_are_followed_as_they_happen_until_interrupted(worked: House, url: str) -> None:
    command = [sys.executable, "-m", "backfill.cli", "--url", url, "events", "1", "-f", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["name"] == "ready"
        worked.pause(1, "lunch")
        heard = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    assert [b["state"] for b in heard["moves"]["backfills"]] == ["paused"]
