"""`python -m benchmarks.all [--quick]`: every benchmark in a process of its own, one after another.

Ends with what is met and what is not. `--quick` takes small sizes and less than five minutes: it
shows that all of them work, and its figures are no measurements.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.goals import Row, parser, row, tell

NAMES = (
    "throughput",
    "latency",
    "scale",
    "workers",
    "dispatch",
    "matrix",
    "partitions",
    "sqlite",
)
QUICK: Mapping[str, Sequence[str]] = {"partitions": ()}
SECONDS = {True: 120.0, False: 7_200.0}  # one benchmark may take, quick or not


def run(name: str, *, quick: bool) -> dict[str, Any]:
    """Run one benchmark; return its JSON document.

    Raises:
        RuntimeError: It failed; with the end of what it said.
    """
    command = [sys.executable, "-m", f"benchmarks.{name}", "--json"]
    command += QUICK.get(name, ("--quick",)) if quick else ()
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=SECONDS[quick]
        )
    except subprocess.TimeoutExpired as error:  # its programs are on a leash and end with it
        raise RuntimeError(f"benchmarks.{name} took longer than {error.timeout:g} s.") from None
    if not done.stdout.strip().startswith("{"):
        raise RuntimeError(f"benchmarks.{name} failed: {done.stderr[-2000:]}")
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def rows_of(name: str, document: dict[str, Any]) -> list[Row]:
    """Return the rows of a document that have a goal, in one form."""
    if name == "partitions":
        return [
            row(f"{name}: {m['name']}, cold", m["cold_ms"], "ms", at_most=20, peak_mb=m["peak_mb"])
            for m in document["measures"]
        ]
    return [
        {**r, "what": f"{name}: {r['what']}"} for r in document["rows"] if r["goal"] is not None
    ]


def main() -> int:
    """Run all; return 1 when one of them failed to work, whatever it measured."""
    asked = parser(__doc__).parse_args()
    rows: list[Row] = []
    failed = []
    started = time.monotonic()
    for name in NAMES:
        print(f"benchmarks.{name} …", file=sys.stderr, flush=True)
        try:
            rows += rows_of(name, run(name, quick=asked.quick))
        except RuntimeError as error:
            failed.append(name)
            print(error, file=sys.stderr)
    met = sum(r["met"] is True for r in rows)
    seconds = round(time.monotonic() - started)
    facts = {"met": met, "of": len(rows), "seconds": seconds, "failed": failed}
    tell("all", rows, as_json=asked.json, **facts)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
