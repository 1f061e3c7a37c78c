"""The examples do what they say, on their real input."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from backfill import execute_partition
from backfill.definitions.registry import Registry
from backfill.execution.local import RunResult
from backfill.local import example_files

MAY, WEATHER = map(str, example_files())


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry.load([MAY, WEATHER])


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("BACKFILL_HOME", str(tmp_path))
    return tmp_path


def run(registry: Registry, name: str, day: str, config: dict[str, Any] | None = None) -> RunResult:
    chosen = registry.partition_set(name)
    pipeline = registry.pipeline(chosen.pipeline_name)
    return execute_partition(chosen, day, pipeline=pipeline, run_config=config)


def test_the_seeds_program_logs_each_date_of_may(registry: Registry) -> None:
    days = registry.partition_set("date_partition_set").get_partition_names()
    assert (len(days), days[0], days[-1]) == (31, "2020-05-01", "2020-05-31")
    result = run(registry, "date_partition_set", "2020-05-17")
    assert result.success
    assert result.lines() == ["processing data for 2020-05-17", "posting slack message"]


def test_the_weather_has_a_partition_per_day_of_four_years(registry: Registry) -> None:
    days = registry.partition_set("weather_days").get_partition_names()
    assert (len(days), days[0], days[-1]) == (1461, "2012-01-01", "2015-12-31")


def test_a_day_of_weather_is_stored_and_stored_again_in_its_place(
    registry: Registry, home: Path
) -> None:
    for _ in range(2):
        result = run(registry, "weather_days", "2012-01-04")
        assert result.success
        assert result.step("store").metadata is not None
    with closing(sqlite3.connect(home / "weather.db")) as database:
        rows = database.execute(
            "SELECT day, weather, days, temperature, precipitation_of_week FROM weather"
        ).fetchall()
    assert rows == [("2012-01-04", "rain", 4, 8.9, 32.0)]


def test_a_day_fails_where_its_record_is_not_plausible(registry: Registry, home: Path) -> None:
    narrow = {"steps": {"validate": {"config": {"max_wind": 4.0}}}}
    result = run(registry, "weather_days", "2012-01-01", narrow)
    assert not result.success
    error = result.step("validate").error
    assert error is not None
    assert error.message == "The record of 2012-01-01 is not plausible: wind 4.7 m/s"
    assert {o.step for o in result.outcomes.values() if o.state == "skipped"} == {
        *("temperature", "precipitation", "wind", "aggregate", "store")
    }
    assert not (home / "weather.db").exists()
