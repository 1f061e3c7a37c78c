"""Rows of a benchmark: what was measured, the goal, and whether it is met."""

from __future__ import annotations

import argparse
import json
import math
import statistics
from collections.abc import Sequence
from typing import Any

from benchmarks.harness import table

Row = dict[str, Any]


def row(
    what: str,
    measured: float,
    unit: str,
    *,
    at_most: float | None = None,
    at_least: float | None = None,
    **facts: Any,
) -> Row:
    """Return a row; without a goal, `goal` and `met` are None."""
    goal = at_most if at_most is not None else at_least
    met = None
    if at_most is not None:
        met = measured <= at_most
    elif at_least is not None:
        met = measured >= at_least
    sign = "" if goal is None else "<=" if at_most is not None else ">="
    return {
        "what": what,
        "measured": _rounded(measured),
        "unit": unit,
        "goal": None if goal is None else f"{sign} {goal:g}",
        "met": met,
        **facts,
    }


def _rounded(value: float) -> float:
    """Keep three digits that say something."""
    if not value or not math.isfinite(value):
        return value
    return round(value, max(0, 2 - math.floor(math.log10(abs(value)))))


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that `share` (0 to 1) of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, math.ceil(share * len(ordered)) - 1))]


def timings(
    what: str, seconds: Sequence[float], *, p95_ms: float | None = None, **facts: Any
) -> Row:
    """Return a row of latencies: its figure is p95 in milliseconds, p50 stands beside it."""
    return row(
        what,
        percentile(seconds, 0.95) * 1e3,
        "ms p95",
        at_most=p95_ms,
        p50=round(statistics.median(seconds) * 1e3, 1),
        samples=len(seconds),
        **facts,
    )


def parser(about: str | None) -> argparse.ArgumentParser:
    """Return a parser with what every benchmark takes."""
    made = argparse.ArgumentParser(description=(about or "").split("\n")[0])
    made.add_argument("--json", action="store_true", help="one JSON document")
    made.add_argument("--quick", action="store_true", help="small sizes: does it work at all")
    return made


def tell(title: str, rows: Sequence[Row], *, as_json: bool, **facts: Any) -> None:
    """Print the rows as a table, or as one JSON document."""
    if as_json:
        print(json.dumps({"benchmark": title, "rows": list(rows), **facts}, indent=2))
        return
    shown = ("what", "measured", "unit", "goal", "met")
    print(f"\n{title}")
    print(table([{**{n: _shown(r[n]) for n in shown}, "more": _more(r, shown)} for r in rows]))
    for name, value in facts.items():
        print(f"{name}: {value}")


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "NO"
    return f"{value:,}" if isinstance(value, (int, float)) else str(value)


def _more(found: Row, shown: Sequence[str]) -> str:
    return "  ".join(f"{name}={found[name]}" for name in found if name not in shown)
