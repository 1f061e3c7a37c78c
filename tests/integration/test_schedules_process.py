"""Schedules whose code lives in a process of its own: selectors that hang, crash or wait."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from backfill.coordinator.scheduling import Scheduler
from backfill.definitions.process import DefinitionsProcess
from backfill.errors import DefinitionsUnavailable
from backfill.lifecycle import schedules
from backfill.lifecycle.schedules import tick_all
from tests.support.databases import SQLiteFiles, one_database
from tests.support.schedules import Ticking, open_ticking
from tests.support.waiting import wait_until

SELECTORS = """
import os
import threading
from pathlib import Path
from backfill import *
from tests.support.waiting import wait_until

HERE = Path(__file__).parent

@step
def report(): ...

@pipeline
def reports():
    report()

days = PartitionSetDefinition(
    "days", "reports", partitions_def=DailyPartitionsDefinition("2025-12-01")
)

def hang(context, found):
    threading.Event().wait()

def crash(context, found):
    os._exit(3)

def wait(context, found):
    (HERE / "asked").touch()
    wait_until((HERE / "answer").exists, "the answer")
    return last(context, found)

def last(context, found):
    return found.get_partitions(context.scheduled_execution_time)[-1]

hanging = days.create_schedule_definition("hanging", "0 * * * *", hang)
crashing = days.create_schedule_definition("crashing", "0 * * * *", crash)
patient = days.create_schedule_definition("patient", "0 * * * *", wait)
quick = days.create_schedule_definition("quick", "0 * * * *", last)
"""


@pytest.fixture
def ticking(sqlite_databases: SQLiteFiles, tmp_path: Path) -> Iterator[Ticking]:
    with one_database(sqlite_databases) as url, open_ticking(url, tmp_path, SELECTORS) as opened:
        yield opened


def selectors(folder: Path, *, call_seconds: float) -> DefinitionsProcess:
    file = folder / "selectors.py"
    file.write_text(SELECTORS)
    return DefinitionsProcess(file, call_seconds=call_seconds, children=1)


def test_selectors_that_hang_or_crash_fail_their_ticks_and_no_other(
    ticking: Ticking, tmp_path: Path
) -> None:
    ticking.start("crashing", "hanging", "quick")
    ticking.next("quick")
    with selectors(tmp_path, call_seconds=0.3) as definitions:
        handled = {h.schedule: h for h in tick_all(ticking.db, definitions)}
    assert ticking.partitions("quick") == ["2025-12-31"]
    hanging, crashing = handled["hanging"], handled["crashing"]
    assert (hanging.state, crashing.state) == ("failure", "failure")
    assert hanging.reason is not None
    assert 'Schedule "hanging" did not answer within 0.3 s' in hanging.reason
    assert "hang (" in (hanging.error or "")
    assert "ended its process (exit status 3)" in (crashing.reason or "")


def test_a_selector_that_takes_its_time_holds_up_nothing_but_its_tick(
    ticking: Ticking, tmp_path: Path
) -> None:
    ticking.start("patient")
    ticking.next("patient")
    with selectors(tmp_path, call_seconds=30) as definitions:
        scheduler = Scheduler(ticking.db, definitions)
        assert scheduler.turn() is False
        wait_until((tmp_path / "asked").exists, "the selector to be asked")
        assert ticking.states("patient") == ["started"]
        assert scheduler.turn() is False  # the turn before is still under way
        (tmp_path / "answer").touch()
        wait_until(lambda: ticking.states("patient") == ["success"], "the tick")
        scheduler.close()
    assert ticking.partitions("patient") == ["2025-12-31"]


def test_a_shutdown_in_the_middle_of_a_selector_leaves_the_tick_to_the_next(
    ticking: Ticking, tmp_path: Path
) -> None:
    ticking.start("patient")
    ticking.next("patient")
    definitions = selectors(tmp_path, call_seconds=30)
    scheduler = Scheduler(ticking.db, definitions)
    scheduler.turn()
    wait_until((tmp_path / "asked").exists, "the selector to be asked")
    scheduler.close()
    definitions.close()
    wait_until(lambda: "schedules" not in {t.name for t in threading.enumerate()}, "the turn")
    assert ticking.states("patient") == ["started"]
    (tmp_path / "answer").touch()
    ticking.tick()
    assert ticking.states("patient") == ["success"]


def test_code_that_cannot_be_loaded_fails_no_tick(ticking: Ticking, tmp_path: Path) -> None:
    ticking.start("quick")
    ticking.next("quick")
    broken = tmp_path / "broken.py"
    broken.write_text("from backfill import nothing_of_the_kind")
    with DefinitionsProcess(broken) as definitions:
        for act in (
            lambda: list(tick_all(ticking.db, definitions)),
            lambda: schedules.start(ticking.db, definitions, "quick"),
        ):
            with pytest.raises(DefinitionsUnavailable, match="nothing_of_the_kind"):
                act()
        assert schedules.stop(ticking.db, definitions, "quick") is True
    assert ticking.ticks("quick") == []
