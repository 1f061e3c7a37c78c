"""A house with a clock of its own, on both databases, seen by the doctor when its test is over."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.failpoints import ForgetfulDatabase
from tests.support.house import House, open_house


@pytest.fixture
def house(database_url: str, tmp_path: Path) -> Iterator[House]:
    """Everything between submit and settle; what a test leaves behind must be healthy."""
    with open_house(database_url, tmp_path) as opened:
        yield opened
        opened.fold()
        assert opened.sick() == []


@pytest.fixture
def forgetful(house: House) -> ForgetfulDatabase:
    """The house's database, which may lose answers."""
    assert house.clock is not None
    house.db = opened = house.clock.open(ForgetfulDatabase)
    return opened
