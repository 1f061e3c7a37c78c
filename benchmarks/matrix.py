"""`python -m benchmarks.matrix`: pages and overviews of a large Run Matrix while runs go on.

N partitions x 10 steps are loaded by COPY and the overview's blocks computed from them. Then,
while a worker executes a backfill of the same set, clients ask the API for pages of 200 partitions
at random places and for overviews of 1,000 buckets. The backfill is larger than what can be done
meanwhile; what is left of it is canceled at the end.
"""

from __future__ import annotations

import random
import time
from contextlib import ExitStack, closing, suppress

from backfill.definitions.process import DefinitionsProcess
from backfill.errors import Conflict
from backfill.lifecycle import rollup
from backfill.lifecycle.backfills import BackfillRequest, cancel, submit
from backfill.states import BACKFILL_FINAL
from backfill.storage.database import Database
from backfill.storage.queries.matrix import matrix_page
from backfill.storage.queries.overview import BLOCK, spans, stretches
from benchmarks import loading, windows
from benchmarks.goals import Row, parser, row, tell, timings
from benchmarks.harness import cpu_seconds, stack, wait_for
from benchmarks.serving import Asker, api, listening

STEPS = tuple(f"step_{n}" for n in range(10))
PAGE, BUCKETS = 200, 1_000
SET, PIPELINE = "wide", "ten"
DEFINITIONS = windows.DEFINITIONS + "".join(
    f"\n@step\ndef {name}({'rows' if n else ''}):\n    pass\n" for n, name in enumerate(STEPS)
)
DEFINITIONS += f"""
@pipeline
def {PIPELINE}():
    rows = {STEPS[0]}()
    for after in ({", ".join(STEPS[1:])}):
        rows = after(rows)

{SET} = PartitionSetDefinition(
    name="{SET}", pipeline_name="{PIPELINE}", partitions_def=every_five_minutes()
)
"""


