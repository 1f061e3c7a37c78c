"""Runs of schedules have a priority and take slots of pools like all others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from backfill.lifecycle import tick_runs
from backfill.lifecycle.pooling import set_slots
from backfill.settings import Settings
from backfill.storage.database import decoded
from tests.support.schedules import Ticking, open_ticking

DEFINITIONS = """
from datetime import datetime
from backfill import *

@step(pool="warehouse")
def report(): ...

@pipeline
def reports():
    report()

@daily_schedule("reports", start_date=datetime(2025, 12, 1))
def usual(date):
    return {}

@daily_schedule("reports", start_date=datetime(2025, 12, 1),
                tags_fn_for_date=lambda date: {"backfill/priority": "-3"})
def low(date):
    return {}
"""


@pytest.fixture
def ticking(database_url: str, tmp_path: Path) -> Iterator[Ticking]:
    with open_ticking(database_url, tmp_path, DEFINITIONS) as opened:
        yield opened


def run_of(ticking: Ticking, schedule: str) -> int:
    """Tick a schedule once; return its run."""
    ticking.start(schedule)
    ticking.next(schedule)
    (handled,) = (tick for tick in ticking.tick() if tick.schedule == schedule)
    (run_id,) = handled.run_ids
    return int(run_id)


def test_a_setting_puts_all_schedules_above_or_below(
    ticking: Ticking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tick_runs, "get_settings", lambda: Settings(schedule_priority=50))
    house = ticking.house
    assert house.run(run_of(ticking, "usual")).sort == -50
    assert house.run(run_of(ticking, "low")).sort == 3, "its own tag goes before"


def test_a_scheduled_run_takes_the_pools_of_its_steps(ticking: Ticking) -> None:
    house = ticking.house
    set_slots(house.db, "warehouse", 0)
    run_id = run_of(ticking, "usual")
    assert decoded(house.run(run_id).pools) == {"warehouse": 1}
    assert house.admit() == []
    set_slots(house.db, "warehouse", 1)
    assert house.admitted() == [run_id]
