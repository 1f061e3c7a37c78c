"""`python -m benchmarks.profile`: where the time of tiny runs goes, process by process.

A backfill of tiny runs on PostgreSQL and Valkey with 2 prefork workers, the API and a client of its
live events, looked at from three sides: CPU of every process per run, py-spy's shares of each
process (which only counts what is on a CPU), and PostgreSQL's own sums per statement, with the plan
EXPLAIN (ANALYZE, BUFFERS) gave for a sample of each of the hottest ten.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from backfill.storage.database import Database
from benchmarks import windows
from benchmarks.goals import parser
from benchmarks.harness import Cost, family, measured, stack, table, wait_for
from benchmarks.serving import api, listening

WARM_UP = 400
RATE = 50  # samples per second and process
HOTTEST = 10
DATABASE = {
    "shared_preload_libraries": "pg_stat_statements,auto_explain",
    "pg_stat_statements.track_planning": "on",
    "auto_explain.log_analyze": "on",
    "auto_explain.log_buffers": "on",
    "auto_explain.log_verbose": "on",  # tells the id of the statement
    "auto_explain.log_min_duration": "0",
    "auto_explain.sample_rate": "0.05",
    "auto_explain.log_format": "json",
    "compute_query_id": "on",
    "log_line_prefix": "",
}


_OURS = re.compile(r"\((backfill|workers)/")


@dataclass(frozen=True)
class Statement:
    """One of the hottest statements: its sums, per run, and one of its plans."""

    text: str
    share: float
    calls_per_run: float
    mean_ms: float
    rows_per_run: float
    plan: Sequence[str] = ()


@dataclass
class Profile:
    """What one backfill showed."""

    runs: int
    cost: Cost
    statements: list[Statement]
    own: dict[str, list[tuple[str, float]]] = field(default_factory=dict)
    within: dict[str, list[tuple[str, float]]] = field(default_factory=dict)


def bench(runs: int, *, packed: bool, seconds: float, keep: Path | None = None) -> Profile:
    """Backfill `runs` partitions while everything about it is watched.

    Args:
        keep: A folder for the stacks as py-spy writes them, one file per process.
    """
    with (
        stack(partitions=0, definitions=windows.DEFINITIONS, postgres=DATABASE) as made,
        ExitStack() as services,
    ):
        definitions = services.enter_context(made.define())
        db = made.database()
        services.callback(db.dispose)
        client = services.enter_context(api(made))
        services.enter_context(made.worker(processes=2))
        services.enter_context(
            made.coordinator(**({} if packed else {"BACKFILL_PACK_SECONDS": "0"}))
        )
        services.enter_context(listening(made, client))

        def backfill(first: int, count: int) -> None:
            done = windows.backfill(db, definitions, count, first=first).backfill_id
            wait_for(
                lambda: windows.state_of(db, done) == "succeeded", seconds, f"{count} runs settled"
            )
            windows.check(db, done, count)

        backfill(windows.MOST - WARM_UP, WARM_UP)
        _forget_statements(db)
        samplers = [Sampler(made.folder, name, pid) for name, pid in _processes(made.roots)]
        costs: list[Cost] = []
        with measured(made.roots, costs):
            backfill(0, runs)
        profile = Profile(runs, costs[0], _hottest(db, runs, _plans(made.database_url)))
        for sampler in samplers:
            sampler.stop()
        stacks: dict[str, Counter[tuple[str, ...]]] = defaultdict(Counter)
        for sampler in samplers:
            stacks[sampler.kind].update(sampler.stacks())
            if keep is not None:
                keep.mkdir(parents=True, exist_ok=True)
                shutil.copy(sampler.output, keep)
        for kind, seen in stacks.items():
            profile.own[kind], profile.within[kind] = _shares(seen)
        return profile


# -- py-spy ---------------------------------------------------------------------------------------


class Sampler:
    """py-spy beside one process, until it is told to stop."""

    def __init__(self, folder: Path, kind: str, pid: int) -> None:
        self.kind = kind
        self.output = folder / f"{kind}-{pid}.stacks"
        program = shutil.which("py-spy", path=str(Path(sys.executable).parent)) or "py-spy"
        self._process = subprocess.Popen(
            [
                *(program, "record", "--pid", str(pid), "--rate", str(RATE), "--threads"),
                *("--format", "raw", "--nonblocking", "--output", str(self.output)),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def stop(self) -> None:
        self._process.send_signal(2)
        self._process.wait(timeout=30)

    def stacks(self) -> Counter[tuple[str, ...]]:
        """Return how often each stack was seen, outermost frame first."""
        seen: Counter[tuple[str, ...]] = Counter()
        if self.output.exists():
            for line in self.output.read_text().splitlines():
                frames, _, count = line.rpartition(" ")
                seen[tuple(frames.split(";"))] += int(count)
        return seen


def _processes(roots: Mapping[str, int]) -> Iterable[tuple[str, int]]:
    """Yield our Python processes by what they are; the worker's parent and children apart."""
    for name, root in roots.items():
        if name in {"postgres", "valkey"}:
            continue
        for pid in family(root):
            if name == "worker-workers":
                yield ("worker parent" if pid == root else "worker child"), pid
            elif pid == root:
                yield name, pid


