"""Stale: code changes, partitions made by older code are counted, selected and run again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from backfill.api.app import create_app
from backfill.cli.app import app
from backfill.client import Client
from backfill.definitions.in_process import LocalDefinitions
from backfill.execution.outcomes import RunEnd, RunOutcome
from backfill.lifecycle.moves import Claim, Report
from backfill.lifecycle.staleness import Staleness, staleness
from backfill.settings import get_settings
from tests.support.house import LIFECYCLE, NOON, House, steps_ok
from tests.support.loading import loaded
from tests.support.serving import serving


@pytest.fixture
def changed(tmp_path: Path) -> Iterator[LocalDefinitions]:
    """The same definitions with a step that does something else."""
    folder = tmp_path / "changed"
    folder.mkdir()
    with loaded(LIFECYCLE.replace("return x", "return x + 1"), folder) as definitions:
        yield definitions


def version(definitions: LocalDefinitions) -> str:
    return str(definitions.catalog().pipeline("work").version)


def succeed(house: House, *claims: Claim) -> None:
    """Succeed with the code the house has now."""
    now = version(house.definitions)
    house.record(
        *[
            Report(c, outcome=RunOutcome(RunEnd.SUCCEEDED), steps=steps_ok(), version=now)
            for c in claims
        ]
    )
    house.fold()


def counted(house: House) -> Staleness:
    return staleness(house.db, house.definitions, "days", at=NOON, limit=1_000)


def claims(house: House) -> list[Claim]:
    return [claim for run in house.admitted() for claim in house.claim([run])]


def keys(house: House, backfill_id: int) -> list[str]:
    house.expand(backfill_id)
    return house.keys(backfill_id)


def test_a_set_that_never_ran_is_not_stale(house: House) -> None:
    told = counted(house)
    assert (told.of, told.current, told.stale, told.never) == (60, 0, 0, 60)
    assert told.versions == []


def test_code_that_changes_makes_partitions_stale_until_they_run_again(
    house: House, changed: LocalDefinitions
) -> None:
    house.worker(slots=20)
    house.ready(5)
    succeed(house, *claims(house))
    old = version(house.definitions)
    assert (counted(house).current, counted(house).stale) == (5, 0)

    house.definitions = changed
    new = version(changed)
    assert new != old
    told = counted(house)
    assert (told.version, told.of, told.current, told.stale, told.never) == (new, 60, 0, 5, 55)
    assert [(v.version, v.partitions) for v in told.versions] == [(old, 5)]

    selected = house.submit("[day-00...day-01] & stale", reprocess=None)
    assert keys(house, selected) == ["day-00", "day-01"]
    succeed(house, *claims(house))
    told = counted(house)
    assert (told.current, told.stale) == (2, 3)
    assert {v.version: v.partitions for v in told.versions} == {new: 2, old: 3}

    rest = house.submit("all", reprocess="stale")
    assert keys(house, rest) == ["day-02", "day-03", "day-04"]
    succeed(house, *claims(house))
    assert (counted(house).current, counted(house).stale) == (5, 0)


def test_a_failure_with_new_code_leaves_the_old_success_stale(
    house: House, changed: LocalDefinitions
) -> None:
    house.worker(slots=20)
    house.ready(1)
    succeed(house, *claims(house))
    house.definitions = changed
    house.expand(house.submit("day-00", reprocess="stale"))
    house.fail(*claims(house))
    assert counted(house).stale == 1


def test_staleness_is_told_by_api_client_and_command_line(
    house: House,
    changed: LocalDefinitions,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    house.worker(slots=20)
    house.ready(3)
    succeed(house, *claims(house))
    old = version(house.definitions)
    house.definitions = changed
    served = create_app(house.settings, house.db, changed, clock=lambda: NOON)
    with serving(served) as url, Client(url) as client:
        told = client.staleness("days")
        assert (told.stale, told.never, told.versions[0].version) == (3, 57, old)
        assert client.plan("days", "stale").count == told.stale
        monkeypatch.setenv("BACKFILL_API_URL", url)
        get_settings.cache_clear()
        with pytest.raises(SystemExit):
            app(["stale", "days"])
    get_settings.cache_clear()
    printed = capsys.readouterr().out
    assert printed.startswith(
        f"3 of 60 partitions of days last succeeded with another version than {version(changed)}; "
        "0 with it, 57 never.\nRun them again: backfill submit days --all --reprocess stale\n"
    )
    assert old in printed
