"""The example with a schedule: the right day's files, in the right day's report."""

from __future__ import annotations

import os
import runpy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from backfill import execute_partition
from backfill.definitions.in_process import LocalDefinitions
from backfill.definitions.registry import Registry

EXAMPLE = Path(__file__).parents[2] / "examples" / "daily_report.py"


@pytest.fixture
def example() -> dict[str, Any]:
    return runpy.run_path(str(EXAMPLE))


def write(file: Path, size: int, *written: int) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"x" * size)
    at = datetime(*written, tzinfo=UTC).timestamp()  # type: ignore[arg-type,misc]
    os.utime(file, (at, at))


def test_a_report_has_the_files_of_its_day_in_its_zone(
    example: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BACKFILL_HOME", str(tmp_path / "home"))
    folder = tmp_path / "data"
    write(folder / "early.log", 10, 2026, 3, 8, 5)  # New York's day begins at 05:00 UTC
    write(folder / "deep" / "late.csv", 2000, 2026, 3, 9, 3, 59)  # and ends at 04:00: it is shorter
    write(folder / "before.log", 1, 2026, 3, 8, 4, 59)
    write(folder / "after.log", 1, 2026, 3, 9, 4)
    write(folder / ".hidden" / "x.log", 1, 2026, 3, 8, 12)
    schedule = example["daily_report"]
    config = {"steps": {"find_files": {"config": {"folder": str(folder)}}}}
    result = execute_partition(
        schedule.partition_set, "2026-03-08", run_config=config, pipeline=example["report_of_a_day"]
    )
    assert result.success, result.exception
    report = (tmp_path / "home" / "reports" / "2026-03-08.md").read_text()
    assert report == (
        "# 2026-03-08\n\n2 files, 2,010 bytes.\n\n- .csv: 2,000 bytes\n- .log: 10 bytes\n\n"
        "The largest:\n\n- `deep/late.csv`: 2,000 bytes\n- `early.log`: 10 bytes\n"
    )
    assert [file.name for file in (tmp_path / "home" / "reports").iterdir()] == ["2026-03-08.md"]


def test_its_schedule_runs_yesterday_at_six_in_new_york() -> None:
    definitions = LocalDefinitions(Registry.load(EXAMPLE))
    info = definitions.catalog().schedule("daily_report")
    assert (info.cron, info.timezone, info.catch_up) == ("0 6 * * *", "America/New_York", "all")
    result = definitions.evaluate_tick("daily_report", datetime(2026, 7, 2, 10, tzinfo=UTC))
    assert [(run.partition, run.tags) for run in result.runs] == [
        ("2026-07-01", {"weekday": "Wednesday"})
    ]
