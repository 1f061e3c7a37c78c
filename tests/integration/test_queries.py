"""What is shown is what happened: reads of backfills, runs, steps, logs, events and the fleet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from backfill.execution.outcomes import ErrorInfo, LogLine, RunEnd, RunOutcome, StepOutcome
from backfill.lifecycle import backfills, runs
from backfill.lifecycle.moves import Claim, Report
from backfill.lifecycle.runs import LaunchRequest
from backfill.states import AttemptEnd, BackfillState, BoxStatus, RunState, StepState
from backfill.storage.database import Database
from backfill.storage.queries.attempts import attempts_of, steps_of
from backfill.storage.queries.backfills import BackfillFilter, get_backfill, list_backfills
from backfill.storage.queries.box_history import box_history
from backfill.storage.queries.events import list_events
from backfill.storage.queries.fleet import coordinator, list_queues, list_workers
from backfill.storage.queries.logs import log_lines
from backfill.storage.queries.matrix import Box, matrix_page
from backfill.storage.queries.runs import RunFilter, get_run, list_runs
from tests.support.house import DEFINITIONS, House, steps_ok
from tests.support.loading import loaded

STEPS = ("a", "b")
MINUTE = 60_000_000


@pytest.fixture
def house(database: Database, tmp_path: Path) -> Iterator[House]:
    with loaded(DEFINITIONS, tmp_path) as definitions:
        yield House(database, definitions)


def claimed(house: House, count: int = 5) -> list[Claim]:
    """Return claims on the runs of a fresh backfill, in partition order."""
    house.ready(count)
    house.worker()
    messages = house.admit()
    return house.claim([run for message in messages for run in message.run_ids])


def boxes(house: House, *keys: str) -> dict[str, dict[str, Box]]:
    with house.db.read() as conn:
        rows = matrix_page(house.db, conn, "days", keys, STEPS)
    return {row.key: dict(row.boxes) for row in rows}


# -- backfills ------------------------------------------------------------------------------------


def test_a_backfill_counts_partitions_without_a_run_as_pending(house: House) -> None:
    backfill_id = house.submit()
    house.expand(backfill_id, limit=10)
    house.fold()
    with house.db.read() as conn:
        view = get_backfill(house.db, conn, backfill_id)
    assert view is not None
    assert (view.partition_set, view.pipeline, view.total, view.expanded) == (
        "days",
        "work",
        60,
        10,
    )
    assert view.counts.pending == 60


def test_runs_that_were_not_counted_yet_are_pending(house: House) -> None:
    backfill_id = house.ready(5)
    with house.db.read() as conn:
        view = get_backfill(house.db, conn, backfill_id)
    assert view is not None
    assert view.counts.pending == 5


def test_partitions_a_canceled_backfill_never_reached_are_unlaunched(house: House) -> None:
    backfill_id = house.submit()
    house.expand(backfill_id, limit=10)
    backfills.cancel(house.db, backfill_id)
    backfills.cancel_chunk(house.db, backfill_id)
    house.fold()
    with house.db.read() as conn:
        view = get_backfill(house.db, conn, backfill_id)
    assert view is not None
    assert (view.counts.canceled, view.counts.unlaunched, view.counts.pending) == (10, 50, 0)


def test_backfills_are_listed_newest_first_in_pages(house: House) -> None:
    ids = [house.submit("day-01", note=str(n)) for n in range(5)]
    seen: list[int] = []
    before = None
    while True:
        with house.db.read() as conn:
            page = list_backfills(house.db, conn, BackfillFilter(), limit=2, before=before)
        seen += [view.id for view in page.items]
        if not page.more:
            break
        before = seen[-1]
    assert seen == sorted(ids, reverse=True)


def test_backfills_are_filtered_by_state_set_pipeline_and_author(house: House) -> None:
    paused = house.submit("day-01", created_by="ann")
    house.submit("day-02", created_by="bob")
    backfills.pause(house.db, paused, reason="lunch")

    def listed(**wanted: object) -> list[int]:
        with house.db.read() as conn:
            found = list_backfills(house.db, conn, BackfillFilter(**wanted), limit=9)  # type: ignore[arg-type]
        return [view.id for view in found.items]

    assert listed(states=[BackfillState.PAUSED]) == [paused]
    assert listed(created_by="ann", partition_set="days", pipeline="work") == [paused]
    assert listed(partition_set="weeks") == []
    assert len(listed(pipeline="work")) == 2


# -- runs -----------------------------------------------------------------------------------------


def test_runs_are_filtered_and_listed_newest_first(house: House) -> None:
    claims = claimed(house, 4)
    house.succeed(claims[0])
    house.fail(claims[1], retryable=False)
    alone = runs.launch(house.db, LaunchRequest(pipeline="work", run_config={"steps": {}}))

    def listed(**wanted: object) -> list[int]:
        with house.db.read() as conn:
            found = list_runs(house.db, conn, RunFilter(**wanted), limit=9)  # type: ignore[arg-type]
        return [view.id for view in found.items]

    by_id = sorted((c.run_id for c in claims), reverse=True)
    assert sorted(listed()) == sorted([*by_id, alone])
    assert listed(backfill_id=1) == by_id
    assert listed(states=[RunState.FAILED]) == [claims[1].run_id]
    assert listed(states=[RunState.RUNNING], backfill_id=1) == by_id[:2]
    assert listed(partition_set="days", partition="day-00") == [claims[0].run_id]
    assert listed(states=[]) == []
    assert listed(pipeline="other") == []


def test_a_failed_run_tells_its_error_and_its_config(house: House) -> None:
    (claim,) = claimed(house, 1)
    error = ErrorInfo("ValueError", "bad day", "Traceback …", cause=ErrorInfo("OSError", "io", "…"))
    step = StepOutcome("a", StepState.FAILED, tries=2, started_at=1, finished_at=2, error=error)
    outcome = RunOutcome(
        RunEnd.FAILED, [step], error, "a", retryable=False, run_config={"steps": {"a": {}}}
    )
    house.record(
        Report(
            claim,
            steps=[step],
            errors=[("a", 1, 5, error), ("a", 2, 6, error)],
            outcome=outcome,
        )
    )
    with house.db.read() as conn:
        run = get_run(house.db, conn, claim.run_id)
        steps = steps_of(house.db, conn, [claim.run_id])
    assert run is not None
    assert (run.state, run.failed_step, run.error_type) == (RunState.FAILED, "a", "ValueError")
    assert run.run_config == {"steps": {"a": {}}}
    assert run.worker == "w1"
    assert [(e.tries, e.type) for e in steps[0].errors] == [(1, "ValueError"), (2, "ValueError")]
    assert steps[0].errors[0].causes[0]["type"] == "OSError"


def test_what_does_not_exist_is_none(house: House) -> None:
    with house.db.read() as conn:
        assert get_run(house.db, conn, 404) is None
        assert get_backfill(house.db, conn, 404) is None
        assert coordinator(house.db, conn) is None


def test_every_attempt_of_a_run_is_told(house: House) -> None:
    house.ready(1, max_failures=1)
    house.worker()
    (message,) = house.admit()
    (first,) = house.claim(message.run_ids)
    house.fail(first)
    house.rows("SELECT 1")
    with house.db.write() as conn:
        conn.execute(house.db.sql("UPDATE runs SET available_at = 0"))
    house.wake()
    (message,) = house.admit()
    (second,) = house.claim(message.run_ids)

    def told() -> list[tuple[int, AttemptEnd | None]]:
        with house.db.read() as conn:
            found = attempts_of(house.db, conn, [second.run_id])[second.run_id]
        return [(a.attempt, a.ending) for a in found]

    assert told() == [(1, AttemptEnd.FAILED), (2, None)]
    house.succeed(second)
    assert told() == [(1, AttemptEnd.FAILED), (2, AttemptEnd.SUCCEEDED)]


# -- logs, events, fleet --------------------------------------------------------------------------


def test_a_log_is_read_on_from_where_it_was_left(house: House) -> None:
    (claim,) = claimed(house, 1)
    lines = [LogLine("a" if n % 2 else None, n, "info", f"line {n}") for n in range(5)]
    house.record(Report(claim, logs=lines[:3]))
    with house.db.read() as conn:
        first = log_lines(house.db, conn, claim.run_id, limit=2)
    assert [line.message for line in first.items] == ["line 0", "line 1"]
    assert first.more
    house.record(Report(claim, logs=lines[3:]))
    with house.db.read() as conn:
        rest = log_lines(house.db, conn, claim.run_id, limit=9, after=first.items[-1].place)
        of_step = log_lines(house.db, conn, claim.run_id, limit=9, step="a", attempt=1)
    assert [line.message for line in rest.items] == ["line 2", "line 3", "line 4"]
    assert [line.message for line in of_step.items] == ["line 1", "line 3"]
    assert not rest.more


def test_events_say_who_did_what_newest_first(house: House) -> None:
    backfill_id = house.submit("day-01", created_by="ann")
    backfills.pause(house.db, backfill_id, reason="lunch", actor="bob")
    with house.db.read() as conn:
        page = list_events(house.db, conn, backfill_id=backfill_id, limit=9)
        first = list_events(house.db, conn, limit=1)
        rest = list_events(house.db, conn, limit=9, before=first.items[0].id)
    told = [(e.kind, e.actor) for e in page.items]
    assert told == [("backfill.paused", "bob"), ("backfill.submitted", "ann")]
    assert [e.kind for e in [*first.items, *rest.items]] == [kind for kind, _ in told]


def test_the_fleet_shows_who_lives_and_what_waits(house: House) -> None:
    house.ready(3)
    worker_id = house.worker(slots=1)
    house.worker("w2")
    with house.db.write() as conn:
        conn.execute(
            house.db.sql("UPDATE workers SET beat_at = {now} - :ago WHERE name = 'w2'"),
            {"ago": 2 * MINUTE},
        )
    messages = house.admit()
    house.claim(messages[0].run_ids, worker_id=worker_id)
    with house.db.read() as conn:
        workers = list_workers(house.db, conn, silence_us=MINUTE)
        queues = list_queues(house.db, conn, workers, default="backfill")
    assert [(w.name, w.alive, w.running) for w in workers] == [("w1", True, 1), ("w2", False, 0)]
    assert [(q.name, q.queued, q.slots) for q in queues] == [("backfill", 2, 1)]


# -- the matrix -----------------------------------------------------------------------------------


def test_a_partition_nobody_ran_is_missing(house: House) -> None:
    assert boxes(house, "day-07") == {"day-07": dict.fromkeys(STEPS, Box(BoxStatus.MISSING))}


def test_boxes_follow_a_run_from_queued_to_succeeded(house: House) -> None:
    house.ready(1)

    def shown() -> list[str]:
        return [box.status.value for box in boxes(house, "day-00")["day-00"].values()]

    assert shown() == ["queued", "queued"]
    house.worker()
    (claim,) = house.claim(house.admit()[0].run_ids)
    started = StepOutcome("a", StepState.RUNNING, tries=1, started_at=1)
    house.record(Report(claim, steps=[started]))
    assert shown() == ["running", "queued"]
    house.record(Report(claim, steps=steps_ok(), outcome=RunOutcome(RunEnd.SUCCEEDED)))
    assert shown() == ["succeeded", "succeeded"]


def test_a_failed_step_of_a_run_that_will_be_tried_again_is_retrying(house: House) -> None:
    house.ready(1, max_failures=1)
    house.worker()
    (claim,) = house.claim(house.admit()[0].run_ids)
    error = ErrorInfo("ValueError", "no", "…")
    failed = StepOutcome("b", StepState.FAILED, tries=1, started_at=1, finished_at=2)
    outcome = RunOutcome(RunEnd.FAILED, error=error, failed_step="b")
    house.record(Report(claim, steps=[*steps_ok("a"), failed], outcome=outcome))
    assert [b.status.value for b in boxes(house, "day-00")["day-00"].values()] == [
        "succeeded",
        "retrying",
    ]


def test_a_run_that_never_came_to_a_step_does_not_hide_an_older_outcome(house: House) -> None:
    claims = claimed(house, 1)
    house.record(Report(claims[0], steps=steps_ok(), outcome=RunOutcome(RunEnd.SUCCEEDED)))
    again = house.ready(1)
    backfills.cancel(house.db, again)
    backfills.cancel_chunk(house.db, again)
    shown = boxes(house, "day-00")["day-00"]
    assert {b.status for b in shown.values()} == {BoxStatus.SUCCEEDED}
    assert shown["a"].run_id == claims[0].run_id
    with house.db.read() as conn:
        (row,) = matrix_page(house.db, conn, "days", ["day-00"], STEPS)
    assert (row.runs, row.state) == (2, RunState.CANCELED)


def test_a_run_of_some_steps_leaves_the_other_boxes_alone(house: House) -> None:
    house.ready(1, steps=["a"])
    shown = boxes(house, "day-00")["day-00"]
    assert (shown["a"].status, shown["b"].status) == (BoxStatus.QUEUED, BoxStatus.MISSING)


def test_a_page_keeps_the_order_of_its_keys(house: House) -> None:
    house.ready(3)
    keys = ["day-02", "day-40", "day-00"]
    assert list(boxes(house, *keys)) == keys


def test_a_box_knows_every_run_and_attempt(house: House) -> None:
    claims = claimed(house, 1)
    house.record(Report(claims[0], steps=steps_ok(), outcome=RunOutcome(RunEnd.SUCCEEDED)))
    house.ready(1)
    (again,) = house.claim(house.admit()[0].run_ids)
    error = ErrorInfo("KeyError", "x", "…")
    failed = StepOutcome("b", StepState.FAILED, tries=1, started_at=1, finished_at=2)
    house.record(
        Report(
            again,
            steps=[failed],
            errors=[("b", 1, 3, error)],
            outcome=RunOutcome(RunEnd.FAILED, error=error, failed_step="b"),
        )
    )
    with house.db.read() as conn:
        first = box_history(house.db, conn, "days", "day-00", "b", limit=1)
        newest = first.items[0]
        rest = box_history(
            house.db,
            conn,
            "days",
            "day-00",
            "b",
            limit=1,
            before=(newest.created_at, newest.run_id),
        )
    assert first.more
    assert not rest.more
    assert (newest.run_id, newest.attempts[0].ending) == (again.run_id, AttemptEnd.FAILED)
    assert newest.outcomes[0].errors[0].type == "KeyError"
    assert [(r.run_id, r.outcomes[0].state) for r in rest.items] == [
        (claims[0].run_id, StepState.SUCCEEDED)
    ]


def test_what_several_sessions_did_reads_in_the_order_it_happened(house: House) -> None:
    made = house.ready(2)
    url = house.db.url.render_as_string(hide_password=False)
    others = [Database(url, now=house.db.now) for _ in range(2)]
    for db in (house.db, *others) * 2:
        backfills.pause(db, made, reason="lunch")
        backfills.resume(db, made)
    for db in others:
        db.dispose()
    with house.db.read() as conn:
        told = list_events(house.db, conn, limit=100, backfill_id=made).items
    steered = [e.kind for e in reversed(told) if e.kind.endswith(("paused", "resumed"))]
    assert steered == ["backfill.paused", "backfill.resumed"] * 6
