"""Schedules on both databases: started, stopped, each tick handled once whatever is killed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from backfill.definitions.schedules import Timetable
from backfill.errors import NotFound
from backfill.lifecycle import blocks, schedules
from backfill.lifecycle.schedules import STOPPED_REASON, tick_all
from backfill.lifecycle.ticks_by_hand import tick_by_hand
from backfill.states import TickState
from backfill.storage.database import Database, decoded
from tests.support.failpoints import ForgetfulDatabase, Racing, crash_before, every_crash
from tests.support.loading import loaded
from tests.support.schedules import BEGIN, Ticking, open_ticking

PIPELINE = """
from datetime import datetime, time
from backfill import *

@step
def report(): ...

@pipeline(tags={"team": "sales", "queue": "reports"})
def reports():
    report()
"""

DAILY = (
    PIPELINE
    + """
@daily_schedule("reports", start_date=datetime(2025, 12, 1), max_failures=2,
                tags_fn_for_date=lambda date: {"day": f"{date:%d}", "backfill/priority": "7"})
def daily(date):
    return {}

@hourly_schedule("reports", start_date=datetime(2025, 12, 1), catch_up="none")
def careless(date):
    return {}

@hourly_schedule("reports", start_date=datetime(2025, 12, 1), catch_up="all")
def thorough(date):
    return {}

@hourly_schedule("reports", start_date=datetime(2025, 12, 1), catch_up="last")
def latest(date):
    return {}

@hourly_schedule("reports", start_date=datetime(2025, 12, 1))
def usual(date):
    return {}

days = PartitionSetDefinition(
    "days", "reports", partitions_def=DailyPartitionsDefinition("2025-12-01")
)

def last_three(context, found):
    return found.get_partitions(context.scheduled_execution_time)[-3:]

waiting = days.create_schedule_definition("waiting", "0 6 * * *", last_three)
skipping = days.create_schedule_definition("skipping", "0 6 * * *", last_three, when_busy="skip")

def fail(context, found):
    raise ValueError("no such table")

failing = days.create_schedule_definition("failing", "0 * * * *", fail)

@schedule("30 4 * * *", "reports", tags={"x": "y"})
def odd(context):
    return [RunRequest(run_config={"a": 1}), RunRequest("k"), RunRequest()]
"""
)

EAGER = (
    PIPELINE
    + """
@hourly_schedule("reports", start_date=datetime(2025, 12, 1), default_status="running")
def eager(date):
    return {}
"""
)

YEAR_ZONES = {
    "new_york": "America/New_York",
    "lord_howe": "Australia/Lord_Howe",
    "kathmandu": "Asia/Kathmandu",
}
WALL_TIMES = {
    "new_york": {"02:15", "03:00"},  # the day on which 02:00 to 03:00 is left out
    "lord_howe": {"02:15", "02:30"},  # half an hour is left out
    "kathmandu": {"02:15"},
}
YEAR = PIPELINE + "".join(
    f"""
@daily_schedule("reports", start_date=datetime(2025, 1, 1), execution_time=time(2, 15),
                execution_timezone="{zone}")
def {name}(date):
    return {{}}
