"""The overview of a large set: summed from blocks that follow what happens."""

from __future__ import annotations

import itertools
import json
from functools import partial
from pathlib import Path

import pytest

from backfill.api.app import create_app
from backfill.definitions.in_process import LocalDefinitions
from backfill.definitions.registry import Registry
from backfill.lifecycle import rollup
from backfill.schemas.overview import Overview
from backfill.storage.database import Database
from backfill.storage.queries.overview import BLOCK, RUN_ROW, spans, stretches, summed
from tests.support.house import NOON, House
from tests.support.web import TestClient

LARGE = """
from backfill import Partition, PartitionSetDefinition, pipeline, step

@step
def a():
    return 1

@step
def b(x):
    return x

@pipeline
def work():
    b(a())

days = PartitionSetDefinition(
    name="days",
    pipeline_name="work",
    partition_fn=lambda: [Partition(f"day-{n:05}") for n in range(@FIRST@, 4500)],
)
"""


def definitions(folder: Path, *, first: int = 0) -> LocalDefinitions:
    source = folder / f"large_{first}.py"
    source.write_text(LARGE.replace("@FIRST@", str(first)))
    return LocalDefinitions(Registry.load(str(source)))


@pytest.fixture
def house(database: Database, tmp_path: Path) -> House:
    built = House(database, definitions(tmp_path))
    built.worker(slots=100)
    return built


def catch_up(house: House) -> None:
    """Follow the feed to its end and compute what it marked."""
    while rollup.mark(house.db, house.definitions, NOON):
        pass
    while rollup.compute(house.db, house.definitions, NOON, limit=100):
        pass


def overview(house: House, buckets: int = 5) -> list[dict[str, dict[str, int]]]:
    with house.db.read() as conn:
        wanted = spans(0, 4500, buckets, grain=BLOCK)
        found = stretches(house.db, conn, "days", wanted)
    told = [summed(blocks, stop - start, ["a", "b"]) for start, stop, blocks in found]
    return [{step: dict(counts) for step, counts in bucket.items()} for bucket in told]


def run_some(house: House, selection: str, *, fail: int = 0) -> None:
    backfill_id = house.submit(selection)
    while house.expand(backfill_id):
        pass
    claims = house.claim([run for message in house.admit() for run in message.run_ids])
    house.succeed(*claims[fail:])
    house.fail(*claims[:fail])


def test_an_untouched_set_is_missing_everywhere(house: House) -> None:
    assert overview(house, 2) == [
        {step: {"missing": size} for step in ("a", "b", RUN_ROW)} for size in (3000, 1500)
    ]


def test_blocks_count_what_their_partitions_show(house: House) -> None:
    run_some(house, "[day-00990...day-01009]", fail=2)
    catch_up(house)
    first, second, third, *_ = overview(house)
    assert first["a"] == {"succeeded": 8, "missing": 992}
    assert first[RUN_ROW] == {"succeeded": 8, "failed": 2, "missing": 990}
    assert second["a"] == {"succeeded": 10, "missing": 990}
    assert third["a"] == {"missing": 1000}


def test_a_bucket_of_several_blocks_is_their_sum(house: House) -> None:
    run_some(house, "[day-00990...day-01009]", fail=2)
    catch_up(house)
    assert overview(house, 3)[0] == {
        "a": {"succeeded": 18, "missing": 1982},
        "b": {"succeeded": 18, "missing": 1982},
        RUN_ROW: {"succeeded": 18, "failed": 2, "missing": 1980},
    }


def test_the_api_shows_what_the_blocks_say_now(house: House) -> None:
    app = create_app(house.settings, house.db, house.definitions, clock=lambda: NOON)
    with TestClient(app, base_url="http://127.0.0.1:8000") as api:
        ask = partial(api.get, "/api/v1/partition-sets/days/overview?buckets=3")
        told = [ask().text]
        run_some(house, "[day-00990...day-01009]", fail=2)
        catch_up(house)
        told += [ask().text, ask().text]
    assert [Overview.model_validate_json(text).model_dump_json() for text in told] == told
    before, after, again = (json.loads(text)["buckets"][0] for text in told)
    assert before["runs"] == {"missing": 2000}
    assert after["runs"] == {"succeeded": 18, "failed": 2, "missing": 1980}
    assert again == after


def test_a_block_follows_the_next_run_of_its_partitions(house: House) -> None:
    run_some(house, "[day-00000...day-00004]", fail=5)
    catch_up(house)
    assert overview(house)[0][RUN_ROW] == {"failed": 5, "missing": 995}
    run_some(house, "failed")
    house.db.transact(
        lambda conn: conn.execute(house.db.sql("UPDATE matrix_blocks SET computed_at = 0"))
    )
    catch_up(house)
    assert overview(house)[0][RUN_ROW] == {"succeeded": 5, "missing": 995}


def test_a_change_too_large_to_be_listed_marks_the_whole_backfill(house: House) -> None:
    backfill_id = house.submit("[day-00000...day-02499]")
    while house.expand(backfill_id, limit=2500):
        pass
    catch_up(house)
    assert overview(house)[2]["b"] == {"queued": 500, "missing": 500}


def test_a_changed_definition_moves_its_blocks(house: House, tmp_path: Path) -> None:
    run_some(house, "[day-00000...day-00009]")
    catch_up(house)
    house.definitions = definitions(tmp_path, first=5)
    assert rollup.mark_moved(house.db, house.definitions, NOON) == 1
    house.db.transact(
        lambda conn: conn.execute(house.db.sql("UPDATE matrix_blocks SET computed_at = 0"))
    )
    catch_up(house)
    assert overview(house)[0][RUN_ROW] == {"succeeded": 5, "missing": 995}


def test_spans_cover_a_range_without_gap_or_overlap() -> None:
    for buckets in (1, 3, 7, 100):
        found = spans(1_500, 12_345, buckets, grain=BLOCK)
        assert found[0][0] == 1_500
        assert found[-1][1] == 12_345
        assert all(a[1] == b[0] for a, b in itertools.pairwise(found))
        assert len(found) <= buckets
