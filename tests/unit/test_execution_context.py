"""What a step is given as context."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from backfill import Partition, build_step_context, pipeline, resource, step
from backfill.definitions.keys import TimeWindow
from backfill.execution.outcomes import RunEnd
from tests.support.runs import Ran, run

DAY = TimeWindow(datetime(2020, 5, 5, tzinfo=UTC), datetime(2020, 5, 6, tzinfo=UTC))


def asked(question: Callable[[Any], Any], config: Any = None, **info: Any) -> Any:
    """Return what a step's context answers."""
    answers = []

    @step(config_schema={"date": str})
    def ask(context: Any) -> None:
        answers.append(question(context))

    @pipeline
    def daily() -> None:
        ask.alias("asks")()

    date = config or {"date": "2020-05-05"}
    ran = run(daily, {"steps": {"asks": {"config": date}}}, **info)
    if ran.outcome.error is not None:
        raise AssertionError(ran.outcome.error.message)
    return answers[0]


def test_a_step_reads_what_identifies_its_run() -> None:
    info = {
        "backfill_id": 7,
        "partition_set": "days",
        "partition_keys": ("2020-05-05",),
        "time_window": DAY,
        "tags": {"team": "data"},
        "attempt": 2,
    }
    assert asked(lambda c: c.run_id, **info) == 12
    assert asked(lambda c: c.attempt, **info) == 2
    assert asked(lambda c: c.backfill_id, **info) == 7
    assert asked(lambda c: c.partition_set, **info) == "days"
    assert asked(lambda c: c.partition_key, **info) == "2020-05-05"
    assert asked(lambda c: c.partition_keys, **info) == ("2020-05-05",)
    assert asked(lambda c: c.partition_key_range, **info) == ("2020-05-05", "2020-05-05")
    assert asked(lambda c: c.partition_time_window, **info) == DAY
    assert asked(lambda c: c.has_partition_key, **info)
    assert asked(lambda c: c.tags, **info) == {"team": "data"}
    assert asked(lambda c: c.pipeline_name, **info) == "daily"
    assert asked(lambda c: c.step_name, **info) == "asks"
    assert asked(lambda c: c.canceled, **info) is False


def test_config_has_the_names_of_the_seed_too() -> None:
    assert asked(lambda c: c.step_config) == {"date": "2020-05-05"}
    assert asked(lambda c: c.solid_config["date"]) == "2020-05-05"
    assert asked(lambda c: c.op_config["date"]) == "2020-05-05"


def test_the_partition_is_as_the_set_gives_it() -> None:
    given = Partition({"day": 5}, "five")
    assert asked(lambda c: c.partition, partition=given, partition_keys=("five",)) is given
    made = asked(lambda c: c.partition, partition_keys=("five",))
    assert (made.name, made.value) == ("five", "five")


@pytest.mark.parametrize(
    ("keys", "says"),
    [((), "run 12 has no partition"), (("a", "b"), "run 12 has 2 partitions")],
)
def test_asking_for_the_one_partition_of_another_kind_of_run_is_told(
    keys: tuple[str, ...], says: str
) -> None:
    with pytest.raises(AssertionError, match=says):
        asked(lambda c: c.partition_key, partition_keys=keys)
    with pytest.raises(AssertionError, match=says):
        asked(lambda c: c.partition, partition_keys=keys)


def test_partitions_without_a_time_have_no_window() -> None:
    with pytest.raises(AssertionError, match="partition_time_window, but run 12 has the part"):
        asked(lambda c: c.partition_time_window, partition_keys=("eu",))


def test_the_idempotency_key_is_the_same_over_attempts_and_runs_of_a_backfill() -> None:
    def key(**info: Any) -> str:
        return str(asked(lambda c: c.idempotency_key, **info))

    one = {"backfill_id": 7, "partition_keys": ("2020-05-05",)}
    assert key(**one) == "backfill-7/2020-05-05/asks"
    assert key(**one) == key(**one, attempt=3, run_id=99)
    assert key(partition_keys=("a/b",)) == "run-12/a%2Fb/asks"
    assert key() == "run-12/asks"
    several = key(backfill_id=7, partition_keys=("a", "b"))
    assert several.startswith("backfill-7/2-")
    assert several != key(backfill_id=7, partition_keys=("a", "c"))
    assert len(key(partition_keys=tuple(str(i) for i in range(10_000)))) < 50


