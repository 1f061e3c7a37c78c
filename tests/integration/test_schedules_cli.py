"""`backfill schedules` against a real server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from backfill.api.app import create_app
from backfill.client import Client
from tests.support.command_line import Run, command_line
from tests.support.databases import SQLiteFiles, one_database
from tests.support.house import NOON
from tests.support.reports import REPORTS
from tests.support.schedules import Ticking, open_ticking
from tests.support.serving import serving


@pytest.fixture
def ticking(sqlite_databases: SQLiteFiles, tmp_path: Path) -> Iterator[Ticking]:
    with one_database(sqlite_databases) as url, open_ticking(url, tmp_path, REPORTS) as opened:
        yield opened


@pytest.fixture
def url(ticking: Ticking) -> Iterator[str]:
    house = ticking.house
    app = create_app(house.settings, house.db, house.definitions, clock=lambda: NOON)
    with serving(app) as url:
        yield url


@pytest.fixture
def run(url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `backfill schedules …` in this process."""

    return command_line(url, monkeypatch, capsys, "schedules")


def test_a_schedule_is_started_watched_and_stopped(run: Run, ticking: Ticking) -> None:
    started = run("start", "daily")
    assert started.out == "Schedule daily runs. Its next tick: 2026-01-02 06:00-0500.\n"
    ticking.next("daily")
    ticking.tick()
    listed = run("list").out.splitlines()
    assert listed[0].split() == ["NAME", "STATE", "TICKS", "AT", "NEXT", "LAST"]
    assert listed[1].split()[:7] == ["daily", "running", "0", "6", "*", "*", "*"]
    assert "2026-01-03 06:00-0500" in listed[1]
    assert "success" in listed[1]
    shown = run("show", "daily").out
    for words in (
        "daily running",
        "Yesterday's report.",
        "0 6 * * * (America/New_York)",
        "daily_partitions",
        "2026-01-02 06:00-0500  success  1",
    ):
        assert words in shown
    assert run("stop", "daily").out == "Schedule daily is stopped.\n"
    assert run("stop", "daily").status == 0


def test_lists_fit_eighty_columns(
    run: Run, ticking: Ticking, monkeypatch: pytest.MonkeyPatch
) -> None:
    from backfill.cli import output

    monkeypatch.setattr(output, "PIPED_WIDTH", 80)
    output.console.cache_clear()
    try:
        run("start", "daily")
        ticking.next("daily")
        ticking.tick()
        for words in (["list"], ["show", "failing"], ["tick", "daily", "--dry-run"]):
            printed = run(*words)
            assert all(
                len(line) <= 80 for line in printed.out.splitlines() if "defined" not in line
            )
    finally:
        output.console.cache_clear()


def test_a_dry_run_shows_the_runs_and_makes_none(run: Run, ticking: Ticking) -> None:
    printed = run("tick", "daily", "--at", "2026-01-01T06:00", "--dry-run")
    assert printed.status == 0
    lines = printed.out.splitlines()
    assert lines[0] == "Tick 2026-01-01 06:00-0500 of daily would make 1 run."
    assert lines[2].split() == ["2025-12-31", "2025-12-31", "day=31"]
    assert ticking.partitions("daily") == []


def test_a_tick_by_hand_says_what_became_of_it(run: Run) -> None:
    first = run("tick", "daily")
    assert first.out == "Tick 2026-01-01 06:00-0500 of daily: success, runs 1.\n"
    second = run("tick", "daily")
    assert second.status == 1
    assert "made its runs already: 1" in second.err
    skipped = run("tick", "idle")
    assert skipped.out == "Tick 2026-01-01 12:00+0000 of idle: skipped: nothing to do\n"
    assert skipped.status == 0
    shown = run("show", "daily").out
    assert "by hand (local)" in shown


def test_a_tick_that_fails_shows_the_traceback_on_stderr_and_exits_1(run: Run) -> None:
    printed = run("tick", "failing")
    assert printed.status == 1
    assert "in fail" in printed.err
    assert printed.out.startswith("Tick 2026-01-01 12:00+0000 of failing: failure: ")


@pytest.mark.parametrize(
    ("words", "status", "sentence"),
    [
        (["start", "dayly"], 1, 'Did you mean "daily"?'),
        (["show", "dayly"], 1, 'Did you mean "daily"?'),
        (["tick", "daily", "--at", "2026-01-01"], 1, "does not tick at 2026-01-01T00:00:00-05:00"),
        (["tick", "daily", "--at", "noon"], 2, "is not a time such as"),
    ],
)
def test_errors_are_told_on_stderr(run: Run, words: list[str], status: int, sentence: str) -> None:
    printed = run(*words)
    assert (printed.status, printed.out) == (status, "")
    assert sentence in " ".join(printed.err.replace("│", " ").split())


def test_json_is_what_the_api_answers(run: Run) -> None:
    assert json.loads(run("start", "daily", "--json").out)["state"] == "running"
    assert [item["name"] for item in json.loads(run("list", "--json").out)] == [
        "daily",
        "failing",
        "idle",
    ]
    told = json.loads(run("tick", "daily", "--json").out)
    assert told["run_ids"] == ["1"]
    shown = json.loads(run("show", "daily", "--json").out)
    assert (shown["schedule"]["name"], len(shown["ticks"])) == ("daily", 1)
    assert json.loads(run("stop", "daily", "--json").out)["state"] == "stopped"


def test_the_python_client_has_the_same_verbs(url: str, ticking: Ticking) -> None:
    with Client(url) as client:
        assert [schedule.name for schedule in client.schedules()] == ["daily", "failing", "idle"]
        schedule = client.schedule("idle")
        assert schedule.start().state == "running"
        for _ in range(3):
            ticking.next("idle")
            ticking.tick()
        assert [tick.tick_at.hour for tick in schedule.ticks(states=["skipped"])] == [15, 14, 13]
        assert schedule.refresh().last_tick is not None
        assert schedule.next_ticks(1)[0].hour == 16
        assert schedule.tick(dry_run=True).reason == "nothing to do"
        assert schedule.stop().state == "stopped"
