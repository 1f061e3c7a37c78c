"""Drift: definitions that change while a backfill runs never break it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backfill.errors import Conflict, SelectionInvalid
from backfill.execution.outcomes import RunEnd
from backfill.lifecycle import dynamic
from backfill.lifecycle.comparing import Drift, drift_of
from backfill.lifecycle.dynamic import stored_keys
from backfill.lifecycle.retargeting import Retargeted, retarget
from backfill.settings import Settings
from backfill.states import BackfillState
from backfill.storage.database import Database
from backfill.storage.queries.attempts import attempts_of
from backfill.storage.queries.events import list_events
from tests.support.ended import ended, finish
from tests.support.house import NOON, House
from tests.support.loading import loaded
from workers.runner import Runner
from workers.slots import Board

SHOPS = """
from backfill import PartitionSetDefinition, pipeline, step
from backfill.definitions.partitions import (
    DailyPartitionsDefinition, DynamicPartitionsDefinition, MultiPartitionsDefinition,
)

@step
def a(context):
    context.log.info(context.partition_key)

@pipeline
def work():
    a()

shops = PartitionSetDefinition(
    name="shops",
    pipeline_name="work",
    partitions_def=DynamicPartitionsDefinition(name="shops"),
)
sales = PartitionSetDefinition(
    name="sales",
    pipeline_name="work",
    partitions_def=MultiPartitionsDefinition({
        "day": DailyPartitionsDefinition("2025-12-31"),
        "shop": DynamicPartitionsDefinition(name="shops"),
    }),
)
"""


@pytest.fixture
def house(database: Database, tmp_path: Path) -> Iterator[House]:
    settings = Settings(
        database_url=database.url.render_as_string(hide_password=False), home=tmp_path / "home"
    )
    with loaded(SHOPS, tmp_path, dynamic_keys=stored_keys(database)) as definitions:
        opened = House(database, definitions, settings)
        add(opened, "a", "b", "c", "d")
        yield opened
        opened.fold()
        assert opened.sick() == []


def add(house: House, *keys: str) -> None:
    dynamic.add_keys(house.db, house.definitions, "shops", keys)


def remove(house: House, *keys: str) -> None:
    dynamic.remove_keys(house.db, house.definitions, "shops", keys)


def expanded(house: House, selection: str = "all", set_name: str = "shops", **wanted: Any) -> int:
    backfill_id = house.submit(selection, set_name, **wanted)
    while house.expand(backfill_id):
        pass
    return backfill_id


def drift(house: House, backfill_id: int, **wanted: Any) -> Drift:
    return drift_of(house.db, house.definitions, backfill_id, at=NOON, limit=1000, **wanted)


def retargeted(house: House, backfill_id: int, **wanted: Any) -> Retargeted:
    return retarget(house.db, house.definitions, backfill_id, at=NOON, limit=1000, **wanted)


def states(house: House, backfill_id: int) -> dict[str, str]:
    rows = house.rows(
        "SELECT partition, state FROM runs WHERE backfill_id = :id ORDER BY sort", id=backfill_id
    )
    return {row.partition: row.state for row in rows}


def work(house: House, source: Path | None = None) -> None:
    """Let a worker with definitions of its own take all that is queued."""
    house.worker(slots=8)
    definitions = str(source or house.definitions.catalog().sources[0])
    settings = house.settings.model_copy(update={"definitions": definitions})
    runner = Runner(settings, Board().slot(0), 1)
    while messages := house.admit():
        for message in messages:
            runner.handle(list(message.run_ids))
    runner.close()


# -- partitions that are gone when a worker takes them --------------------------------------------


def test_a_partition_that_left_the_set_is_skipped_and_the_rest_succeeds(house: House) -> None:
    backfill_id = expanded(house)
    remove(house, "b")
    work(house)
    assert states(house, backfill_id) == {
        "a": "succeeded",
        "b": "skipped",
        "c": "succeeded",
        "d": "succeeded",
    }
    run = house.row("SELECT * FROM runs WHERE partition = 'b'")
    assert run.reason == 'its partition left the set "shops"'
    assert house.settle(backfill_id) is BackfillState.SUCCEEDED


def test_the_drift_is_an_event_of_the_backfill(house: House) -> None:
    backfill_id = expanded(house)
    remove(house, "b", "d")
    work(house)
    with house.db.read() as conn:
        events = list_events(house.db, conn, backfill_id=backfill_id, limit=10).items
    told = [event for event in events if event.kind == "backfill.drift"]
    assert len(told) == 1
    assert told[0].message == "partitions left the set before they ran, and are skipped"


def test_the_attempt_that_found_it_gone_is_kept(house: House) -> None:
    backfill_id = expanded(house, "b")
    remove(house, "b")
    work(house)
    run_id = house.row("SELECT id FROM runs WHERE backfill_id = :id", id=backfill_id).id
    with house.db.read() as conn:
        (attempt,) = attempts_of(house.db, conn, [run_id])[run_id]
    assert (attempt.attempt, attempt.ending) == (1, "released")
    assert house.rows("SELECT * FROM partition_holds") == []


def test_runs_of_dynamic_partitions_work_in_sets_of_several_dimensions(house: House) -> None:
    add(house, "x|y")
    backfill_id = expanded(house, 'shop=(a, b, "x|y")', "sales")
    remove(house, "b")
    work(house)
    assert states(house, backfill_id) == {
        "2025-12-31|a": "succeeded",
        "2025-12-31|b": "skipped",
        "2025-12-31|x\\|y": "succeeded",
    }


def test_a_worker_of_other_code_hands_a_partition_it_lacks_back(
    house: House, tmp_path: Path
) -> None:
    other = tmp_path / "older_shops.py"
    older = 'DynamicPartitionsDefinition(partition_fn=lambda at: ["a", "b"])'
    other.write_text(SHOPS.replace('DynamicPartitionsDefinition(name="shops")', older))
    backfill_id = expanded(house, "a, c")
    work(house, other)
    assert states(house, backfill_id) == {"a": "succeeded", "c": "pending"}
    run = house.row("SELECT * FROM runs WHERE partition = 'c'")
    assert "this worker's code has no partition" in run.reason
    assert not run.ready
    assert (run.attempt, run.failures) == (1, 0)


# -- retargeting ----------------------------------------------------------------------------------


def test_what_joined_and_what_left_is_told_before_anything_is_changed(house: House) -> None:
    backfill_id = expanded(house)
    remove(house, "b")
    add(house, "e", "f")
    assert drift(house, backfill_id) == Drift(
        gone=1,
        gone_keys=["b"],
        joined=2,
        joined_keys=["e", "f"],
        vanished=0,
        code_changed=False,
    )
    assert house.states(backfill_id) == {"pending": 4}


def test_retargeting_adopts_what_joined_and_skips_what_left(house: House) -> None:
    backfill_id = expanded(house)
    remove(house, "b")
    add(house, "e")
    assert retargeted(house, backfill_id) == Retargeted(added=1, skipped=1, left=0)
    assert states(house, backfill_id) == {
        "a": "pending",
        "b": "skipped",
        "c": "pending",
        "d": "pending",
        "e": "pending",
    }
    house.fold()
    backfill = house.backfill(backfill_id)
    assert (backfill.total, backfill.expanded, backfill.pending, backfill.skipped) == (5, 5, 4, 1)
    assert retargeted(house, backfill_id) == Retargeted(added=0, skipped=0, left=0)
    work(house)
    assert house.settle(backfill_id) is BackfillState.SUCCEEDED


def test_a_renamed_partition_goes_on_under_its_new_name(house: House) -> None:
    backfill_id = expanded(house)
    remove(house, "b")
    add(house, "b2")
    retargeted(house, backfill_id)
    work(house)
    assert house.states(backfill_id) == {"succeeded": 4, "skipped": 1}


def test_retargeting_evaluates_the_selection_anew(house: House) -> None:
    backfill_id = expanded(house, "last:2")
    add(house, "e", "f", "g")
    assert drift(house, backfill_id).joined_keys == ["f", "g"]
    other = expanded(house, "[a...b]")
    assert drift(house, other).joined == 0


def test_a_selection_that_no_longer_fits_is_told_and_can_be_replaced(house: House) -> None:
    backfill_id = expanded(house, "[a...b]")
    remove(house, "b")
    add(house, "e")
    found = drift(house, backfill_id)
    assert (found.gone, found.joined) == (1, 0)
    assert found.problem is not None
    assert 'no partition "b"' in found.problem
    assert retargeted(house, backfill_id).skipped == 1
    done = retargeted(house, backfill_id, selection="[a...]")
    assert done == Retargeted(added=3, skipped=0, left=0)
    assert house.backfill(backfill_id).selection == "[a...]"
    with pytest.raises(SelectionInvalid, match="z"):
        retargeted(house, backfill_id, selection="z")


def test_statuses_stay_as_they_were_at_submit(house: House) -> None:
    ended(house, "a, b", RunEnd.FAILED, set_name="shops")
    backfill_id = expanded(house, "failed, missing & [d...]")
    assert house.keys(backfill_id) == ["a", "b", "d"]
    finish(house)
    ended(house, "c", RunEnd.FAILED, set_name="shops")
    add(house, "e")
    late = expanded(house, "c", reprocess="all")
    house.db.transact(lambda conn: conn.execute(house.db.sql("UPDATE backfills SET state = state")))
    assert drift(house, late).joined == 0
    assert drift(house, backfill_id).joined_keys == ["e"]


def test_what_was_left_out_at_submit_stays_out(house: House) -> None:
    ended(house, "a", set_name="shops")
    backfill_id = expanded(house, reprocess="missing")
    ended(house, "b", RunEnd.FAILED, set_name="shops")
    add(house, "e")
    assert house.backfill(backfill_id).total == 3
    assert drift(house, backfill_id).joined_keys == ["e"]


def test_adopted_partitions_run_in_the_order_of_the_backfill(house: House) -> None:
    backfill_id = expanded(house, ordering="newest")
    add(house, "e", "f")
    retargeted(house, backfill_id)
    assert house.keys(backfill_id) == ["f", "e", "d", "c", "b", "a"]


def test_only_an_open_backfill_can_be_retargeted(house: House) -> None:
    done = ended(house, "a, b", set_name="shops")
    with pytest.raises(Conflict, match=f"Backfill {done} cannot be retargeted: it is succeeded"):
        retargeted(house, done)
    assert drift(house, done).gone == 0
    requested = house.submit("all", "shops")
    with pytest.raises(Conflict, match="first runs are still being made"):
        retargeted(house, requested)
    paused = expanded(house)
    house.pause(paused)
    add(house, "e")
    assert retargeted(house, paused).added == 1
    assert house.backfill(paused).state == "paused"


def test_a_change_of_the_code_is_told(house: House, tmp_path: Path) -> None:
    backfill_id = expanded(house)
    with loaded(
        SHOPS + "\n# changed\n", tmp_path, dynamic_keys=stored_keys(house.db)
    ) as definitions:
        changed = drift_of(house.db, definitions, backfill_id, at=NOON, limit=10)
        assert changed.code_changed
        retarget(house.db, definitions, backfill_id, at=NOON, limit=10)
        after = drift_of(house.db, definitions, backfill_id, at=NOON, limit=10)
        assert not after.code_changed
