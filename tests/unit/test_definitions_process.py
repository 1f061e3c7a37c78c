"""The definitions process: users' code that hangs, crashes, prints or changes harms nobody else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from backfill.definitions.calls import KeyRange, Listing
from backfill.definitions.process import DefinitionsProcess
from backfill.errors import (
    DefinitionError,
    DefinitionsUnavailable,
    NotFound,
    SelectionInvalid,
    UserCodeError,
)
from tests.support.waiting import all_gone, is_alive, wait_until

AT = datetime(2020, 6, 1, 12, tzinfo=UTC)

SHOP = """
    import os, threading, time
    from backfill import PartitionSetDefinition, pipeline, step
    from backfill.definitions.partitions import (
        DailyPartitionsDefinition, DynamicPartitionsDefinition
    )

    @step(config_schema={"date": str})
    def load(context):
        "Load a day."

    @pipeline(tags={"team": "sales"})
    def daily_sales():
        load()

    def config(partition):
        return {"steps": {"load": {"config": {"date": partition.name}}}}

    def tags(partition):
        return {"n": partition.name[-2:]} if partition.name > "2020-05-30" else None

    days = PartitionSetDefinition(
        "days",
        "daily_sales",
        lambda: [f"2020-05-{day:02}" for day in range(1, 32)],
        run_config_fn_for_partition=config,
        tags_fn_for_partition=tags,
    )
    daily = PartitionSetDefinition(
        "daily", "daily_sales", partitions_def=DailyPartitionsDefinition("2000-01-01")
    )
    regions = PartitionSetDefinition(
        "regions", "daily_sales", partitions_def=DynamicPartitionsDefinition(name="regions")
    )
    many = PartitionSetDefinition(
        "many", "daily_sales", lambda: [f"k{n:06}" for n in range(100_000)]
    )
"""


class Home:
    """A folder of definitions, and processes that serve them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "shop.py"
        self.opened: list[DefinitionsProcess] = []
        self.write()

    def write(self, more: str = "", *, instead: str | None = None) -> None:
        self.path.write_text(dedent(SHOP if instead is None else instead) + dedent(more))

    def serve(self, **options: Any) -> DefinitionsProcess:
        options.setdefault("dynamic_keys", lambda name: [f"{name}/eu", f"{name}/us"])
        self.opened.append(DefinitionsProcess(str(self.path), **options))
        return self.opened[-1]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path)
    yield home
    for process in home.opened:
        process.close()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DefinitionsProcess]:
    """One process with the definitions as they are, for the tests that only ask."""
    home = Home(tmp_path_factory.mktemp("shop"))
    with home.serve() as process:
        yield process


def keys_of(process: DefinitionsProcess, ranges: list[KeyRange], limit: int) -> list[str]:
    """Return the keys of every chunk of frozen ranges of the set `many`."""
    keys: list[str] = []
    while len(keys) < sum(size for _, _, size in ranges):
        chunk = process.expand("many", ranges, offset=len(keys), limit=limit, at=AT)
        keys += [partition.key for partition in chunk.partitions]
        assert chunk.next_offset == len(keys)
    return keys


def test_the_catalog_tells_every_definition(shop: DefinitionsProcess) -> None:
    catalog = shop.catalog()
    pipeline = catalog.pipeline("daily_sales")
    assert [step.name for step in pipeline.steps] == ["load"]
    assert pipeline.steps[0].description == "Load a day."
    assert pipeline.tags == {"team": "sales"}
    assert pipeline.run_config_schema["type"] == "object"
    assert pipeline.version
    kinds = {info.name: info.kind for info in catalog.partition_sets}
    assert kinds == {
        "days": "function",
        "daily": "time_window",
        "many": "function",
        "regions": "dynamic",
    }
    assert catalog.partition_set("days").has_tags_fn
    assert catalog.problems == ()
    assert catalog.loaded_at is not None
    assert catalog.version
    assert shop.catalog() is catalog


