"""The coordinator's ticks: what one backfill suffers, the others do not notice."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy.exc import DataError, OperationalError

from backfill.coordinator.broker import Publisher
from backfill.coordinator.ticks import Ticks
from backfill.errors import DefinitionsUnavailable, Unavailable
from backfill.lifecycle import fleet
from backfill.states import BackfillState
from backfill.storage.database import decoded
from tests.support.failpoints import every_crash
from tests.support.house import House


@pytest.fixture
def coordinator(house: House, broker_url: str) -> Iterator[Callable[[], Ticks]]:
    """Starts the ticks of a coordinator, as often as asked."""
    house.settings = house.settings.model_copy(update={"broker_url": broker_url})
    publisher = Publisher(house.settings, wake=lambda: None)
    started: list[Ticks] = []

    def start() -> Ticks:
        started.append(Ticks(house.db, house.definitions, house.settings, publisher, house.holder))
        return started[-1]

    yield start
    for ticks in started:
        ticks.close()
    publisher.close()


@pytest.fixture
def ticks(coordinator: Callable[[], Ticks]) -> Ticks:
    """The ticks of a coordinator."""
    return coordinator()


def lead(house: House, holder: str | None = None) -> int:
    epoch = house.db.transact(
        lambda conn: fleet.lead(house.db, conn, holder or house.holder, 10_000_000)
    )
    assert epoch is not None
    return epoch


def turn(house: House, ticks: Ticks, times: int = 3) -> None:
    epoch = lead(house)
    for _ in range(times):
        ticks.turn(epoch)


def test_a_submitted_backfill_is_expanded_admitted_and_settled(house: House, ticks: Ticks) -> None:
    backfill_id = house.submit("[day-00...day-03]")
    turn(house, ticks)
    queued = [row.id for row in house.rows("SELECT id FROM runs WHERE state = 'queued'")]
    assert len(queued) == 4
    house.succeed(*[claim for run in queued for claim in house.claim([run])])
    turn(house, ticks)
    assert house.backfill(backfill_id).state == BackfillState.SUCCEEDED


def test_a_canceled_backfill_is_wound_down(house: House, ticks: Ticks) -> None:
    backfill_id = house.ready(6)
    house.cancel(backfill_id)
    turn(house, ticks)
    assert house.backfill(backfill_id).state == BackfillState.CANCELED


def test_a_backfill_whose_set_is_gone_is_paused_and_harms_no_other(
    house: House, coordinator: Callable[[], Ticks]
) -> None:
    gone = house.submit("day-01")
    with house.db.write() as conn:
        conn.execute(house.db.sql("INSERT INTO partition_sets (name) VALUES ('gone')"))
        conn.execute(
            house.db.sql(
                "UPDATE backfills SET set_id = (SELECT id FROM partition_sets "
                "WHERE name = 'gone') WHERE id = :id"
            ),
            {"id": gone},
        )
    well = house.submit("day-02")
    for _ in range(3):
        turn(house, coordinator())
    row = house.backfill(gone)
    assert row.state == BackfillState.PAUSED
    assert "gone" in row.pause_reason
    assert house.states(well) == {"queued": 1}


def test_a_statement_that_always_fails_harms_only_its_own_tick(
    house: House, ticks: Ticks, monkeypatch: pytest.MonkeyPatch
) -> None:
    backfill_id = house.submit("day-02")

    def broken(*_: object, **__: object) -> None:
        raise DataError("SELECT", {}, ValueError("out of range"))

    monkeypatch.setattr("backfill.lifecycle.folding.fold", broken)
    turn(house, ticks)
    assert house.states(backfill_id) == {"queued": 1}


def test_a_lost_database_ends_the_turn(
    house: House, ticks: Ticks, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = OperationalError("SELECT", {}, ValueError("gone"), connection_invalidated=True)

    def unreachable(*_: object, **__: object) -> None:
        raise Unavailable("The database cannot be reached.") from lost

    monkeypatch.setattr("backfill.lifecycle.folding.fold", unreachable)
    with pytest.raises(Unavailable):
        turn(house, ticks)


def test_a_coordinator_that_lost_its_lead_admits_nothing(house: House, ticks: Ticks) -> None:
    house.ready(3)
    old = lead(house)
    house.advance(11)
    lead(house, "another")
    ticks.turn(old)
    assert ticks.deposed
    assert set(house.states(1)) == {"pending"}


def test_code_that_cannot_be_loaded_is_told_beside_the_lead_until_it_can(
    house: House, ticks: Ticks, monkeypatch: pytest.MonkeyPatch
) -> None:
    backfill_id = house.submit("[day-00...day-03]")

    def unavailable(*_: object, **__: object) -> None:
        raise DefinitionsUnavailable("No module named shop")

    monkeypatch.setattr("backfill.coordinator.expanding.AGAIN_WITHOUT_CODE_SECONDS", 0.0)
    with monkeypatch.context() as patched:
        patched.setattr(house.definitions, "expand", unavailable)
        turn(house, ticks, times=1)
    (row,) = house.rows("SELECT facts FROM leaders")
    assert decoded(row.facts) == {"cannot_expand": {str(backfill_id): "No module named shop"}}
    turn(house, ticks, times=1)
    (row,) = house.rows("SELECT facts FROM leaders")
    assert decoded(row.facts) == {"cannot_expand": {}}


def test_a_lead_of_an_earlier_epoch_is_over(house: House) -> None:
    first = lead(house)
    house.advance(11)
    lead(house, "another")
    house.advance(11)
    again = lead(house)
    leading = [
        house.db.transact(
            lambda conn, epoch=epoch: fleet.still_leading(house.db, conn, house.holder, epoch)
        )
        for epoch in (first, again)
    ]
    assert leading == [False, True]


def test_nothing_is_sent_before_it_is_committed(house: House, broker_url: str) -> None:
    house.settings = house.settings.model_copy(update={"broker_url": broker_url})
    publisher = Publisher(house.settings, wake=lambda: None)
    ticks = Ticks(house.db, house.definitions, house.settings, publisher, house.holder)
    turn(house, ticks, times=1)
    ticks.close()  # its threads; it still does what it is told
    house.ready(2)
    for _ in every_crash(house.db, ticks.admit):
        if house.states(1) == {"queued": 2}:
            break  # it died after the commit, before it sent
    publisher.close()
    looking = Publisher(house.settings, wake=lambda: None)
    assert looking.depth(house.settings.default_queue) == 0
    looking.close()


def test_after_an_outage_no_lease_is_taken_away_for_one_lease_time(
    house: House, ticks: Ticks
) -> None:
    house.running(1)
    house.advance(house.settings.lease_seconds + 1)
    ticks.database_was_lost()
    turn(house, ticks)
    assert house.states(1) == {"running": 1}
