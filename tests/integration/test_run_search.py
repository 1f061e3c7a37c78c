"""Runs are found by whatever they are narrowed to: page by page, each once, newest first."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from backfill.lifecycle import runs
from backfill.lifecycle.runs import LaunchRequest
from backfill.lifecycle.tick_runs import SCHEDULE_TAG
from backfill.states import RUN_FINAL, RunState
from backfill.storage.database import Database, decoded
from backfill.storage.queries.run_search import newest_ids
from backfill.storage.queries.runs import RunFilter, list_runs, stoppable_runs
from backfill.storage.tags import keep_tags
from tests.support.house import House, open_house

HOUR = 3_600_000_000
TAGS: list[Mapping[str, str]] = [{}, {}, {"team": "red"}, {"team": "blue", "größe": 'x="1"'}]


@pytest.fixture
def house(database_url: str, tmp_path: Path) -> Iterator[House]:
    with open_house(database_url, tmp_path) as opened:
        yield opened


def found(house: House, wanted: RunFilter, *, limit: int = 3) -> list[int]:
    """Return the ids of all pages of a filter."""
    ids: list[int] = []
    while True:
        with house.db.read() as conn:
            before = ids[-1] if ids else None
            page = list_runs(house.db, conn, wanted, limit=limit, before=before)
        ids += [view.id for view in page.items]
        if not page.more:
            return ids


def inhabit(house: House, seed: int) -> list[dict[str, Any]]:
    """Make runs of many kinds, in backfills and outside, and return what tells them apart."""
    chance = random.Random(seed)
    for _ in range(7):
        name = chance.choice(["days", "mixed", "slow"])
        prefix = "day-0" if name == "days" else "key-"
        house.advance(chance.choice([1, 5 * 3600]))
        size = chance.randint(1, 6)
        backfill = house.submit(
            f"[{prefix}0...{prefix}{size}]", set_name=name, tags=dict(chance.choice(TAGS))
        )
        house.expand(backfill)
        for pipeline, set_name, key in (("work", None, None), ("work", "days", "day-03")):
            tags = dict(chance.choice(TAGS))
            request = LaunchRequest(pipeline, set_name, key, tags=tags)
            runs.launch(house.db, request)
    house.worker(slots=4)
    for claim in [claim for run in house.admitted() for claim in house.claim([run])]:
        act = chance.choice([house.succeed, house.fail, lambda _: None])
        act(claim)
    with house.db.write() as conn:
        for run_id in chance.sample(range(1, 20), 4):
            tags = {SCHEDULE_TAG: "nightly"}
            conn.execute(
                house.db.sql("UPDATE runs SET tick_id = id, tags = :tags WHERE id = :id"),
                {"id": run_id, "tags": f'{{"{SCHEDULE_TAG}": "nightly"}}'},
            )
            keep_tags(house.db, conn, [(run_id, tags)])
    rows = house.rows(
        "SELECT r.*, s.name AS set_name, p.name AS pipeline_name, b.tags AS given FROM runs r "
        "JOIN pipelines p ON p.id = r.pipeline_id LEFT JOIN partition_sets s ON s.id = r.set_id "
        "LEFT JOIN backfills b ON b.id = r.backfill_id ORDER BY r.id DESC"
    )
    return [
        {**row._mapping, "all": {**(decoded(row.given) or {}), **(decoded(row.tags) or {})}}
        for row in rows
    ]


def fits(run: Mapping[str, Any], wanted: RunFilter) -> bool:
    """Say whether a filter lets a run through, condition by condition."""
    exact = {
        "backfill_id": wanted.backfill_id,
        "set_name": wanted.partition_set,
        "partition": wanted.partition,
        "pipeline_name": wanted.pipeline,
    }
    return (
        all(value is None or run[name] == value for name, value in exact.items())
        and (wanted.states is None or run["state"] in wanted.states)
        and (wanted.since is None or run["created_at"] >= wanted.since)
        and (wanted.until is None or run["created_at"] < wanted.until)
        and all(run["all"].get(name) == value for name, value in (wanted.tags or {}).items())
        and (wanted.schedule is None or run["all"].get(SCHEDULE_TAG) == wanted.schedule)
    )


def a_filter(chance: random.Random, times: list[int]) -> RunFilter:
    """Draw a filter of a few conditions."""
    choices: dict[str, list[Any]] = {
        "backfill_id": [1, 2, 5, 99],
        "partition_set": ["days", "mixed", "nothing"],
        "partition": ["day-03", "key-1", "nothing"],
        "pipeline": ["work", "other"],
        "states": [
            [RunState.PENDING],
            [RunState.FAILED],
            [RunState.QUEUED, RunState.RUNNING],
            list(RUN_FINAL),
        ],
        "since": [chance.choice(times), chance.choice(times) + 1],
        "until": [chance.choice(times), chance.choice(times) + 1],
        "tags": [{"team": "red"}, {"team": "blue", "größe": 'x="1"'}, {"queue": "gpu"}],
        "schedule": ["nightly", "daily"],
    }
    names = chance.sample(sorted(choices), chance.choice([1, 1, 1, 2, 2, 3]))
    return RunFilter(**{name: chance.choice(choices[name]) for name in names})


@pytest.mark.parametrize("seed", [1, 2])
def test_every_filter_finds_exactly_the_runs_it_means(house: House, seed: int) -> None:
    known = inhabit(house, seed)
    chance = random.Random(seed)
    times = [run["created_at"] for run in known]
    for _ in range(120):
        wanted = a_filter(chance, times)
        expected = [run["id"] for run in known if fits(run, wanted)]
        assert found(house, wanted, limit=chance.choice([1, 2, 3, 7, 50])) == expected, wanted


def test_the_tags_of_a_run_go_before_those_of_its_backfill(house: House) -> None:
    backfill = house.submit("[key-0...key-3]", set_name="mixed", tags={"queue": "cpu"})
    house.expand(backfill)
    own = found(house, RunFilter(tags={"queue": "gpu"}))
    inherited = found(house, RunFilter(tags={"queue": "cpu"}))
    assert [house.run(run).partition for run in own] == ["key-3", "key-1"]
    assert [house.run(run).partition for run in inherited] == ["key-2", "key-0"]


def test_runs_to_stop_are_found_by_the_same_filters(house: House) -> None:
    first = house.ready(3)
    house.ready(2)
    house.cancel_all(first)
    with house.db.read() as conn:
        wanted = RunFilter(partition_set="days", states=[RunState.PENDING])
        ids = stoppable_runs(house.db, conn, wanted, limit=9)
    assert [house.run(run).backfill_id for run in ids] == [2, 2]


NARROW = [
    RunFilter(backfill_id=1),
    RunFilter(backfill_id=1, states=[RunState.FAILED]),
    RunFilter(partition_set="days"),
    RunFilter(partition_set="days", states=[RunState.RUNNING]),
    RunFilter(pipeline="work"),
    RunFilter(partition="day-03"),
    RunFilter(partition_set="days", partition="day-03"),
    RunFilter(states=[RunState.PENDING]),
    RunFilter(states=[RunState.QUEUED, RunState.RUNNING]),
    RunFilter(states=[RunState.FAILED, RunState.SKIPPED]),
    RunFilter(tags={"team": "red"}),
    RunFilter(tags={"team": "red"}, partition_set="days", backfill_id=1),
    RunFilter(schedule="nightly"),
]


@pytest.mark.parametrize("wanted", NARROW, ids=str)
def test_no_list_goes_through_all_runs(database: Database, wanted: RunFilter) -> None:
    where = newest_ids(database, wanted, before=1_000_000)
    explain = "EXPLAIN" if database.postgres else "EXPLAIN QUERY PLAN"
    statement = database.sql(f"{explain} SELECT r.id FROM runs r WHERE {where}")
    with database.write() as conn:
        if database.postgres:  # a table without rows is read whole, whatever its indexes
            conn.exec_driver_sql("SET LOCAL enable_seqscan = off")
        plan = [row[-1] for row in conn.execute(statement, {**where.params, "page_limit": 50})]
    whole = r"Seq Scan on runs" if database.postgres else r"SCAN (x|r|found)$|x .*\(rowid<\?\)"
    assert [line for line in plan if re.search(whole, line)] == []