def test_the_fencing_token_grows_with_attempts_and_runs() -> None:
    def token(run_id: int, attempt: int) -> int:
        return int(asked(lambda c: c.fencing_token, run_id=run_id, attempt=attempt))

    tokens = [token(1, 1), token(1, 2), token(1, 10**9), token(2, 1), token(10**12, 1)]
    assert tokens == sorted(set(tokens))
    assert tokens[-1] < 1 << 63


def logged(write: Callable[[Any], Any]) -> list[tuple[str, str]]:
    @step
    def ask(context: Any) -> None:
        write(context.log)

    @pipeline
    def daily() -> None:
        ask()

    ran = run(daily)
    assert ran.outcome.end is RunEnd.SUCCEEDED, ran.outcome.error
    return ran.lines("ask")


@pytest.mark.parametrize(
    ("write", "line"),
    [
        (lambda log: log.debug("a"), ("debug", "a")),
        (lambda log: log.info("read %d of %s", 3, "x"), ("info", "read 3 of x")),
        (lambda log: log.info("100%"), ("info", "100%")),
        (lambda log: log.info("%(a)s", {"a": 1}), ("info", "1")),
        (lambda log: log.warning("a"), ("warning", "a")),
        (lambda log: log.warn("a"), ("warning", "a")),
        (lambda log: log.error("a", extra={"b": 1}, stacklevel=2), ("error", "a")),
        (lambda log: log.critical("a"), ("critical", "a")),
        (lambda log: log.fatal("a"), ("critical", "a")),
        (lambda log: log.log(35, "a"), ("warning", "a")),
        (lambda log: log.log(5, "a"), ("debug", "a")),
        (lambda log: log.info({"a": 1}), ("info", "{'a': 1}")),
        (lambda log: log.info("%d", "x"), ("info", "%d 'x'")),
        (lambda log: log.info("a", 1), ("info", "a 1")),
        (
            lambda log: log.info("nul \0 and \udc80"),
            ("info", "nul \N{SYMBOL FOR NULL} and \\udc80"),
        ),
        (lambda log: log.info("a", exc_info=True), ("info", "a\n(no exception is being handled)")),
    ],
)
def test_lines_are_written_as_the_standard_library_takes_them(
    write: Callable[[Any], Any], line: tuple[str, str]
) -> None:
    assert logged(write) == [line]


def test_an_exception_is_logged_with_its_traceback() -> None:
    def write(log: Any) -> None:
        try:
            raise ValueError("bad")
        except ValueError:
            log.exception("it failed for %s", "x")

    ((level, message),) = logged(write)
    assert level == "error"
    assert message.startswith("it failed for x\nTraceback")
    assert message.endswith("ValueError: bad")


def test_a_huge_line_is_cut_and_one_that_cannot_be_written_is_shown() -> None:
    class Bad:
        def __str__(self) -> str:
            raise ValueError

    (huge, bad, beside) = logged(
        lambda log: (log.info("x" * 10**6), log.info(Bad()), log.info("%s", Bad()))
    )
    assert len(huge[1]) < 17_000
    assert "characters left out" in huge[1]
    assert "object at" in bad[1] or "Bad" in bad[1]
    assert "%s" in beside[1]


def test_secrets_are_taken_out_of_lines_before_they_are_cut() -> None:
    secret = "hush-hush-hush"

    @step(config_schema={"password": str})
    def ask(context: Any) -> None:
        for pad in range(8180, 8200):
            context.log.info("x" * pad + context.step_config["password"] + "y" * 20_000)
        context.log.info("%d", context.step_config["password"])

    @pipeline
    def daily() -> None:
        ask()

    ran = run(daily, {"steps": {"ask": {"config": {"password": secret}}}})
    assert len(ran.lines()) == 21
    assert "hush" not in str(ran.lines())


def test_lines_from_threads_of_a_step_are_its_own() -> None:
    def write(log: Any) -> None:
        thread = threading.Thread(target=log.info, args=("from a thread",))
        thread.start()
        thread.join()

    assert logged(write) == [("info", "from a thread")]


# -- resources ------------------------------------------------------------------------------------


def with_resources(body: Callable[[Any], Any], defs: dict[str, Any], config: Any = None) -> Ran:
    one = step(name="one", required_resource_keys=set(defs))(lambda context: body(context))
    two = step(name="two", required_resource_keys=set(defs))(lambda context: body(context))

    @pipeline(resource_defs=defs)
    def daily() -> None:
        one()
        two()

    return run(daily, config)


