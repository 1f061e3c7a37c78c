"""The reporter: what attempts say is committed in groups, and never lost or stuck."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from backfill.execution.outcomes import ErrorInfo, LogLine, RunEnd, RunOutcome, StepOutcome
from backfill.lifecycle import moves
from backfill.lifecycle.moves import Claim
from backfill.settings import Settings
from backfill.states import StepState
from backfill.storage.database import Database
from tests.support.databases import SQLiteFiles, one_database
from tests.support.house import DEFINITIONS, House
from tests.support.loading import loaded
from tests.support.waiting import wait_until
from workers.reporter import Reporter, RunRecorder

DONE = RunOutcome(RunEnd.SUCCEEDED)
ERROR = ErrorInfo("ValueError", "no", "Traceback: no")


def step(name: str, state: StepState = StepState.SUCCEEDED, **facts: object) -> StepOutcome:
    ended = {"finished_at": 2} if "finished_at" not in facts else {}
    return StepOutcome(name, state, tries=1, started_at=1, **ended, **facts)  # type: ignore[arg-type]


def recorder(claim: Claim = Claim(1, 1, 1), log_limit: int = 100) -> RunRecorder:
    return RunRecorder(claim, log_limit=log_limit)


# -- what an attempt says -------------------------------------------------------------------------


def test_a_running_step_is_told_once_and_a_finished_one_takes_its_place() -> None:
    attempt = recorder()
    attempt.step_started("a", 1, 10)
    first = attempt.take()
    assert first is not None
    assert [(s.step, s.state) for s in first.steps] == [("a", StepState.RUNNING)]
    assert attempt.take() is None, "nothing is new"

    attempt.step_finished(step("a"))
    attempt.step_started("b", 1, 11)
    second = attempt.take()
    assert second is not None
    assert [(s.step, s.state) for s in second.steps] == [
        ("a", StepState.SUCCEEDED),
        ("b", StepState.RUNNING),
    ]


def test_every_failed_try_is_told_with_its_error() -> None:
    attempt = recorder()
    attempt.step_started("a", 1, 10)
    attempt.step_retrying("a", 1, 11, ERROR)
    told = attempt.take()
    assert told is not None
    assert [s.state for s in told.steps] == [StepState.RETRYING]
    assert told.errors == [("a", 1, 11, ERROR)]


def test_lines_beyond_the_limit_are_dropped_and_a_line_says_so() -> None:
    attempt = recorder(log_limit=2)
    for n in range(5):
        attempt.log(LogLine("a", n, "info", f"line {n}"))
    report = attempt.end(DONE, at=9, busy_us=1)
    assert [(x.level, x.message) for x in report.logs] == [
        ("info", "line 0"),
        ("info", "line 1"),
        ("warning", "Further lines are dropped: this run has logged 2 of them."),
    ]


def test_an_error_of_the_run_itself_is_told_without_a_step() -> None:
    attempt = recorder()
    report = attempt.end(RunOutcome(RunEnd.FAILED, error=ERROR), at=9, busy_us=1)
    assert report.errors == [("", 0, 9, ERROR)]


# -- what becomes of it ---------------------------------------------------------------------------


@dataclass
class SharedRing:
    """When somebody last rang."""

    rung_ns: int = 0


@dataclass
class Desk:
    """A house, a reporter in it, and the tokens it has given back."""

    house: House
    reporter: Reporter
    given_back: list[int]
    ring: SharedRing

    def attempts(self, count: int = 1) -> list[RunRecorder]:
        """Claim runs, each under a token of its own."""
        self.house.ready(count)
        claims = [c for run in self.house.admitted() for c in self.house.claim([run])]
        for claim in claims:
            self.reporter.expect(claim.token, 1)
        return [recorder(claim) for claim in claims]

    def rang_after(self, then_ns: int) -> bool:
        return self.ring.rung_ns > then_ns

    def end(self, attempt: RunRecorder, outcome: RunOutcome = DONE) -> None:
        self.reporter.finish(attempt.end(outcome, at=9, busy_us=1))

    def state(self, attempt: RunRecorder) -> str:
        return str(self.house.run(attempt.claim.run_id).state)

    def steps(self, attempt: RunRecorder) -> dict[str, str]:
        query = "SELECT step, state FROM step_outcomes WHERE run_id = :id"
        rows = self.house.rows(query, id=attempt.claim.run_id)
        return {row.step: row.state for row in rows}


@pytest.fixture
def desk(sqlite_databases: SQLiteFiles, tmp_path: Path) -> Iterator[Desk]:
    with one_database(sqlite_databases) as url, loaded(DEFINITIONS, tmp_path) as definitions:
        settings = Settings(home=tmp_path, database_url=url)
        house = House(Database(url), definitions, settings)
        given_back: list[int] = []
        own = Database(url)
        ring = SharedRing()
        reporter = Reporter(own, settings, token_done=given_back.append, ring=ring)
        yield Desk(house, reporter, given_back, ring)
        reporter.close()
        own.dispose()
        house.db.dispose()


def test_whoever_commits_sees_that_somebody_rings_afterwards(desk: Desk) -> None:
    attempts = desk.attempts(3)
    desk.end(attempts[0])
    assert desk.reporter.flush()
    wait_until(lambda: desk.ring.rung_ns, "the first ring")
    for attempt in attempts[1:]:  # the others follow so closely that none rings at once
        before = time.monotonic_ns()
        desk.ring.rung_ns = before
        desk.end(attempt)
        assert desk.reporter.flush()
        assert desk.state(attempt) == "succeeded"
        wait_until(partial(desk.rang_after, before), "a ring after the commit")


def test_ends_are_committed_and_their_tokens_given_back(desk: Desk) -> None:
    attempts = desk.attempts(3)
    for attempt in attempts:
        attempt.step_finished(step("a"))
        desk.end(attempt)
    assert desk.reporter.flush()
    assert [desk.state(attempt) for attempt in attempts] == ["succeeded"] * 3
    assert sorted(desk.given_back) == sorted(attempt.claim.token for attempt in attempts)


def test_the_step_at_work_is_shown_while_it_runs(desk: Desk) -> None:
    (attempt,) = desk.attempts()
    desk.reporter.watch(attempt)
    attempt.step_started("a", 1, 10)
    wait_until(lambda: desk.steps(attempt) == {"a": "running"}, "the running step")
    desk.reporter.watch(None)
    attempt.step_finished(step("a"))
    desk.end(attempt)
    assert desk.reporter.flush()
    assert desk.steps(attempt) == {"a": "succeeded"}


def test_who_lost_the_lease_is_told_and_gives_its_token_back(desk: Desk) -> None:
    (attempt,) = desk.attempts()
    db, token = desk.house.db, attempt.claim.token
    db.transact(lambda conn: moves.lose(db, conn, [token], max_crashes=3))
    desk.reporter.watch(attempt)
    attempt.step_started("a", 1, 10)
    wait_until(lambda: attempt.fenced, "the attempt to hear of it")
    desk.end(attempt)
    assert desk.reporter.flush()
    assert desk.state(attempt) == "pending"
    assert desk.steps(attempt) == {}
    assert desk.given_back == [token]


def test_a_report_the_database_refuses_ends_as_a_failure_that_says_so(desk: Desk) -> None:
    good, bad, other = desk.attempts(3)
    bad.step_finished(step("a", metadata={"size": {1, 2}}))  # no JSON can carry a set
    bad.log(LogLine("a", 1, "info", "kept out too"))
    for attempt in (good, bad, other):
        desk.end(attempt)
    assert desk.reporter.flush()

    assert [desk.state(a) for a in (good, bad, other)] == ["succeeded", "failed", "succeeded"]
    run = desk.house.run(bad.claim.run_id)
    assert run.error_type == "Unrecordable"
    assert "cannot be stored" in run.error_message
    assert (run.failures, run.crashes) == (1, 0)
    assert desk.steps(bad) == {"a": "succeeded"}
    assert bad.claim.token in desk.given_back


def test_a_refused_report_before_the_end_fails_the_run_at_its_end(desk: Desk) -> None:
    (attempt,) = desk.attempts()
    desk.reporter.watch(attempt)
    attempt.step_finished(step("a", metadata={"size": {1, 2}}))
    wait_until(lambda: desk.steps(attempt) == {"a": "succeeded"}, "what is left of the report")
    desk.reporter.watch(None)
    attempt.step_finished(step("b"))
    desk.end(attempt)
    assert desk.reporter.flush()
    assert desk.state(attempt) == "failed"
    assert desk.steps(attempt) == {"a": "succeeded", "b": "succeeded"}


def test_a_run_that_was_to_be_handed_back_is_even_when_its_report_is_refused(desk: Desk) -> None:
    (attempt,) = desk.attempts()
    attempt.step_finished(step("a", metadata={"size": {1, 2}}))
    desk.end(attempt, RunOutcome(RunEnd.RELEASED))
    assert desk.reporter.flush()
    assert desk.state(attempt) == "pending"
    assert desk.house.run(attempt.claim.run_id).failures == 0


def test_closing_commits_what_is_left(desk: Desk) -> None:
    (attempt,) = desk.attempts()
    desk.end(attempt)
    desk.reporter.close()
    assert desk.state(attempt) == "succeeded"
