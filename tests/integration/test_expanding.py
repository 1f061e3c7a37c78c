"""The coordinator's expander works beside its turns: nothing waits for it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from backfill.coordinator.expanding import Expander
from backfill.errors import DefinitionsUnavailable, Unavailable
from backfill.lifecycle import backfills, expansion, moves
from backfill.lifecycle.frozen import expanding
from backfill.lifecycle.locking import locked
from backfill.storage.database import Database
from tests.support.databases import PostgresDatabases, one_database
from tests.support.failpoints import every_crash
from tests.support.house import NOON, House, open_house
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


def test_the_next_keys_are_asked_for_while_a_chunk_is_written(
    house: House, expander: Callable[[], Expander], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backfill.coordinator.expanding.FIRST_CHUNK", 3)
    asked: list[int] = []
    expand, written = house.definitions.expand, expansion._written

    def noted(*given: Any, **options: Any) -> Any:
        asked.append(options["limit"])
        return expand(*given, **options)

    def waiting(*given: Any, **options: Any) -> int | None:
        chunks.append(len(asked))
        if len(chunks) == 1:
            wait_until(lambda: len(asked) == 2, "the next are asked for before these are written")
        return written(*given, **options)

    chunks: list[int] = []
    monkeypatch.setattr(house.definitions, "expand", noted)
    monkeypatch.setattr(expansion, "_written", waiting)
    backfill_id = house.submit("[day-00...day-06]")
    expander().go_on()
    wait_until(all_expanded(house), "it is expanded")
    assert house.states(backfill_id) == {"pending": 7}
    assert len(asked) == len(chunks) == 3, "nothing is asked for twice, nor beyond the end"


def test_keys_asked_for_too_long_ago_are_asked_for_again(
    house: House, expander: Callable[[], Expander], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backfill.coordinator.expanding.FIRST_CHUNK", 3)
    monkeypatch.setattr("backfill.lifecycle.ahead.FRESH_SECONDS", -1.0)
    asked: list[int] = []
    expand = house.definitions.expand

    def noted(*given: Any, **options: Any) -> Any:
        asked.append(options["limit"])
        return expand(*given, **options)

    monkeypatch.setattr(house.definitions, "expand", noted)
    backfill_id = house.submit("[day-00...day-06]")
    expander().go_on()
    wait_until(all_expanded(house), "it is expanded")
    assert house.states(backfill_id) == {"pending": 7}
    assert len(asked) == 5, "of three chunks two were asked for ahead, and again"


def test_code_that_fails_while_it_is_asked_ahead_is_asked_again(
    house: House, expander: Callable[[], Expander], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backfill.coordinator.expanding.FIRST_CHUNK", 3)
    monkeypatch.setattr("backfill.coordinator.expanding.AGAIN_WITHOUT_CODE_SECONDS", 0.0)
    calls: list[int] = []
    expand = house.definitions.expand

    def failing(*given: Any, **options: Any) -> Any:
        calls.append(options["offset"])
        if len(calls) == 2:
            raise DefinitionsUnavailable("The code is being replaced.")
        return expand(*given, **options)

    monkeypatch.setattr(house.definitions, "expand", failing)
    backfill_id = house.submit("[day-00...day-06]")
    one = expander()
    one.go_on()

    def done() -> bool:
        one.go_on()
        return all_expanded(house)()

    wait_until(done, "it is expanded after all")
    assert house.states(backfill_id) == {"pending": 7}


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


def submitted(house: House, selection: str) -> backfills.Submitted:
    """Submit as the API does: nobody is woken for a small backfill."""
    request = backfills.BackfillRequest("days", selection, reprocess="all")
    return backfills.submit(
        house.db, house.definitions, request, at=NOON, limit=1000, wake_above=backfills.SMALL
    )


def test_a_small_backfill_needs_no_coordinator_to_be_expanded(house: House) -> None:
    one = submitted(house, "[day-00...day-04]")
    backfills.expand_small(house.db, house.definitions, one)
    assert house.states(one.backfill_id) == {"pending": 5}
    assert all_expanded(house)()


def test_what_was_submitted_before_or_is_big_is_left_to_the_coordinator(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backfill.lifecycle.expansion.SMALL", 4)
    big = submitted(house, "[day-00...day-04]")
    again = replace(submitted(house, "day-01"), created=False)
    for one in (big, again):
        backfills.expand_small(house.db, house.definitions, one)
        assert house.states(one.backfill_id) == {}


def test_whoever_submitted_and_the_coordinator_make_every_run_once(
    house: House, expander: Callable[[], Expander], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both ask for the partitions before either of them has made a run."""
    both = threading.Barrier(2)
    expand = house.definitions.expand

    def together(*given: Any, **options: Any) -> Any:
        found = expand(*given, **options)
        with suppress(threading.BrokenBarrierError):  # who comes later comes alone
            both.wait(2)
        return found

    one = submitted(house, "[day-00...day-09]")
    monkeypatch.setattr(house.definitions, "expand", together)
    expander().go_on()
    backfills.expand_small(house.db, house.definitions, one)
    wait_until(all_expanded(house), "it is expanded")
    house.fold()
    assert house.states(one.backfill_id) == {"pending": 10}
    row = house.backfill(one.backfill_id)
    assert (row.expanded, row.total, row.pending) == (10, 10, 10)