def _shares(
    stacks: Counter[tuple[str, ...]],
) -> tuple[list[tuple[str, float]], list[tuple[str, float]]]:
    """Return the functions that own most samples, and those of ours that most are within."""
    own: Counter[str] = Counter()
    within: Counter[str] = Counter()
    for frames, count in stacks.items():
        named = [re.sub(r":\d+\)$", ")", frame) for frame in frames]
        own[named[-1]] += count
        for name in set(named):
            within[name] += count
    total = max(1, sum(stacks.values()))
    ours = [
        (name, n) for name, n in within.most_common() if re.search(r"\((backfill|workers)/", name)
    ]
    return (
        [(name, n / total) for name, n in own.most_common(40)],
        [(name, n / total) for name, n in ours[:80]],
    )


# -- the database ---------------------------------------------------------------------------------


def _forget_statements(db: Database) -> None:
    with db.single() as conn:
        conn.exec_driver_sql("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        conn.exec_driver_sql("SELECT pg_stat_statements_reset()")


def _hottest(db: Database, runs: int, plans: Mapping[int, Sequence[str]]) -> list[Statement]:
    with db.read() as conn:
        rows = conn.exec_driver_sql(
            "SELECT queryid, query, calls, rows, total_exec_time + total_plan_time AS ms, "
            "sum(total_exec_time + total_plan_time) OVER () AS total FROM pg_stat_statements "
            "WHERE query NOT LIKE 'COPY%%' ORDER BY ms DESC LIMIT 25"
        ).all()
    return [
        Statement(
            " ".join(row.query.split())[:220],
            row.ms / row.total,
            row.calls / runs,
            row.ms / row.calls,
            row.rows / runs,
            plans.get(row.queryid, ()),
        )
        for row in rows
    ]


def _plans(url: str) -> Mapping[int, Sequence[str]]:
    """Return a plan for each statement that was explained, by the statement's id."""
    log = Path(url.partition("host=")[2]) / "log"
    found: dict[int, Sequence[str]] = {}
    decoder = json.JSONDecoder()
    text = log.read_text(errors="replace")
    for hit in re.finditer(r"duration: ([\d.]+) ms  plan:\s*", text):
        try:
            told, _ = decoder.raw_decode(text, hit.end())
        except ValueError:
            continue
        query = int(told.get("Query Identifier", 0))
        if query:
            found[query] = list(_lines(told["Plan"]))
    return found


def _lines(plan: Mapping[str, Any], depth: int = 0) -> Iterable[str]:
    where = plan.get("Index Name") or plan.get("Relation Name") or plan.get("CTE Name") or ""
    yield (
        f"{'  ' * depth}{plan['Node Type']} {plan.get('Operation', '')} {where}: "
        f"{plan.get('Actual Total Time', 0):.3f} ms, {plan.get('Actual Rows', 0):g} rows x "
        f"{plan.get('Actual Loops', 1)}, {plan.get('Shared Hit Blocks', 0)} buffers"
    )
    for child in plan.get("Plans", ()):
        yield from _lines(child, depth + 1)


# -- saying it ------------------------------------------------------------------------------------


def tell(profile: Profile, top: int) -> None:
    """Print everything as text."""
    per_run = {k: round(v / profile.runs * 1e3, 3) for k, v in profile.cost.cpu.items()}
    print(f"{profile.runs / profile.cost.seconds:.0f} runs/s, CPU ms per run: {per_run}")
    for kind in profile.own:
        print(f"\n{kind}: own time")
        for name, part in profile.own[kind][:top]:
            print(f"  {part * 100:5.1f} %  {name}")
        print(f"{kind}: within")
        for name, part in profile.within[kind][: top * 3]:
            print(f"  {part * 100:5.1f} %  {name}")
    print("\nstatements")
    print(
        table(
            [
                {
                    "share": f"{s.share * 100:.1f} %",
                    "calls/run": f"{s.calls_per_run:.3f}",
                    "mean ms": f"{s.mean_ms:.3f}",
                    "statement": s.text,
                }
                for s in profile.statements
            ]
        )
    )
    for number, statement in enumerate(profile.statements[:HOTTEST], 1):
        print(f"\n{number}. {statement.text[:100]}")
        for line in statement.plan:
            print(f"   {line}")


def main() -> None:
    """Print the profile."""
    arguments = parser(__doc__)
    arguments.add_argument("--runs", type=int, help="default 20,000")
    arguments.add_argument("--single", action="store_true", help="one run per message")
    arguments.add_argument("--top", type=int, default=15, help="functions told of each process")
    arguments.add_argument("--keep", type=Path, help="a folder for py-spy's stacks")
    asked = arguments.parse_args()
    runs = asked.runs or (2_000 if asked.quick else 20_000)
    profile = bench(runs, packed=not asked.single, seconds=600.0, keep=asked.keep)
    if asked.json:
        print(json.dumps(profile, default=lambda o: o.__dict__, indent=2))
    else:
        tell(profile, asked.top)


if __name__ == "__main__":
    main()
