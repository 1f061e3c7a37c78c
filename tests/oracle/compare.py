"""Compares keys, windows and counts of random definitions with those of Dagster 1.x.

    python -m tests.oracle.compare [--cases 300] [--seed 1] [--python PATH]

Dagster answers from a separate environment: the interpreter given, or one made for the occasion
in a temporary folder. Exits with 1 when a difference is not one of `differences`.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from backfill.definitions import partitions
from tests.oracle.building import answers, build
from tests.oracle.cases import Case, random_case
from tests.oracle.differences import explain

DAGSTER = "dagster>=1.13,<2"
_SIDE = Path(__file__).with_name("dagster_side.py")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2, help="processes that ask Dagster")
    parser.add_argument("--python", help="an interpreter that has Dagster 1.x")
    given = parser.parse_args(arguments)
    rng = random.Random(given.seed)
    cases = [random_case(rng) for _ in range(given.cases)]
    with tempfile.TemporaryDirectory(prefix="oracle-") as folder:
        python = given.python or _environment(Path(folder))
        theirs = _ask_dagster(python, cases, given.jobs)
    return _report(cases, theirs)


def _environment(folder: Path) -> str:
    """Make an environment with Dagster and return its interpreter."""
    python = folder / "bin" / "python"
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    if uv is not None:
        subprocess.run([uv, "venv", "-q", "--python", sys.executable, folder], check=True)
        subprocess.run([uv, "pip", "install", "-q", "--python", python, DAGSTER], check=True)
    else:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", DAGSTER], check=True)
    return str(python)


def _ask_dagster(python: str, cases: Sequence[Case], jobs: int) -> list[dict[str, Any]]:
    parts = [cases[job::jobs] for job in range(jobs)]
    processes = [
        subprocess.Popen([python, _SIDE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in parts
    ]
    for process, part in zip(processes, parts, strict=True):
        assert process.stdin is not None
        process.stdin.write(json.dumps([case.as_json() for case in part]))
        process.stdin.close()
    told: list[dict[str, Any]] = [{} for _ in cases]
    for job, process in enumerate(processes):
        assert process.stdout is not None
        told[job::jobs] = [json.loads(line) for line in process.stdout]
        if process.wait():
            raise SystemExit(f"Dagster's side ended with {process.returncode}.")
    return told


def _report(cases: Sequence[Case], theirs: Sequence[dict[str, Any]]) -> int:
    outcomes: Counter[str] = Counter()
    keys = 0
    for case, other in zip(cases, theirs, strict=True):
        schedule, ours = _answer(case)
        keys += len(ours.get("keys", ()))
        if ours == other:
            outcomes["equal"] += 1
            continue
        name = explain(case, schedule, ours, other)
        outcomes[name or "UNEXPLAINED"] += 1
        if name is None:
            print(_shown(case, ours, other))  # noqa: T201
    print(f"{len(cases)} definitions, {keys:,} keys:")  # noqa: T201
    for name, count in sorted(outcomes.items(), key=lambda item: -item[1]):
        print(f"  {count:5} {name}")  # noqa: T201
    return 1 if outcomes["UNEXPLAINED"] else 0


def _answer(case: Case) -> tuple[str, dict[str, Any]]:
    try:
        definition = build(partitions, case.kind, case.arguments)
        found = answers(
            definition, case.now, case.moments, lambda function, at: function(current_time=at)
        )
    except Exception as error:
        return "", {"error": f"{type(error).__name__}: {error}"}
    return definition.cron_schedule, found


def _shown(case: Case, ours: dict[str, Any], theirs: dict[str, Any]) -> str:
    lines = [f"{case.kind} {case.arguments} now={case.now}"]
    for name in sorted(ours.keys() | theirs.keys()):
        mine, other = ours.get(name), theirs.get(name)
        if mine != other:
            lines.append(f"  {name}\n    ours  {str(mine)[:300]}\n    theirs {str(other)[:300]}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
