"""`python -m benchmarks.partitions`: ten years of five-minute partitions, and what they cost.

Over a million keys with the clock changes of New York. Every figure is measured twice: cold (a
fresh process's first time) and warm. Memory is what Python allocated on the way, at its peak.
The budget of each is 20 ms and 5 MB; the exit code says whether all keep it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from backfill.definitions.partitions import TimeWindowPartitionsDefinition
from backfill.definitions.partitions.keyspace import TimeWindowKeys
from backfill.definitions.selection import evaluate, parse

NOW = datetime(2024, 1, 1, tzinfo=UTC)
KEY = "2019-11-03-01:05-0500"
PAGE = 120
DAYS_30 = 30 * 288
BUDGET_MS = 20.0
BUDGET_MB = 5.0


def space() -> TimeWindowKeys:
    """Define the set and return its keys, computed from nothing."""
    return TimeWindowPartitionsDefinition(
        start="2014-01-01-00:00",
        fmt="%Y-%m-%d-%H:%M",
        cron_schedule="*/5 * * * *",
        timezone="America/New_York",
    ).key_space(NOW)


MEASURES: dict[str, Callable[[], Any]] = {
    "count": lambda: len(space()),
    "last page": lambda: space().slice(len(space()) - PAGE, len(space()))[-1],
    "index of a key": lambda: space().index_of(KEY),
    "30-day range": lambda: len(space().slice(600_000, 600_000 + DAYS_30)),
    "selection of a month": lambda: len(evaluate(parse("2019-11-*"), space(), now=NOW)),
}


def measure(name: str) -> dict[str, Any]:
    """Measure one in this process: time first, then memory, then time again."""
    question = MEASURES[name]
    cold, answer = _milliseconds(question)
    warm = min(_milliseconds(question)[0] for _ in range(5))
    tracemalloc.start()
    question()
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    return {"name": name, "cold_ms": cold, "warm_ms": warm, "peak_mb": peak, "answer": answer}


def _milliseconds(question: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    answer = question()
    return (time.perf_counter() - started) * 1e3, answer


def main() -> int:
    """Measure each in a process of its own and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", choices=sorted(MEASURES), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.only:
        print(json.dumps(measure(given.only)))
        return 0
    rows = [_in_a_fresh_process(name) for name in MEASURES]
    kept = all(row["cold_ms"] < BUDGET_MS and row["peak_mb"] < BUDGET_MB for row in rows)
    if given.json:
        print(json.dumps({"partitions": rows[0]["answer"], "kept": kept, "measures": rows}))
        return 0 if kept else 1
    print(
        f"{rows[0]['answer']:,} partitions of 5 minutes; budget {BUDGET_MS:g} ms, {BUDGET_MB:g} MB"
    )
    print(f"{'':24}{'cold':>10}{'warm':>10}{'peak':>10}")
    for row in rows:
        times = f"{row['cold_ms']:>7.2f} ms{row['warm_ms']:>7.2f} ms"
        print(f"{row['name']:24}{times}{row['peak_mb']:>7.2f} MB  {row['answer']}")
    return 0 if kept else 1


def _in_a_fresh_process(name: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.partitions", "--only", name]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    row: dict[str, Any] = json.loads(done.stdout)
    return row


if __name__ == "__main__":
    sys.exit(main())
