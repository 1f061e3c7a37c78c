"""`python -m benchmarks.sqlite`: the work of `benchmarks.throughput` on the embedded database."""

from __future__ import annotations

from benchmarks.goals import Row, parser, row, tell
from benchmarks.throughput import Measured, bench, rates_of

MODES = ("packed", "single", "bare")


def rows_of(found: dict[str, Measured]) -> list[Row]:
    """Return the rows of a throughput measurement with the goal of SQLite."""
    ratio = found["packed"].rate / found["bare"].rate
    return [row("packed, against bare Celery", ratio, "x", at_least=2)] + rates_of(
        found, cpu_goal=None
    )


def main() -> None:
    """Print the rates beside bare Celery's."""
    arguments = parser(__doc__)
    arguments.add_argument("--partitions", type=int, help="of the packed backfill (default 20,000)")
    arguments.add_argument("--rounds", type=int, help="default 3")
    asked = arguments.parse_args()
    found = bench(
        partitions=asked.partitions or (2_000 if asked.quick else 20_000),
        rounds=asked.rounds or (1 if asked.quick else 3),
        sqlite=True,
        modes=MODES,
    )
    tell("sqlite", rows_of(found), as_json=asked.json)


if __name__ == "__main__":
    main()
