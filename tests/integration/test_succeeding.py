"""Attempts that simply went well: told in one statement, to the same effect as in many."""

from __future__ import annotations

import threading
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backfill.execution.outcomes import LogLine, RunEnd, RunOutcome, StepOutcome
from backfill.lifecycle import moves, runs
from backfill.lifecycle.moves import Claim, Report
from backfill.lifecycle.runs import LaunchRequest
from backfill.states import RunState, StepState
from backfill.storage.queries.feed import body_of
from tests.support.clock import SECOND
from tests.support.databases import PostgresDatabases, one_database
from tests.support.house import House, open_house
from tests.support.waiting import wait_until

ROWS = {
    "runs": "SELECT * FROM runs WHERE id = {id}",
    "steps": "SELECT * FROM step_outcomes WHERE run_id = {id} ORDER BY step",
    "logs": "SELECT attempt, step, at, level, message FROM log_lines WHERE run_id = {id} "
    "ORDER BY id",
    "holds": "SELECT * FROM partition_holds WHERE run_id = {id}",
}
WAITING = (
    "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() "
    "AND wait_event_type = 'Lock'"
)
OF_ITSELF = {"id", "run_id", "partition", "sort", "token", "message_id"}


def report_of(claim: Claim, **changed: Any) -> Report:
    """A report with everything that one of a run that went well can have."""
    report = Report(
        claim,
        steps=[
            StepOutcome(
                "a",
                StepState.SUCCEEDED,
                tries=2,
                started_at=5,
                finished_at=9,
                metadata={"rows": 3, "odd": "\x00\ud800"},
                outputs={"result": "file:///x"},
            ),
            StepOutcome("b", StepState.SKIPPED, finished_at=9, reason='it said "no" \\ \x00'),
        ],
        logs=[LogLine("a", 6, "info", "hello \x00 'you'"), LogLine(None, 7, "stdout", "é\ud800")],
        outcome=RunOutcome(RunEnd.SUCCEEDED, run_config={"x": [1, "\x00"]}),
        version="v2",
        busy_us=1200,
        whole=True,
    )
    return replace(report, **changed)


def left_by(house: House, run_id: int) -> dict[str, list[dict[str, Any]]]:
    """Everything a run left, but for what is its own."""
    return {
        name: [
            {c: v for c, v in row._mapping.items() if c not in OF_ITSELF}
            for row in house.rows(query.format(id=run_id))
        ]
        for name, query in ROWS.items()
    }


def last_feed(house: House) -> Any:
    return deepcopy(body_of(house.rows("SELECT body FROM feed ORDER BY id DESC LIMIT 1")[0].body))


def in_the_long_way(house: House, *reports: Report) -> moves.Recorded:
    return house.db.transact(
        lambda conn: moves.record(house.db, conn, reports, retry_delay_us=SECOND)
    )


def test_the_short_way_and_the_long_way_leave_the_same(house: House) -> None:
    short, long = house.running(2)
    in_the_long_way(house, report_of(long))
    told_long = last_feed(house)
    assert house.record(report_of(short)).ended == {short.run_id: RunState.SUCCEEDED}
    told_short = last_feed(house)
    left = left_by(house, short.run_id)
    assert left == left_by(house, long.run_id)
    assert [step["state"] for step in left["steps"]] == ["succeeded", "skipped"]
    assert len(left["logs"]) == 2
    assert left["holds"] == []
    assert told_short["counts"] == told_long["counts"]
    assert told_short["work"] == told_long["work"]
    for name, where in (("runs", 0), ("steps", 0)):
        for one in (*told_short[name], *told_long[name]):
            one[where] = "its id"
    for one in (*told_short["runs"], *told_long["runs"]):
        one[5] = "its partition"
    assert told_short["runs"] == told_long["runs"]
    assert sorted(told_short["steps"]) == sorted(told_long["steps"])
    assert told_short["logs"] == [short.run_id]


def test_a_run_without_a_backfill_and_without_steps_is_told_too(house: House) -> None:
    house.worker()
    run_id = runs.launch(house.db, LaunchRequest(pipeline="work"))
    assert house.admitted() == [run_id]
    (claim,) = house.claim([run_id])
    bare = report_of(claim, steps=[], logs=[], version=None, busy_us=0)
    assert house.record(bare).ended == {claim.run_id: RunState.SUCCEEDED}
    assert last_feed(house)["runs"][0][1] == "succeeded"
    assert last_feed(house).get("counts") in (None, {})


