"""What a run costs, counted instead of timed: statements, rows, messages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import event

from backfill.lifecycle import folding
from backfill.settings import Settings
from tests.support.house import House

GROUP = 32


@contextmanager
def statements(house: House) -> Iterator[list[str]]:
    """Gather the statements sent to the database, BEGIN and COMMIT aside."""
    seen: list[str] = []

    def note(_conn: object, _cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith("BEGIN"):
            seen.append(statement)

    event.listen(house.db.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(house.db.engine, "before_cursor_execute", note)


def proven(house: House) -> None:
    """Let the pipeline prove tiny, so that its runs share messages."""
    house.db.transact(
        lambda conn: conn.execute(
            house.db.sql("UPDATE pipelines SET runs = 1000, mean_run_us = 300")
        )
    )


def test_tiny_runs_share_messages(house: House) -> None:
    house.worker(slots=1)
    house.ready(60)
    proven(house)
    messages = house.admit()
    assert [len(m.run_ids) for m in messages] == [60]


def test_with_packing_off_a_message_carries_one_run(house: House) -> None:
    house.settings = Settings(pack_seconds=0)
    house.worker(slots=1)
    house.ready(60)
    proven(house)
    assert {len(m.run_ids) for m in house.admit()} == {1}


def test_a_claim_of_a_whole_message_is_one_statement_and_its_feed_row(house: House) -> None:
    house.worker(slots=1)
    house.ready(GROUP)
    proven(house)
    runs = [run for message in house.admit() for run in message.run_ids]
    with statements(house) as seen:
        assert len(house.claim(runs)) == GROUP
    assert len(seen) == (1 if house.db.postgres else 2)


def test_a_group_of_outcomes_costs_the_same_however_many_runs_it_has(house: House) -> None:
    house.worker(slots=1)
    house.ready(GROUP)
    proven(house)
    claims = house.claim([run for message in house.admit() for run in message.run_ids])
    with statements(house) as one:
        house.succeed(claims[0])
    with statements(house) as many:
        house.succeed(*claims[1:])
    assert len(one) == len(many) == (2 if house.db.postgres else 5)


def test_a_tiny_run_writes_its_row_its_steps_and_no_more(house: House) -> None:
    house.worker(slots=1)
    house.ready(GROUP)
    proven(house)
    house.succeed(*house.claim([run for m in house.admit() for run in m.run_ids]))
    written = {
        table: house.row(f"SELECT count(*) AS n FROM {table}").n
        for table in ("runs", "step_outcomes", "attempts", "step_errors", "log_lines")
    }
    assert written == {
        "runs": GROUP,
        "step_outcomes": 2 * GROUP,
        "attempts": 0,
        "step_errors": 0,
        "log_lines": 0,
    }
    assert house.row("SELECT count(*) AS n FROM partition_holds").n == 0
    feed_rows = house.row("SELECT count(*) AS n FROM feed").n
    assert feed_rows <= 6  # submitted, expanded, started, admitted, claimed, recorded


def test_admission_costs_by_lanes_and_not_by_pending_runs(house: House) -> None:
    house.worker(slots=1)
    backfill_id = house.ready(60)
    with statements(house) as seen:
        assert house.admit()
    assert house.states(backfill_id)["pending"] > 50
    assert len(seen) <= 12


def test_folding_costs_by_backfills_and_not_by_runs(house: House) -> None:
    house.worker(slots=1)
    house.ready(60)
    proven(house)
    for message in house.admit():
        house.succeed(*house.claim(message.run_ids))
    with statements(house) as seen:
        house.db.transact(lambda conn: folding.fold(house.db, conn))
    assert len(seen) <= 7
