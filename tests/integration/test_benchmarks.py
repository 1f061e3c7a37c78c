"""The benchmarks work: at sizes of tens of runs, each checks what it claims; nothing is timed."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks import (
    all as all_of_them,
)
from benchmarks import (
    dispatch,
    goals,
    latency,
    matrix,
    scale,
    sqlite,
    throughput,
    windows,
    workers,
)

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(400)]  # they start whole systems


def figures(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Return what was measured by name, having seen that every row is whole."""
    for row in rows:
        assert {"what", "measured", "unit", "goal", "met"} <= set(row)
        assert (row["goal"] is None) == (row["met"] is None)
    return {row["what"]: row["measured"] for row in rows}


def test_latency_measures_idle_and_busy_probes_of_both_kinds() -> None:
    found = figures(latency.bench(samples=1, pending=50))
    assert len(found) == 16
    assert all(value >= 0 for value in found.values())


def test_scale_measures_every_size_and_fits_the_cost() -> None:
    grown = [scale.grow(size, seconds=60.0) for size in (20, 40)]
    found = figures(scale.rows_of(grown))
    assert found["20: settled"] > 0
    assert found["40: memory of coordinator"] > 0
    assert "CPU per run, 20 to 40: grows by" in found


def test_workers_measures_a_share_of_the_ideal() -> None:
    row = workers.bench(2, 30, packing=False)
    assert figures([row])
    assert row["runs"] == 30


def test_dispatch_measures_the_database_time_of_admission() -> None:
    found = figures(dispatch.bench(12_000, 1))
    assert found["runs a turn"] > 0


def test_matrix_measures_pages_and_overviews_while_runs_go_on() -> None:
    assert len(figures(matrix.bench(2_500, 2, 40))) == 14


def test_throughput_compares_with_celery_alone() -> None:
    found = throughput.bench(partitions=80, rounds=1, seconds=60.0, modes=("packed", "bare"))
    told = figures(throughput.rows_of(found))
    assert told["backfill, packed, against bare Celery, nothing recorded"] > 0
    assert told["backfill, packed: CPU per run, all processes and the database"] > 0


def test_sqlite_compares_the_embedded_database() -> None:
    found = throughput.bench(
        partitions=80, rounds=1, seconds=60.0, sqlite=True, modes=("packed", "bare")
    )
    assert figures(sqlite.rows_of(found))["packed, against bare Celery"] > 0


def test_the_keys_of_the_windows_are_those_of_the_set() -> None:
    namespace: dict[str, Any] = {}
    exec(windows.DEFINITIONS, namespace)
    keys = namespace[windows.SET].key_space(windows.now())
    assert len(keys) > windows.MOST
    assert keys.slice(700_000, 700_001) == [windows.key(700_000)]


def test_all_tells_the_goals_of_every_benchmark_in_one_form() -> None:
    reached = goals.row("speed", 3.0, "x", at_least=2)
    missed = goals.timings("wait", [0.5, 0.6], p95_ms=100)
    assert (reached["met"], missed["met"], missed["measured"]) == (True, False, 600.0)
    rows = all_of_them.rows_of("scale", {"rows": [reached, missed, goals.row("n", 1, "runs")]})
    assert [row["what"] for row in rows] == ["scale: speed", "scale: wait"]
