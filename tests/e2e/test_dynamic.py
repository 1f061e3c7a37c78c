"""Dynamic partitions and drift with real processes: every one of them asks the database."""

from __future__ import annotations

from pathlib import Path

from backfill.client import Client
from tests.e2e.conftest import StartStack
from tests.support.waiting import wait_until

SHOPS = Path(__file__).with_name("dynamic_shops.py")


def test_keys_that_come_and_go_while_a_backfill_runs(start_stack: StartStack) -> None:
    stack = start_stack(definitions=str(SHOPS), api=True)
    with Client(stack.settings.api_url) as client:
        keys = client.dynamic_partitions("shops")
        keys.add(["a, b", "ü/1", "closing"])
        backfill = client.submit("shops", max_active_runs=1)
        backfill.pause("until a shop has closed")
        wait_until(lambda: backfill.refresh().counts.pending == 3, "its runs to be made")
        expanded = "SELECT id FROM backfills WHERE expanded_at IS NOT NULL"
        wait_until(lambda: stack.rows(expanded), "it to be expanded")
        keys.remove(["closing"])
        keys.add(["new"])
        assert backfill.drift().joined_keys == ["new"]
        backfill.resume()
        assert backfill.wait(timeout_seconds=60).state == "succeeded"
        later = client.submit("shops", "missing")
        assert later.wait(timeout_seconds=60).counts.succeeded == 1

    skipped = stack.run(int(backfill.id), "closing")
    assert (skipped.state, skipped.reason) == ("skipped", 'its partition left the set "shops"')
    assert stack.wait_all_final(int(backfill.id)) == {"succeeded": 2, "skipped": 1}
    assert stack.run(int(later.id), "new").state == "succeeded"
