"""What a run costs, counted instead of timed: statements, rows, messages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import event

from backfill.api.app import create_app
from backfill.definitions.calls import Definitions
from backfill.lifecycle import folding
from backfill.settings import Settings
from backfill.storage.database import BY_ID, Database
from tests.support.databases import PostgresDatabases, one_database
from tests.support.house import NOON, House, open_house
from tests.support.web import TestClient

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
    assert len(one) == len(many) == (1 if house.db.postgres else 5)


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


def test_a_packed_run_costs_a_fraction_of_a_statement_and_of_a_message(house: House) -> None:
    house.worker(slots=1)
    house.ready(60)
    proven(house)
    with statements(house) as seen:
        messages = house.admit()
        for message in messages:
            house.succeed(*house.claim(message.run_ids))
        house.db.transact(lambda conn: folding.fold(house.db, conn))
    assert sum(len(message.run_ids) for message in messages) == 60
    assert len(messages) == 1
    assert len(seen) <= 0.5 * 60


def test_a_run_by_itself_is_claimed_and_recorded_in_two_round_trips(house: House) -> None:
    house.worker(slots=1)
    house.ready(1)
    runs = house.admitted()
    with statements(house) as seen:
        house.succeed(*house.claim(runs))
    assert len(seen) == (2 if house.db.postgres else 7)


@pytest.mark.postgres
def test_a_packed_run_writes_few_row_versions(
    postgres_databases: PostgresDatabases, tmp_path: Path
) -> None:
    with one_database(postgres_databases) as url, open_house(url, tmp_path) as house:
        house.worker(slots=1)
        backfill_id = house.submit("[day-00...day-59]")
        before = row_versions(house)
        house.expand(backfill_id)
        proven(house)
        for message in house.admit():
            house.succeed(*house.claim(message.run_ids))
        house.db.transact(lambda conn: folding.fold(house.db, conn))
        written = row_versions(house) - before
    a_run = {"runs": 4, "step_outcomes": 2, "partition_holds": 2}  # made, queued, running, ended
    assert {table: written[table] / 60 for table in a_run} == a_run
    assert written["feed"] <= 6
    assert written.total() <= 60 * sum(a_run.values()) + 20


@pytest.mark.postgres
def test_a_worker_reads_the_rows_of_its_runs_and_no_others(
    postgres_databases: PostgresDatabases, tmp_path: Path
) -> None:
    with one_database(postgres_databases) as url, open_house(url, tmp_path) as house:
        house.worker(slots=1)
        house.ready(60)
        house.db.dispose()
        house.db = Database(url, tuning=BY_ID)  # as workers have it
        proven(house)
        (message,) = house.admit()
        before = rows_read(house)
        claims = house.claim(message.run_ids[:2])
        claimed = rows_read(house)
        house.succeed(*claims)
        recorded = rows_read(house)
        house.db.dispose()
    assert claimed - before <= 2 * 2
    assert recorded - claimed <= 2 * 4  # locked, then found again to be updated


def rows_read(house: House) -> int:
    """Return how many rows of `runs` were read so far, by index or not."""
    with house.db.single() as conn:
        conn.exec_driver_sql("SELECT pg_stat_force_next_flush()")
    table = "SELECT seq_tup_read + idx_tup_fetch AS n FROM pg_stat_user_tables"
    return int(house.row(f"{table} WHERE relname = 'runs'").n)


def row_versions(house: House) -> Counter[str]:
    """Return how many row versions were written so far, by table."""
    with house.db.single() as conn:
        conn.exec_driver_sql("SELECT pg_stat_force_next_flush()")
    rows = house.rows(
        "SELECT relname, n_tup_ins + n_tup_upd + n_tup_del AS n FROM pg_stat_user_tables"
    )
    return Counter({row.relname: row.n for row in rows})


@pytest.mark.parametrize(
    ("path", "most"),
    [
        ("/partition-sets/days/matrix?limit=60", 1),
        ("/partition-sets/days/overview?buckets=20", 3),
        ("/backfills", 5),
        ("/backfills/1", 5),
        ("/backfills/1/runs?limit=60", 5),
        ("/runs/1", 8),
    ],
)
def test_a_page_takes_few_statements(house: House, path: str, most: int) -> None:
    house.worker(slots=4)
    house.ready(60)
    house.succeed(*house.claim(house.admitted()))
    house.fold()
    app = create_app(house.settings, house.db, house.definitions, clock=lambda: NOON)
    with TestClient(app, base_url="http://127.0.0.1:8000") as api:
        api.get(f"/api/v1{path}")  # what is remembered from one page to the next is known
        with statements(house) as seen:
            assert api.get(f"/api/v1{path}").status_code == 200
    # the reader of live events has its own, and who may come in is looked up beside requests
    asked = [s for s in seen if "FROM feed" not in s and "FROM tokens" not in s]
    assert len(asked) <= most, asked


class Asked:
    """Definitions that note what they are asked beside the catalog."""

    def __init__(self, definitions: Definitions) -> None:
        self._definitions = definitions
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name != "catalog":
            self.calls.append(name)
        return getattr(self._definitions, name)


@pytest.mark.parametrize("path", ["matrix?limit=5&start=day-03", "matrix?place=7", "overview"])
def test_a_page_asks_the_definitions_about_the_set_as_seldom_as_it_can(
    house: House, path: str
) -> None:
    asked = Asked(house.definitions)
    app = create_app(house.settings, house.db, cast(Definitions, asked), clock=lambda: NOON)
    with TestClient(app, base_url="http://127.0.0.1:8000") as api:
        assert api.get(f"/api/v1/partition-sets/days/{path}").status_code == 200
    # the keys of a small overview are read besides how many there are
    assert asked.calls == (["count", "page"] if path == "overview" else ["listing"])
