"""Runs over ranges: neighbouring partitions executed together, each with a run of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from backfill.errors import Invalid
from backfill.execution import capture
from backfill.lifecycle import moves, retrying, spanning
from backfill.lifecycle.admission import Admitter
from backfill.lifecycle.moves import Claim
from backfill.lifecycle.repartitioning import add_partitions
from backfill.lifecycle.retrying import RetryRequest
from backfill.lifecycle.runs import cancel_run
from backfill.settings import Settings
from backfill.states import BackfillState
from backfill.storage.database import Database
from tests.support.house import NOON, House
from tests.support.loading import loaded
from workers.runner import Runner
from workers.slots import Board

DEFINITIONS = """
import json
from pathlib import Path

from backfill import (
    BackfillPolicy, DailyPartitionsDefinition, Partition, PartitionSetDefinition, pipeline, step,
)

HERE = Path(__file__).parent

@step(config_schema={"what": str})
def extract(context):
    keys = list(context.partition_keys)
    window = None
    if context.partition_set in ("dated", "told"):
        window = [t.date().isoformat() for t in context.partition_time_window]
    line = {"keys": keys, "what": context.step_config["what"], "window": window}
    with (HERE / "executed").open("a") as file:
        file.write(json.dumps(line) + "\\n")
    return keys

@step
def load(context, keys):
    for key in keys:
        if key in ("day-02", "day-05") and not (HERE / "mended").exists():
            context.report_partition(key, "failed", "no rows")
        else:
            context.report_partition(key, "succeeded")
    if (HERE / "broken").exists():
        raise OSError("the disk is full")

@pipeline
def work():
    load(extract())

def config(what):
    return {"steps": {"extract": {"config": {"what": what}}}}

days = PartitionSetDefinition(
    name="days",
    pipeline_name="work",
    partition_fn=lambda: [Partition(f"day-{n:02}") for n in range(10)],
    run_config_fn_for_range=lambda parts: config(f"{parts[0].name} to {parts[-1].name}"),
    backfill_policy=BackfillPolicy.multi_run(3),
)
dated = PartitionSetDefinition(
    name="dated",
    pipeline_name="work",
    partitions_def=DailyPartitionsDefinition("2025-12-01"),
    run_config_fn_for_partition=lambda p: config(f"{p.name} {p.value.start:%d}-{p.value.end:%d}"),
)
single = PartitionSetDefinition(
    name="single",
    pipeline_name="work",
    partition_fn=lambda: [f"day-{n:02}" for n in range(10)],
    run_config_fn_for_partition=lambda p: config(p.name),
)
"""


@dataclass
class Office:
    """A house, and one worker process's runner in it."""

    house: House
    folder: Path
    runner: Runner

    def submit(self, selection: str, set_name: str = "days", **wanted: object) -> int:
        backfill_id = self.house.submit(selection, set_name, **wanted)
        while self.house.expand(backfill_id) is not None:
            pass
        return backfill_id

    def work(self) -> list[int]:
        """Execute everything; return how many runs each message carried."""
        sizes: list[int] = []
        while messages := self.house.admit():
            for message in messages:
                sizes.append(len(message.run_ids))
                self.runner.handle(message.run_ids)
                assert self.runner.flush()
        return sizes

    def executed(self) -> list[str]:
        lines = (self.folder / "executed").read_text().splitlines()
        return [" ".join(json.loads(line)["keys"]) for line in lines]

    def told(self, what: str) -> list[object]:
        lines = (self.folder / "executed").read_text().splitlines()
        return [json.loads(line)[what] for line in lines]

    def ends(self, backfill_id: int) -> dict[str, str]:
        rows = self.house.rows(
            "SELECT partition, state FROM runs WHERE backfill_id = :id ORDER BY partition",
            id=backfill_id,
        )
        return {row.partition: row.state for row in rows}


@pytest.fixture
def office(database: Database, database_url: str, tmp_path: Path) -> Iterator[Office]:
    with loaded(DEFINITIONS, tmp_path) as definitions:
        source = next(tmp_path.glob("definitions_*.py"))
        settings = Settings(home=tmp_path, database_url=database_url, definitions=str(source))
        house = House(database, definitions, settings)
        board = Board()
        board.worker_id = house.worker(slots=8)
        opened = Office(house, tmp_path, Runner(settings, board.slot(0), board.worker_id))
        yield opened
        opened.runner.close()
        capture.uninstall()
        house.fold()
        assert house.sick() == []


def test_neighbours_are_executed_together_and_never_across_a_gap(office: Office) -> None:
    (office.folder / "mended").touch()
    backfill_id = office.submit("[day-00...day-04], [day-06...day-07]")
    assert office.work() == [3, 2, 2]
    assert office.executed() == [
        "day-00 day-01 day-02",
        "day-03 day-04",
        "day-06 day-07",
    ]
    assert office.told("what")[0] == "day-00 to day-02"
    assert set(office.ends(backfill_id).values()) == {"succeeded"}
    assert office.house.settle(backfill_id) is BackfillState.SUCCEEDED
    outcomes = office.house.row("SELECT count(*) AS n FROM step_outcomes").n
    assert outcomes == 7 * 2, "every partition has its boxes"


