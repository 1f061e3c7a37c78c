"""The overview's counts are those of the matrix, whatever became of the runs."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from backfill.execution.outcomes import ErrorInfo, RunEnd, RunOutcome, StepOutcome
from backfill.lifecycle.moves import Claim, Report
from backfill.states import StepState
from backfill.storage.database import Database
from backfill.storage.queries.counting import count_page, counted
from backfill.storage.queries.matrix import matrix_page
from tests.support.house import DEFINITIONS, House, steps_ok
from tests.support.loading import loaded

KEYS = [f"day-{n:02}" for n in range(60)]
STEPS = ("a", "b")
FAILED = ErrorInfo("ValueError", "no", "Traceback: no")


@pytest.fixture
def house(database: Database, tmp_path: Path) -> Iterator[House]:
    with loaded(DEFINITIONS, tmp_path) as definitions:
        built = House(database, definitions)
        built.worker(slots=100)
        yield built


@pytest.mark.parametrize("seed", range(6))
def test_counting_a_page_agrees_with_drawing_it(house: House, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(4):
        first = chance.randrange(50)
        chosen = {"steps": ("a",)} if chance.random() < 0.3 else {}
        wanted = house.submit(
            f"[{KEYS[first]}...{KEYS[first + chance.randrange(10)]}]",
            max_failures=chance.randrange(2),
            **chosen,
        )
        house.expand(wanted)
        for _ in range(2):
            happen(house, chance)
            assert_agreed(house)


def happen(house: House, chance: random.Random) -> None:
    """Let some runs of those that are due begin, and some of these end in some way."""
    runs = [run for run in house.admitted() if chance.random() < 0.8]
    for claim in house.claim(runs):
        report = story(claim, chance)
        if report is not None:
            house.record(report)
    house.fold()
    house.wake()


def story(claim: Claim, chance: random.Random) -> Report | None:
    running = StepOutcome("a", StepState.RUNNING, tries=1, started_at=1)
    done = steps_ok("a")
    failed = StepOutcome("b", StepState.FAILED, tries=1, started_at=1, finished_at=2, error=FAILED)
    no = RunOutcome(RunEnd.FAILED, error=FAILED, failed_step="b")
    return chance.choice(
        [
            None,
            Report(claim, steps=[running]),
            Report(claim, steps=done),
            Report(claim, steps=steps_ok(), outcome=RunOutcome(RunEnd.SUCCEEDED), whole=True),
            Report(claim, steps=[*done, failed], outcome=no, whole=True),
            Report(claim, steps=done, outcome=RunOutcome(RunEnd.CANCELED), whole=True),
            Report(claim, outcome=RunOutcome(RunEnd.RELEASED), whole=True),
        ]
    )


def assert_agreed(house: House) -> None:
    with house.db.read() as conn:
        drawn = counted(matrix_page(house.db, conn, "days", KEYS, STEPS))
        assert count_page(house.db, conn, "days", KEYS, STEPS) == drawn
