"""Doing again and changing, through the command line and the client, against a real server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from backfill.api.app import create_app
from backfill.client import Client
from backfill.errors import Conflict, Invalid, NotFound
from backfill.lifecycle import retrying
from backfill.storage.database import Database
from tests.support.command_line import Run, command_line
from tests.support.databases import SQLiteFiles, one_database
from tests.support.house import DEFINITIONS, NOON, House
from tests.support.loading import loaded
from tests.support.serving import serving


@pytest.fixture
def house(sqlite_databases: SQLiteFiles, tmp_path: Path) -> Iterator[House]:
    with one_database(sqlite_databases) as url, loaded(DEFINITIONS, tmp_path) as definitions:
        database = Database(url)
        yield House(database, definitions)
        database.dispose()


@pytest.fixture
def url(house: House) -> Iterator[str]:
    app = create_app(house.settings, house.db, house.definitions, clock=lambda: NOON)
    with serving(app) as url:
        yield url


@pytest.fixture
def client(url: str) -> Iterator[Client]:
    with Client(url) as client:
        yield client


@pytest.fixture
def run(
    url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> Run:
    """Run a command in this process."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))

    return command_line(url, monkeypatch, capsys)


def test_a_backfill_is_retried(house: House, run: Run) -> None:
    house.fail(*house.running(2))
    house.settle(1)
    printed = run("retry", "1", "--status", "failed,canceled", "--note", "mended")
    assert printed.out == "Backfill 1 is running: generation 1 is being made.\n"
    retrying.retry_chunk(house.db, 1, limit=10)
    printed = run("retry", "1")
    assert printed.status == 1
    assert "Nothing of backfill 1 is to be tried again" in printed.err


def test_a_run_is_re_executed_and_its_lineage_shown(house: House, run: Run) -> None:
    house.fail(*house.running(1))
    told = json.loads(run("retry", "1", "--run", "--from-step", "b", "--json").out)
    assert (told["parent_id"], told["steps"]) == ("1", ["b"])
    lines = run("lineage", "1").out.splitlines()
    assert lines[0].split()[:4] == ["RUN", "OF", "HOW", "STEPS"]
    assert lines[1].split()[:2] == ["1", "*"]
    assert lines[2].split()[:4] == [told["id"], "1", "steps", "b"]
    assert "is being re-executed already, by run" in run("retry", "1", "--run").err
    assert run("retry", "1", "--all-steps", "--steps", "a").status == 2


def test_many_runs_are_re_executed(house: House, run: Run) -> None:
    house.fail(*house.running(3))
    printed = run("re-execute", "--set", "days", "--state", "failed", "--limit", "2")
    assert printed.out == "2 runs made. Others fit as well: run it again.\n"
    assert json.loads(run("re-execute", "--backfill", "1", "--json").out)["made"] == 1


def test_a_backfill_is_edited(house: House, run: Run) -> None:
    house.ready(3)
    printed = run("edit", "1", "max_active_runs=2", 'breaker={"in_row": 3}', "note=12")
    assert set(printed.out.splitlines()) == {
        "max_active_runs: none → 2",
        'breaker: none → {"in_row": 3}',
        "note: none → 12",
    }
    assert run("edit", "1", "priority=0").out == "Backfill 1 is so already.\n"
    assert json.loads(run("edit", "1", "max_active_runs=null", "--json").out)["edited"] == [
        {"field": "max_active_runs", "old": 2, "new": None}
    ]
    assert run("edit", "1").status == 2
    assert run("edit", "1", "colour=red").status == 1


def test_a_backfill_is_paused_resumed_and_canceled_with_notes(house: House, run: Run) -> None:
    house.ready(3)
    for verb, state in (("pause", "paused"), ("resume", "running"), ("cancel", "canceling")):
        told = json.loads(run(verb, "1", "--note", f"why I {verb}", "--json").out)
        assert told["state"] == state
    rows = house.rows("SELECT kind, message FROM events WHERE kind LIKE 'backfill.%' ORDER BY id")
    assert [(row.kind, row.message) for row in rows][-3:] == [
        ("backfill.paused", "why I pause"),
        ("backfill.resumed", "why I resume"),
        ("backfill.canceled", "why I cancel"),
    ]


def test_partitions_are_added_and_removed(house: House, run: Run) -> None:
    house.ready(3)
    printed = run("add", "1", "--from", "day-02", "--to", "day-04")
    assert printed.out == "Backfill 1: 2 partitions added, 1 already in it.\n"
    while house.expand(1) is not None:
        pass
    printed = run("remove", "1", "--partitions", "day-00,day-04")
    assert printed.out == "Backfill 1: 2 partitions skipped.\n"
    assert run("remove", "1").status == 1


def test_a_backfill_is_cloned_with_changes(house: House, run: Run, client: Client) -> None:
    house.ready(3, priority=5, tags={"team": "sales"})
    printed = run("clone", "1", "selection=[day-00...day-09]", "max_active_runs=2")
    assert printed.out == "Backfill 2 submitted, a clone of 1: 10 partitions.\n"
    told = client.backfill(2).info
    assert (told.priority, told.max_active_runs, told.cloned_from) == (5, 2, "1")
    assert told.tags == {"team": "sales"}
    one = client.backfill(1).clone(idempotency_key="once")
    assert client.backfill(1).clone(idempotency_key="once").id == one.id
    with pytest.raises(Conflict, match="with another request"):
        client.backfill(1).clone(idempotency_key="once", priority=1)
    with pytest.raises(Invalid, match="priority: Input should be"):
        client.backfill(1).clone(priority="high")
    with pytest.raises(NotFound, match='No partition set named "dayz"'):
        client.backfill(1).clone(partition_set="dayz")


def test_a_backfill_has_time_limits(house: House, client: Client) -> None:
    handle = client.submit(
        "days", "[day-00...day-01]", timeout_seconds=60, on_timeout="pause", run_timeout_seconds=5
    )
    told = handle.info
    assert (told.timeout_seconds, told.on_timeout, told.run_timeout_seconds) == (60, "pause", 5)
    assert told.deadline_at is not None
    assert handle.edit(timeout_seconds=None).deadline_at is None
    with pytest.raises(Invalid):
        client.submit("days", "day-00", timeout_seconds=-1)


def test_show_tells_limits_and_where_a_backfill_comes_from(house: House, run: Run) -> None:
    house.ready(2, timeout_seconds=60, run_timeout_seconds=5, partitions_per_run=2, cloned_from=7)
    printed = run("show", "1").out
    assert "UTC, then cancel, 5 s for an attempt of a run" in printed
    assert "2 neighbouring partitions in one run" in printed
    assert "clone of   7" in printed
