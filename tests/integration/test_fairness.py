"""Fairness: equals share, higher ones go first, and nobody is starved by a huge backfill."""

from __future__ import annotations

import pytest

from backfill.coordinator.broker import level_of
from backfill.lifecycle import runs
from backfill.lifecycle.admission import Message
from backfill.lifecycle.runs import LaunchRequest
from backfill.states import RunState
from tests.support.house import House

SLOTS = 2


class Crew:
    """Workers and a broker that hands messages out by their level, then first come first served."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.queue: list[Message] = []
        house.worker(slots=SLOTS)

    def turn(self) -> None:
        """Admit, and let every slot do one message."""
        self.queue += self.house.admit()
        self.queue.sort(key=lambda m: level_of(m.priority, ahead=m.ahead, redis=True))
        for message in self.queue[:SLOTS]:
            self.house.succeed(*self.house.claim(message.run_ids))
        self.queue = self.queue[SLOTS:]
        self.house.fold()

    def until(self, done: object, turns: int = 400) -> None:
        assert callable(done)
        for _ in range(turns):
            if done():
                return
            self.turn()
        raise AssertionError("it takes too long")


def expanded(house: House, selection: str, set_name: str = "many", **wanted: object) -> int:
    backfill_id = house.submit(selection, set_name, **wanted)
    while house.expand(backfill_id, limit=10_000):
        pass
    return backfill_id


def succeeded(house: House, backfill_id: int) -> int:
    return house.states(backfill_id).get("succeeded", 0)


def test_a_huge_backfill_starves_neither_small_ones_nor_a_schedules_run(house: House) -> None:
    crew = Crew(house)
    huge = expanded(house, "[n-00100...]")
    for _ in range(10):
        crew.turn()
    hundred = expanded(house, "[day-00...day-49]", "days")
    one = expanded(house, "n-00001")
    tick = runs.launch(house.db, LaunchRequest(pipeline="work"))
    crew.until(
        lambda: succeeded(house, one) == 1 and house.state(tick) is RunState.SUCCEEDED,
        turns=10,
    )
    assert succeeded(house, huge) < 50
    crew.until(lambda: succeeded(house, hundred) == 50)
    assert succeeded(house, huge) < 990


@pytest.mark.parametrize("priority", [5, 500])
def test_a_higher_priority_does_not_wait_for_the_queue_to_get_emptier(
    house: House, priority: int
) -> None:
    crew = Crew(house)
    low = expanded(house, "[n-00000...n-00099]")
    crew.turn()
    before = succeeded(house, low)
    urgent = expanded(house, "[day-00...day-01]", "days", priority=priority)
    crew.turn()
    assert succeeded(house, urgent) == 2, "they were next although the queue was full"
    assert succeeded(house, low) == before


def test_a_lower_priority_waits_and_launches_have_priorities_of_their_own(house: House) -> None:
    crew = Crew(house)
    below = runs.launch(house.db, LaunchRequest(pipeline="work", priority=-1))
    backfill_id = expanded(house, "[day-00...day-19]", "days")
    above = runs.launch(house.db, LaunchRequest(pipeline="work", priority=1))
    crew.turn()
    assert house.state(above) is RunState.SUCCEEDED
    crew.until(lambda: succeeded(house, backfill_id) >= 12)
    assert house.state(below) is not RunState.SUCCEEDED
    crew.until(lambda: house.state(below) is RunState.SUCCEEDED, turns=5)


def test_many_launches_of_one_priority_share_with_a_backfill(house: House) -> None:
    crew = Crew(house)
    for _ in range(60):
        runs.launch(house.db, LaunchRequest(pipeline="work"))
    backfill_id = expanded(house, "[day-00...day-09]", "days")
    crew.until(lambda: succeeded(house, backfill_id) == 10, turns=20)