def test_keys_are_counted_paged_and_found(shop: DefinitionsProcess) -> None:
    assert shop.count("days", AT) == 31
    assert shop.page("days", 29, 40, AT) == ["2020-05-30", "2020-05-31"]
    assert shop.index_of("days", ["2020-05-31", "2020-06-01"], AT) == [30, None]
    listed = shop.listing("days", AT, limit=2, backward=True, key="2020-05-31", skip=True)
    assert listed == Listing(31, 30, 28, ["2020-05-29", "2020-05-30"])
    assert shop.count("daily", AT) == 7457


def test_the_keys_of_dynamic_partitions_are_asked_of_the_parent(shop: DefinitionsProcess) -> None:
    assert shop.page("regions", 0, 9, AT) == ["regions/eu", "regions/us"]


def test_a_set_of_dynamic_partitions_that_nobody_keeps_says_so(home: Home) -> None:
    with pytest.raises(DefinitionError, match='keys of the dynamic partitions "regions"'):
        home.serve(dynamic_keys=None).count("regions", AT)


def test_a_selection_is_frozen_as_ranges_of_keys(shop: DefinitionsProcess) -> None:
    chosen = shop.select("days", "[2020-05-30...2020-05-31],2020-05-01", AT, limit=100)
    assert chosen.count == 3
    assert chosen.ranges == [(0, 0), (29, 30)]
    assert chosen.key_ranges == [
        ("2020-05-01", "2020-05-01", 1),
        ("2020-05-30", "2020-05-31", 2),
    ]
    assert (chosen.first_key, chosen.last_key) == ("2020-05-01", "2020-05-31")


def test_statuses_of_a_selection_are_given_by_the_caller(shop: DefinitionsProcess) -> None:
    failed = {"failed": ["2020-05-02", "2020-05-03", "gone"]}
    chosen = shop.select("days", "failed ! 2020-05-03", AT, limit=100, statuses=failed)
    assert chosen.key_ranges == [("2020-05-02", "2020-05-02", 1)]
    others = {"!missing": [f"2020-05-{day:02}" for day in range(3, 40)]}
    chosen = shop.select("days", "missing", AT, limit=100, statuses=others)
    assert chosen.key_ranges == [("2020-05-01", "2020-05-02", 2)]
    with pytest.raises(SelectionInvalid, match='"failed" asks for the outcomes of runs'):
        shop.select("days", "failed", AT, limit=100)


@pytest.mark.parametrize(
    ("selection", "told"),
    [("2020-05-32", "2020-05-32"), ("all", "31"), ("", "no|empty")],
)
def test_a_selection_of_unknown_no_or_too_many_partitions_is_refused(
    shop: DefinitionsProcess, selection: str, told: str
) -> None:
    with pytest.raises(SelectionInvalid, match=told):
        shop.select("days", selection, AT, limit=30)


def test_an_expansion_gives_the_tags_of_those_that_have_some(shop: DefinitionsProcess) -> None:
    ranges = [KeyRange("2020-05-30", "2020-05-31", 2)]
    chunk = shop.expand("days", ranges, offset=0, limit=10, at=AT)
    assert chunk.partitions == [("2020-05-30", {}), ("2020-05-31", {"n": "31"})]
    assert chunk.next_offset == 2


def test_a_hundred_thousand_keys_come_in_one_page_or_in_chunks(shop: DefinitionsProcess) -> None:
    ranges = list(shop.select("many", "all", AT, limit=1_000_000).key_ranges)
    assert ranges == [("k000000", "k099999", 100_000)]
    page = shop.page("many", 0, 100_000, AT)
    assert keys_of(shop, ranges, 10_000) == page
    assert len(page) == 100_000


def test_a_chunk_across_ranges_counts_from_the_first_of_them(shop: DefinitionsProcess) -> None:
    ranges = [KeyRange(f"k{n:06}", f"k{n + 9:06}", 10) for n in range(0, 1000, 20)]
    expected = [f"k{n + i:06}" for n in range(0, 1000, 20) for i in range(10)]
    assert keys_of(shop, ranges, 7) == expected


