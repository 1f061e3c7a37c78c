"""Blocks and marks: what operators say of partitions, laid over what was recorded."""

from __future__ import annotations

from datetime import timedelta

import pytest

from backfill.errors import Conflict, Invalid, NothingToRun, SelectionInvalid
from backfill.lifecycle import blocks, failures, marking, rollup
from backfill.lifecycle.explaining import why_run
from backfill.lifecycle.launching import launch_checked
from backfill.lifecycle.runs import LaunchRequest
from backfill.states import BoxStatus, RunState
from backfill.storage.database import decoded
from backfill.storage.queries.blocks import list_blocks
from backfill.storage.queries.counting import count_page
from backfill.storage.queries.marks import list_marks
from backfill.storage.queries.matrix import PartitionRow, matrix_page
from tests.integration.test_guards import claims_of, fail_with, partitions
from tests.support.house import NOON, House

STEPS = ["a", "b"]


def block(house: House, selection: str, reason: str = "the source is broken") -> int:
    made = blocks.block(
        house.db, house.definitions, "days", selection, reason=reason, at=NOON, actor="ann"
    )
    return made.id


def unblock(house: House, selection: str) -> int:
    return blocks.unblock(house.db, house.definitions, "days", selection, at=NOON)


def mark(house: House, selection: str, status: str = "succeeded", *steps: str) -> int:
    return marking.mark(
        house.db,
        house.definitions,
        "days",
        selection,
        status=BoxStatus(status),
        steps=steps or None,
        at=NOON,
        note="looked at it",
        actor="ann",
    )


def unmark(house: House, selection: str, *steps: str) -> int:
    return marking.unmark(
        house.db, house.definitions, "days", selection, steps=steps or None, at=NOON
    )


def shown(house: House, *keys: str) -> list[PartitionRow]:
    with house.db.read() as conn:
        return matrix_page(house.db, conn, "days", keys, STEPS)


def statuses(house: House, key: str) -> list[str]:
    (row,) = shown(house, key)
    return [row.boxes[step].status.value for step in STEPS]


def selected(house: House, selection: str) -> list[str]:
    backfill_id = house.submit(selection)
    house.expand(backfill_id)
    return house.keys(backfill_id)


# -- blocks ---------------------------------------------------------------------------------------


def test_a_blocked_partition_is_left_out_of_backfills_until_it_is_unblocked(house: House) -> None:
    block(house, "[day-01...day-02]")
    first = house.submit("[day-00...day-03]")
    house.expand(first)
    assert house.keys(first) == ["day-00", "day-03"]
    assert decoded(house.backfill(first).left_out) == {"blocked": 2}
    assert unblock(house, "[day-00...day-01]") == 1
    again = house.submit("[day-00...day-03]")
    house.expand(again)
    assert house.keys(again) == ["day-00", "day-01", "day-03"]


def test_a_selection_of_nothing_but_blocked_partitions_is_refused(house: House) -> None:
    block(house, "day-05")
    with pytest.raises(NothingToRun, match="1 blocked by an operator"):
        house.submit("day-05")


def test_a_pending_run_of_a_blocked_partition_is_skipped_and_a_running_one_finishes(
    house: House,
) -> None:
    house.worker(slots=1)
    backfill_id = house.ready(6, max_active_runs=1)
    (claim,) = claims_of(house, house.admitted())
    block(house, "[day-00...day-02]", "bad input")
    house.succeed(claim)
    house.fold()
    assert partitions(house, [run for _ in range(3) for run in house.admitted()][:1]) == ["day-03"]
    skipped = house.rows(
        "SELECT partition, reason FROM runs WHERE state = 'skipped' ORDER BY partition"
    )
    assert [tuple(row) for row in skipped] == [
        ("day-01", "its partition is blocked: bad input"),
        ("day-02", "its partition is blocked: bad input"),
    ]
    assert house.backfill(backfill_id).state == "running"


def test_a_retry_of_a_blocked_partition_is_skipped_and_frees_its_hold(house: House) -> None:
    (claim,) = house.running(1, max_failures=3)
    house.fail(claim)
    block(house, "day-00")
    house.advance(10)
    house.wake()
    house.admit()
    assert house.state(claim.run_id) is RunState.SKIPPED
    assert house.rows("SELECT * FROM partition_holds") == []


def test_a_launch_of_a_blocked_partition_is_refused_with_the_reason(house: House) -> None:
    block(house, "day-00", "being repaired")
    request = LaunchRequest("work", partition_set="days", partition="day-00")
    with pytest.raises(Conflict, match=r'"day-00" \(being repaired\)'):
        launch_checked(house.db, house.definitions, request, at=NOON)


def test_a_launch_is_refused_while_its_partition_is_on_its_way(house: House) -> None:
    (claim,) = house.running(1)
    request = LaunchRequest("work", partition_set="days", partition="day-00", on_conflict="refuse")
    with pytest.raises(Conflict, match=f"run {claim.run_id} of backfill"):
        launch_checked(house.db, house.definitions, request, at=NOON)


