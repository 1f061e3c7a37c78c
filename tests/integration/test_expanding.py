"""The coordinator's expander works beside its turns: nothing waits for it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from backfill.coordinator.expanding import Expander
from backfill.errors import Unavailable
from backfill.lifecycle import backfills
from tests.support.house import House
from tests.support.waiting import wait_until


@pytest.fixture
def expander(house: House) -> Iterator[Callable[[], Expander]]:
    """Makes expanders with a thread, as many as asked."""
    made: list[Expander] = []

    def make() -> Expander:
        made.append(
            Expander(house.db, house.definitions, house.settings, house.holder, beside=True)
        )
        return made[-1]

    house.settings = house.settings.model_copy(update={"expand_chunk": 3})
    yield make
    for one in made:
        one.close()


def all_expanded(house: House) -> Callable[[], bool]:
    return lambda: not house.rows("SELECT 1 FROM backfills WHERE expanded_at IS NULL")


def test_a_backfill_is_expanded_to_its_end_once_it_was_heard_of(
    house: House, expander: Callable[[], Expander], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backfill.coordinator.expanding.FIRST_CHUNK", 2)
    backfill_id = house.submit("[day-00...day-19]")
    assert expander().go_on() is False, "a turn has nothing to come back for"
    wait_until(all_expanded(house), "it is expanded")
    assert house.states(backfill_id) == {"pending": 20}


def test_several_expanders_make_every_run_once(
    house: House, expander: Callable[[], Expander], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backfill.coordinator.expanding.FIRST_CHUNK", 2)
    ids = [house.submit("[day-00...day-39]") for _ in range(3)]
    for one in [expander() for _ in range(3)]:
        one.go_on()
    wait_until(all_expanded(house), "all are expanded")
    assert [house.states(i) for i in ids] == [{"pending": 40}] * 3
    assert house.row("SELECT count(*) AS n FROM runs").n == 120


def test_a_newcomer_goes_before_the_next_chunk_of_a_big_one(
    house: House, expander: Callable[[], Expander], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backfill.coordinator.expanding.FIRST_CHUNK", 2)
    order: list[int] = []
    expand_chunk = backfills.expand_chunk

    def noted(*given: Any, **options: Any) -> int | None:
        order.append(given[2])
        if len(order) == 3:
            house.submit("day-50", priority=5)
        return expand_chunk(*given, **options)

    monkeypatch.setattr("backfill.lifecycle.backfills.expand_chunk", noted)
    big = house.submit("[day-00...day-29]")
    expander().go_on()
    wait_until(all_expanded(house), "both are expanded")
    assert order[:5] == [big, big, big, big + 1, big]


def test_code_that_hangs_holds_up_no_turn(
    house: House, expander: Callable[[], Expander], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, answered = threading.Event(), threading.Event()
    expand = house.definitions.expand

    def hanging(*given: Any, **options: Any) -> Any:
        asked.set()
        assert answered.wait(30)
        return expand(*given, **options)

    monkeypatch.setattr(house.definitions, "expand", hanging)
    house.submit("day-01")
    one = expander()
    one.go_on()
    assert asked.wait(30)
    assert one.go_on() is False, "it comes back although the code hangs"
    answered.set()
    wait_until(all_expanded(house), "it is expanded after all")


def test_it_goes_on_after_an_outage(
    house: House, expander: Callable[[], Expander], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backfill.coordinator.expanding.AFTER_OUTAGE_SECONDS", 0.0)
    failures = [
        OperationalError("COPY", {}, ValueError("gone"), connection_invalidated=True),
        Unavailable("The database cannot be reached."),
    ]
    expand_chunk = backfills.expand_chunk

    def failing(*given: Any, **options: Any) -> int | None:
        if failures:
            raise failures.pop()
        return expand_chunk(*given, **options)

    monkeypatch.setattr("backfill.lifecycle.backfills.expand_chunk", failing)
    backfill_id = house.submit("[day-00...day-04]")
    one = expander()

    def expanded() -> bool:
        one.go_on()
        return all_expanded(house)()

    wait_until(expanded, "it is expanded")
    assert house.states(backfill_id) == {"pending": 5}
    assert house.backfill(backfill_id).state == "running", "an outage pauses nothing"


def test_it_begins_nothing_while_another_leads(
    house: House, expander: Callable[[], Expander], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = expander()
    expand_chunk = backfills.expand_chunk

    def deposed(*given: Any, **options: Any) -> int | None:
        one.rest()
        return expand_chunk(*given, **options)

    monkeypatch.setattr("backfill.lifecycle.backfills.expand_chunk", deposed)
    backfill_id = house.submit("[day-00...day-19]")
    monkeypatch.setattr("backfill.coordinator.expanding.FIRST_CHUNK", 1)
    one.go_on()
    wait_until(lambda: house.states(backfill_id), "the chunk under way ends")
    one.close()
    assert house.states(backfill_id) == {"pending": 1}
