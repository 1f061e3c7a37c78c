"""A run whose partition is gone ends, or waits for other code, and never goes round for ever."""

from __future__ import annotations

from backfill.execution.outcomes import RunEnd
from workers.partitions import HANDED_BACK_TIMES, PartitionGone, without_partition

DAY = 24 * 3600


def test_the_code_it_was_selected_with_knows_for_certain() -> None:
    outcome = without_partition(PartitionGone("days", "d1", True), attempt=1, reloads=False)
    assert outcome.end is RunEnd.SKIPPED
    assert outcome.error is not None
    assert outcome.error.message == 'its partition left the set "days"'


def test_other_code_hands_it_back_for_ever_longer_and_then_ends_it() -> None:
    gone = PartitionGone("days", "d1", False)
    ends = [without_partition(gone, attempt=n, reloads=False) for n in range(1, 20)]
    handed_back = [outcome for outcome in ends if outcome.end is RunEnd.RELEASED]
    assert ends[: len(handed_back)] == handed_back
    assert len(handed_back) == HANDED_BACK_TIMES
    delays = [outcome.retry_in_seconds or 0 for outcome in handed_back]
    assert delays == sorted(delays)
    assert 300 < sum(delays) < DAY
    assert {outcome.end for outcome in ends[len(handed_back) :]} == {RunEnd.SKIPPED}


def test_workers_that_follow_the_code_by_themselves_need_one_more_look_only() -> None:
    gone = PartitionGone("days", "d1", False)
    ends = [without_partition(gone, attempt=n, reloads=True).end for n in (1, 2)]
    assert ends == [RunEnd.RELEASED, RunEnd.SKIPPED]
