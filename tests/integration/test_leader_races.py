"""Who led and who leads meet: what one admits under the lead, the other counts."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection

from backfill.lifecycle import fleet, runs
from backfill.lifecycle.admission import Admitter, Message
from backfill.lifecycle.pooling import set_tag_limit
from backfill.lifecycle.runs import LaunchRequest
from tests.support.failpoints import Racing
from tests.support.house import House

LEASE_US = 10_000_000
TAG = ("team", "sales")


def lead(house: House) -> int:
    epoch = house.db.transact(lambda conn: fleet.lead(house.db, conn, house.holder, LEASE_US))
    assert epoch is not None
    return epoch


def admit(house: House, epoch: int) -> list[Message]:
    """Admit as a coordinator does: only while it leads, under the leader's lock."""

    def work(conn: Connection) -> list[Message]:
        if not fleet.still_leading(house.db, conn, house.holder, epoch):
            return []
        return Admitter(house.db, house.settings).turn(conn)

    return house.db.transact(work)


def active(house: House) -> int:
    sql = "SELECT count(*) AS n FROM runs WHERE state IN ('queued', 'running')"
    return int(house.row(sql).n)


@pytest.mark.parametrize("statement", range(1, 16))
def test_a_coordinator_that_is_followed_while_it_admits_passes_no_limit(
    house: House, racing: Racing, statement: int
) -> None:
    house.worker(slots=4)
    set_tag_limit(house.db, *TAG, 1)
    for _ in range(3):
        runs.launch(house.db, LaunchRequest(pipeline="work", tags=dict([TAG])))
    assert house.clock is not None
    epoch = lead(house)
    house.advance(11)  # it was slow: its lead is over, and it does not know
    other = House(house.clock.open(), house.definitions, house.settings, holder="another")
    raced = racing.race(
        house.db,
        lambda: admit(house, epoch),
        lambda: admit(other, lead(other)),
        statement=statement,
    )
    if raced is None:
        return
    for result in (raced.first, raced.second):
        assert not isinstance(result, Exception), repr(result)
    assert active(house) == 1