"""
    for name, zone in YEAR_ZONES.items()
)


@pytest.fixture
def ticking(database_url: str, tmp_path: Path) -> Iterator[Ticking]:
    with open_ticking(database_url, tmp_path, DAILY) as opened:
        yield opened


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type,misc]


def hours(*numbers: int) -> list[str]:
    return [f"2026-01-01-{hour:02}:00" for hour in numbers]


WHOLE_YEAR = [(at(2026, 1, 1), at(2027, 1, 1))]
CLOCK_CHANGES = [(at(2026, 3, 1), at(2026, 4, 10)), (at(2026, 10, 1), at(2026, 11, 10))]


# -- a year, kills and races ----------------------------------------------------------------------


def test_a_year_of_days_in_three_zones_runs_each_day_once(
    database_url: str, tmp_path: Path
) -> None:
    """Two coordinators take turns; now and then one is killed, at another of its statements.

    On PostgreSQL, which takes longer over it, only the seasons in which clocks change.
    """
    with open_ticking(database_url, tmp_path, YEAR) as ticking:
        spans = CLOCK_CHANGES if ticking.db.postgres else WHOLE_YEAR
        days = sum((end - start).days for start, end in spans)
        for start, end in spans:
            ticking.set(start)
            ticking.start(*YEAR_ZONES)
            tick_through(ticking, end)
            for name in YEAR_ZONES:
                ticking.stop(name)
        for name, zone in YEAR_ZONES.items():
            ticks = [tick.astimezone(ZoneInfo(zone)) for tick, _, _ in ticking.ticks(name)]
            yesterdays = [(tick - timedelta(days=1)).date().isoformat() for tick in ticks]
            assert ticking.partitions(name) == yesterdays
            assert len(set(yesterdays)) == len(ticks) == days
            assert set(ticking.states(name)) == {"success"}
            assert {f"{tick:%H:%M}" for tick in ticks} == WALL_TIMES[name]


def tick_through(ticking: Ticking, end: datetime) -> None:
    """Let time pass from tick to tick, before two coordinators that may die."""
    coordinators = [ticking.db, ticking.clock.open()]
    timetables = [Timetable(s.cron, s.timezone) for s in ticking.definitions.catalog().schedules]
    ticks = {tick for timetable in timetables for tick in timetable.between(ticking.now, end)}
    for number, tick in enumerate(sorted(ticks)):
        ticking.set(tick)
        one, other = coordinators[number % 2], coordinators[1 - number % 2]
        if number % 9 == 0:
            with crash_before(one, number // 9 % 22):
                list(tick_all(one, ticking.definitions))
            one = other
        list(tick_all(one, ticking.definitions))


def test_a_coordinator_killed_at_any_statement_of_a_tick_leaves_one_run(ticking: Ticking) -> None:
    ticking.start("daily")
    successor = ticking.clock.open()
    days = [ticking.next("daily")]
    crashes = 0
    for _ in every_crash(ticking.db, lambda: list(tick_all(ticking.db, ticking.definitions))):
        ticking.tick(successor)
        days.append(ticking.next("daily"))
        crashes += 1
    assert crashes > 10
    assert ticking.partitions("daily") == [f"{day - timedelta(days=1):%Y-%m-%d}" for day in days]
    assert set(ticking.states("daily")) == {"success"}


@pytest.fixture
def racing(ticking: Ticking) -> Iterator[Racing]:
    meeting = Racing(ticking.db)
    yield meeting
    meeting.close()


def test_two_coordinators_that_meet_anywhere_in_a_tick_make_one_run(
    ticking: Ticking, racing: Racing
) -> None:
    ticking.start("daily")
    rival = ticking.clock.open()
    ticks = 0
    while True:
        ticking.next("daily")
        met = racing.race(
            ticking.db,
            lambda: list(tick_all(ticking.db, ticking.definitions)),
            lambda: list(tick_all(rival, ticking.definitions)),
            statement=ticks,
        )
        ticks += 1
        if met is None:
            break
        assert not isinstance(met.first, Exception), met
        assert not isinstance(met.second, Exception), met
        ticking.tick()
    assert ticks > 10
    ran = ticking.partitions("daily")
    assert len(ran) == len(set(ran)) == ticks
    assert set(ticking.states("daily")) == {"success"}


def test_after_a_stop_no_tick_makes_a_run_wherever_the_two_meet(
    ticking: Ticking, racing: Racing
) -> None:
    operator = ticking.clock.open()
    statement, outcomes = 0, set()
    while True:
        ticking.start("daily")
        tick = ticking.next("daily")
        before = count_runs(operator)

        def stop_and_count(was: int = before) -> int:
            schedules.stop(operator, ticking.definitions, "daily")
            return count_runs(operator) - was

        met = racing.race(
            ticking.db,
            lambda: list(tick_all(ticking.db, ticking.definitions)),
            stop_and_count,
            statement=statement,
        )
        if met is None:
            break
        made = count_runs(operator) - before
        assert met.second == made, "a run came after the stop"
        last = ticking.ticks("daily")[-1:]
        if last and last[0][0] == tick:
            assert last[0][1] == ("success" if made else "skipped")
            assert last[0][2] == (None if made else STOPPED_REASON)
        outcomes.add(made)
        assert ticking.tick() == []
        statement += 1
    assert outcomes == {0, 1}


def count_runs(db: Database) -> int:
    with db.read() as conn:
        return int(conn.execute(db.sql("SELECT count(*) FROM runs")).scalar_one())


def test_a_tick_whose_commits_are_not_answered_makes_one_run(ticking: Ticking) -> None:
    ticking.start("daily")
    forgetful = ticking.clock.open(ForgetfulDatabase)
    for lost in range(1, 4):
        ticking.next("daily")
        forgetful.lost_answers = lost
        ticking.tick(forgetful)
        ticking.tick()
    assert len(set(ticking.partitions("daily"))) == len(ticking.partitions("daily")) == 3
    assert ticking.states("daily") == ["success"] * 3


# -- what a tick's runs are -----------------------------------------------------------------------


def test_the_run_of_a_tick_is_of_its_partition_and_says_where_it_comes_from(
    ticking: Ticking,
) -> None:
    ticking.start("daily")
    tick = ticking.next("daily")
    (handled,) = ticking.tick()
    (run_id,) = handled.run_ids
    run = ticking.house.row(
        "SELECT r.*, s.name AS set_name, p.name AS pipeline FROM runs r "
        "JOIN partition_sets s ON s.id = r.set_id JOIN pipelines p ON p.id = r.pipeline_id "
        "WHERE r.id = :id",
        id=run_id,
    )
    assert (run.set_name, run.partition, run.pipeline) == (
        "daily_partitions",
        "2026-01-01",
        "reports",
    )
    assert (run.state, run.max_failures, run.sort, run.queue) == ("pending", 2, -7, "reports")
    assert decoded(run.tags) == {
        "team": "sales",
        "queue": "reports",
        "day": "01",
        "backfill/priority": "7",
        "backfill/schedule": "daily",
        "backfill/tick": tick.isoformat(),
    }
    assert ticking.house.admitted() == [run_id]


def test_every_request_of_a_tick_makes_its_run(ticking: Ticking) -> None:
    ticking.start("odd")
    ticking.next("odd")
    (handled,) = ticking.tick()
    rows = ticking.house.rows("SELECT run_key, partition, run_config FROM runs ORDER BY id")
    assert [row.run_key for row in rows] == ["", "k", "#3"]
    assert len(handled.run_ids) == 3
    assert {row.partition for row in rows} == {None}


def test_a_failing_schedule_keeps_its_traceback_and_none_of_the_others(ticking: Ticking) -> None:
    ticking.start("failing", "usual")
    ticking.pass_(hours=1)
    ticking.tick()
    assert ticking.states("failing") == ["failure"]
    assert ticking.partitions("usual") == hours(12)
    row = ticking.house.row("SELECT reason, error FROM ticks WHERE schedule = 'failing'")
    assert "ValueError: no such table" in row.reason
    assert "in fail" in row.error
    ticking.pass_(hours=1)
    ticking.tick()
    assert ticking.states("failing") == ["failure"] * 2


# -- started and stopped --------------------------------------------------------------------------


def test_no_tick_from_before_the_start_is_made_and_none_from_a_rest(ticking: Ticking) -> None:
    ticking.pass_(minutes=2)
    ticking.start("thorough")
    assert ticking.tick() == []
    ticking.next("thorough")
    ticking.tick()
    assert ticking.stop("thorough") is True
    ticking.pass_(hours=5, minutes=1)
    assert ticking.tick() == []
    ticking.start("thorough")
    ticking.tick()
    ticking.next("thorough")
    ticking.tick()
    assert ticking.partitions("thorough") == hours(12, 18)


def test_a_schedule_started_at_the_very_second_of_a_tick_begins_with_the_next(
    ticking: Ticking,
) -> None:
    ticking.start("thorough")
    assert ticking.tick() == []


def test_starting_or_stopping_twice_changes_nothing(ticking: Ticking) -> None:
    assert ticking.stop("thorough") is False
    ticking.start("thorough")
    ticking.pass_(hours=3)
    assert schedules.start(ticking.db, ticking.definitions, "thorough") is False
    ticking.tick()
    assert ticking.partitions("thorough") == hours(12, 13, 14)
    assert (ticking.stop("thorough"), ticking.stop("thorough")) == (True, False)
    events = ticking.house.rows("SELECT kind FROM events ORDER BY id")
    assert [event.kind for event in events] == ["schedule.started", "schedule.stopped"]


def test_a_name_nobody_knows_is_told(ticking: Ticking) -> None:
    for act in (schedules.start, schedules.stop):
        with pytest.raises(NotFound, match='Did you mean "daily"'):
            act(ticking.db, ticking.definitions, "dayly")


def test_a_schedule_may_say_itself_that_it_runs_but_people_have_the_last_word(
    database_url: str, tmp_path: Path
) -> None:
    with open_ticking(database_url, tmp_path, EAGER) as ticking:
        ticking.pass_(minutes=30)
        ticking.tick()
        ticking.next("eager")
        ticking.tick()
        assert ticking.partitions("eager") == hours(12)
        assert ticking.stop("eager") is True
        ticking.pass_(hours=2)
        assert ticking.tick() == []


def test_one_that_says_so_can_be_stopped_before_it_ever_ticked(
    database_url: str, tmp_path: Path
) -> None:
    with open_ticking(database_url, tmp_path, EAGER) as ticking:
        assert ticking.stop("eager") is True
        ticking.pass_(hours=2)
        assert ticking.tick() == []


# -- after downtime -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "made_up"),
    [
        ("careless", []),
        ("latest", [18]),
        ("usual", [14, 15, 16, 17, 18]),
        ("thorough", [12, 13, 14, 15, 16, 17, 18]),
    ],
)
def test_after_downtime_the_policy_says_which_ticks_are_made_up_for(
    ticking: Ticking, name: str, made_up: list[int]
) -> None:
    ticking.start(name)
    ticking.pass_(hours=7, minutes=30)
    ticking.tick()
    assert ticking.partitions(name) == hours(*made_up)
    told = ticking.ticks(name)
    assert [time for time, _, _ in told] == [BEGIN + timedelta(hours=n) for n in range(1, 8)]
    left_out = told[: 7 - len(made_up)]
    policy = {"careless": "none", "latest": "last", "usual": "5"}.get(name)
    assert {(state, reason) for _, state, reason in left_out} <= {
        ("skipped", f"Missed, for nothing was there to handle it; catch-up policy: {policy}.")
    }
    assert ticking.tick() == []


def test_a_tick_of_the_last_minutes_was_not_missed_whatever_the_policy(ticking: Ticking) -> None:
    ticking.start("careless")
    ticking.pass_(hours=2, minutes=4)
    ticking.tick()
    assert ticking.partitions("careless") == hours(13)


def test_an_interrupted_tick_is_done_again_however_late_it_is(ticking: Ticking) -> None:
    ticking.start("careless")
    ticking.next("careless")
    begin_and_die(ticking)
    assert ticking.states("careless") == ["started"]
    ticking.pass_(days=2, minutes=10)
    ticking.tick()
    assert ticking.partitions("careless") == hours(12)
    assert ticking.states("careless")[0] == "success"
    assert set(ticking.states("careless")[1:]) == {"skipped"}


def begin_and_die(ticking: Ticking) -> None:
    """Let a coordinator end between beginning a tick and finishing it."""
    for _ in every_crash(ticking.db, lambda: list(tick_all(ticking.db, ticking.definitions))):
        if "started" in ticking.states("careless"):
            return


def test_a_kill_among_missed_ticks_forgets_none(ticking: Ticking) -> None:
    ticking.start("usual")
    ticking.pass_(hours=30, minutes=10)
    for _ in every_crash(ticking.db, lambda: list(tick_all(ticking.db, ticking.definitions))):
        pass
    ticking.tick()
    assert [time for time, _, _ in ticking.ticks("usual")] == [
        BEGIN + timedelta(hours=n) for n in range(1, 31)
    ]
    assert len(ticking.partitions("usual")) == 5


def test_thousands_of_missed_ticks_come_in_parts(ticking: Ticking) -> None:
    ticking.start("usual")
    ticking.pass_(days=60)
    ticking.tick()
    assert ticking.states("usual").count("skipped") == 60 * 24 - 6
    assert len(ticking.partitions("usual")) == 6


def test_a_clock_that_goes_back_repeats_no_tick(ticking: Ticking) -> None:
    ticking.start("thorough")
    ticking.pass_(hours=3)
    ticking.tick()
    ticking.pass_(hours=-2)
    assert ticking.tick() == []
    ticking.stop("thorough")
    ticking.start("thorough")
    ticking.pass_(hours=3)
    ticking.tick()
    assert ticking.partitions("thorough") == hours(12, 13, 14, 15)


# -- code that changes ----------------------------------------------------------------------------


def test_a_changed_cron_makes_up_for_no_tick_it_never_had(ticking: Ticking, tmp_path: Path) -> None:
    source = PIPELINE + (
        "@schedule('0 0 * * *', 'reports', catch_up='all')\ndef nightly(context): return {}\n"
    )
    with loaded(source, tmp_path) as older:
        ticking.definitions = older
        ticking.start("nightly")
        ticking.next("nightly")
        assert len(ticking.tick()) == 1
    changed = source.replace("0 0 * * *", "0 * * * *")
    with loaded(changed, tmp_path) as newer:
        ticking.definitions = newer
        ticking.pass_(hours=15, minutes=30)
        ticking.tick()
        assert len(ticking.ticks("nightly")) == 1
        assert ticking.next("nightly").hour == 16
        ticking.tick()
        assert len(ticking.ticks("nightly")) == 2
    events = ticking.house.rows("SELECT message FROM events WHERE kind = 'schedule.changed'")
    assert [event.message for event in events] == [
        "schedule nightly ticks at 0 * * * * (UTC) from now on; it was 0 0 * * * (UTC)"
    ]


def test_a_schedule_gone_from_the_code_rests_and_can_be_stopped(
    ticking: Ticking, tmp_path: Path
) -> None:
    ticking.start("usual", "thorough")
    whole = ticking.definitions
    with loaded(PIPELINE, tmp_path) as without:
        ticking.definitions = without
        ticking.pass_(hours=2)
        assert ticking.tick() == []
        assert ticking.stop("usual") is True
        with pytest.raises(NotFound):
            ticking.start("usual")
    ticking.definitions = whole
    ticking.tick()
    assert ticking.partitions("thorough") == hours(12, 13)
    assert ticking.partitions("usual") == []


# -- partitions that are busy ---------------------------------------------------------------------


def busy_day(ticking: Ticking, *, expanded: bool = True) -> int:
    """Submit a backfill of the day before yesterday; return it."""
    backfill = ticking.house.submit("2025-12-31", "days")
    if expanded:
        ticking.house.expand(backfill)
    return backfill


def test_a_schedule_that_waits_runs_a_busy_partition_after_the_other_run(
    ticking: Ticking,
) -> None:
    backfill = busy_day(ticking)
    (first,) = ticking.house.claim(ticking.house.admitted())
    ticking.start("waiting")
    ticking.next("waiting")
    (handled,) = ticking.tick()
    assert ticking.partitions("waiting") == ["2025-12-30", "2025-12-31", "2026-01-01"]
    behind = handled.run_ids[1]
    ticking.house.worker(slots=8)
    assert behind not in ticking.house.admitted()
    assert ticking.house.run(behind).waiting_run == first.run_id
    ticking.house.succeed(first)
    ticking.house.fold()
    while behind not in ticking.house.admitted():
        ticking.house.wake()
    assert ticking.house.state(behind) == "queued"
    assert ticking.house.states(backfill) == {"succeeded": 1}


def test_a_schedule_that_skips_leaves_busy_partitions_out_and_says_behind_whom(
    ticking: Ticking,
) -> None:
    backfill = busy_day(ticking)
    ticking.start("skipping")
    ticking.next("skipping")
    (handled,) = ticking.tick()
    assert handled.state is TickState.SUCCESS
    assert ticking.partitions("skipping") == ["2025-12-30", "2026-01-01"]
    run = ticking.house.row("SELECT id FROM runs WHERE backfill_id = :id", id=backfill).id
    assert handled.reason == (
        f"Left out, for another run is on its way: 2025-12-31 (run {run} of backfill {backfill})."
    )


def test_a_tick_whose_partitions_are_all_busy_is_skipped(ticking: Ticking) -> None:
    ticking.start("waiting")
    ticking.next("waiting")
    ticking.tick()
    handled = tick_by_hand(ticking.db, ticking.definitions, "skipping")
    assert handled.state is TickState.SKIPPED
    assert handled.reason is not None
    assert handled.reason.startswith("Left out, for another run is on its way: 2025-12-30 (run ")
    assert ticking.partitions("skipping") == []


def test_a_schedule_that_skips_waits_for_a_backfill_to_be_expanded(ticking: Ticking) -> None:
    backfill = busy_day(ticking, expanded=False)
    ticking.start("skipping")
    ticking.next("skipping")
    assert ticking.tick() == []
    assert ticking.states("skipping") == ["started"]
    ticking.house.expand(backfill)
    ticking.tick()
    assert ticking.partitions("skipping") == ["2025-12-30", "2026-01-01"]


# -- what operators blocked -----------------------------------------------------------------------


def test_a_blocked_partition_is_left_out_of_its_tick_with_the_reason(ticking: Ticking) -> None:
    ticking.start("usual")
    ticking.pass_(hours=1)
    (key,) = hours(12)
    blocks.block(
        ticking.db,
        ticking.definitions,
        "usual_partitions",
        key,
        reason="the source is broken",
        at=ticking.now,
    )
    ticking.tick()
    assert ticking.partitions("usual") == []
    row = ticking.house.row("SELECT state, reason FROM ticks WHERE schedule = 'usual'")
    assert row.state == "skipped"
    assert row.reason == f"Left out, for they are blocked: {key} (the source is broken)."
    ticking.pass_(hours=1)
    ticking.tick()
    assert ticking.partitions("usual") == hours(13)