def test_blocked_partitions_show_so_unless_they_succeeded_or_run(house: House) -> None:
    done, failed, running = house.running(3)
    house.succeed(done)
    house.fail(failed)
    block(house, "[day-00...day-03]", "why")
    assert statuses(house, "day-00") == ["succeeded", "succeeded"]
    assert statuses(house, "day-01") == ["blocked", "blocked"]
    assert statuses(house, "day-03") == ["blocked", "blocked"]
    assert [row.blocked for row in shown(house, "day-03", "day-04")] == ["why", None]
    assert house.state(running.run_id) is RunState.RUNNING


def test_blocks_are_listed_and_a_second_block_takes_the_first_ones_place(house: House) -> None:
    block(house, "[day-00...day-03]", "first")
    second = block(house, "[day-02...day-05]", "second")
    with house.db.read() as conn:
        found = list_blocks(house.db, conn, set_name="days", limit=10).items
    assert [(b.reason, b.count) for b in found] == [("second", 4), ("first", 2)]
    assert blocks.unblock_all(house.db, second, set_name="days") == 4
    block(house, "[day-00...day-01]", "third")
    with house.db.read() as conn:
        found = list_blocks(house.db, conn, set_name="days", limit=10).items
    assert [(b.reason, b.count) for b in found] == [("third", 2)], "an empty block is forgotten"


def test_a_block_needs_a_reason_and_partitions_that_exist(house: House) -> None:
    with pytest.raises(Invalid, match="Say why"):
        block(house, "day-00", " ")
    with pytest.raises(SelectionInvalid):
        block(house, "day-99")


def test_the_partitions_that_are_blocked_can_be_selected(house: House) -> None:
    block(house, "[day-03...day-04]")
    assert unblock(house, "blocked") == 2


# -- marks ----------------------------------------------------------------------------------------


def test_a_partition_marked_succeeded_counts_as_such_until_a_later_outcome(house: House) -> None:
    (claim,) = house.running(1)
    house.fail(claim, retryable=False)
    house.advance(1)
    mark(house, "day-00")
    assert statuses(house, "day-00") == ["succeeded", "succeeded"]
    (row,) = shown(house, "day-00")
    assert row.mark is not None
    assert row.mark.note == "looked at it"
    assert row.boxes["a"].marked
    backfill_id = house.submit("[day-00...day-01]", reprocess="missing")
    house.expand(backfill_id)
    assert house.keys(backfill_id) == ["day-01"]
    house.advance(1)
    again = house.submit("day-00")
    house.expand(again)
    assert statuses(house, "day-00") == ["queued", "queued"], "a run on its way shows"
    (claim,) = claims_of(
        house, [r for r in house.admitted() if partitions(house, [r]) == ["day-00"]]
    )
    house.fail(claim, retryable=False)
    assert shown(house, "day-00")[0].mark is None
    assert selected(house, "failed & day-00") == ["day-00"]


def test_a_partition_marked_missing_runs_again(house: House) -> None:
    house.succeed(*house.running(2))
    house.advance(1)
    mark(house, "day-01", "missing")
    assert statuses(house, "day-01") == ["missing", "missing"]
    backfill_id = house.submit("[day-00...day-01]", reprocess="missing")
    house.expand(backfill_id)
    assert house.keys(backfill_id) == ["day-01"]


def test_a_mark_taken_back_lets_what_was_recorded_count_again(house: House) -> None:
    house.succeed(*house.running(1))
    house.advance(1)
    mark(house, "day-00", "missing")
    mark(house, "day-00", "missing", "b")
    assert unmark(house, "day-00", "b") == 1
    assert unmark(house, "[day-00...day-05]") == 1
    assert statuses(house, "day-00") == ["succeeded", "succeeded"]


def test_one_box_can_be_marked(house: House) -> None:
    house.succeed(*house.running(1))
    house.advance(1)
    mark(house, "day-00", "missing", "b")
    assert statuses(house, "day-00") == ["succeeded", "missing"]
    house.advance(1)
    mark(house, "day-00", "missing")
    house.advance(1)
    mark(house, "day-00", "succeeded", "b")
    assert statuses(house, "day-00") == ["missing", "succeeded"], "the newest mark wins"


def test_only_two_statuses_can_be_given_and_only_to_steps_that_exist(house: House) -> None:
    with pytest.raises(Invalid, match="Only succeeded and missing"):
        mark(house, "day-00", "failed")
    with pytest.raises(Invalid, match='no step "c"'):
        mark(house, "day-00", "succeeded", "c")


