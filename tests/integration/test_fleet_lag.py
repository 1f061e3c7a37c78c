"""The fleet says how late the coordinators' work is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from backfill.api.app import create_app
from backfill.cli.app import app as cli
from backfill.lifecycle import fleet
from backfill.schemas.fleet import Lag
from tests.support.house import NOON, House, open_house
from tests.support.serving import serving
from tests.support.web import TestClient

SECOND = 1_000_000


@pytest.fixture
def house(database_url: str, tmp_path: Path) -> Iterator[House]:
    with open_house(database_url, tmp_path) as opened:
        lead(opened)
        yield opened


def lead(house: House) -> None:
    house.db.transact(lambda conn: fleet.lead(house.db, conn, "c1", 10 * SECOND))


def lag(house: House) -> Lag:
    app = create_app(house.settings, house.db, house.definitions, clock=lambda: NOON)
    with TestClient(app, base_url="http://127.0.0.1:8000") as client:
        return Lag.model_validate(client.get("/api/v1/fleet").json()["coordinator"]["lag"])


def test_what_waits_is_told_with_how_long(house: House) -> None:
    house.worker(slots=4)
    assert lag(house) == Lag(silence=0, expanding=0, publishing=0, reaping=0, counting=0)

    backfill = house.submit("[day-00...day-01]")
    house.advance(7)
    found = lag(house)
    assert (found.expanding, found.silence) == (7, 7)

    house.expand(backfill)
    house.fold()
    runs = house.admitted()
    house.advance(house.settings.republish_seconds + 4)
    lead(house)
    found = lag(house)
    assert (found.expanding, found.publishing, found.silence) == (0, 4, 0)

    house.claim(runs)
    house.advance(house.settings.lease_seconds + 9)
    found = lag(house)
    assert (found.publishing, found.reaping) == (0, 9)
    house.reap()
    assert lag(house).reaping == 0


def test_moves_that_no_count_shows_are_told_with_their_age(house: House) -> None:
    backfill = house.submit("[day-00...day-01]")
    house.fold()
    house.expand(backfill)
    house.advance(3)
    assert lag(house).counting == 3
    house.fold()
    assert lag(house).counting == 0


def test_the_command_line_says_what_is_late(house: House) -> None:
    house.submit("day-00")
    house.advance(30)
    house.db.transact(lambda conn: fleet.lead(house.db, conn, "c1", 10_000 * SECOND))
    app = create_app(house.settings, house.db, house.definitions, clock=lambda: NOON)
    with serving(app) as url:
        said = CliRunner().invoke(cli, ["--url", url, "workers"]).stdout
    assert "expanding is 30s late" in said
