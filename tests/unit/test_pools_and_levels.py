"""Slots that a run needs, limits as they are taken, and levels in the broker; all pure."""

from __future__ import annotations

import pytest

from backfill import pipeline, step
from backfill.coordinator.broker import level_of
from backfill.definitions.catalog import PipelineInfo, StepInfo
from backfill.definitions.pools import slots_needed
from backfill.errors import DefinitionError
from backfill.lifecycle.admission.ledger import Ledger, TagLimit


def test_a_run_needs_what_its_steps_may_need_at_once() -> None:
    steps = [{"warehouse": 1}, {"warehouse": 2, "api": 1}, {}]
    assert slots_needed({}, steps, at_once=1) == {"api": 1, "warehouse": 2}
    assert slots_needed({}, steps, at_once=2) == {"api": 1, "warehouse": 3}
    assert slots_needed({"warehouse": 4}, steps, at_once=2) == {"api": 1, "warehouse": 4}
    assert slots_needed({}, [], at_once=1) == {}


def test_a_run_of_some_steps_needs_only_their_pools() -> None:
    steps = (StepInfo("load", pools={"warehouse": 1}), StepInfo("call", pools={"api": 1}))
    told = PipelineInfo("daily", steps, "1", own_pools={"license": 1})
    assert told.slots_needed(["call"]) == {"api": 1, "license": 1}
    assert told.slots_needed(None) == {"api": 1, "license": 1, "warehouse": 1}


@pytest.mark.parametrize("pool", ["ware house", "", {"warehouse": 0}, {"tag:x": 1}, {1: 1}, 7])
def test_a_pool_that_makes_no_sense_is_refused_where_it_is_defined(pool: object) -> None:
    with pytest.raises(DefinitionError, match="pool"):

        @step(pool=pool)  # type: ignore[call-overload,untyped-decorator]
        def load() -> None: ...

    @step
    def other() -> None: ...

    with pytest.raises(DefinitionError, match="pool"):

        @pipeline(pool=pool)  # type: ignore[call-overload,untyped-decorator]
        def daily() -> None:
            other()


def ledger(**used: int) -> Ledger:
    limits = [TagLimit("customer", "", 2), TagLimit("customer", "acme", 1)]
    return Ledger({"warehouse": 3, "api": None}, limits, used, default_slots=1)


def test_all_is_taken_or_nothing() -> None:
    book = ledger()
    assert book.take({"warehouse": 2, "api": 1})
    assert not book.take({"warehouse": 1, "api": 1})
    assert book.used["warehouse"] == 2
    book.give_back({"warehouse": 2, "api": 1})
    assert book.fits({"warehouse": 1}) == 3


def test_what_one_lacks_is_kept_for_it() -> None:
    book = ledger(warehouse=2)
    assert not book.take({"warehouse": 2})
    assert not book.take({"warehouse": 1})
    assert book.fits({"warehouse": 1}) == 0


def test_a_value_has_its_own_limit_before_that_of_each() -> None:
    book = ledger()
    assert book.needs({}, {"customer": "acme", "x": "y"}) == {"tag:customer=acme": 1}
    assert book.fits(book.needs({}, {"customer": "acme"})) == 1
    assert book.fits(book.needs({}, {"customer": "bolt"})) == 2


def test_nobody_needs_more_than_there_is() -> None:
    assert ledger().needs({"warehouse": 9, "unheard": 3}, {}) == {"warehouse": 3, "unheard": 1}


def test_higher_priorities_are_read_first_on_redis_and_higher_levels_first_on_rabbitmq() -> None:
    priorities = [500, 5, 0, -5]
    assert [level_of(p, redis=True) for p in priorities] == [0, 3, 6, 9]
    assert [level_of(p, redis=False) for p in priorities] == [9, 6, 3, 0]
    assert [level_of(p, ahead=True, redis=True) for p in priorities] == [0, 0, 3, 6]
