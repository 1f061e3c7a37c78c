"""Whatever users' code says, it is stored, and one odd character keeps nothing from being kept."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backfill.definitions.text import storable
from backfill.execution.outcomes import ErrorInfo, LogLine, RunEnd, RunOutcome, StepOutcome
from backfill.lifecycle import runs
from backfill.lifecycle.moves import Claim, Report
from backfill.lifecycle.runs import LaunchRequest
from backfill.states import RunState, StepState
from backfill.storage.database import decoded, to_json
from tests.support.house import House

MEGABYTE = 1 << 20

ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=40)
NUMBERS = st.one_of(st.floats(), st.integers(-(2**200), 2**200))
ANY_JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, ANY_TEXT),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(ANY_TEXT, inner, max_size=4)
    ),
    max_leaves=12,
)
ERRORS = st.builds(
    ErrorInfo,
    type=ANY_TEXT,
    message=ANY_TEXT,
    traceback=ANY_TEXT,
    cause=st.one_of(
        st.none(), st.builds(ErrorInfo, type=ANY_TEXT, message=ANY_TEXT, traceback=ANY_TEXT)
    ),
)
ODD = ["\x00", "a\x00b", "\ud800", "\udfff\ud800", "\ud83d\ude00", "\ufffe", "\\u0000", "\\ud800"]

both_databases = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def claimed(house: House) -> Claim:
    run_id = runs.launch(house.db, LaunchRequest(pipeline="work"))
    assert run_id in house.admitted()
    (claim,) = house.claim([run_id])
    return claim


def report(claim: Claim, said: str, facts: Any, error: ErrorInfo) -> Report:
    step = StepOutcome(
        "a",
        StepState.FAILED,
        tries=1,
        started_at=1,
        finished_at=2,
        error=error,
        reason=said,
        metadata={said: facts},
        outputs={said: said},
    )
    return Report(
        claim,
        steps=[step],
        errors=[("a", 1, 5, error)],
        logs=[LogLine("a", 1, "info", said), LogLine(None, 2, "stdout", said * 2)],
        outcome=RunOutcome(
            RunEnd.FAILED,
            error=error,
            failed_step="a",
            retryable=False,
            run_config={"steps": {said: facts}},
        ),
        version=said,
    )


@both_databases
@given(said=ANY_TEXT, facts=ANY_JSON, error=ERRORS)
def test_any_text_and_any_facts_are_recorded(
    house: House, said: str, facts: Any, error: ErrorInfo
) -> None:
    claim = claimed(house)
    recorded = house.record(report(claim, said, facts, error))
    assert recorded.ended == {claim.run_id: RunState.FAILED}
    where = f"WHERE run_id = {claim.run_id}"
    (step,) = house.rows(f"SELECT * FROM step_outcomes {where}")
    assert step.reason == storable(said)
    assert list(decoded(step.outputs).values()) == [storable(said)]
    (kept,) = house.rows(f"SELECT * FROM step_errors {where}")
    assert kept.message == storable(error.message)
    lines = house.rows(f"SELECT message FROM log_lines {where} ORDER BY id")
    assert [line.message for line in lines] == [storable(said), storable(said * 2)]


@pytest.mark.parametrize("said", ODD, ids=ascii)
def test_characters_that_no_database_holds_are_replaced(house: House, said: str) -> None:
    claim = claimed(house)
    error = ErrorInfo(said or "E", said, said, ErrorInfo("Cause", said, said))
    house.record(report(claim, said, said, error))
    row = house.run(claim.run_id)
    assert row.error_message == storable(said)
    assert row.version == storable(said)
    (kept,) = house.rows("SELECT * FROM step_errors")
    assert decoded(kept.cause)[0]["message"] == storable(said)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_numbers_that_json_does_not_know_are_kept_as_words(house: House, number: float) -> None:
    claim = claimed(house)
    error = ErrorInfo("E", "m", "t")
    house.record(report(claim, "n", [number], error))
    (step,) = house.rows("SELECT metadata FROM step_outcomes")
    assert decoded(step.metadata) == {"n": [str(number)]}
    config = decoded(house.run(claim.run_id).run_config)
    assert config == {"steps": {"n": [str(number)]}}


def test_a_megabyte_of_words_is_recorded(house: House) -> None:
    claim = claimed(house)
    said = "é" * MEGABYTE
    house.record(report(claim, "x", said, ErrorInfo("E", said, said)))
    (line,) = house.rows("SELECT length(message) AS n FROM step_errors")
    assert line.n == MEGABYTE
    assert len(house.run(claim.run_id).error_message) <= 500


def test_one_odd_report_does_not_take_its_batch_along(house: House) -> None:
    odd, even = claimed(house), claimed(house)
    error = ErrorInfo("E", "\x00\ud800", "t")
    recorded = house.record(report(odd, "\x00", math.nan, error), report(even, "ok", 1, error))
    assert set(recorded.ended) == {odd.run_id, even.run_id}


@given(ANY_JSON)
def test_json_of_anything_is_json_that_every_database_takes(value: Any) -> None:
    encoded = to_json(value)
    encoded.encode("utf-8")
    read = json.loads(encoded, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
    assert "\x00" not in json.dumps(read, ensure_ascii=False)


@given(
    st.recursive(
        st.one_of(
            st.none(),
            st.integers(),
            st.floats(allow_nan=False, allow_infinity=False),
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")),
        ),
        lambda x: st.lists(x, max_size=3),
    )
)
def test_json_of_ordinary_values_is_exact(value: Any) -> None:
    assert json.loads(to_json(value)) == value


@pytest.mark.parametrize("said", ODD, ids=ascii)
def test_reasons_that_people_give_are_storable(house: House, said: str) -> None:
    backfill_id = house.ready(2)
    house.worker()
    house.admit()
    house.pause(backfill_id, said)
    assert house.backfill(backfill_id).pause_reason == storable(said)
    house.resume(backfill_id)
    run_id = house.admitted()[0]
    runs.cancel_run(house.db, run_id, reason=said)
    assert house.run(run_id).reason == storable(said)