def test_the_run_config_of_a_partition_is_resolved_and_validated(shop: DefinitionsProcess) -> None:
    resolved = shop.run_config("days", "2020-05-31", AT)
    assert resolved.config == {"steps": {"load": {"config": {"date": "2020-05-31"}}}}
    assert resolved.tags["backfill/partition"] == "2020-05-31"
    assert resolved.tags["n"] == "31"
    assert resolved.errors == []
    override = {"solids": {"load": {"config": {"date": 5}}}}
    [error] = shop.run_config("days", "2020-05-31", AT, override=override).errors
    assert error["path"] == "steps.load.config.date"
    [error] = shop.validate_config("daily_sales", override)
    assert error["value"] == 5


def test_every_partition_of_a_plan_is_validated(shop: DefinitionsProcess) -> None:
    ranges = [KeyRange("2020-05-01", "2020-05-31", 31)]
    good = shop.validate_partitions("days", ranges, offset=0, limit=100, at=AT)
    assert (good.checked, good.invalid, good.next_offset) == (31, 0, 31)
    override = {"steps": {"load": {"config": {"date": None}}}}
    bad = shop.validate_partitions("days", ranges, offset=30, limit=1, at=AT, override=override)
    assert (bad.checked, bad.invalid) == (1, 1)
    assert bad.problems[0].partition == "2020-05-31"
    assert bad.problems[0].errors[0]["path"] == "steps.load.config.date"


def test_unknown_names_are_told(shop: DefinitionsProcess) -> None:
    with pytest.raises(NotFound, match=r'No partition set named "dayz"\. Did you mean "days"'):
        shop.count("dayz", AT)
    with pytest.raises(NotFound, match='has no partition "2020-05-32"'):
        shop.run_config("days", "2020-05-32", AT)
    with pytest.raises(NotFound, match='No pipeline named "x"'):
        shop.catalog().pipeline("x")


def test_calls_from_many_threads_get_their_own_answers(shop: DefinitionsProcess) -> None:
    with ThreadPoolExecutor(8) as threads:
        keys = threads.map(lambda n: shop.page("many", n, n + 1, AT), range(200))
        assert [key for page in keys for key in page] == [f"k{n:06}" for n in range(200)]


def test_a_call_that_hangs_is_stopped_and_told_where_it_was(home: Home) -> None:
    home.write(
        """
        def stuck():
            print("stuck now", flush=True)
            threading.Event().wait()

        hanging = PartitionSetDefinition("hanging", "daily_sales", stuck)
        """
    )
    process = home.serve(call_seconds=0.5, check_seconds=0.0)
    with pytest.raises(DefinitionsUnavailable) as raised:
        process.count("hanging", AT)
    assert 'partition function of set "hanging" did not answer within 0.5 s' in str(raised.value)
    assert f"stuck ({home.path}:" in raised.value.facts["traceback"]
    assert process.count("days", AT) == 31


def test_a_call_that_hangs_keeps_no_other_call_waiting(home: Home) -> None:
    started = home.folder / "started"
    home.write(
        f"""
        def stuck():
            open({str(started)!r}, "w").close()
            threading.Event().wait()

        hanging = PartitionSetDefinition("hanging", "daily_sales", stuck)
        """
    )
    process = home.serve(check_seconds=0.0)
    with ThreadPoolExecutor(1) as threads:
        hanging = threads.submit(process.count, "hanging", AT)
        wait_until(started.exists, "the call to hang")
        assert process.count("days", AT) == 31
        process.close()
        with pytest.raises(DefinitionsUnavailable):
            hanging.result(30)
    with pytest.raises(DefinitionsUnavailable, match="shut down"):
        process.count("days", AT)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("os._exit(3)", "ended its process (exit status 3)"),
        ("os.kill(os.getpid(), 11)", "ended its process (SIGSEGV)"),
    ],
)
def test_a_call_that_crashes_costs_only_itself(home: Home, body: str, told: str) -> None:
    home.write(
        f"""
        def crash(partition):
            {body}

        crashing = PartitionSetDefinition(
            "crashing", "daily_sales", lambda: ["a"], run_config_fn_for_partition=crash
        )
        """
    )
    process = home.serve()
    for _ in range(2):
        with pytest.raises(DefinitionsUnavailable) as raised:
            process.run_config("crashing", "a", AT)
        assert 'config of set "crashing" for partition "a"' in str(raised.value)
        assert told in str(raised.value)
        assert process.count("days", AT) == 31


