"""The guide to schedules works as it stands there."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backfill.definitions.calls import TickResult
from backfill.definitions.in_process import LocalDefinitions
from backfill.definitions.registry import Registry

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "schedules.md"


@pytest.fixture
def shown(tmp_path: Path) -> LocalDefinitions:
    """The definitions that the guide shows."""
    blocks = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.S)
    assert len(blocks) == 3
    program = tmp_path / "shown_schedules.py"
    program.write_text("\n".join(blocks))
    return LocalDefinitions(Registry.load(program))


def keys(result: TickResult) -> list[str]:
    return [run.run_key for run in result.runs]


def test_the_schedules_of_the_guide_do_what_it_says(shown: LocalDefinitions) -> None:
    six_in_new_york = datetime(2026, 7, 2, 10, tzinfo=UTC)
    assert keys(shown.evaluate_tick("daily_report", six_in_new_york)) == ["2026-07-01"]
    assert not shown.run_config("daily_report_partitions", "2026-07-01", six_in_new_york).errors
    three_in_berlin = datetime(2026, 7, 2, 1, tzinfo=UTC)
    assert keys(shown.evaluate_tick("follow", three_in_berlin)) == ["2026-07-01"]
    evening = datetime(2026, 7, 2, 18, tzinfo=UTC)
    assert keys(shown.evaluate_tick("again", evening)) == ["2026-06-30", "2026-07-01"]
    august = shown.evaluate_tick("again", datetime(2026, 8, 3, 18, tzinfo=UTC))
    assert august.reason == "nobody works in August"
    assert keys(shown.evaluate_tick("look_now", evening)) == ["now"]


def test_every_option_of_schedules_is_in_the_guide() -> None:
    from backfill.definitions.schedules.definition import ScheduleOptions

    text = GUIDE.read_text()
    assert [name for name in ScheduleOptions.__annotations__ if name not in text] == []


def test_every_command_about_schedules_is_in_the_guide() -> None:
    from typer.main import get_command

    from backfill.cli.app import app

    group = get_command(app).commands["schedules"]  # type: ignore[attr-defined]
    text = GUIDE.read_text()
    assert [name for name in group.commands if f"backfill schedules {name}" not in text] == []