def test_a_resource_is_set_up_once_for_a_run_and_torn_down_at_its_end() -> None:
    events: list[str] = []

    @resource(config_schema={"url": str})
    def database(context: Any) -> Any:
        events.append(f"open {context.resource_config['url']} for run {context.run_id}")
        yield "connection"
        events.append("close")

    @resource
    def plain() -> str:
        events.append("plain")
        return "value"

    def body(context: Any) -> None:
        events.append(f"{context.resources.db} {context.resources.plain} {context.resources.n}")

    config = {"resources": {"db": {"config": {"url": "sqlite://"}}}}
    ran = with_resources(body, {"db": database, "plain": plain, "n": 5}, config)
    assert ran.outcome.end is RunEnd.SUCCEEDED, ran.outcome.error
    assert events == [
        "open sqlite:// for run 12",
        "plain",
        "connection value 5",
        "connection value 5",
        "close",
    ]


def test_resources_are_torn_down_in_reverse_whatever_happens() -> None:
    events: list[str] = []

    def named(name: str, *needs: str) -> Any:
        @resource(required_resource_keys=needs)
        def made(context: Any) -> Any:
            events.append(f"open {name}")
            yield [getattr(context.resources, need) for need in needs]
            events.append(f"close {name}")

        return made

    def body(context: Any) -> None:
        raise ValueError

    ran = with_resources(body, {"a": named("a", "b"), "b": named("b")})
    assert ran.outcome.end is RunEnd.FAILED
    assert events == ["open b", "open a", "close a", "close b"]


def test_a_resource_nobody_needs_is_not_set_up() -> None:
    @resource
    def broken() -> None:
        raise ValueError

    @step
    def one() -> None: ...

    @pipeline(resource_defs={"broken": broken})
    def daily() -> None:
        one()

    assert run(daily).outcome.end is RunEnd.SUCCEEDED


def test_a_resource_that_cannot_be_set_up_fails_the_first_step_that_needs_it() -> None:
    @resource
    def broken() -> None:
        raise ConnectionError("no route")

    ran = with_resources(lambda context: None, {"broken": broken})
    assert ran.outcome.failed_step == "one"
    assert ran.outcome.error is not None
    assert ran.outcome.error.message == "no route"


def test_a_teardown_that_fails_is_logged_and_hurts_nothing() -> None:
    events: list[str] = []

    @resource
    def bad() -> Any:
        yield 1
        raise SystemExit("teardown")

    @resource
    def twice() -> Any:
        yield 1
        yield 2

    @resource
    def good() -> Any:
        yield 1
        events.append("closed")

    ran = with_resources(lambda context: None, {"good": good, "bad": bad, "twice": twice})
    assert ran.outcome.end is RunEnd.SUCCEEDED
    assert events == ["closed"]
    told = [message for level, message in ran.lines() if level == "error"]
    assert len(told) == 2
    assert any('Tearing down the resource "bad" failed' in message for message in told)
    assert any("yielded a second time" in message for message in told)


def test_a_resource_that_yields_nothing_is_told() -> None:
    @resource
    def empty() -> Any:
        return
        yield

    ran = with_resources(lambda context: None, {"empty": empty})
    assert ran.outcome.error is not None
    assert "yielded nothing" in ran.outcome.error.message


def test_a_step_is_given_only_what_it_asked_for() -> None:
    @step
    def one(context: Any) -> None:
        context.resources.database  # noqa: B018

    @pipeline(resource_defs={"database": 1})
    def daily() -> None:
        one()

    error = run(daily).outcome.error
    assert error is not None
    assert 'Step "one" did not ask for the resource "database"' in error.message


# -- a context without a run ----------------------------------------------------------------------


def test_a_step_can_be_tested_by_itself() -> None:
    @resource
    def api() -> str:
        return "api"

    @step(config_schema={"date": str}, required_resource_keys={"db", "api"})
    def load(context: Any, rows: list[int]) -> int:
        context.log.info("loading %s into %s", context.partition_key, context.resources.db)
        context.add_metadata(rows=len(rows))
        assert context.resources.api == "api"
        return len(rows) + len(context.step_config["date"])

    context = build_step_context(
        {"date": "2020"}, resources={"db": "db", "api": api}, partition_key="2020-05-05"
    )
    assert load(context, [1, 2]) == 6
    assert [line.message for line in context.lines] == ["loading 2020-05-05 into db"]
    assert context.metadata == {"rows": 2}
