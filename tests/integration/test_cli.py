"""The command line against a real server: what it prints, where, and how it exits."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backfill.api.app import create_app
from backfill.cli import main
from backfill.execution.outcomes import ErrorInfo, LogLine, RunEnd, RunOutcome, StepOutcome
from backfill.lifecycle import access, backfills
from backfill.lifecycle.moves import Claim, Report
from backfill.roles import Role
from backfill.settings import get_settings
from backfill.states import StepState
from backfill.storage.database import Database
from tests.support.command_line import Run, command_line
from tests.support.databases import SQLiteFiles, one_database
from tests.support.house import NOON, House, steps_ok
from tests.support.loading import loaded
from tests.support.serving import serving
from tests.support.waiting import wait_until

DEFINITIONS = """
from backfill import Partition, PartitionSetDefinition, pipeline, step

@step(config_schema={"day": str})
def extract(context):
    return 1

@step
def store(x):
    return x

@pipeline
def work():
    store(extract())

days = PartitionSetDefinition(
    name="days",
    pipeline_name="work",
    partition_fn=lambda: [Partition(f"day-{n:02}") for n in range(60)],
    run_config_fn_for_partition=lambda p: {"steps": {"extract": {"config": {"day": p.name}}}},
)
"""


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
def run(
    url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> Run:
    """Run a command in this process."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))

    return command_line(url, monkeypatch, capsys)


def claimed(house: House, run: Run, selection: str = "[day-00...day-02]") -> list[Claim]:
    backfill = json.loads(run("submit", "days", "--select", selection, "--json").out)
    house.expand(int(backfill["id"]))
    house.worker("w1@host")
    return house.claim([run_id for message in house.admit() for run_id in message.run_ids])


def succeed(house: House, *claims: Claim) -> None:
    steps = steps_ok("extract", "store")
    outcome = RunOutcome(RunEnd.SUCCEEDED)
    house.record(*[Report(claim, steps=steps, outcome=outcome) for claim in claims])


def fail(house: House, claim: Claim) -> None:
    error = ErrorInfo("ValueError", "no such [bold]day[/bold]\x1b[2J", "Traceback: line 1\n")
    failed = StepOutcome("extract", StepState.FAILED, tries=1, started_at=1, finished_at=2)
    outcome = RunOutcome(RunEnd.FAILED, error=error, failed_step="extract", retryable=False)
    report = Report(claim, steps=[failed], errors=[("extract", 1, 3, error)], outcome=outcome)
    house.record(report)


# -- submitting -----------------------------------------------------------------------------------


def test_submit_shows_the_plan_and_says_how_to_watch(run: Run) -> None:
    printed = run("submit", "days", "--from", "day-10", "--to", "day-19", "--yes")
    assert printed.status == 0
    assert "Backfill 1 submitted: 10 partitions." in printed.out
    assert "days: 10 partitions, day-10 … day-19" in printed.err
    assert "backfill watch 1" in printed.err


def test_submit_as_json_prints_the_answer_of_the_api(run: Run) -> None:
    printed = run(
        "submit", "days", "--partitions", "day-01,day-05", "--max-active", "2",
        "--tags", "team=sales", "--json",
    )  # fmt: skip
    told = json.loads(printed.out)
    assert (told["total"], told["max_active_runs"], told["tags"]) == (2, 2, {"team": "sales"})
    assert printed.err == ""


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["submit", "dayz", "--all"], 'Did you mean "days"?'),
        (["submit", "days", "--partitions", "day-99"], "day-99"),
        (["submit", "days", "--select", "day-01 & day-02"], "select"),
        (["submit", "days"], "Say which partitions"),
        (["submit", "days", "--all", "--steps", "stor"], 'Did you mean "store"?'),
        (["show", "404"], "No backfill 404"),
        (["logs", "404"], "No run 404"),
        (["run", "werk"], 'Did you mean "work"?'),
        (["matrix", "dayz"], 'Did you mean "days"?'),
    ],
)
def test_an_error_is_one_line_on_stderr_and_status_1(
    run: Run, words: list[str], sentence: str
) -> None:
    printed = run(*words)
    assert printed.status == 1
    assert printed.out == ""
    assert sentence in printed.err
    assert len(printed.err.strip().splitlines()) == 1
    assert json.loads(run("list", "--json").out) == []


