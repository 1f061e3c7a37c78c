"""What people are told of what admission waits for."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from backfill.lifecycle.reasons import of_waiting
from backfill.lifecycle.waiting import (
    Waiting,
    WaitsForExpansion,
    WaitsForPool,
    WaitsForPrevious,
    WaitsForTagLimit,
    WaitsForTurn,
    WaitsForWindow,
)

NINE = datetime(2026, 1, 1, 21, tzinfo=UTC)


@pytest.mark.parametrize(
    ("fact", "code", "sentence"),
    [
        (
            WaitsForPool("warehouse", slots=3, used=3, needed=1, held_by=(4, 5, 6)),
            "waiting_for_pool",
            'It waits for a slot of pool "warehouse": 3 of 3 are taken, by run 4, 5, 6.',
        ),
        (
            WaitsForPool("warehouse", slots=3, used=2, needed=2, held_by=(4, 5, 6, 7)),
            "waiting_for_pool",
            'It waits for 2 slots of pool "warehouse": 2 of 3 are taken, by run 4, 5, 6 and 1 '
            "more.",
        ),
        (
            WaitsForPool("warehouse", slots=0, used=0, needed=1),
            "waiting_for_pool",
            'It waits for pool "warehouse", which is closed: it has no slots.',
        ),
        (
            WaitsForTagLimit("team", "sales", limit=2, active=2, held_by=(8,)),
            "waiting_for_tag_limit",
            "It waits for the limit of tag team=sales: 2 of 2 run, by run 8.",
        ),
        (
            WaitsForWindow(NINE),
            "outside_window",
            "It is outside the hours its backfill may run in; they begin at 2026-01-01 21:00:00 "
            "UTC.",
        ),
        (
            WaitsForWindow(None),
            "outside_window",
            "It is outside the hours its backfill may run in, and those never come.",
        ),
        (
            WaitsForPrevious("day-01", run_id=7, state="running", stopped=False),
            "waiting_for_previous",
            'It waits for the partition before it, "day-01" (run 7 is running).',
        ),
        (
            WaitsForPrevious("day-01", run_id=7, state="failed", stopped=True),
            "waiting_for_previous",
            'The line stops here: the partition before it, "day-01", failed in run 7. Retry that '
            "one, or pass over it.",
        ),
        (
            WaitsForPrevious("day-01", run_id=None, state=None, stopped=True),
            "waiting_for_previous",
            'The line stops here: the partition before it, "day-01", has no run on its way. Retry '
            "that one, or pass over it.",
        ),
        (
            WaitsForTurn(run_id=7, partition="day-01", state="running"),
            "waiting_for_turn",
            "Its backfill runs one partition at a time: run 7 (day-01) is running.",
        ),
        (
            WaitsForExpansion(expanded=1_000, total=5_000),
            "waiting_for_expansion",
            "Its backfill goes by weight and begins when all of its runs are made: 1,000 of 5,000 "
            "so far.",
        ),
        (
            WaitsForExpansion(expanded=1, total=5, by="ranges"),
            "waiting_for_expansion",
            "Its backfill runs several partitions at once and begins when all of its runs are "
            "made: 1 of 5 so far.",
        ),
    ],
)
def test_what_a_run_waits_for_is_told_in_a_sentence(
    fact: Waiting, code: str, sentence: str
) -> None:
    told = of_waiting(fact)
    assert (told.code, told.sentence) == (code, sentence)


def test_the_facts_are_json() -> None:
    assert of_waiting(WaitsForWindow(NINE)).facts == {"until": "2026-01-01T21:00:00+00:00"}
