"""Plans, dynamic partitions and retargeting on the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from backfill.api.app import create_app
from backfill.execution.outcomes import RunEnd
from backfill.lifecycle.dynamic import stored_keys
from backfill.settings import Settings
from backfill.storage.database import Database
from tests.support.command_line import Run, command_line
from tests.support.databases import SQLiteFiles, one_database
from tests.support.ended import ended
from tests.support.house import NOON, House
from tests.support.loading import loaded
from tests.support.serving import serving

DEFINITIONS = """
from backfill import PartitionSetDefinition, pipeline, step
from backfill.definitions.partitions import DailyPartitionsDefinition, DynamicPartitionsDefinition

@step(config_schema={"day": str})
def a(context):
    return context.step_config["day"]

@pipeline
def work():
    a()

def config(partition):
    day = 7 if partition.name.endswith("-13") else partition.name
    return {"steps": {"a": {"config": {"day": day}}}}

days = PartitionSetDefinition(
    name="days",
    pipeline_name="work",
    partitions_def=DailyPartitionsDefinition("2020-01-01", end_date="2021-01-01"),
    run_config_fn_for_partition=config,
)
customers = PartitionSetDefinition(
    name="customers",
    pipeline_name="work",
    partitions_def=DynamicPartitionsDefinition(name="customers"),
    run_config_fn_for_partition=config,
)
"""


@pytest.fixture
def house(sqlite_databases: SQLiteFiles, tmp_path: Path) -> Iterator[House]:
    with one_database(sqlite_databases) as url:
        database = Database(url)
        with loaded(DEFINITIONS, tmp_path, dynamic_keys=stored_keys(database)) as definitions:
            yield House(database, definitions, Settings())
        database.dispose()


@pytest.fixture
def run(
    house: House,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> Iterator[Run]:
    """Run a command in this process, against a real server."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))

    app = create_app(house.settings, house.db, house.definitions, clock=lambda: NOON)
    with serving(app) as url:
        yield command_line(url, monkeypatch, capsys)


def test_a_plan_shows_the_config_of_any_partition(run: Run) -> None:
    printed = run("plan", "days", "--all", "--config-of", "2020-05-05")
    assert "Run config of 2020-05-05:" in printed.out
    assert "day: '2020-05-05'" in printed.out


def test_every_config_is_validated_and_the_first_errors_shown(run: Run) -> None:
    printed = run("plan", "days", "--all", "--validate")
    assert printed.status == 1
    assert "354 of 366 run configs are valid, 12 are not." in printed.out
    assert "2020-01-13" in printed.out
    fine = run("plan", "days", "--from", "2020-01-01", "--to", "2020-01-10", "--validate")
    assert (fine.status, fine.out.splitlines()[-1]) == (
        0,
        "10 of 10 run configs are valid, 0 are not.",
    )


def test_who_asks_for_a_range_again_is_asked_which_of_it(
    run: Run, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended(house, "[2020-01-01...2020-01-05]")
    ended(house, "2020-01-02", RunEnd.FAILED)
    asked: list[str] = []

    def answer(question: str, *_: object, **__: object) -> str:
        asked.append(question)
        return "failed"

    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("typer.prompt", answer)
    monkeypatch.setattr("typer.confirm", lambda *_, **__: True)
    printed = run("submit", "days", "--from", "2020-01-01", "--to", "2020-01-05")
    assert asked == ["Run which of them?"]
    assert "submitted: 1 partition." in printed.out
    run("submit", "days", "--partitions", "2020-03-03")
    assert asked == ["Run which of them?"], "what never ran needs no question"


def test_keys_are_added_and_removed(run: Run) -> None:
    added = run("partitions", "customers", "--add", "a, b", "--add", "ü/1")
    assert added.out == "customers: 2 added.\n"
    assert run("partitions", "customers").out == "a, b\nü/1\n"
    changed = run("partitions", "customers", "--remove", "ü/1", "--remove", "x", "--add", "a, b")
    assert (
        changed.out
        == "customers: 0 added, 1 there already.\ncustomers: 1 removed, 1 gone already.\n"
    )
    refused = run("partitions", "days", "--add", "x")
    assert refused.status == 1
    assert "change with the code" in refused.err


def test_retarget_shows_the_drift_and_adopts_it(run: Run, house: House) -> None:
    run("partitions", "customers", "--add", "ann", "--add", "bob")
    backfill_id = json.loads(run("submit", "customers", "--all", "--json").out)["id"]
    house.expand(int(backfill_id))
    run("partitions", "customers", "--add", "cy", "--remove", "ann")
    looked = run("retarget", backfill_id, "--dry-run")
    assert "1 joined the set (cy)" in looked.out
    assert "1 left it before they ran (ann)" in looked.out
    assert run("retarget", backfill_id, "--yes").out.endswith("1 joined, 1 skipped.\n")
    assert "joined" not in run("retarget", backfill_id).out, "there is nothing left to do"
    told = json.loads(run("retarget", backfill_id, "--json").out)
    assert told == {"added": 0, "skipped": 0, "left": 0, "problem": None}