def test_a_config_of_the_wrong_type_is_refused_with_its_path(run: Run, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("steps: {extract: {config: {day: 5}}}")
    printed = run("submit", "days", "--all", "--yes", "--config", str(config))
    assert printed.status == 1
    assert "steps.extract.config.day" in printed.err
    assert json.loads(run("list", "--json").out) == []


@pytest.mark.parametrize(
    "text", ["- 1", "{", "a: &a [1]\nb: [" + "*a," * 200 + "]", "\t"], ids=range(4)
)
def test_a_config_file_that_is_no_config_is_refused(run: Run, tmp_path: Path, text: str) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(text)
    printed = run("submit", "days", "--all", "--config", str(config))
    assert printed.status == 1
    assert "config.yaml" in printed.err
    assert run("run", "work", "--config", "/nowhere.yaml").status == 1


def test_a_wrong_option_is_a_usage_error(run: Run) -> None:
    assert run("submit", "days", "--max-active", "0").status == 2
    assert run("submit", "days", "--all", "--tags", "nonsense").status == 2
    assert "Did you mean 'submit'?" in run("sbmit").err


def test_a_plan_keeps_nothing(run: Run) -> None:
    printed = run("plan", "days", "--all")
    assert "days: 60 partitions, day-00 … day-59" in printed.out
    assert json.loads(run("plan", "days", "--all", "--json").out)["count"] == 60
    assert json.loads(run("list", "--json").out) == []


def test_a_plan_tells_what_would_run_and_why(run: Run, house: House) -> None:
    claims = claimed(house, run)
    succeed(house, *claims[:2])
    fail(house, claims[2])
    out = run("plan", "days", "--from", "day-00", "--to", "day-04").out
    assert "days: 5 partitions, day-00 … day-04" in out
    assert "2 left out" in out
    assert "day-00 … day-01" in out
    everything = json.loads(run("plan", "days", "--all", "--reprocess", "all", "--json").out)
    assert (everything["count"], everything["reprocess"]) == (60, "all")
    failed = run("submit", "days", "--all", "--reprocess", "failed", "--yes")
    assert "submitted: 1 partition." in failed.out


def test_submitting_what_succeeded_already_says_how_to_run_it_again(run: Run, house: House) -> None:
    succeed(house, *claimed(house, run))
    printed = run("submit", "days", "--select", "[day-00...day-02]", "--yes")
    assert printed.status == 1
    assert "--reprocess all" in printed.err
    assert len(json.loads(run("list", "--json").out)) == 1
    wrong = run("submit", "days", "--all", "--reprocess", "everything")
    assert wrong.status == 1


# -- looking and steering -------------------------------------------------------------------------


def test_backfills_are_listed_and_shown(run: Run, house: House) -> None:
    claims = claimed(house, run)
    succeed(house, *claims[:1])
    fail(house, claims[1])
    house.fold()
    line = run("list").out.splitlines()[1]
    assert line.split()[:4] == ["1", "days", "running", "2/3"]
    shown = run("show", "1").out
    assert "Backfill 1 running" in shown
    assert "no such [bold]day[/bold]\\x1b[2J" in shown
    assert "\x1b" not in shown


def test_the_verbs_say_what_became_of_it(run: Run) -> None:
    run("submit", "days", "--all", "--yes")
    assert run("pause", "1", "--note", "lunch").out == "Backfill 1 is paused.\n"
    assert "lunch" in run("show", "1").out
    assert run("resume", "1").out == "Backfill 1 is running.\n"
    assert run("cancel", "1").out == "Backfill 1 is canceling.\n"
    printed = run("resume", "1")
    assert (printed.status, printed.out) == (1, "")
    assert json.loads(run("show", "1", "--json").out)["state"] == "canceling"


def test_watch_ends_with_the_backfill_and_its_status(run: Run, house: House, url: str) -> None:
    claims = claimed(house, run)
    house.fold()
    with subprocess.Popen(
        [sys.executable, "-m", "backfill.cli", "--url", url, "watch", "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as watching:
        assert watching.stderr is not None
        assert "running: 0 of 3, 3 running" in watching.stderr.readline()
        succeed(house, *claims)
        house.fold()
        backfills.settle(house.db, 1)
        out, _ = watching.communicate(timeout=60)
    assert watching.returncode == 0
    assert "Backfill 1 succeeded: 3 of 3" in out


def test_watching_one_that_failed_is_not_status_0(run: Run, house: House) -> None:
    claims = claimed(house, run, "day-00")
    fail(house, claims[0])
    house.fold()
    backfills.settle(house.db, 1)
    printed = run("watch", "1")
    assert printed.status == 1
    assert "Backfill 1 failed: 1 of 1, 1 failed" in printed.out
    assert run("watch", "1", "--json").status == 1


# -- runs -----------------------------------------------------------------------------------------


def test_a_run_is_launched_and_can_be_canceled(run: Run) -> None:
    printed = run("run", "work", "--set", "days", "--partition", "day-03")
    assert "Run 1 launched" in printed.out
    assert "pending" in run("runs").out
    assert run("cancel", "--run", "1").out == "Run 1 is canceled.\n"


def test_a_launch_of_higher_priority_goes_first(run: Run, house: House) -> None:
    house.worker(slots=1)
    for partition, priority in (("day-00", "0"), ("day-01", "7"), ("day-02", "-3")):
        chosen = ("--set", "days", "--partition", partition, "--priority", priority)
        assert run("run", "work", *chosen).status == 0
    assert run("run", "work", "--priority", "2000").status == 1
    order = [house.run(run_id).partition for m in house.admit() for run_id in m.run_ids]
    assert order == ["day-01", "day-00", "day-02"]


def test_a_log_is_printed_and_never_interpreted(run: Run, house: House) -> None:
    (claim,) = claimed(house, run, "day-00")
    lines = [
        LogLine("extract", 1, "info", "read [red]5[/red] rows"),
        LogLine(None, 2, "error", "\x1b[31m\u202egnorw"),
    ]
    house.record(Report(claim, logs=lines))
    succeed(house, claim)
    out = run("logs", str(claim.run_id), "-f").out
    assert "extract  read [red]5[/red] rows" in out
    assert "\\x1b[31m\\u202egnorw" in out
    assert "extract" in run("logs", str(claim.run_id), "--step", "extract").out
    as_json = run("logs", str(claim.run_id), "--json").out.splitlines()
    assert json.loads(as_json[1])["message"] == lines[1].message


def test_the_steps_of_a_run_show_the_traceback(run: Run, house: House) -> None:
    (claim,) = claimed(house, run, "day-00")
    fail(house, claim)
    out = run("steps", str(claim.run_id)).out
    assert "Traceback: line 1" in out
    assert "ValueError" in out


# -- the matrix -----------------------------------------------------------------------------------


def test_the_matrix_shows_the_newest_partitions_in_words(run: Run, house: House) -> None:
    claims = claimed(house, run, "[day-57...day-59]")
    succeed(house, claims[2])
    fail(house, claims[1])
    lines = run("matrix", "days", "--limit", "4").out.splitlines()
    assert lines[0].split() == ["extract", "store"]
    assert lines[1].split()[:5] == ["day-59", "■", "succeeded", "■", "succeeded"]
    assert lines[2].split()[:3] == ["day-58", "✗", "failed"]
    assert lines[3].split()[:3] == ["day-57", "○", "queued"]
    assert lines[4].split() == ["day-56", "·", "missing", "·", "missing"]
    assert "The newest 4 of 60 partitions" in lines[-1]


def test_the_matrix_fits_80_columns(url: str, house: House, run: Run) -> None:
    claimed(house, run, "day-59")
    printed = subprocess.run(
        [sys.executable, "-m", "backfill.cli", "--url", url, "matrix", "days"],
        env={"COLUMNS": "80", "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=True,
    )
    lines = printed.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[1].split()[:3] == ["day-59", "o", "queued"]


def test_definitions_and_workers_are_listed(run: Run, house: House) -> None:
    assert "extract, store" in run("pipelines").out
    assert run("sets").out.splitlines()[1].split()[:2] == ["days", "work"]
    keys = run("partitions", "days", "--newest-first", "--limit", "2").out
    assert keys == "day-59\nday-58\n"
    assert "No workers" in run("workers").out
    house.worker("w1@host")
    assert "w1@host" in run("workers").out


# -- access ---------------------------------------------------------------------------------------


def test_a_token_is_made_used_and_revoked(
    run: Run, house: House, url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("BACKFILL_DATABASE_URL", house.db.url.render_as_string(hide_password=False))
    get_settings.cache_clear()
    try:
        made = run("tokens", "create", "me", "--role", "admin", "--local")
        assert made.status == 0
        token = made.out.strip()
        wait_until(lambda: run("list").status == 1, "the door to close")
        assert "asks for a token" in run("list").err
        login = run("login", url, "--token", token)
        assert f"Logged in to {url} as me (admin)." in login.out
        assert (tmp_path / "config/backfill/profile.json").stat().st_mode & 0o777 == 0o600
        assert run("list").status == 0
        assert "me" in run("tokens", "list").out
        assert json.loads(run("tokens", "create", "ci", "--role", "viewer", "--json").out)["token"]
        assert run("tokens", "revoke", "ci").out == "ci is revoked.\n"
        assert "POST /api/v1/tokens/ci/revoke" in run("audit").out
        assert (
            'Did you mean "viewer"?'
            in run("tokens", "create", "x", "--role", "vewer", "--local").err
        )
        assert run("logout").out == "Logged out.\n"
        assert run("list").status == 1
    finally:
        get_settings.cache_clear()


def test_login_keeps_no_wrong_token(run: Run, house: House, url: str, tmp_path: Path) -> None:
    access.create_token(house.db, "one", Role.VIEWER)
    wait_until(lambda: run("list").status == 1, "the door to close")
    printed = run("login", url, "--token", "bf_wrong")
    assert printed.status == 1
    assert "not valid" in printed.err
    assert not (tmp_path / "config").exists()


# -- the API's side -------------------------------------------------------------------------------


def test_an_api_that_is_not_there_is_one_clear_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["backfill", "--url", "http://127.0.0.1:9", "list"])
    with pytest.raises(SystemExit) as exited:
        main()
    err = capsys.readouterr().err
    assert exited.value.code == 1
    assert "backfill dev" in err
    assert len(err.strip().splitlines()) == 1


def test_every_json_answer_is_the_document_of_the_api(run: Run, house: House, url: str) -> None:
    import httpx

    claims = claimed(house, run)
    succeed(house, *claims)
    for words, path in {
        ("show", "1"): "backfills/1",
        ("steps", "1"): "runs/1/steps",
        ("matrix", "days"): "partition-sets/days/matrix?order=newest&limit=30",
        ("workers",): "fleet",
    }.items():
        told: Any = json.loads(run(*words, "--json").out)
        answered = httpx.get(f"{url}/api/v1/{path}").json()
        for document in (told, answered):
            document.pop("progress", None)  # its rate follows the clock
        assert told == answered, words
