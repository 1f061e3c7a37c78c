"""`python -m benchmarks.sqlite`: the work of `benchmarks.throughput` on the embedded database."""

from __future__ import annotations

from typing import Any

from benchmarks.goals import Row, parser, row, tell
from benchmarks.throughput import bench


def rows_of(measured: list[dict[str, Any]]) -> list[Row]:
    """Return the rows of a throughput measurement with the goal of SQLite."""
    ours = measured[0]
    rows = [row("packed, against bare Celery", ours["x_bare"], "x", at_least=2)]
    for found in measured:
        peak = max(found["peak_mb"].values())
        rows.append(
            row(
                found["who"],
                found["runs_per_s"],
                "runs/s",
                x_bare=found["x_bare"],
                cpu_ms_per_run=found["cpu_ms_per_run"],
                cpu_split=found["cpu_split"],
                peak_mb=peak,
            )
        )
    return rows


def main() -> None:
    """Print the rates beside bare Celery's."""
    arguments = parser(__doc__)
    arguments.add_argument("--partitions", type=int, help="of the packed backfill (default 20,000)")
    arguments.add_argument("--rounds", type=int, help="default 3")
    asked = arguments.parse_args()
    measured, _ = bench(
        partitions=asked.partitions or (2_000 if asked.quick else 20_000),
        rounds=asked.rounds or (1 if asked.quick else 3),
        processes=2,
        seconds=300.0,
        sqlite=True,
    )
    tell("sqlite", rows_of(measured), as_json=asked.json)


if __name__ == "__main__":
    main()
