"""Whatever a step raises is recorded; nothing breaks the recording."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backfill import pipeline, step
from backfill.definitions.redaction import Redactor
from backfill.errors import BackfillError
from backfill.execution.error_info import describe_error
from backfill.execution.outcomes import ErrorInfo, RunEnd
from tests.support.runs import run

PLAIN = Redactor(())


def raised(error: BaseException, cause: BaseException | None = None) -> BaseException:
    try:
        if cause is not None:
            raise error from cause
        raise error
    except BaseException as caught:
        return caught


def failed(body: Any) -> ErrorInfo:
    one = step(name="one")(body)

    @pipeline
    def daily() -> None:
        one()

    ran = run(daily)
    assert ran.outcome.end is RunEnd.FAILED
    assert ran.outcome.error is not None
    return ran.outcome.error


def test_the_users_traceback_is_kept_and_ours_is_cut_off() -> None:
    def helper() -> None:
        raise ValueError("bad rows")

    def body() -> None:
        helper()

    told = failed(body)
    assert (told.type, told.message) == ("ValueError", "bad rows")
    lines = told.traceback.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert f'File "{__file__}"' in lines[1]
    assert "in body" in lines[1]
    assert "in helper" in told.traceback
    assert "step_execution" not in told.traceback
    assert lines[-1] == "ValueError: bad rows"


def test_a_misuse_of_the_context_shows_the_users_line() -> None:
    def body(context: Any) -> None:
        context.partition_key  # noqa: B018

    told = failed(body)
    assert f'File "{__file__}"' in told.traceback
    assert "in body" in told.traceback


def test_a_wrong_call_of_a_step_has_no_frames_but_says_which() -> None:
    told = failed(lambda: (_ for _ in ()).throw(TypeError("missing 1 required argument")))
    assert told.type == "TypeError"


def test_causes_are_kept_one_by_one() -> None:
    def body() -> None:
        try:
            try:
                raise KeyError("inner")
            except KeyError as error:
                raise OSError("middle") from error
        except OSError:
            raise ValueError("outer")  # noqa: B904

    told = failed(body)
    assert told.message == "outer"
    assert told.cause is not None
    assert told.cause.message == "middle"
    assert told.cause.cause is not None
    assert told.cause.cause.type == "KeyError"
    assert "middle" not in told.traceback


def test_a_cause_that_was_hidden_on_purpose_is_left_out() -> None:
    def body() -> None:
        try:
            raise KeyError("inner")
        except KeyError:
            raise ValueError("outer") from None

    assert failed(body).cause is None


def test_causes_in_a_circle_or_without_end_are_bounded() -> None:
    first, second = raised(ValueError("a")), raised(ValueError("b"))
    first.__cause__, second.__cause__ = second, first
    assert describe_error(first, PLAIN).cause == describe_error(second, PLAIN).cause.__class__(
        "ValueError", "b", describe_error(second, PLAIN).traceback
    )
    chain: BaseException = ValueError("end")
    for i in range(1000):
        chain = raised(ValueError(str(i)), chain)
    depth = 0
    told: ErrorInfo | None = describe_error(chain, PLAIN)
    while told is not None:
        depth, told = depth + 1, told.cause
    assert depth == 9


def test_names_of_classes_say_where_they_are_from() -> None:
    class Own(Exception): ...

    assert describe_error(Own(), PLAIN).type.endswith("test_execution_errors." + Own.__qualname__)
    assert describe_error(json.JSONDecodeError("m", "d", 0), PLAIN).type == (
        "json.decoder.JSONDecodeError"
    )
    assert describe_error(BackfillError("x"), PLAIN).type == "BackfillError"


class BadStr(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no")


class BadRepr(Exception):
    def __repr__(self) -> str:
        raise RuntimeError("no")


class StrSubclass(Exception):
    def __str__(self) -> str:
        class Odd(str):
            def __len__(self) -> int:
                return -1

            def __contains__(self, other: object) -> bool:
                raise RuntimeError

        return Odd("odd")


class NotText(Exception):
    def __str__(self) -> str:
        return 5  # type: ignore[return-value]


class ExitsInStr(Exception):
    def __str__(self) -> str:
        raise SystemExit


class OddModule(Exception): ...


OddModule.__module__ = 5  # type: ignore[assignment]


@pytest.mark.parametrize(
    "error",
    [
        BadStr(),
        BadRepr(),
        StrSubclass(),
        NotText(),
        ExitsInStr(),
        OddModule(),
        ExceptionGroup("many", [ValueError("a"), KeyError("b")]),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"),
        SyntaxError("bad", ("x", 1, 1, "\0\ud800")),
        ValueError(10**5000),
        ValueError("\0\ud800" * 10),
        ValueError(b"\xff"),
        RecursionError(),
    ],
)
def test_no_exception_breaks_its_recording(error: BaseException) -> None:
    told = describe_error(raised(error), PLAIN)
    for text in (told.type, told.message, told.traceback):
        assert "\0" not in text
        text.encode()


def test_a_bad_note_breaks_nothing() -> None:
    error = raised(ValueError("a"))
    error.__notes__ = [object(), "\0"]
    assert "\0" not in describe_error(error, PLAIN).traceback
    error.__notes__ = 5  # type: ignore[assignment]
    assert describe_error(error, PLAIN).message == "a"


def test_huge_messages_and_tracebacks_keep_head_and_tail() -> None:
    def body() -> None:
        raise ValueError("head" + "x" * 10_000_000 + "tail")

    told = failed(body)
    assert len(told.message) < 17_000
    assert len(told.traceback) < 66_000
    assert told.message.startswith("head")
    assert told.message.endswith("tail")
    assert "characters left out" in told.traceback


def test_endless_recursion_of_a_step_is_a_failure_like_any_other() -> None:
    def body() -> None:
        def ping(n: int) -> int:
            return pong(n + 1)

        def pong(n: int) -> int:
            return ping(n + 1)

        ping(0)

    told = failed(body)
    assert told.type == "RecursionError"
    assert len(told.traceback) < 70_000


def test_secrets_are_taken_out_before_anything_is_cut() -> None:
    secret = "hush-hush-hush"
    redactor = Redactor([secret])
    for pad in range(8180, 8210):
        error = raised(ValueError("x" * pad + secret + "y" * 20_000))
        told = describe_error(error, redactor)
        assert "hush" not in told.message + told.traceback


@settings(max_examples=60, deadline=None)
@given(text=st.text(st.characters(exclude_categories=[])), cause=st.none() | st.text())
def test_any_text_can_be_the_message(text: str, cause: str | None) -> None:
    error = raised(ValueError(text), None if cause is None else KeyError(cause))
    told: ErrorInfo | None = describe_error(error, PLAIN)
    while told is not None:
        (told.message + told.traceback).encode()
        assert "\0" not in told.message + told.traceback
        told = told.cause
