"""Runs happen in this process here, so pytest and pdb work as ever."""

from __future__ import annotations

import json
from pathlib import Path

from pipelines import sales_days

from backfill import execute_partition


def test_a_day_is_reported() -> None:
    result = execute_partition(sales_days, "2026-01-05")
    assert result.success
    report = json.loads(Path(result.output("report")).read_text())
    assert report["total"] > 0
