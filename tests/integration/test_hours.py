"""Windows: a backfill runs only within its hours; what runs goes on."""

from __future__ import annotations

import pytest

from backfill.errors import Invalid
from tests.support.house import NOON, House


def at_noon(house: House) -> None:
    """Set the house's clock to noon of a Thursday, UTC."""
    with house.db.read() as conn:
        now = house.db.clock(conn)
    house.advance(int(NOON.timestamp()) - now / 1e6)


def test_outside_its_hours_a_backfill_waits_and_others_do_not(house: House) -> None:
    at_noon(house)
    house.worker(slots=4)
    night = house.ready(3, windows=["20:00-06:00"])
    other = house.submit("[day-10...day-11]")
    house.expand(other)
    house.admit()
    assert house.states(night) == {"pending": 3}
    assert house.states(other) == {"queued": 2}
    house.advance(8 * 3600)
    house.worker("w2", slots=4)
    assert len(house.admitted()) == 3


def test_what_is_queued_is_recalled_when_the_hours_end_and_what_runs_goes_on(house: House) -> None:
    at_noon(house)
    house.worker(slots=4)
    backfill_id = house.ready(4, windows=["daily 11:00-13:00 UTC"])
    (claim,) = house.claim(house.admitted()[:1])
    house.advance(3601)
    assert house.admit() == []
    assert house.states(backfill_id) == {"running": 1, "pending": 3}
    house.succeed(claim)
    assert house.states(backfill_id) == {"succeeded": 1, "pending": 3}
    assert house.rows("SELECT * FROM partition_holds") == []


def test_several_windows_hold_together(house: House) -> None:
    at_noon(house)  # a Thursday
    house.worker(slots=4)
    house.ready(2, windows=["sat,sun", {"days": ["thu"], "start": "11:30", "end": "12:30"}])
    assert len(house.admitted()) == 2


def test_the_hours_are_those_of_the_zone(house: House) -> None:
    at_noon(house)
    house.worker(slots=4)
    house.ready(2, windows=["21:00-22:00 Asia/Tokyo"])
    assert len(house.admitted()) == 2


@pytest.mark.parametrize(
    ("window", "why"),
    [
        ("25:00-26:00", "time of the day"),
        ("mon 10:00-11:00 Mars/Base", "time zone"),
        ("", "window"),
    ],
)
def test_a_window_that_makes_no_sense_is_refused(house: House, window: str, why: str) -> None:
    with pytest.raises(Invalid, match=why):
        house.submit("[day-00...day-01]", windows=[window])