def test_what_users_code_prints_goes_to_stderr(
    home: Home, capfd: pytest.CaptureFixture[str]
) -> None:
    home.write(
        """
        print("loading the shop")
        os.system("echo from a shell")

        def noisy():
            print("x" * 100_000)
            os.write(1, b"straight to the descriptor")
            return ["a"]

        noise = PartitionSetDefinition("noise", "daily_sales", noisy)
        """
    )
    assert home.serve().page("noise", 0, 9, AT) == ["a"]
    printed = capfd.readouterr()
    assert printed.out == ""
    assert "loading the shop" in printed.err
    assert "from a shell" in printed.err
    assert "straight to the descriptor" in printed.err


def test_an_exception_of_users_code_comes_back_with_its_own_traceback(home: Home) -> None:
    home.write(
        """
        def broken(partition):
            raise ValueError("no such file: \\ud800\\0")

        failing = PartitionSetDefinition(
            "failing", "daily_sales", lambda: ["a"], run_config_fn_for_partition=broken
        )
        """
    )
    process = home.serve()
    with pytest.raises(UserCodeError) as raised:
        process.run_config("failing", "a", AT)
    assert 'set "failing" for partition "a" raised ValueError: no such file' in str(raised.value)
    traceback = raised.value.facts["traceback"]
    assert f'File "{home.path}"' in traceback
    assert "in_process.py" not in traceback
    assert raised.value.facts["partition_set"] == "failing"
    ranges = [KeyRange("a", "a", 1)]
    told = process.validate_partitions("failing", ranges, offset=0, limit=1, at=AT)
    assert told.problems[0].traceback == traceback


def test_a_config_that_is_no_json_is_told_as_text(home: Home) -> None:
    home.write(
        """
        import datetime, decimal

        odd = PartitionSetDefinition(
            "odd",
            "daily_sales",
            lambda: ["a"],
            run_config_fn_for_partition=lambda partition: {
                "day": datetime.date(2020, 5, 5), "price": decimal.Decimal("1.5"), "set": {1},
            },
        )
        circle = {}
        circle["self"] = circle
        circular = PartitionSetDefinition(
            "circular",
            "daily_sales",
            lambda: ["a"],
            run_config_fn_for_partition=lambda partition: {(1, 2): 3},
        )
        """
    )
    process = home.serve()
    config = process.run_config("odd", "a", AT).config
    assert config == {"day": "2020-05-05", "price": "1.5", "set": "{1}"}
    with pytest.raises(UserCodeError, match="keys must be str"):
        process.run_config("circular", "a", AT)


def test_wrong_sets_are_problems_of_the_catalog_from_the_load_on(home: Home) -> None:
    home.write(
        """
        twice = PartitionSetDefinition("twice", "daily_sales", lambda: ["a", "a"])
        wrong = PartitionSetDefinition("wrong", "daily_sales", lambda: [5])
        dying = PartitionSetDefinition("dying", "daily_sales", lambda: os._exit(1))
        """
    )
    process = home.serve()
    problems = {problem.partition_set: problem for problem in process.catalog().problems}
    assert set(problems) == {"twice", "wrong", "dying"}
    assert 'more than once: "a"' in problems["twice"].detail
    assert "returned 5 (int) at place 0" in problems["wrong"].detail
    assert "exit status 1" in problems["dying"].detail
    assert process.count("days", AT) == 31
    with pytest.raises(DefinitionError, match='set "twice"'):
        process.count("twice", AT)


def until(process: DefinitionsProcess, condition: Callable[[], bool], what: str) -> None:
    wait_until(lambda: process.catalog() and condition(), what)


