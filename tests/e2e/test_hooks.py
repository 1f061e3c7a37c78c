"""Hooks with real processes: told by workers and the coordinator, and hurting nothing."""

from __future__ import annotations

from tests.support.stack import Stack
from tests.support.waiting import wait_until


def test_hooks_are_told_of_steps_and_backfills_and_their_failures_are_kept(stack: Stack) -> None:
    backfill = stack.submit("tellings")

    assert stack.wait_all_final(backfill) == {"succeeded": 2, "failed": 1}
    wait_until(lambda: stack.state(backfill) == "failed", "the backfill's end")
    for partition in ("p00", "p01"):
        assert len(stack.marks.of("told success of refuse_the_last", backfill, partition)) == 1
    assert len(stack.marks.of("told failure of refuse_the_last", backfill, "p02")) == 1
    (event,) = stack.rows(
        "SELECT message FROM events WHERE kind = 'run.hook_failed' AND backfill_id = :id",
        id=backfill,
    )
    assert event.message == (
        'hook "note_failure" of step "refuse_the_last" failed: ConnectionError: nobody answers'
    )
    folder = stack.home / "told"
    wait_until(lambda: (folder / f"{backfill}.finished").exists(), "the last telling")
    assert (folder / f"{backfill}.started").read_text() == "running"
    assert (folder / f"{backfill}.finished").read_text() == "failed"


def test_a_quiet_backfill_calls_no_hooks_of_its_steps(stack: Stack) -> None:
    backfill = stack.submit("tellings", "[p00...p01]", quiet=True)

    assert stack.wait_all_final(backfill) == {"succeeded": 2}
    assert stack.marks.of("told success of refuse_the_last", backfill, "p00") == []