def bench(count: int, samples: int, writes: int) -> list[Row]:
    """Load, compute, then measure under writes; return the rows."""
    with stack(partitions=0, definitions=DEFINITIONS) as made, ExitStack() as services:
        definitions = services.enter_context(made.define())
        db = made.database()
        services.callback(db.dispose)
        loaded = load(db, count)
        computed = compute(db, definitions, count)
        client = services.enter_context(api(made))
        services.enter_context(made.worker(processes=2))
        services.enter_context(made.coordinator())
        services.enter_context(listening(made, client))
        asker = services.enter_context(closing(Asker(client)))
        asked = max(5, samples // 4)
        before = cpu_seconds(made.roots)["api"]
        quiet = _measure(db, definitions, asker, count, asked)
        spent = (cpu_seconds(made.roots)["api"] - before) / asked
        backfill_id = _write(db, definitions, count // 2, writes)
        before_us, done_before = _now(db), _succeeded(db, backfill_id)
        busy = _measure(db, definitions, asker, count, samples)
        done = _succeeded(db, backfill_id) - done_before
        rate = done / (_now(db) - before_us) * 1e6
        went_on = windows.state_of(db, backfill_id) == "running"
        _end(db, backfill_id)
        _check_writes(db, backfill_id)
        _check(db, count)
        fresh = _overview_follows(asker, count)
    return [
        row(f"{count:,} x 10 loaded", loaded, "s"),
        row("blocks of the overview computed", computed * 1e3, "ms per 1,000 partitions"),
        *_rows("no writes", quiet, goals=False),
        row("CPU of the API for a page and an overview", spent * 1e3, "ms"),
        *_rows("writes going on", busy, goals=True),
        row("runs that ended meanwhile", rate, "runs/s", runs=done),
        row("writes went on to the end of the measurement", float(went_on), "1: yes"),
        row("overview counts the newest runs right after", fresh, "s"),
    ]


def load(db: Database, count: int) -> float:
    ids = loading.named(db, SET, PIPELINE)
    started = time.perf_counter()
    with db.write() as conn:
        conn.exec_driver_sql("SET LOCAL statement_timeout = 0")
        backfill_id = loading.backfill_row(db, conn, ids, count, finished=True)
        loading.finished_runs(db, conn, ids, backfill_id, count, STEPS)
    loading.analyze(db)
    seconds = time.perf_counter() - started
    windows.check(db, backfill_id, count, STEPS)
    return seconds


def compute(db: Database, definitions: DefinitionsProcess, count: int) -> float:
    """Compute every block as the coordinator would; return seconds per block."""
    at = windows.now()
    blocks = range(-(-count // BLOCK))
    with db.write() as conn:
        conn.execute(
            db.sql(
                "INSERT INTO matrix_marks (set_id, block, marked_at) "
                "SELECT s.id, b, {now} FROM partition_sets s, "
                "generate_series(0, :last) AS b WHERE s.name = :set"
            ),
            {"last": blocks[-1], "set": SET},
        )
    started = time.perf_counter()
    while rollup.compute(db, definitions, at, limit=50):
        pass
    return (time.perf_counter() - started) / len(blocks)


def _write(db: Database, definitions: DefinitionsProcess, first: int, count: int) -> int:
    """Start a backfill over partitions that all have runs already; return its id."""
    request = BackfillRequest(SET, windows.selection(count, first), reprocess="all")
    done = submit(db, definitions, request, at=windows.now(), limit=count).backfill_id
    wait_for(lambda: _succeeded(db, done) > 0, 60.0, "the writes begin")
    return done


def _end(db: Database, backfill_id: int) -> None:
    """Cancel what is left of the writes and wait until the last of them has ended."""
    with suppress(Conflict):  # all of it is done already
        cancel(db, backfill_id)
    over = {state.value for state in BACKFILL_FINAL}
    wait_for(lambda: windows.state_of(db, backfill_id) in over, 600.0, "the writes have ended")


def _check_writes(db: Database, backfill_id: int) -> None:
    """Raise AssertionError unless each run of the writes succeeded in all steps or was canceled."""
    with db.read() as conn:
        runs: dict[str, int] = {
            state: n
            for state, n in conn.execute(
                db.sql("SELECT state, count(*) FROM runs WHERE backfill_id = :id GROUP BY state"),
                {"id": backfill_id},
            )
        }
        steps = conn.execute(
            db.sql(
                "SELECT count(*) FROM step_outcomes s JOIN runs r ON r.id = s.run_id "
                "WHERE r.backfill_id = :id AND r.state = 'succeeded' AND s.state = 'succeeded'"
            ),
            {"id": backfill_id},
        ).scalar_one()
    assert runs.keys() <= {"succeeded", "canceled"}, runs
    assert steps == runs["succeeded"] * len(STEPS), (steps, runs)


def _now(db: Database) -> int:
    with db.read() as conn:
        return db.clock(conn)


def _succeeded(db: Database, backfill_id: int) -> int:
    with db.read() as conn:
        return int(
            conn.execute(
                db.sql("SELECT succeeded FROM backfills WHERE id = :id"), {"id": backfill_id}
            ).scalar_one()
        )


def _measure(
    db: Database, definitions: DefinitionsProcess, asker: Asker, count: int, samples: int
) -> dict[str, list[float]]:
    """Return seconds of each question, the API's whole answer and its query alone."""
    places = random.Random(count)
    found: dict[str, list[float]] = {name: [] for name in ("page", "overview", "page query")}
    found["overview query"] = []
    base = f"/partition-sets/{SET}"
    at = windows.now()
    wanted = spans(0, definitions.count(SET, at), BUCKETS, grain=BLOCK)
    for _ in range(samples):
        start = places.randrange(max(1, count - PAGE))
        asked = {"start": windows.key(start), "limit": PAGE, "order": "oldest"}
        seconds, page = asker.get(f"{base}/matrix", **asked)
        assert len(page["items"]) == min(PAGE, count), len(page["items"])
        assert all(len(item["boxes"]) == len(STEPS) for item in page["items"])
        found["page"].append(seconds)
        seconds, overview = asker.get(f"{base}/overview", buckets=BUCKETS)
        _check_overview(overview["buckets"], count)
        found["overview"].append(seconds)
        keys = [windows.key(start + n) for n in range(PAGE)]
        with db.read() as conn:
            began = time.perf_counter()
            matrix_page(db, conn, SET, keys, STEPS)
            found["page query"].append(time.perf_counter() - began)
            began = time.perf_counter()
            stretches(db, conn, SET, wanted)
            found["overview query"].append(time.perf_counter() - began)
    return found


def _check_overview(buckets: list[dict[str, dict[str, int]]], count: int) -> None:
    """Raise AssertionError unless every loaded partition shows in every step."""
    runs = sum(n for b in buckets for state, n in b["runs"].items() if state != "missing")
    assert runs == count, (runs, count)


def _overview_follows(asker: Asker, count: int) -> float:
    """Wait until the overview shows every step of the newest runs; return seconds it took."""
    started = time.perf_counter()

    def follows() -> bool:
        _, told = asker.get(f"/partition-sets/{SET}/overview", buckets=BUCKETS)
        done = sum(b["steps"][STEPS[-1]].get("succeeded", 0) for b in told["buckets"])
        return bool(done == count)

    wait_for(follows, 120.0, "the overview follows", poll=0.2)
    return time.perf_counter() - started


def _check(db: Database, count: int) -> None:
    with db.read() as conn:
        found = conn.execute(
            db.sql(
                "SELECT count(DISTINCT partition) FROM runs WHERE set_id = "
                "(SELECT id FROM partition_sets WHERE name = :set) AND state = 'succeeded'"
            ),
            {"set": SET},
        ).scalar_one()
    assert found == count, (found, count)


def _rows(when: str, found: dict[str, list[float]], *, goals: bool) -> list[Row]:
    limits = {"page": 30.0, "overview": 60.0} if goals else {}
    names = {
        "page": f"page of {PAGE} x 10 through the API",
        "overview": f"overview of {BUCKETS:,} x 10 through the API",
        "page query": "the page's queries alone",
        "overview query": "the overview's query alone",
    }
    return [
        timings(f"{when}: {names[name]}", seconds, p95_ms=limits.get(name))
        for name, seconds in found.items()
    ]


def main() -> None:
    """Print how long pages and overviews take."""
    arguments = parser(__doc__)
    arguments.add_argument("--partitions", type=int, help="default 1,000,000")
    arguments.add_argument("--samples", type=int, help="questions of each kind (default 200)")
    arguments.add_argument("--writes", type=int, help="runs to do meanwhile (default 100,000)")
    asked = arguments.parse_args()
    count = asked.partitions or (20_000 if asked.quick else 1_000_000)
    samples = asked.samples or (20 if asked.quick else 200)
    writes = asked.writes or (6_000 if asked.quick else 100_000)
    tell("matrix", bench(count, samples, min(writes, count // 2)), as_json=asked.json)


if __name__ == "__main__":
    main()