@pytest.mark.parametrize(
    "error",
    [
        DefinitionsUnavailable("No module named shop"),
        Unavailable("The database cannot be reached."),
        OperationalError("COPY", {}, ValueError("gone"), connection_invalidated=True),
    ],
)
def test_what_cannot_be_expanded_after_its_submit_is_expanded_later(
    house: House, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def failing(*_: object, **__: object) -> None:
        raise error

    one = submitted(house, "[day-00...day-04]")
    with monkeypatch.context() as patched:
        patched.setattr(house.definitions, "expand", failing)
        backfills.expand_small(house.db, house.definitions, one)
    assert house.states(one.backfill_id) == {}
    assert house.expand(one.backfill_id) == 5


def test_a_process_that_dies_after_a_submit_leaves_nothing_half(house: House) -> None:
    one = submitted(house, "[day-00...day-04]")
    for _ in every_crash(
        house.db, lambda: backfills.expand_small(house.db, house.definitions, one)
    ):
        assert house.states(one.backfill_id) in ({}, {"pending": 5})
    house.expand(one.backfill_id)
    assert house.states(one.backfill_id) == {"pending": 5}


def test_a_backfill_given_up_while_its_runs_are_written_has_none_of_them(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A move that takes no lock of the whole row, as of a breaker, is seen at the end."""
    backfill_id = house.submit("[day-00...day-04]")
    create = moves.create_plain_runs

    def meanwhile(db: Database, conn: Connection, *rest: Any) -> None:
        create(db, conn, *rest)
        conn.execute(db.sql("UPDATE backfills SET state = 'canceling' WHERE id = 1"))

    monkeypatch.setattr("backfill.lifecycle.moves.create_plain_runs", meanwhile)
    assert house.expand(backfill_id) is None
    assert house.states(backfill_id) == {}


@pytest.mark.postgres
def test_nobody_who_counts_or_admits_waits_for_runs_that_are_written(
    postgres_databases: PostgresDatabases, tmp_path: Path
) -> None:
    with one_database(postgres_databases) as url, open_house(url, tmp_path) as house:
        house.worker(slots=4)
        backfill_id = house.submit("[day-00...day-19]")
        house.expand(backfill_id, limit=5)
        with house.db.write() as conn:  # as a chunk that is being written
            house.db.alone(conn, "expand", backfill_id)
            expanding(house.db, conn, backfill_id, lock=house.db.for_key_share)
            house.fold()
            runs = house.admitted()
            assert len(runs) == 5
            house.succeed(*house.claim(runs))


@pytest.mark.postgres
def test_who_cancels_waits_for_runs_that_are_written(
    postgres_databases: PostgresDatabases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = moves.create_plain_runs

    def meanwhile(db: Database, conn: Connection, *rest: Any) -> None:
        create(db, conn, *rest)
        with db.write() as other:
            other.exec_driver_sql("SET LOCAL lock_timeout = '20ms'")
            with pytest.raises(OperationalError, match="lock timeout"):
                locked(db, other, 1)

    monkeypatch.setattr("backfill.lifecycle.moves.create_plain_runs", meanwhile)
    with one_database(postgres_databases) as url, open_house(url, tmp_path) as house:
        assert house.expand(house.submit("[day-00...day-04]")) == 5
