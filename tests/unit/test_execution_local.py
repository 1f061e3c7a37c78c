"""Pipelines and partitions executed in the calling process."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from backfill import (
    Partition,
    PartitionSetDefinition,
    Skip,
    execute_partition,
    execute_pipeline,
    pipeline,
    resource,
    step,
)
from backfill.definitions.keys import TimeWindow
from backfill.errors import ConfigInvalid, Invalid, NotFound
from backfill.execution.outputs import FileOutputStore


@step(config_schema={"date": str})
def process(context: Any) -> str:
    context.log.info("processing %s", context.step_config["date"])
    return str(context.step_config["date"])


@step
def post(context: Any, date: str) -> None:
    context.log.info("posting %s", date)


@pipeline(tags={"team": "data"})
def daily() -> None:
    post(process())


def config_of(partition: Partition) -> dict[str, Any]:
    return {"solids": {"process": {"config": {"date": partition.value}}}}


days = PartitionSetDefinition(
    name="days",
    pipeline_name="daily",
    partition_fn=lambda: [Partition(f"2020-05-{day:02}") for day in range(1, 32)],
    run_config_fn_for_partition=config_of,
    tags_fn_for_partition=lambda partition: {"day": partition.name},
)

CONFIG = {"steps": {"process": {"config": {"date": "2020"}}}}


def test_a_pipeline_executes_and_gives_outcomes_outputs_and_log() -> None:
    result = execute_pipeline(daily, CONFIG)
    assert result.success
    assert result.output("process") == "2020"
    assert result.output("post") is None
    assert result.step("process").state == "succeeded"
    assert list(result.outcomes) == ["process", "post"]
    assert result.lines() == ["processing 2020", "posting 2020"]
    assert result.lines("post") == ["posting 2020"]
    assert result.run_config == CONFIG
    assert result.exception is None


def test_a_partition_executes_with_its_config_and_tags() -> None:
    seen = []

    @step
    def look(context: Any) -> None:
        seen.append((context.partition_key, context.partition.value, dict(context.tags)))

    @pipeline
    def looks() -> None:
        look()

    few = PartitionSetDefinition(
        name="few", pipeline=looks, partition_fn=lambda: [Partition(5, "five")]
    )
    assert execute_partition(few, "five", tags={"by": "hand"}).success
    ((key, value, tags),) = seen
    assert (key, value) == ("five", 5)
    assert tags["by"] == "hand"
    assert tags["backfill/partition"] == "five"
    result = execute_partition(days, "2020-05-05")
    assert result.lines("process") == ["processing 2020-05-05"]


def test_a_run_config_is_merged_over_the_partitions() -> None:
    result = execute_partition(days, "2020-05-05", run_config=CONFIG)
    assert result.output("process") == "2020"


def test_an_unknown_partition_is_told_with_a_guess() -> None:
    with pytest.raises(NotFound, match="2020-05-05"):
        execute_partition(days, "2020-5-05")


def test_a_set_of_a_pipeline_nobody_can_find_says_what_to_do() -> None:
    lost = PartitionSetDefinition(name="lost", pipeline_name="nowhere", partition_fn=lambda: ["a"])
    with pytest.raises(NotFound, match="pipeline=…"):
        execute_partition(lost, "a")
    assert execute_partition(lost, "a", pipeline=daily, run_config=CONFIG).success


def test_any_object_with_the_right_methods_is_a_partition_set() -> None:
    window = TimeWindow(datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 1, 2, tzinfo=UTC))

    class Own:
        name = "own"
        pipeline_name = "daily"

        def get_partition(self, name: str) -> Partition:
            return Partition(name, time_window=window)

        def run_config_for_partition(self, partition: Any) -> Mapping[str, Any]:
            return config_of(partition)

        def tags_for_partition(self, partition: Any) -> Mapping[str, str]:
            return {}

    assert execute_partition(Own(), "2020-01-01").output("process") == "2020-01-01"


def test_a_failure_is_in_the_result_or_raised_as_it_was() -> None:
    @step
    def bad() -> None:
        raise KeyError("rows")

    @step
    def after(x: Any) -> None: ...

    @pipeline
    def fails() -> None:
        after(bad())

    result = execute_pipeline(fails)
    assert not result.success
    assert isinstance(result.exception, KeyError)
    assert result.outcome.error is not None
    with pytest.raises(Invalid, match=r'"after" yielded no output "result": it skipped'):
        result.output("after")
    with pytest.raises(KeyError, match="rows"):
        execute_pipeline(fails, raise_on_error=True)


def test_a_config_that_does_not_fit_is_in_the_result_or_raised() -> None:
    assert isinstance(execute_pipeline(daily).exception, ConfigInvalid)
    with pytest.raises(ConfigInvalid):
        execute_pipeline(daily, raise_on_error=True)


def test_unknown_steps_and_outputs_of_a_result_are_told_with_a_guess() -> None:
    result = execute_pipeline(daily, CONFIG)
    with pytest.raises(NotFound, match='Did you mean "post"'):
        result.step("pots")
    with pytest.raises(NotFound, match='no output "rezult"'):
        result.output("process", "rezult")
    with pytest.raises(NotFound, match='no step "proces"'):
        result.output("proces")


def test_resources_are_replaced_for_a_test() -> None:
    @resource(config_schema={"url": str})
    def database(context: Any) -> str:
        raise ConnectionError

    @step(required_resource_keys={"db"})
    def load(context: Any) -> Any:
        return context.resources.db

    @pipeline(resource_defs={"db": database})
    def loads() -> None:
        load()

    assert execute_pipeline(loads, resources={"db": "fake"}).output("load") == "fake"
    assert not execute_pipeline(loads).success
    with pytest.raises(NotFound, match='Did you mean "db"'):
        execute_pipeline(loads, resources={"dbb": 1})


def test_chosen_steps_execute_alone() -> None:
    result = execute_pipeline(daily, CONFIG, steps=["process"])
    assert list(result.outcomes) == ["process"]


def test_lines_are_told_as_they_are_written_and_prints_are_printed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    @step
    def talk(context: Any) -> None:
        sys.stdout.write("printed\n")
        context.log.info("logged")

    @pipeline
    def talks() -> None:
        talk()

    told: list[str] = []
    result = execute_pipeline(talks, on_line=lambda line: told.append(line.message))
    assert told == ["logged"]
    assert result.lines() == ["logged"]
    assert capsys.readouterr().out == "printed\n"


def test_ctrl_c_is_raised_to_the_caller_after_the_resources_are_torn_down() -> None:
    events = []

    @resource
    def held() -> Any:
        yield 1
        events.append("closed")

    @step(required_resource_keys={"held"})
    def waits() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        signal.sigtimedwait([], 60)

    @pipeline(resource_defs={"held": held})
    def interrupted() -> None:
        waits()

    with pytest.raises(KeyboardInterrupt):
        execute_pipeline(interrupted)
    assert events == ["closed"]


def test_a_skipped_run_is_a_success_without_outputs() -> None:
    @step
    def maybe() -> None:
        raise Skip("no news")

    @pipeline
    def skips() -> None:
        maybe()

    result = execute_pipeline(skips)
    assert result.success
    with pytest.raises(Invalid, match="skipped"):
        result.output("maybe")


def test_outputs_are_kept_when_a_store_is_given(tmp_path: Any) -> None:
    store = FileOutputStore(str(tmp_path))
    result = execute_pipeline(daily, CONFIG, outputs=store)
    url = (result.step("process").outputs or {})["result"]
    assert store.load(url) == "2020"
