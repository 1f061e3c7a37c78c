"""`python -m benchmarks.workers`: how near 1 to 16 worker processes come to the ideal.

One step that sleeps 50 ms: the ideal is 20 runs a second and process. The rate is taken in the
steady state, between the moments when a tenth and nine tenths of the runs had ended, with several
runs in one message and with one each.
"""

from __future__ import annotations

from contextlib import ExitStack

from backfill.lifecycle.backfills import BackfillRequest, submit
from backfill.storage.database import Database
from benchmarks import windows
from benchmarks.goals import Row, parser, row, tell
from benchmarks.harness import Cost, measured, stack, wait_for
from benchmarks.serving import api, listening

STEP_SECONDS = 0.05
DEFINITIONS = (
    windows.DEFINITIONS
    + f"""
import time

@step
def nap():
    time.sleep({STEP_SECONDS})

@pipeline
def napping():
    nap()

naps = PartitionSetDefinition(
    name="naps", pipeline_name="napping", partitions_def=every_five_minutes()
)
"""
)
GOALS = {16: 0.95}


def bench(processes: int, runs: int, *, packing: bool) -> Row:
    """Measure one number of processes; return its row."""
    with stack(partitions=0, definitions=DEFINITIONS) as made, ExitStack() as services:
        definitions = services.enter_context(made.define())
        db = made.database()
        services.callback(db.dispose)
        client = services.enter_context(api(made))
        services.enter_context(made.worker(processes=processes))
        off = {} if packing else {"BACKFILL_PACK_SECONDS": "0"}
        services.enter_context(made.coordinator(**off))
        services.enter_context(listening(made, client))

        def run(first: int, count: int) -> int:
            chosen = windows.selection(count, first)
            request = BackfillRequest("naps", chosen, reprocess="all")
            at = windows.now()
            done = submit(db, definitions, request, at=at, limit=count).backfill_id
            wait_for(
                lambda: windows.state_of(db, done) == "succeeded",
                60 + 5 * count * STEP_SECONDS / processes,
                f"{count} runs on {processes} processes",
            )
            windows.check(db, done, count, ("nap",))
            return done

        run(500_000, 8 * processes + 20)  # every process is up and knows the pipeline
        costs: list[Cost] = []
        with measured(made.roots, costs):
            backfill_id = run(0, runs)
        share = _rate(db, backfill_id, runs) * STEP_SECONDS / processes
    return row(
        f"{processes:2} processes, {'packed' if packing else 'one run per message'}",
        share,
        "of ideal",
        at_least=GOALS.get(processes),
        runs=runs,
        cpu_cores=round(costs[0].cpu_total / costs[0].seconds, 2),
    )


def _rate(db: Database, backfill_id: int, runs: int) -> float:
    """Return runs per second between a tenth and nine tenths of their ends."""
    with db.read() as conn:
        ends = [
            found.finished_at
            for found in conn.execute(
                db.sql(
                    "SELECT s.finished_at FROM step_outcomes s JOIN runs r ON r.id = s.run_id "
                    "WHERE r.backfill_id = :id ORDER BY s.finished_at"
                ),
                {"id": backfill_id},
            )
        ]
    assert len(ends) == runs, (len(ends), runs)
    low, high = runs // 10, runs - runs // 10 - 1
    return float((high - low) / ((ends[high] - ends[low]) / 1e6))


def main() -> None:
    """Print the share of the ideal for every number of processes."""
    arguments = parser(__doc__)
    arguments.add_argument("--processes", help="comma-separated; default 1,2,4,8,16")
    arguments.add_argument("--runs", type=int, help="of each measurement (default 2,000)")
    asked = arguments.parse_args()
    numbers = "16" if asked.quick else "1,2,4,8,16"
    processes = [int(n) for n in (asked.processes or numbers).split(",")]
    runs = asked.runs or (800 if asked.quick else 2_000)
    rows = [bench(n, runs, packing=packing) for packing in (True, False) for n in processes]
    tell("workers", rows, as_json=asked.json)


if __name__ == "__main__":
    main()
