"""Orders, lines, windows, pools and limits of tags from the command line."""

from __future__ import annotations

import json
from typing import Any

from backfill.client import Client
from tests.integration.test_cli import Run
from tests.integration.test_cli import house as house
from tests.integration.test_cli import run as run
from tests.integration.test_cli import url as url
from tests.support.house import House


def told(run: Run, *words: str) -> Any:
    """Return the JSON a command prints."""
    printed = run(*words, "--json")
    assert printed.status == 0, printed.err
    return json.loads(printed.out)


def refused(run: Run, *words: str) -> str:
    printed = run(*words)
    assert printed.status != 0
    return printed.err


def test_a_line_is_submitted_stopped_shown_and_skipped(house: House, run: Run) -> None:
    house.worker()
    line = told(run, "submit", "days", "--select", "[day-00...day-02]", "--depends-on-previous")
    assert (line["depends_on_previous"], line["sequential"], line["stopped_by"]) == (
        True,
        False,
        None,
    )
    house.expand(int(line["id"]))
    house.fail(*house.claim(house.admitted()), retryable=False)
    house.fold()
    house.admit()
    assert told(run, "show", line["id"])["stopped_by"] == "day-00"
    assert "day-00, which did not succeed" in run("show", line["id"]).out
    skipped = run("skip", line["id"], "day-00", "--note", "closed")
    assert "goes on without day-00" in skipped.out
    assert house.next_partitions() == ["day-01"]
    assert told(run, "show", line["id"])["stopped_by"] is None
    assert "no run of partition" in refused(run, "skip", line["id"], "day-44")


def test_orders_and_windows_are_asked_for_and_shown(house: House, run: Run) -> None:
    listed = told(
        run,
        *("submit", "days", "--select", "day-05, day-01", "--order", "listed", "--sequential"),
        *("--window", "mon-fri 20:00-06:00 Europe/Zurich", "--window", "daily 06:00-20:00"),
    )
    house.expand(int(listed["id"]))
    assert house.keys(int(listed["id"])) == ["day-05", "day-01"]
    assert listed["windows"][0] == {
        "days": ["mon", "tue", "wed", "thu", "fri"],
        "start": "20:00",
        "end": "06:00",
        "zone": "Europe/Zurich",
    }
    shown = run("show", listed["id"]).out
    assert "mon-fri 20:00-06:00 Europe/Zurich; daily 06:00-20:00 UTC" in shown
    assert "one at a time, listed" in shown


def test_a_backfill_outside_its_windows_says_until_when(house: House, run: Run) -> None:
    with house.db.read() as conn:
        hour = house.db.clock(conn) // 3_600_000_000 % 24
    window = f"{(hour + 2) % 24:02}:00-{(hour + 3) % 24:02}:00"
    waiting = told(run, "submit", "days", "--all", "--window", window)
    assert waiting["opens_at"].endswith(f"{(hour + 2) % 24:02}:00:00Z")
    assert "opens" in run("show", waiting["id"]).out


def test_what_makes_no_sense_is_refused_with_one_sentence(house: House, run: Run) -> None:
    submit = ("submit", "days", "--select", "[day-03...day-04]", "--yes")
    assert "day-02" in refused(run, *submit, "--depends-on-previous")
    assert "no weight" in refused(run, *submit, "--order", "weight")
    assert "weight" in refused(run, *submit, "--order", "alphabetical")
    assert "not a window" in refused(run, *submit, "--window", "some day")
    assert "each say the order" in refused(run, *submit, "--order", "oldest", "--newest-first")
    assert house.rows("SELECT id FROM backfills") == []


def test_pools_are_listed_and_changed_live(house: House, run: Run) -> None:
    assert "No pools" in run("pools", "list").out
    assert told(run, "pools", "set", "warehouse", "4") == {
        "name": "warehouse",
        "slots": 4,
        "configured": True,
        "used": 0,
    }
    assert "0/4" in run("pools", "list").out
    assert told(run, "pools", "set", "warehouse", "default")["slots"] == 1
    assert "no number" in refused(run, "pools", "set", "warehouse", "many")
    assert "cannot name a pool" in refused(run, "pools", "set", "a:b", "2")


def test_limits_of_tags_are_set_and_taken_away(house: House, run: Run) -> None:
    assert "No limits" in run("tag-limits", "list").out
    run("tag-limits", "set", "customer", "2")
    run("tag-limits", "set", "customer=acme", "1")
    found = told(run, "tag-limits", "list")
    assert [(x["value"], x["max_active_runs"]) for x in found] == [(None, 2), ("acme", 1)]
    assert "each value" in run("tag-limits", "list").out
    run("tag-limits", "remove", "customer=acme")
    assert len(told(run, "tag-limits", "list")) == 1
    assert "no limit" in refused(run, "tag-limits", "remove", "customer=acme")


def test_the_client_takes_windows_as_texts_and_as_the_api_has_them(
    house: House, run: Run, url: str
) -> None:
    with Client(url) as client:
        handle = client.submit(
            "days",
            "day-01",
            windows=["sat,sun", {"days": ["mon"], "start": "01:00", "end": "02:00"}],
            sequential=True,
        )
        assert [window.days for window in handle.info.windows] == [["sat", "sun"], ["mon"]]
        assert handle.info.sequential
        planned = client.plan("days", "day-01", windows=["daily"])
        assert planned.count == 1


def test_the_matrix_is_narrowed_to_a_backfill_to_tags_and_to_a_selection(
    house: House, run: Run
) -> None:
    run("submit", "days", "--partitions", "day-01,day-03", "--tags", "team=sales", "-y")
    run("submit", "days", "--partitions", "day-02", "-y")
    for backfill_id in (1, 2):
        while house.expand(backfill_id) is not None:
            pass

    def keys(*asked: str) -> list[str]:
        return [row["key"] for row in told(run, "matrix", "days", *asked)["items"]]

    assert keys("--backfill", "1") == ["day-03", "day-01"]
    assert keys("--tags", "team=sales", "--oldest-first") == ["day-01", "day-03"]
    assert keys("--select", "day-02") == ["day-02"]
    assert "queued" in run("matrix", "days", "--backfill", "2").out