def claimed_once_more(house: House, claim: Claim) -> None:
    """Hand a run back and claim it again under the same token, however unlikely that is."""
    house.db.transact(
        lambda conn: moves.release(house.db, conn, [claim.token], reason="one token for both")
    )
    assert claim.run_id in house.admitted()
    lease = {"worker_id": 1, "token": claim.token, "lease_us": 60 * SECOND}
    (again,) = house.db.transact(
        lambda conn: moves.claim(house.db, conn, [claim.run_id], **lease), single=True
    )
    assert again.attempt == 2


def test_who_lost_the_lease_writes_nothing(house: House) -> None:
    late, lost, live = house.running(3)
    wrong = [replace(lost, token=lost.token + 1), replace(late, run_id=999_999)]
    claimed_once_more(house, late)
    before = [left_by(house, c.run_id) for c in (lost, late)]
    recorded = house.record(*(report_of(c) for c in (wrong[0], late, wrong[1], live)))
    assert recorded.ended == {live.run_id: RunState.SUCCEEDED}
    assert recorded.fenced == [wrong[0], late, wrong[1]]
    assert [left_by(house, c.run_id) for c in (lost, late)] == before
    assert [run[0] for run in last_feed(house)["runs"]] == [live.run_id]
    assert {step[0] for step in last_feed(house)["steps"]} == {live.run_id}


def test_a_batch_of_all_kinds_is_recorded_whole(house: House) -> None:
    plain, parts, failed, zombie = house.running(4)
    zombie = replace(zombie, token=1)
    recorded = house.record(
        report_of(plain),
        report_of(parts, whole=False),
        report_of(failed, outcome=RunOutcome(RunEnd.FAILED, retryable=False)),
        report_of(zombie),
    )
    assert recorded.ended == {
        plain.run_id: RunState.SUCCEEDED,
        parts.run_id: RunState.SUCCEEDED,
        failed.run_id: RunState.FAILED,
    }
    assert recorded.fenced == [zombie]
    house.fold()
    assert house.sick() == []


def test_nothing_to_say_is_said_twice_at_no_harm(house: House) -> None:
    (claim,) = house.running(1)
    house.record(report_of(claim))
    before = left_by(house, claim.run_id), house.rows("SELECT id FROM feed")
    assert house.record(report_of(claim)).fenced == [claim]
    assert (left_by(house, claim.run_id), house.rows("SELECT id FROM feed")) == before


@pytest.mark.postgres
@pytest.mark.parametrize("commits", [True, False], ids=["and commits", "and gives up"])
def test_a_reaper_that_has_not_committed_yet_is_waited_for(
    postgres_databases: PostgresDatabases, tmp_path: Path, commits: bool
) -> None:
    """On PostgreSQL: SQLite knows one writer at a time."""
    with one_database(postgres_databases) as url, open_house(url, tmp_path) as house:
        reaped_meanwhile(house, commits=commits)


def reaped_meanwhile(house: House, *, commits: bool) -> None:
    (claim,) = house.running(1)
    house.advance(house.settings.lease_seconds + 1)
    recorded: list[moves.Recorded] = []
    worker = threading.Thread(target=lambda: recorded.append(house.record(report_of(claim))))
    with house.db.engine.connect() as reaper:
        assert moves.reap(house.db, reaper, max_crashes=3, limit=10)
        worker.start()
        wait_until(lambda: house.row(WAITING).n == 1, "the worker to wait for the reaper")
        reaper.commit() if commits else reaper.rollback()
    worker.join(timeout=30)
    if commits:
        assert recorded[0].fenced == [claim]
        assert house.rows("SELECT * FROM step_outcomes") == []
        assert house.run(claim.run_id).state == "pending"
    else:
        assert recorded[0].ended == {claim.run_id: RunState.SUCCEEDED}
        assert len(house.rows("SELECT * FROM step_outcomes")) == 2
    house.fold()
    assert house.sick() == []
