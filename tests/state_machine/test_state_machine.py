"""Whatever happens in whatever order: no invariant breaks, and in the end everything ends."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.state_machine.machine import Lifecycle, staged
from tests.support.databases import PostgresDatabases, SQLiteFiles

STEPS_PER_EXAMPLE = 50
WANTED = ("zombie write", "stale message", "crash", "lost answer", "reaped", "conflict")


def run(databases: SQLiteFiles | PostgresDatabases, *, examples: int) -> dict[str, int]:
    """Try so many examples; return how often what matters happened."""
    with staged(databases) as stage:
        machine = type("Staged", (Lifecycle,), {"stage": stage})
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=examples,
                stateful_step_count=STEPS_PER_EXAMPLE,
                deadline=None,
                suppress_health_check=list(HealthCheck),
                print_blob=True,
            ),
        )
        return dict(stage.totals)


def examples(short: int) -> int:
    """Return how many examples to try: BACKFILL_TEST_STEPS asks for more."""
    steps = int(os.environ.get("BACKFILL_TEST_STEPS", "0"))
    return max(short, steps // STEPS_PER_EXAMPLE)


@pytest.mark.timeout(0 if os.environ.get("BACKFILL_TEST_STEPS") else 300)
def test_every_story_ends_well_on_sqlite(sqlite_databases: SQLiteFiles) -> None:
    happened = run(sqlite_databases, examples=examples(60))
    assert [what for what in WANTED if not happened.get(what)] == []


@pytest.mark.postgres
@pytest.mark.timeout(0 if os.environ.get("BACKFILL_TEST_STEPS") else 300)
def test_every_story_ends_well_on_postgresql(postgres_databases: PostgresDatabases) -> None:
    run(postgres_databases, examples=examples(6))
