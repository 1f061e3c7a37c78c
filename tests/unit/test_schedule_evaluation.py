"""What a tick does: for every answer of a selector, and for each kind of schedule."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any

import pytest

from backfill import (
    DailyPartitionsDefinition,
    DynamicPartitionsDefinition,
    HourlyPartitionsDefinition,
    MultiPartitionsDefinition,
    Partition,
    PartitionSetDefinition,
    RunRequest,
    ScheduleContext,
    ScheduleDefinition,
    SkipReason,
    StaticPartitionsDefinition,
    hourly_schedule,
    monthly_schedule,
    schedule,
    schedule_from_partitions,
    weekly_schedule,
)
from backfill.definitions.calls import TickResult
from backfill.definitions.in_process import LocalDefinitions
from backfill.definitions.registry import Registry
from backfill.definitions.schedules import evaluate_tick
from backfill.errors import DefinitionError
from backfill.states import TickState

TICK = datetime(2024, 1, 10, 6, tzinfo=UTC)
FAILURE, SKIPPED, SUCCESS = TickState.FAILURE, TickState.SKIPPED, TickState.SUCCESS


def boom(*_: Any) -> Any:
    raise ValueError("no good")


def days(**options: Any) -> PartitionSetDefinition:
    return PartitionSetDefinition(
        "days", "sales", partitions_def=DailyPartitionsDefinition("2024-01-01"), **options
    )


def tick_of(
    selector: Any, partition_set: PartitionSetDefinition | None = None, **options: Any
) -> Any:
    made = (partition_set or days()).create_schedule_definition(
        "s", "0 6 * * *", selector, **options
    )
    return evaluate_tick(made, TICK)


def keys(result: TickResult) -> list[str | None]:
    assert result.state is SUCCESS, result
    assert [run.run_key for run in result.runs] == [run.partition for run in result.runs]
    return [run.partition for run in result.runs]


def last_day(context: ScheduleContext, partition_set: PartitionSetDefinition) -> Partition:
    return partition_set.get_partitions(context.scheduled_execution_time)[-1]


def test_one_partition_makes_one_run_with_its_name_as_run_key() -> None:
    result = tick_of(last_day, days(tags_fn_for_partition=lambda p: {"day": p.name}))
    assert keys(result) == ["2024-01-09"]
    assert result.runs[0].tags == {"day": "2024-01-09"}
    assert result.runs[0].run_config is None  # the set's function makes it when the run starts


def test_a_list_makes_a_run_for_each_but_one_per_key() -> None:
    def two(_: Any, found: PartitionSetDefinition) -> list[Partition]:
        one = found.get_partition("2024-01-02", TICK)
        return [one, found.get_partition("2024-01-03", TICK), one]

    assert keys(tick_of(two)) == ["2024-01-02", "2024-01-03"]


@pytest.mark.parametrize(
    ("answer", "state", "reason"),
    [
        ([], SKIPPED, "returned no partition"),
        (SkipReason("holiday"), SKIPPED, "holiday"),
        ([Partition("2024-01-02"), Partition("2030-01-01")], SKIPPED, '"2030-01-01"'),
        (None, FAILURE, r"returned None \(NoneType\); expected a Partition"),
        ("2024-01-02", FAILURE, r"returned '2024-01-02' \(str\)"),
        (["2024-01-02"], FAILURE, r"returned '2024-01-02' \(str\)"),
    ],
)
def test_every_answer_of_a_selector_has_its_outcome(
    answer: Any, state: TickState, reason: str
) -> None:
    result = tick_of(lambda *_: answer)
    assert result.state is state
    assert not result.runs
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(result.reason)


def test_a_selector_that_raises_fails_the_tick_with_its_own_traceback() -> None:
    result = tick_of(boom)
    assert result.state is FAILURE
    assert result.reason is not None
    assert "ValueError: no good" in result.reason
    assert "in boom" in result.error


def test_should_execute_is_asked_after_the_selector() -> None:
    asked: list[str] = []

    def select(*arguments: Any) -> Any:
        asked.append("selector")
        return last_day(*arguments)

    def no(_: ScheduleContext) -> bool:
        asked.append("should_execute")
        return False

    result = tick_of(select, should_execute=no)
    assert (result.state, result.reason) == (SKIPPED, "should_execute said no.")
    assert asked == ["selector", "should_execute"]
    assert tick_of(last_day, should_execute=boom).state is FAILURE


def test_wrong_tags_fail_the_tick() -> None:
    result = tick_of(last_day, days(tags_fn_for_partition=lambda _: {"backfill/run": "1"}))
    assert result.state is FAILURE
    assert "reserved" in result.reason


def test_the_hour_before_the_tick_is_run_whatever_the_minute() -> None:
    @hourly_schedule("sales", start_date=datetime(2024, 1, 1), execution_time=time(0, 25))  # noqa: DTZ001
    def hours(date: datetime) -> dict[str, Any]:
        """Sales of an hour."""
        return {"hour": date.isoformat()}

    assert hours.cron_schedule == "25 * * * *"
    assert hours.description == "Sales of an hour."
    assert keys(evaluate_tick(hours, datetime(2024, 1, 1, 7, 25, tzinfo=UTC))) == [
        "2024-01-01-06:00"
    ]
    assert hours.partition_set.name == "hours_partitions"
    config = hours.partition_set.run_config_for_partition("2024-01-01-06:00")
    assert config == {"hour": "2024-01-01T06:00:00+00:00"}


def test_the_last_complete_week_is_run() -> None:
    @weekly_schedule(
        "sales",
        start_date=datetime(2024, 1, 1),  # noqa: DTZ001  (a Monday)
        execution_day_of_week=3,
        tags_fn_for_date=lambda date: {"week": f"{date:%V}"},
    )
    def weeks(_: datetime) -> dict[str, Any]:
        return {}

    result = evaluate_tick(weeks, datetime(2024, 1, 17, tzinfo=UTC))
    assert keys(result) == ["2024-01-08"]
    assert result.runs[0].tags == {"week": "02"}
    assert evaluate_tick(weeks, datetime(2024, 1, 3, tzinfo=UTC)).state is SKIPPED


@pytest.mark.parametrize("day", [1, 28, 30, 31])
def test_the_month_before_is_run_on_any_day(day: int) -> None:
    @monthly_schedule("sales", start_date=datetime(2023, 1, 1), execution_day_of_month=day)  # noqa: DTZ001
    def months(_: datetime) -> dict[str, Any]:
        return {}

    assert keys(evaluate_tick(months, datetime(2024, 3, day, tzinfo=UTC))) == ["2024-02"]


def test_an_offset_of_zero_runs_what_is_under_way() -> None:
    @monthly_schedule("sales", start_date=datetime(2023, 1, 1), partition_months_offset=0)  # noqa: DTZ001
    def months(_: datetime) -> dict[str, Any]:
        return {}

    assert keys(evaluate_tick(months, datetime(2024, 3, 1, tzinfo=UTC))) == ["2024-03"]


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: monthly_schedule("s", datetime(2024, 1, 31)), "not every month has"),  # noqa: DTZ001
        (lambda: monthly_schedule("s", datetime(2024, 1, 1), execution_day_of_month=0), "1 to 31"),  # noqa: DTZ001
        (lambda: weekly_schedule("s", datetime(2024, 1, 1), execution_day_of_week=7), "0 to 6"),  # noqa: DTZ001
        (lambda: hourly_schedule("s", "2024-01-01"), "must be a datetime"),  # type: ignore[arg-type]
        (
            lambda: hourly_schedule("s", TICK, partition_hours_offset=-1),
            "0 or more",
        ),
    ],
)
def test_a_decorator_with_wrong_arguments_says_so(make: Any, problem: str) -> None:
    with pytest.raises(DefinitionError, match=problem):
        make()


def test_a_schedule_follows_the_windows_of_its_set() -> None:
    followed = schedule_from_partitions(days(), hour_of_day=6)
    assert (followed.name, followed.cron_schedule) == ("days_schedule", "0 6 * * *")
    assert keys(evaluate_tick(followed, TICK)) == ["2024-01-09"]
    before = evaluate_tick(followed, datetime(2024, 1, 1, 6, tzinfo=UTC))
    assert (before.state, before.runs) == (SKIPPED, ())


def test_windows_that_end_between_two_ticks_are_run_together() -> None:
    hours = PartitionSetDefinition(
        "hours",
        "sales",
        partitions_def=HourlyPartitionsDefinition("2024-01-01-00:00", timezone="America/New_York"),
    )
    followed = schedule_from_partitions(hours, cron_schedule="0 */6 * * *")
    assert followed.execution_timezone == "America/New_York"
    tick = datetime(2024, 1, 10, 17, tzinfo=UTC)
    assert keys(evaluate_tick(followed, tick)) == [
        f"2024-01-10-{hour:02}:00" for hour in range(6, 12)
    ]


def test_an_excluded_window_skips_its_tick() -> None:
    workdays = PartitionSetDefinition(
        "workdays",
        "sales",
        partitions_def=DailyPartitionsDefinition("2024-01-01", exclusions=["0 0 * * 6,0"]),
    )
    followed = schedule_from_partitions(workdays)
    outcomes = [evaluate_tick(followed, datetime(2024, 1, day, tzinfo=UTC)) for day in range(6, 10)]
    assert [outcome.state for outcome in outcomes] == [SUCCESS, SKIPPED, SKIPPED, SUCCESS]


def test_every_combination_of_a_new_window_is_run() -> None:
    cube = PartitionSetDefinition(
        "cube",
        "sales",
        partitions_def=MultiPartitionsDefinition(
            {
                "region": StaticPartitionsDefinition(["eu", "us"]),
                "day": DailyPartitionsDefinition("2024-01-01"),
            }
        ),
    )
    assert keys(evaluate_tick(schedule_from_partitions(cube), TICK.replace(hour=0))) == [
        "2024-01-09|eu", "2024-01-09|us",
    ]  # fmt: skip


def test_sets_without_windows_need_a_cron_and_run_whole() -> None:
    regions = PartitionSetDefinition(
        "regions", "sales", partitions_def=StaticPartitionsDefinition(["eu", "us"])
    )
    with pytest.raises(DefinitionError, match="give cron_schedule"):
        schedule_from_partitions(regions)
    followed = schedule_from_partitions(regions, cron_schedule="0 6 * * *")
    assert keys(evaluate_tick(followed, TICK)) == ["eu", "us"]
    customers = PartitionSetDefinition(
        "customers", "sales", partitions_def=DynamicPartitionsDefinition(name="customers")
    )
    dynamic = schedule_from_partitions(customers, cron_schedule="0 6 * * *")
    assert keys(evaluate_tick(dynamic, TICK, dynamic_keys=lambda _: ["acme"])) == ["acme"]
    assert evaluate_tick(dynamic, TICK).state is FAILURE


def plain(**options: Any) -> TickResult:
    return evaluate_tick(ScheduleDefinition("s", "0 6 * * *", "sales", **options), TICK)


def test_a_schedule_of_a_pipeline_runs_it_with_a_config() -> None:
    result = plain(
        run_config={"a": 1},
        tags_fn=lambda context: {"at": f"{context.scheduled_execution_time:%H}"},
    )
    assert (result.state, len(result.runs)) == (SUCCESS, 1)
    run = result.runs[0]
    assert (run.run_key, run.partition, run.run_config, run.tags) == (
        "",
        None,
        {"a": 1},
        {"at": "06"},
    )
    assert plain(run_config_fn=lambda _: {"b": 2}).runs[0].run_config == {"b": 2}
    assert plain(run_config_fn=lambda _: None).state is FAILURE
    assert plain(should_execute=lambda _: False).state is SKIPPED


@pytest.mark.parametrize(
    ("request_", "problem"),
    [
        (RunRequest(run_config={"at": TICK}), "cannot be kept as JSON"),
        (RunRequest(run_config={"x": float("nan")}), "cannot be kept as JSON"),
        (RunRequest(run_key="a\0b"), "cannot be a run key"),
        (RunRequest(run_key="x" * 1025), "cannot be a run key"),
        (RunRequest(run_key=5), "cannot be a run key"),  # type: ignore[arg-type]
    ],
)
def test_what_no_database_keeps_fails_the_tick(request_: RunRequest, problem: str) -> None:
    result = plain(execution_fn=lambda _: request_)
    assert result.state is FAILURE
    assert problem in (result.reason or "")


def test_requests_without_a_key_are_runs_of_their_own() -> None:
    result = plain(execution_fn=lambda _: [RunRequest(), RunRequest("k"), RunRequest()])
    assert [run.run_key for run in result.runs] == ["", "k", "#3"]


def test_a_reason_to_skip_is_kept_short_and_storable() -> None:
    result = plain(execution_fn=lambda _: SkipReason("no\0" + "x" * 5000))
    assert result.reason is not None
    assert "\0" not in result.reason
    assert len(result.reason) < 2100


def test_an_execution_function_makes_any_runs() -> None:
    @schedule("0 6 * * *", "sales", tags={"team": "a"})
    def several(context: ScheduleContext) -> Iterator[RunRequest]:
        for region in ("eu", "us", "eu"):
            yield RunRequest(region, {"at": context.schedule_name}, {"region": region})

    result = evaluate_tick(several, TICK)
    assert [run.run_key for run in result.runs] == ["eu", "us"]
    assert result.runs[1].tags == {"team": "a", "region": "us"}
    assert result.runs[1].run_config == {"at": "several"}


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        ({"a": 1}, SUCCESS),
        (RunRequest(), SUCCESS),
        (SkipReason("no"), SKIPPED),
        ([], SKIPPED),
        (None, FAILURE),
        ("x", FAILURE),
        ([RunRequest(tags={"backfill/x": "y"})], FAILURE),
        ([RunRequest(run_config=5)], FAILURE),  # type: ignore[arg-type]
        ([RunRequest(str(n)) for n in range(10_001)], FAILURE),
    ],
)
def test_every_answer_of_an_execution_function_has_its_outcome(
    answer: Any, state: TickState
) -> None:
    assert plain(execution_fn=lambda _: answer).state is state


def test_schedules_are_loaded_with_their_sets_and_answered_for(tmp_path: Path) -> None:
    (tmp_path / "shop_schedules.py").write_text(
        "from datetime import datetime\n"
        "from backfill import daily_schedule, pipeline, step\n"
        "@step\n"
        "def sell(): ...\n"
        "@pipeline\n"
        "def sales(): sell()\n"
        "@daily_schedule('sales', start_date=datetime(2024, 1, 1), when_busy='skip', catch_up=3,\n"
        "    max_failures=2, default_status='running')\n"
        "def daily_sales(date): return {}\n"
    )
    definitions = LocalDefinitions(Registry.load(tmp_path / "shop_schedules.py"))
    info = definitions.catalog().schedule("daily_sales")
    assert (info.partition_set, info.cron) == ("daily_sales_partitions", "0 0 * * *")
    assert (info.when_busy, info.catch_up) == ("skip", "3")
    assert (info.max_failures, info.default_status) == (2, "running")
    tick = datetime(2024, 1, 5, tzinfo=UTC)
    assert keys(definitions.evaluate_tick("daily_sales", tick)) == ["2024-01-04"]
