"""Statuses in selections: what the runs of partitions came to, looked up once, at submit."""

from __future__ import annotations

from typing import Any

import pytest

from backfill.errors import NothingToRun, SelectionInvalid
from backfill.execution.outcomes import RunEnd
from backfill.lifecycle import runs
from backfill.lifecycle.choosing import choose
from backfill.lifecycle.requests import BackfillRequest
from backfill.lifecycle.runs import LaunchRequest
from backfill.lifecycle.statuses import look_up
from backfill.storage.queries.backfills import get_backfill
from tests.support.ended import ended, finish
from tests.support.house import NOON, House

DAY = 24 * 3600


def keys(house: House, selection: str, **wanted: Any) -> list[str]:
    """Return the last two digits of the days that a selection takes now."""
    request = BackfillRequest("days", selection, **{"reprocess": "all", **wanted})
    choice = choose(house.db, house.definitions, request, at=NOON, limit=100)
    return [key.removeprefix("day-") for key in choice.selected.keys or ()]


def told(house: House, *words: str, until: int | None = None) -> dict[str, list[str]]:
    version = house.definitions.catalog().pipeline("work").version
    with house.db.snapshot() as conn:
        facts = look_up(house.db, conn, "days", words, version=version, until=until)
    return {name: list(listed) for name, listed in facts.keys.items()}


def test_succeeded_and_failed_go_by_the_newest_run_that_ended(house: House) -> None:
    ended(house, "[day-00...day-03]")
    ended(house, "day-01", RunEnd.FAILED)
    ended(house, "day-04", RunEnd.FAILED)
    ended(house, "day-04")
    assert keys(house, "succeeded") == ["00", "02", "03", "04"]
    assert keys(house, "failed") == ["01"]


def test_missing_is_neither_succeeded_nor_on_its_way(house: House) -> None:
    ended(house, "[day-00...day-55]")
    ended(house, "day-56", RunEnd.FAILED)
    house.submit("day-57", note="its run is not even made")
    waiting = house.submit("day-58")
    house.expand(waiting)
    assert keys(house, "missing") == ["56", "57", "59"]


def test_running_is_pending_queued_or_running(house: House) -> None:
    house.worker(slots=1)
    house.ready(3)
    house.claim(house.admitted()[:1])
    assert keys(house, "running") == ["00", "01", "02"]


def test_a_run_canceled_before_it_started_hides_no_success(house: House) -> None:
    ended(house, "[day-00...day-02]")
    house.cancel_all(house.ready(2))
    assert keys(house, "succeeded") == ["00", "01", "02"]
    assert keys(house, "canceled") == ["00", "01"]
    assert keys(house, "canceled, day-09 ! succeeded") == ["09"]


def test_a_run_canceled_in_its_middle_leaves_its_partition_missing(house: House) -> None:
    ended(house, "[day-00...day-02]")
    ended(house, "day-01", RunEnd.CANCELED)
    assert keys(house, "[day-00...day-02] & missing") == ["01"]
    assert keys(house, "canceled") == ["01"]


def test_runs_without_a_backfill_count_too(house: House) -> None:
    runs.launch(house.db, LaunchRequest("work", "days", "day-07"))
    finish(house)
    assert keys(house, "succeeded") == ["07"]


def test_stale_is_a_last_success_of_another_version(house: House) -> None:
    ended(house, "[day-00...day-03]", version="old")
    ended(house, "[day-01...day-02]")
    ended(house, "day-03", RunEnd.FAILED)
    assert keys(house, "stale") == ["00", "03"]


def test_older_goes_by_when_the_last_success_finished(house: House) -> None:
    ended(house, "[day-00...day-03]")
    house.advance(8 * DAY)
    ended(house, "day-02")
    ended(house, "day-03", RunEnd.FAILED)
    assert keys(house, "older:7d") == ["00", "01", "03"]
    with pytest.raises(SelectionInvalid, match="selects no partition"):
        house.submit("older:9d")


def test_statuses_go_together_with_all_the_rest_of_the_language(house: House) -> None:
    ended(house, "[day-00...day-09]")
    ended(house, "day-03, day-07", RunEnd.FAILED)
    assert keys(house, "failed & [day-05...], day-40 ! missing & day-4*") == ["07"]


def test_a_set_that_never_ran_is_all_missing(house: House) -> None:
    assert len(keys(house, "missing")) == 60
    with pytest.raises(SelectionInvalid, match="failed selects no partition"):
        house.submit("failed")