def test_an_edit_is_loaded_without_a_restart(home: Home) -> None:
    process = home.serve(reload=True)
    before = process.catalog()
    home.write(instead=SHOP.replace("range(1, 32)", "range(1, 31)"))  # same size, same second
    until(process, lambda: process.catalog() is not before, "the edit to be loaded")
    assert process.count("days", AT) == 30
    assert process.catalog().version != before.version


def test_without_reload_an_edit_waits_for_the_next_start(home: Home) -> None:
    process = home.serve(reload=False)
    assert process.count("days", AT) == 31
    home.write(instead=SHOP.replace("range(1, 32)", "range(1, 31)"))
    assert process.count("days", AT) == 31


def test_an_edit_that_does_not_load_leaves_the_old_code_and_is_told(home: Home) -> None:
    process = home.serve(reload=True)
    assert process.catalog().problems == ()
    home.write("1 / 0\n")
    until(process, lambda: bool(process.catalog().problems), "the error to be noticed")
    [problem] = process.catalog().problems
    assert "ZeroDivisionError" in problem.detail
    assert f'File "{home.path}", line' in (problem.traceback or "")
    assert process.count("days", AT) == 31
    home.write("\n# mended\n")
    until(process, lambda: not process.catalog().problems, "the mended code to be loaded")
    assert process.count("days", AT) == 31


def test_code_that_never_loaded_is_told_by_every_call_and_tried_again(home: Home) -> None:
    home.write("import nothing_of_this_name\n")
    process = home.serve(reload=True)
    [problem] = process.catalog().problems
    assert "No module named 'nothing_of_this_name'" in problem.detail
    for call in (
        lambda: process.count("days", AT),
        lambda: process.catalog().partition_set("days"),
    ):
        with pytest.raises(DefinitionsUnavailable) as raised:
            call()
        assert "nothing_of_this_name" in str(raised.value)
        assert f'File "{home.path}"' in raised.value.facts["traceback"]
    home.write()
    until(process, lambda: not process.catalog().problems, "the mended code to be loaded")
    assert process.count("days", AT) == 31


def test_a_load_that_hangs_is_stopped(home: Home) -> None:
    home.write("threading.Event().wait()\n")
    process = home.serve(load_seconds=1.0)
    [problem] = process.catalog().problems
    assert "did not answer within 1 s" in problem.detail
    assert "shop.py" in problem.detail


def test_the_child_outlives_the_thread_that_first_needed_it(home: Home) -> None:
    pid_file = home.folder / "pid"
    home.write(f"open({str(pid_file)!r}, 'a').write(f'{{os.getpid()}} ')\n")
    process = home.serve()
    first = threading.Thread(target=process.count, args=("days", AT))
    first.start()
    first.join()
    assert process.count("days", AT) == 31
    [pid] = pid_file.read_text().split()
    assert is_alive(int(pid))
    process.close()
    wait_until(all_gone([int(pid)]), "the child to end")


def test_a_killed_parent_leaves_no_child_behind_though_users_code_hangs(home: Home) -> None:
    pid_file = home.folder / "pid"
    home.write(
        f"""
        def stuck():
            with open({str(pid_file)!r} + ".part", "w") as file:
                file.write(str(os.getpid()))
            os.rename({str(pid_file)!r} + ".part", {str(pid_file)!r})
            threading.Event().wait()

        hanging = PartitionSetDefinition("hanging", "daily_sales", stuck)
        """
    )
    parent = subprocess.Popen([sys.executable, "-c", dedent(PARENT), str(home.path)])
    try:
        wait_until(pid_file.exists, "the call to hang")
        pid = int(pid_file.read_text())
        assert is_alive(pid)
    finally:
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
    wait_until(all_gone([pid]), "the child to die with its parent")


PARENT = """
    import sys
    from datetime import UTC, datetime
    from backfill.definitions.process import DefinitionsProcess

    process = DefinitionsProcess(sys.argv[1], check_seconds=0.0)
    process.count("hanging", datetime.now(UTC))
"""
