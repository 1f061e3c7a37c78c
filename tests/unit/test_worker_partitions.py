"""A run whose partition is gone ends, or waits for other code, and never goes round for ever."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from backfill.definitions.partition_set import PartitionSetDefinition
from backfill.definitions.partitions import DynamicKeys, TimeWindowPartitionsDefinition
from backfill.execution.outcomes import RunEnd
from workers.partitions import HANDED_BACK_TIMES, PartitionGone, Places, without_partition

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


MIDNIGHT = datetime(2026, 1, 3, tzinfo=UTC)
DAYS = PartitionSetDefinition(
    name="days",
    pipeline_name="work",
    partitions_def=TimeWindowPartitionsDefinition(
        start="2026-01-01", fmt="%Y-%m-%d", cron_schedule="0 0 * * *"
    ),
)


def no_dynamic_keys(partition: str) -> DynamicKeys:
    def keys(name: str) -> Sequence[str]:
        raise AssertionError(f"{name} was asked for the keys of {partition}")

    return keys


def test_a_window_is_found_with_its_time() -> None:
    place = Places().find(
        DAYS, "2026-01-02", MIDNIGHT, dynamic_keys=no_dynamic_keys, same_code=True
    )
    assert place.partition.name == "2026-01-02"
    assert place.window is not None
    assert (place.window.start, place.window.end) == (MIDNIGHT - timedelta(days=1), MIDNIGHT)


def test_a_window_that_ended_just_now_is_found_beside_those_kept() -> None:
    places = Places()
    just_before, just_after = MIDNIGHT - timedelta(seconds=0.1), MIDNIGHT + timedelta(seconds=0.1)
    places.find(DAYS, "2026-01-01", just_before, dynamic_keys=no_dynamic_keys, same_code=True)
    found = places.find(
        DAYS, "2026-01-02", just_after, dynamic_keys=no_dynamic_keys, same_code=True
    )
    assert found.window is not None
    assert found.window.end == MIDNIGHT


def test_a_window_that_is_not_there_is_gone() -> None:
    with pytest.raises(PartitionGone):
        Places().find(DAYS, "2026-01-03", MIDNIGHT, dynamic_keys=no_dynamic_keys, same_code=True)