def test_all_neighbours_go_in_one_run_with_the_window_of_all(office: Office) -> None:
    (office.folder / "mended").touch()
    office.submit("[2025-12-03...2025-12-07]", "dated", partitions_per_run=0)
    assert office.work() == [5]
    assert office.told("what") == ["2025-12-03...2025-12-07 03-08"]
    assert office.told("window") == [["2025-12-03", "2025-12-08"]]


def test_a_partition_that_a_step_reports_fails_alone_and_is_retried_alone(office: Office) -> None:
    backfill_id = office.submit("[day-00...day-05]")
    office.work()
    ends = office.ends(backfill_id)
    assert [key for key, state in ends.items() if state == "failed"] == ["day-02", "day-05"]
    run = office.house.row("SELECT * FROM runs WHERE partition = 'day-02'")
    assert run.error_message == 'partition "day-02" failed: no rows'
    assert office.house.settle(backfill_id) is BackfillState.FAILED
    (office.folder / "mended").touch()
    retrying.retry(office.house.db, office.house.definitions, backfill_id, RetryRequest())
    assert retrying.retry_chunk(office.house.db, backfill_id, limit=10) == 2
    assert office.work() == [1, 1]
    assert office.executed()[-2:] == ["day-02", "day-05"]
    assert office.house.settle(backfill_id) is BackfillState.SUCCEEDED


def test_a_partition_that_succeeded_before_its_step_failed_stays_so(office: Office) -> None:
    (office.folder / "broken").touch()
    backfill_id = office.submit("[day-00...day-02]")
    office.work()
    assert office.ends(backfill_id) == {
        "day-00": "succeeded",
        "day-01": "succeeded",
        "day-02": "failed",
    }


def test_the_holds_of_all_partitions_are_taken_or_none(office: Office) -> None:
    house = office.house
    other = house.submit("day-01", "days", partitions_per_run=1)
    house.expand(other)
    (claim,) = house.claim(house.admitted())
    office.submit("[day-00...day-02]")
    assert house.admit() == []
    held = house.rows("SELECT run_id FROM partition_holds")
    assert [row.run_id for row in held] == [claim.run_id]
    (office.folder / "mended").touch()
    house.succeed(claim)
    house.fold()
    assert office.work() == [3]


def test_a_limit_counts_executions(office: Office) -> None:
    house = office.house
    office.submit("[day-00...day-08]", max_active_runs=2)
    messages = house.db.transact(Admitter(house.db, house.settings).turn)
    assert [len(message.run_ids) for message in messages] == [3, 3]
    assert house.admit() == []


def test_a_crash_is_charged_and_the_runs_stay_together(office: Office) -> None:
    house = office.house
    backfill_id = office.submit("[day-00...day-02]")
    claims: list[Claim] = house.claim(house.admitted())
    assert len(claims) == 3
    house.db.transact(lambda conn: moves.lose(house.db, conn, [claims[0].token], max_crashes=3))
    rows = house.rows("SELECT crashes, alone FROM runs WHERE backfill_id = :id", id=backfill_id)
    assert [(row.crashes, bool(row.alone)) for row in rows] == [(1, False)] * 3
    assert house.admit() == [], "they wait a moment"
    with house.db.write() as conn:
        conn.execute(house.db.sql("UPDATE runs SET available_at = 0"))
    house.wake()
    (message,) = house.admit()
    assert len(message.run_ids) == 3


def test_a_canceled_partition_does_not_take_its_neighbours_along(office: Office) -> None:
    (office.folder / "mended").touch()
    backfill_id = office.submit("[day-00...day-02]")
    (message,) = office.house.admit()
    cancel_run(office.house.db, message.run_ids[1])
    office.runner.handle(message.run_ids)
    assert office.runner.flush()
    assert office.executed() == ["day-00", "day-02"], "what is left are no neighbours"
    assert office.ends(backfill_id)["day-01"] == "canceled"


def test_partitions_that_are_added_are_executed_together_too(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = office.house
    (office.folder / "mended").touch()
    backfill_id = office.submit("[day-00...day-01]", partitions_per_run=0)
    assert office.work() == [2]

    def add(selection: str) -> None:
        add_partitions(house.db, house.definitions, backfill_id, selection, at=NOON, limit=99)

    add("[day-02...day-05]")
    while house.expand(backfill_id) is not None:
        pass
    assert office.work() == [4]
    monkeypatch.setattr(spanning, "MOST_TOGETHER", 3)
    with pytest.raises(Invalid, match="One run takes at most 3 partitions, and 4"):
        add("[day-06...day-09]")


def test_what_does_not_go_together_is_refused(office: Office) -> None:
    contrary: list[tuple[dict[str, Any], str]] = [
        ({"sequential": True}, "do not go with sequential"),
        ({"canary": 2}, "do not go with a canary"),
        ({"ordering": "listed"}, "do not go with the order listed"),
        ({"partitions_per_run": -1}, "is 1 to 4,000, or all"),
    ]
    for wanted, told in contrary:
        with pytest.raises(Invalid, match=told):
            office.house.submit("all", "days", **wanted)
    with pytest.raises(Invalid, match="give it a run_config_fn_for_range"):
        office.house.submit("all", "single", partitions_per_run=5)
    assert office.house.submit("all", "days", sequential=True, partitions_per_run=1)