def test_marks_are_listed_newest_first_and_noted(house: House) -> None:
    mark(house, "day-00")
    house.advance(1)
    mark(house, "day-01", "missing", "b")
    with house.db.read() as conn:
        page = list_marks(house.db, conn, "days", limit=1)
        (newest,) = page.items
        rest = list_marks(
            house.db,
            conn,
            "days",
            limit=5,
            before=(newest.marked_at, newest.partition, newest.step or ""),
        )
    assert (newest.partition, newest.step, newest.status) == ("day-01", "b", "missing")
    assert page.more
    assert [(m.partition, m.step, m.marked_by) for m in rest.items] == [("day-00", None, "ann")]
    kinds = [row.kind for row in house.rows("SELECT kind FROM events ORDER BY id")]
    assert kinds == ["partitions.marked", "partitions.marked"]


def test_counts_agree_with_what_the_matrix_shows(house: House) -> None:
    done, failed = house.running(2)
    house.succeed(done)
    house.fail(failed, retryable=False)
    house.advance(1)
    block(house, "[day-01...day-03]")
    mark(house, "day-04")
    keys = [f"day-{n:02}" for n in range(8)]
    with house.db.read() as conn:
        counts = count_page(house.db, conn, "days", keys, STEPS)
    rows = shown(house, *keys)
    for step in STEPS:
        told = [row.boxes[step].status.value for row in rows]
        assert counts[step] == {status: told.count(status) for status in set(told)}


def test_what_operators_say_has_the_overview_look_again(house: House) -> None:
    house.fold()
    block(house, "[day-00...day-02]")
    mark(house, "day-05")
    moved = house.rows("SELECT body FROM feed ORDER BY id")
    assert sum("touched" in row.body for row in moved) == 2
    assert rollup.mark(house.db, house.definitions, NOON + timedelta(seconds=1)) > 0


# -- failures -------------------------------------------------------------------------------------


def grouped(house: House, backfill_id: int, limit: int = 10) -> failures.Failures:
    return failures.failures(house.db, house.definitions, backfill_id, at=NOON, limit=limit)


def test_failures_are_grouped_by_what_their_errors_have_in_common(house: House) -> None:
    house.worker(slots=20)
    backfill_id = house.ready(10)
    claims = claims_of(house, house.admitted())
    for n, claim in enumerate(claims[:6]):
        house.advance(1)
        key = house.run(claim.run_id).partition
        fail_with(house, f"no rows for {key} after {n * 3} s in 'part-{n}'", claim)
    fail_with(house, "out of memory", *claims[7:9], kind="MemoryError")
    found = grouped(house, backfill_id)
    assert (found.count, found.groups) == (8, 2)
    first, second = found.items
    assert first.group.key == "ValueError: no rows for <partition> after # s in '…'"
    assert first.group.count == 6
    assert first.selection == "[day-00...day-05]"
    assert first.group.steps == {"b": 6}
    assert first.group.first_at < first.group.last_at
    assert second.selection == "[day-07...day-08]"
    assert second.group.error_type == "MemoryError"
    assert len(grouped(house, backfill_id, limit=1).items) == 1


@pytest.mark.parametrize("ordering", ["oldest", "listed"])
def test_failures_that_are_too_scattered_are_not_spelled(
    house: House, monkeypatch: pytest.MonkeyPatch, ordering: str
) -> None:
    monkeypatch.setattr(failures, "MOST_PARTS", 2)
    house.worker(slots=20)
    backfill_id = house.ready(10, ordering=ordering)
    claims = claims_of(house, house.admitted())
    fail_with(house, "boom", *claims[0:6:2])
    fail_with(house, "bang", *claims[6:9])
    together, scattered = grouped(house, backfill_id).items
    assert (scattered.group.key, scattered.selection) == ("ValueError: boom", None)
    assert together.selection == "[day-06...day-08]"


def test_a_run_that_lost_its_worker_for_good_has_a_group_too(house: House) -> None:
    (claim,) = house.running(1)
    for _ in range(house.settings.max_crashes):
        house.advance(house.settings.lease_seconds + 120)
        house.reap()
        house.advance(60)
        house.wake()
        house.claim(house.admitted())
    assert house.state(claim.run_id) is RunState.FAILED
    found = grouped(house, house.rows("SELECT id FROM backfills")[0].id)
    assert "worker" in found.items[0].group.key


# -- schedules and why ----------------------------------------------------------------------------


def test_why_tells_that_a_pending_run_is_blocked(house: House) -> None:
    backfill_id = house.ready(2)
    block(house, "day-01", "the source is broken")
    (run,) = [
        row.id
        for row in house.rows(
            "SELECT id, partition FROM runs WHERE backfill_id = :b", b=backfill_id
        )
        if row.partition == "day-01"
    ]
    told = [reason.sentence for reason in why_run(house.db, house.settings, run).reasons]
    assert any("blocked" in text and "the source is broken" in text for text in told)


def test_a_line_goes_on_behind_a_partition_that_was_marked(house: House) -> None:
    backfill_id = house.ready(2, depends_on_previous=True)
    (claim,) = claims_of(house, house.admitted())
    house.fail(claim, retryable=False)
    house.fold()
    assert house.admitted() == []
    house.advance(1)
    mark(house, "day-00")
    assert partitions(house, house.admitted()) == ["day-01"]
    assert house.backfill(backfill_id).state == "running"
