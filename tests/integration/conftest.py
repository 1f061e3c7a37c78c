"""A house with a clock of its own, on both databases, seen by the doctor when its test is over."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.failpoints import ForgetfulDatabase, Racing
from tests.support.gaps import leave_out
from tests.support.house import House, open_house


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the tests that run curl out where there is none."""
    if shutil.which("curl") is None:
        leave_out(
            config,
            items,
            lambda item: item.get_closest_marker("curl") is not None,
            what="tests of examples with curl",
            package="curl",
        )


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


@pytest.fixture
def racing(house: House) -> Iterator[Racing]:
    """Two threads that meet over the house's database."""
    threads = Racing(house.db)
    yield threads
    threads.close()