def test_a_backfill_never_sees_its_own_outcomes(house: House) -> None:
    ended(house, "[day-00...day-04]", RunEnd.FAILED)
    again = house.submit("failed")
    house.expand(again, limit=2)
    finish(house)
    while house.expand(again):
        pass
    finish(house)
    assert house.states(again) == {"succeeded": 5}


def test_what_had_happened_by_a_moment_can_be_asked_later(house: House) -> None:
    ended(house, "[day-00...day-01]")
    ended(house, "day-02", RunEnd.FAILED)
    running = house.ready(4)
    house.advance(1)
    before = house.clock.at if house.clock else 0
    house.advance(1)
    finish(house)
    house.settle(running)
    ended(house, "day-05")
    words = ("succeeded", "failed", "running", "missing")
    assert told(house, *words, until=before) == {
        "succeeded": ["day-00", "day-01"],
        "failed": ["day-02"],
        "running": ["day-00", "day-01", "day-02", "day-03"],
        "!missing": ["day-00", "day-01", "day-02", "day-03"],
    }
    assert told(house, "succeeded")["succeeded"] == [f"day-0{n}" for n in (0, 1, 2, 3, 5)]


def test_odd_keys_are_found_again(house: House) -> None:
    odd = ["a, b", 'say "hi"', "übung/1", "100%", "x y"]
    house.shops.extend(odd)
    ended(house, "all", set_name="shops")
    ended(house, '"a, b", "say \\"hi\\""', RunEnd.FAILED, set_name="shops")
    failed = house.submit("failed", "shops")
    house.expand(failed)
    assert house.keys(failed) == odd[:2]


def test_partitions_that_left_the_set_are_passed_over(house: House) -> None:
    house.shops.extend(["a", "b", "c"])
    ended(house, "all", RunEnd.FAILED, set_name="shops")
    house.shops.remove("b")
    again = house.submit("failed", "shops")
    house.expand(again)
    assert house.keys(again) == ["a", "c"]


# -- reprocessing -------------------------------------------------------------------------------


def test_good_work_is_not_done_twice_unless_asked(house: House) -> None:
    ended(house, "[day-00...day-03]")
    ended(house, "day-02", RunEnd.FAILED)
    assert keys(house, "[day-00...day-04]", reprocess=None) == ["02", "04"]
    assert keys(house, "[day-00...day-04]", reprocess="all") == ["00", "01", "02", "03", "04"]
    assert keys(house, "[day-00...day-04]", reprocess="failed") == ["02"]


def test_stale_takes_what_succeeded_with_another_version(house: House) -> None:
    ended(house, "[day-00...day-02]", version="old")
    ended(house, "day-01")
    assert keys(house, "[day-00...day-04]", reprocess="stale") == ["00", "02"]


def test_who_names_statuses_or_steps_has_said_what_to_run(house: House) -> None:
    ended(house, "[day-00...day-03]")
    assert keys(house, "succeeded & [day-00...day-01]", reprocess=None) == ["00", "01"]
    assert keys(house, "[day-00...day-01]", reprocess=None, steps=["b"]) == ["00", "01"]


def test_a_backfill_keeps_what_it_left_out_and_why(house: House) -> None:
    ended(house, "[day-00...day-03]")
    ended(house, "day-03", RunEnd.FAILED)
    backfill_id = house.submit("[day-00...day-09]", reprocess="failed")
    with house.db.read() as conn:
        view = get_backfill(house.db, conn, backfill_id)
    assert view is not None
    assert (view.total, view.reprocess) == (1, "failed")
    assert view.left_out == {"succeeded": 3, "not_failed": 6}


def test_nothing_left_to_run_is_an_error_that_says_why(house: House) -> None:
    ended(house, "[day-00...day-03]")
    with pytest.raises(NothingToRun, match=r"4 succeeded before.*reprocess all") as caught:
        house.submit("[day-00...day-03]", reprocess=None)
    assert caught.value.facts["left_out"] == {"succeeded": 4}
    with pytest.raises(NothingToRun, match="2 succeeded before, 1 did not fail"):
        house.submit("day-01, day-02, day-59", reprocess="failed")
    assert house.row("SELECT count(*) AS n FROM backfills").n == 1


def test_the_same_request_again_is_the_same_backfill_whatever_became_of_it(house: House) -> None:
    first = ended(house, "[day-00...day-03]", reprocess=None, idempotency_key="k")
    assert house.submit("[day-00...day-03]", reprocess=None, idempotency_key="k") == first


def test_a_few_partitions_look_at_their_own_runs_only(house: House) -> None:
    ended(house, "[day-00...day-20]")
    assert keys(house, "day-03, day-30", reprocess=None) == ["30"]
