"""A computed set of over a million five-minute partitions, for benchmarks of any size.

Nothing lists its keys: they are computed, so a benchmark measures the service and not a function
that returns a million strings.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from backfill.definitions.process import DefinitionsProcess
from backfill.lifecycle.backfills import BackfillRequest, Submitted, submit
from backfill.storage.database import Database

SET = "windows"
PROBES = "probes"
PIPELINE = "tiny"
STEPS = ("extract", "transform", "load")
_START = datetime(2014, 1, 1, tzinfo=UTC)
_EVERY = timedelta(minutes=5)
_FORMAT = "%Y-%m-%d-%H:%M"
MOST = 1_250_000  # partitions there are at least

DEFINITIONS = f"""
from backfill import PartitionSetDefinition, TimeWindowPartitionsDefinition, pipeline, step

@step
def extract():
    pass

@step
def transform(rows):
    pass

@step
def load(rows):
    pass

@pipeline
def {PIPELINE}():
    load(transform(extract()))

def every_five_minutes():
    return TimeWindowPartitionsDefinition(
        start="2014-01-01-00:00", fmt="{_FORMAT}", cron_schedule="*/5 * * * *"
    )

{SET} = PartitionSetDefinition(
    name="{SET}", pipeline_name="{PIPELINE}", partitions_def=every_five_minutes()
)
{PROBES} = PartitionSetDefinition(
    name="{PROBES}", pipeline_name="{PIPELINE}", partitions_def=every_five_minutes()
)
"""


def key(index: int) -> str:
    """Return the key of the partition at an index."""
    return (_START + index * _EVERY).strftime(_FORMAT)


def selection(count: int, first: int = 0) -> str:
    """Select `count` partitions from an index on."""
    return f"[{key(first)}...{key(first + count - 1)}]"


def backfill(
    db: Database,
    definitions: DefinitionsProcess,
    count: int,
    *,
    first: int = 0,
    set_name: str = SET,
    **wanted: Any,
) -> Submitted:
    """Submit a backfill of `count` partitions from an index on, whatever succeeded before."""
    request = BackfillRequest(set_name, selection(count, first), **{"reprocess": "all", **wanted})
    return submit(db, definitions, request, at=now(), limit=2_000_000)


def state_of(db: Database, backfill_id: int) -> str:
    """Return a backfill's state."""
    with db.read() as conn:
        found = conn.execute(
            db.sql("SELECT state FROM backfills WHERE id = :id"), {"id": backfill_id}
        )
        return str(found.scalar_one())


def check(db: Database, backfill_id: int, count: int, steps: Sequence[str] = STEPS) -> None:
    """Raise AssertionError unless every run and every step of a backfill is recorded once."""
    with db.read() as conn:
        runs = conn.execute(
            db.sql(
                "SELECT count(*), count(DISTINCT partition), min(state), max(state), min(attempt),"
                " max(attempt) FROM runs WHERE backfill_id = :id"
            ),
            {"id": backfill_id},
        ).one()
        outcomes = conn.execute(
            db.sql(
                "SELECT count(*), count(DISTINCT s.step) FROM step_outcomes s JOIN runs r "
                "ON r.id = s.run_id WHERE r.backfill_id = :id AND s.state = 'succeeded'"
            ),
            {"id": backfill_id},
        ).one()
    assert tuple(runs) == (count, count, "succeeded", "succeeded", 1, 1), tuple(runs)
    assert tuple(outcomes) == (count * len(steps), len(steps)), tuple(outcomes)


def now() -> datetime:
    """Return the moment at which sets are looked at."""
    return datetime.now(UTC)
