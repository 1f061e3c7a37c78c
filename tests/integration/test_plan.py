"""The plan: what submitting would do with every selected partition, and why."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from backfill.errors import Invalid, NotFound
from backfill.execution.outcomes import RunEnd
from backfill.lifecycle import backfills, planning
from backfill.lifecycle.planning import BackfillRequest, Plan
from backfill.settings import Settings
from backfill.states import BackfillState
from backfill.storage.database import Database
from tests.support.ended import ended, finish
from tests.support.house import House
from tests.support.loading import loaded

AT = datetime(2026, 1, 1, 12, tzinfo=UTC)

WEATHER = """
from backfill import PartitionSetDefinition, pipeline, step
from backfill.definitions.partitions import (
    DailyPartitionsDefinition, MultiPartitionsDefinition, StaticPartitionsDefinition,
)

@step(config_schema={"day": str})
def a(context):
    return context.step_config["day"]

@step
def b(x):
    return x

@pipeline
def work():
    b(a())

def config(partition):
    if partition.name == "2014-02-29":
        raise ValueError("no such day")
    day = 7 if partition.name.endswith("-13") else partition.name
    return {"steps": {"a": {"config": {"day": day}}}}

weather = PartitionSetDefinition(
    name="weather",
    pipeline_name="work",
    partitions_def=DailyPartitionsDefinition("2012-01-01", end_date="2016-01-01"),
    run_config_fn_for_partition=lambda p: {"steps": {"a": {"config": {"day": p.name}}}},
)
unlucky = PartitionSetDefinition(
    name="unlucky",
    pipeline_name="work",
    partitions_def=DailyPartitionsDefinition("2012-01-01", end_date="2016-01-01"),
    run_config_fn_for_partition=config,
)
today = PartitionSetDefinition(
    name="today",
    pipeline_name="work",
    partitions_def=DailyPartitionsDefinition("2025-12-20", end_offset=2),
    run_config_fn_for_partition=lambda p: {"steps": {"a": {"config": {"day": p.name}}}},
)
regions = PartitionSetDefinition(
    name="regions",
    pipeline_name="work",
    partitions_def=MultiPartitionsDefinition({
        "date": DailyPartitionsDefinition("2025-12-31", end_offset=1),
        "region": StaticPartitionsDefinition(["eu", "us"]),
    }),
    run_config_fn_for_partition=lambda p: {"steps": {"a": {"config": {"day": p.name}}}},
)
"""


@pytest.fixture
def house(database: Database, tmp_path: Path) -> Iterator[House]:
    with loaded(WEATHER, tmp_path) as definitions:
        yield House(database, definitions, Settings())


def planned(
    house: House, selection: str, set_name: str = "weather", *, seconds: float = 5.0, **wanted: Any
) -> Plan:
    request = BackfillRequest(set_name, selection, **wanted)
    return planning.plan(
        house.db, house.definitions, request, at=AT, settings=house.settings, seconds=seconds
    )


def groups(plan: Plan) -> list[tuple[str, int, str, str]]:
    return [(group.name, group.count, group.first, group.last) for group in plan.groups]


def test_1461_days_of_which_100_succeeded_and_3_failed(house: House) -> None:
    ended(house, "[2012-01-01...2012-04-09]", set_name="weather")
    ended(house, "2013-01-01, 2013-06-01, 2014-01-01", RunEnd.FAILED, set_name="weather")
    plan = planned(house, "all")
    assert groups(plan) == [
        ("run:new", 1358, "2012-04-10", "2015-12-31"),
        ("run:failed", 3, "2013-01-01", "2014-01-01"),
        ("skip:succeeded", 100, "2012-01-01", "2012-04-09"),
    ]
    assert [group.sentence for group in plan.groups] == [
        "never ran",
        "failed before",
        "succeeded before",
    ]
    failed = house.submit("all", "weather", reprocess="failed")
    house.expand(failed)
    assert house.keys(failed) == ["2013-01-01", "2013-06-01", "2014-01-01"]
    finish(house)
    assert house.states(failed) == {"succeeded": 3}
    assert house.settle(failed) is BackfillState.SUCCEEDED


def test_a_plan_of_all_says_what_runs_again(house: House) -> None:
    ended(house, "[2012-01-01...2012-01-05]", set_name="weather")
    ended(house, "2012-01-02", RunEnd.FAILED, set_name="weather")
    ended(house, "2012-01-03", RunEnd.CANCELED, set_name="weather")
    assert groups(planned(house, "[2012-01-01...2012-01-10]", reprocess="all")) == [
        ("run:new", 5, "2012-01-06", "2012-01-10"),
        ("run:succeeded", 3, "2012-01-01", "2012-01-05"),
        ("run:failed", 1, "2012-01-02", "2012-01-02"),
        ("run:canceled", 1, "2012-01-03", "2012-01-03"),
    ]


def test_a_plan_of_stale_tells_never_from_current(house: House) -> None:
    ended(house, "[2012-01-01...2012-01-03]", set_name="weather", version="old")
    ended(house, "2012-01-02", set_name="weather")
    assert groups(planned(house, "[2012-01-01...2012-01-10]", reprocess="stale")) == [
        ("run:stale", 2, "2012-01-01", "2012-01-03"),
        ("skip:never_succeeded", 7, "2012-01-04", "2012-01-10"),
        ("skip:current", 1, "2012-01-02", "2012-01-02"),
    ]


def test_what_is_in_flight_waits_for_the_backfill_that_has_it(house: House) -> None:
    ended(house, "2012-01-02", set_name="weather")
    first = house.submit("[2012-01-01...2012-01-05]", "weather")
    second = house.submit("[2012-01-04...2012-01-06]", "weather")
    house.expand(first)
    house.expand(second)
    plan = planned(house, "[2012-01-01...2012-01-10]")
    assert groups(plan) == [
        ("run:new", 4, "2012-01-07", "2012-01-10"),
        (f"wait:in_flight:{first}", 4, "2012-01-01", "2012-01-05"),
        (f"wait:in_flight:{second}", 1, "2012-01-06", "2012-01-06"),
        ("skip:succeeded", 1, "2012-01-02", "2012-01-02"),
    ]
    assert plan.groups[1].sentence == f"in flight in backfill {first}, and waits for it"


def test_a_window_that_has_not_ended_is_said_to_be_incomplete(house: House) -> None:
    assert groups(planned(house, "[2025-12-30...]", "today")) == [
        ("run:new", 2, "2025-12-30", "2025-12-31"),
        ("run:incomplete", 2, "2026-01-01", "2026-01-02"),
    ]
    assert groups(planned(house, "all", "regions")) == [
        ("run:new", 2, "2025-12-31|eu", "2025-12-31|us"),
        ("run:incomplete", 2, "2026-01-01|eu", "2026-01-01|us"),
    ]


def test_every_selected_partition_is_in_one_group(house: House) -> None:
    ended(house, "[2012-01-01...2012-02-09]", set_name="weather")
    ended(house, "[2012-02-01...2012-02-20] & dow:mon-fri", RunEnd.FAILED, set_name="weather")
    flying = house.submit("[2012-01-20...2012-03-01] & dow:wed", "weather")
    house.expand(flying)
    for policy in ("missing", "failed", "all", "stale"):
        plan = planned(house, "month:1-3 & 2012-*", reprocess=policy)
        assert sum(plan.counts.values()) == plan.choice.selected.whole.size == 91
        asked = [g.count for g in plan.groups if g.action != "skip"]
        assert sum(asked) == plan.choice.selected.count


def test_a_plan_keeps_nothing_and_may_run_nothing(house: House) -> None:
    ended(house, "[2012-01-01...2012-01-02]", set_name="weather")
    plan = planned(house, "[2012-01-01...2012-01-02]")
    assert plan.counts == {"skip:succeeded": 2}
    assert plan.partition == "2012-01-01"
    assert plan.check.checked == 0
    assert house.row("SELECT count(*) AS n FROM backfills").n == 1


def test_a_plan_shows_the_config_of_any_partition(house: House) -> None:
    request = BackfillRequest("weather", "all", run_config={"steps": {"a": {"config": {"x": 1}}}})
    plan = planning.plan(
        house.db,
        house.definitions,
        request,
        at=AT,
        settings=house.settings,
        partition="2013-05-05",
        seconds=0,
    )
    assert plan.partition == "2013-05-05"
    assert plan.config is not None
    assert plan.config.config == {"steps": {"a": {"config": {"day": "2013-05-05", "x": 1}}}}
    with pytest.raises(NotFound, match="2099-01-01"):
        planning.plan(
            house.db,
            house.definitions,
            BackfillRequest("weather", "all"),
            at=AT,
            settings=house.settings,
            partition="2099-01-01",
        )


def test_every_config_is_validated_chunk_by_chunk(house: House) -> None:
    request = BackfillRequest("unlucky", "all")
    choice = planning.choose(house.db, house.definitions, request, at=AT, limit=2000)
    progress = list(planning.validate(house.definitions, request, choice, at=AT))
    assert [found.checked for found in progress] == [1000, 1461]
    last = progress[-1]
    assert last.invalid == 48
    assert last.problems[0].partition == "2012-01-13"
    assert "day" in last.problems[0].errors[0]["path"]


def test_a_plan_validates_for_as_long_as_it_is_given(house: House) -> None:
    check = planned(house, "all", "unlucky", seconds=0).check
    assert (check.checked, check.invalid) == (1000, 33)


# -- estimates ----------------------------------------------------------------------------------


def test_a_duration_is_estimated_from_past_runs_and_living_workers(house: House) -> None:
    unknown = planned(house, "all").estimate
    assert (unknown.seconds, unknown.unknown) == (None, 'no run of pipeline "work" has ended yet')
    ended(house, "[2012-01-01...2012-01-20]", set_name="weather")  # a second each, 64 slots
    house.fold()
    estimate = planned(house, "[2013-01-01...2013-04-10]").estimate
    assert (estimate.runs, estimate.concurrency, estimate.run_seconds) == (100, 64, 1.0)
    assert estimate.seconds == 2.0
    assert estimate.finish_at is not None
    house.worker("w1", slots=2)
    assert planned(house, "[2013-01-01...2013-04-10]").estimate.seconds == 50.0
    assert planned(house, "[2013-01-01...2013-04-10]", max_active_runs=1).estimate.seconds == 100.0


def test_without_a_worker_on_its_queue_there_is_no_estimate(house: House) -> None:
    ended(house, "2012-01-01", set_name="weather")
    house.fold()
    estimate = planned(house, "all", tags={"queue": "gpu"}).estimate
    assert (estimate.concurrency, estimate.seconds) == (None, None)
    assert estimate.unknown == 'no worker listens on queue "gpu"'


def test_an_estimate_of_some_steps_goes_by_their_share(house: House) -> None:
    ended(house, "[2012-01-01...2012-01-20]", set_name="weather")
    house.fold()
    whole = planned(house, "[2013-01-01...2013-04-10]").estimate.run_seconds
    half = planned(house, "[2013-01-01...2013-04-10]", steps=["b"]).estimate.run_seconds
    assert whole is not None
    assert half == whole / 2


# -- submitting what was planned ------------------------------------------------------------------


def test_submitting_says_what_changed_since_the_plan(house: House) -> None:
    request = BackfillRequest("weather", "[2012-01-01...2012-01-10]")
    plan = planned(house, "[2012-01-01...2012-01-10]")
    ended(house, "2012-01-03", set_name="weather")
    ended(house, "2012-01-04", RunEnd.FAILED, set_name="weather")
    submitted = backfills.submit(
        house.db, house.definitions, request, at=AT, limit=100, planned=plan.counts
    )
    assert [(change.group, change.planned, change.now) for change in submitted.changes] == [
        ("run:new", 10, 8),
        ("run:failed", 0, 1),
        ("skip:succeeded", 0, 1),
    ]
    assert submitted.total == 9
    assert submitted.left_out == {"succeeded": 1}


def test_nothing_changed_is_said_too(house: House) -> None:
    ended(house, "2012-01-03", set_name="weather")
    request = BackfillRequest("weather", "[2012-01-01...2012-01-10]")
    plan = planned(house, "[2012-01-01...2012-01-10]")
    later = AT + timedelta(minutes=1)
    submitted = backfills.submit(
        house.db, house.definitions, request, at=later, limit=100, planned=plan.counts
    )
    assert submitted.changes == []


def test_an_unknown_way_to_reprocess_is_refused_with_a_hint(house: House) -> None:
    with pytest.raises(Invalid, match=r'"fail".*Did you mean "failed"'):
        planned(house, "all", reprocess="fail")
