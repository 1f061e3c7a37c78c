"""Four years of Seattle's weather, a partition per day: extract, validate, aggregate, store.

The records are real: the file seattle-weather.csv of the package vega_datasets (1461 days, 2012 to
2015). Each day's summary goes to a SQLite file, `weather.db` in the home folder. Storing a day
again overwrites it, so any partition may be run again at any time.

Ask a day to fail by narrowing what counts as plausible, for example with this run config:

    steps: {validate: {config: {max_wind: 8}}}
"""

from __future__ import annotations

import csv
import importlib.util
import os
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from functools import cache
from pathlib import Path
from typing import Any

from backfill import (
    Field,
    Metadata,
    Output,
    Partition,
    PartitionSetDefinition,
    PathValue,
    RetryPolicy,
    pipeline,
    step,
)

Record = Mapping[str, Any]
KINDS = {"drizzle", "fog", "rain", "snow", "sun"}
WEEK = 7


@cache
def records() -> Mapping[str, Record]:
    """Return every day's record by date, read once per process.

    The package is only asked where it lies: importing it would load pandas.
    """
    package = importlib.util.find_spec("vega_datasets")
    if package is None or package.origin is None:
        raise RuntimeError("The weather example needs its data: pip install vega_datasets")
    path = Path(package.origin).parent / "_data" / "seattle-weather.csv"
    with path.open(newline="") as file:
        rows = [_record(row) for row in csv.DictReader(file)]
    return {row["date"]: row for row in rows}


def _record(row: Mapping[str, str]) -> Record:
    numbers = ("precipitation", "temp_max", "temp_min", "wind")
    return {
        "date": row["date"].replace("/", "-"),
        "weather": row["weather"],
        **{name: float(row[name]) for name in numbers},
    }


@step(config_schema={"date": str})
def extract(context: Any) -> list[Record]:
    """Read a day's record and those of the six days before it, oldest first."""
    date = context.step_config["date"]
    days = list(records())
    last = days.index(date)
    week = [records()[day] for day in days[max(0, last - WEEK + 1) : last + 1]]
    context.log.info(f"read {len(week)} records up to {date}")
    return week


@step(
    config_schema={
        "max_wind": Field(float, default_value=50.0, description="metres per second"),
        "max_precipitation": Field(float, default_value=500.0, description="millimetres"),
    }
)
def validate(context: Any, week: list[Record]) -> list[Record]:
    """Refuse a day whose record cannot be right."""
    day = week[-1]
    if problems := list(_problems(day, context.step_config)):
        raise ValueError(f"The record of {day['date']} is not plausible: {', '.join(problems)}")
    return week


def _problems(day: Record, limits: Mapping[str, float]) -> Iterator[str]:
    if day["temp_min"] > day["temp_max"]:
        yield f"temp_min {day['temp_min']} > temp_max {day['temp_max']}"
    if not 0 <= day["precipitation"] <= limits["max_precipitation"]:
        yield f"precipitation {day['precipitation']} mm"
    if not 0 <= day["wind"] <= limits["max_wind"]:
        yield f"wind {day['wind']} m/s"
    if day["weather"] not in KINDS:
        yield f"weather {day['weather']!r}"


@step
def temperature(week: list[Record]) -> dict[str, float]:
    """Compare the day's mean temperature with the week's."""
    means = [_mean([day["temp_min"], day["temp_max"]]) for day in week]
    return {"temperature": means[-1], "temperature_of_week": _mean(means)}


@step
def precipitation(week: list[Record]) -> dict[str, float]:
    """Add up the rain of the week."""
    fallen = [day["precipitation"] for day in week]
    return {"precipitation": fallen[-1], "precipitation_of_week": round(sum(fallen), 2)}


@step
def wind(week: list[Record]) -> dict[str, float]:
    """Find the strongest wind of the week."""
    speeds = [day["wind"] for day in week]
    return {"wind": speeds[-1], "strongest_of_week": max(speeds)}


@step
def aggregate(week: list[Record], measures: list[dict[str, float]]) -> dict[str, Any]:
    """Put the day's measures together."""
    day = week[-1]
    summary: dict[str, Any] = {"day": day["date"], "weather": day["weather"], "days": len(week)}
    for measure in measures:
        summary |= measure
    return summary


@step(
    config_schema={
        "database": Field(
            str, default_value="", description="SQLite file; weather.db in the home folder if empty"
        )
    },
    retry_policy=RetryPolicy(max_retries=3, delay=0.5),
)
def store(context: Any, summary: dict[str, Any]) -> Iterator[Output | Metadata]:
    """Write the day's row, in place of the one that may be there."""
    path = Path(context.step_config["database"] or default_database())
    with closing(_open(path)) as database, database:
        database.execute("BEGIN IMMEDIATE")
        database.execute(_upsert(list(summary)), summary)
    context.log.info(f"stored {summary['day']}: {summary['weather']}")
    yield Metadata(rows=1, file=PathValue(str(path)))
    yield Output(summary["day"])


@pipeline(description="A day of Seattle's weather, with the week before it.")
def seattle_weather() -> None:
    week = validate(extract())
    store(aggregate(week, [temperature(week), precipitation(week), wind(week)]))


def days() -> Sequence[Partition]:
    """Every day there is a record of: 2012-01-01 to 2015-12-31."""
    return [Partition(day) for day in records()]


weather_days = PartitionSetDefinition(
    name="weather_days",
    pipeline_name="seattle_weather",
    partition_fn=days,
    run_config_fn_for_partition=lambda partition: {
        "steps": {"extract": {"config": {"date": partition.name}}}
    },
    tags_fn_for_partition=lambda partition: {"year": partition.name[:4]},
)


def default_database() -> str:
    """Return where the summaries go when the config does not say."""
    return str(Path(os.environ.get("BACKFILL_HOME") or ".backfill") / "weather.db")


COLUMNS = {
    "day": "TEXT PRIMARY KEY",
    "weather": "TEXT NOT NULL",
    "days": "INTEGER NOT NULL",
    "temperature": "REAL NOT NULL",
    "temperature_of_week": "REAL NOT NULL",
    "precipitation": "REAL NOT NULL",
    "precipitation_of_week": "REAL NOT NULL",
    "wind": "REAL NOT NULL",
    "strongest_of_week": "REAL NOT NULL",
}


def _open(path: Path) -> sqlite3.Connection:
    """Open the file so that several workers can write to it: they wait for each other."""
    if not path.exists():
        _create(path)
    database = sqlite3.connect(path, timeout=30, isolation_level=None)
    database.execute("PRAGMA synchronous=NORMAL")
    return database


def _create(path: Path) -> None:
    """Make the file whole and then put it in its place, so that nobody sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        fresh = Path(folder) / path.name
        with closing(sqlite3.connect(fresh)) as database:
            database.execute("PRAGMA journal_mode=WAL")
            columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
            database.execute(f"CREATE TABLE weather ({columns})")
        with suppress(FileExistsError):  # another worker was first
            os.link(fresh, path)


def _upsert(names: Sequence[str]) -> str:
    values = ", ".join(f":{name}" for name in names)
    changes = ", ".join(f"{name} = excluded.{name}" for name in names if name != "day")
    return (
        f"INSERT INTO weather ({', '.join(names)}) VALUES ({values}) "
        f"ON CONFLICT (day) DO UPDATE SET {changes}"
    )


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), 2)
