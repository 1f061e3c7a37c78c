"""What steps print becomes lines of their log; everything else goes where it always went."""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from backfill import pipeline, step
from backfill.execution import capture
from tests.support.runs import Ran, run


@contextmanager
def captured() -> Iterator[tuple[io.StringIO, io.StringIO]]:
    """Put streams of our own in place, and the proxies over them."""
    before = sys.stdout, sys.stderr
    out, err = sys.stdout, sys.stderr = io.StringIO(), io.StringIO()
    try:
        capture.install()
        yield out, err
        capture.uninstall()
        assert (sys.stdout, sys.stderr) == (out, err)
    finally:
        sys.stdout, sys.stderr = before


def ran(body: Callable[[], Any], *, captures: bool = True) -> tuple[Ran, str]:
    """Execute a step; return the run and what was printed past its log."""
    one = step(name="one")(body)

    @pipeline
    def daily() -> None:
        one()

    with captured() as (out, _):
        return run(daily, captures=captures), out.getvalue()


def printed(body: Callable[[], Any]) -> list[tuple[str, str]]:
    return ran(body)[0].lines("one")


def out(text: str) -> None:
    sys.stdout.write(text)


@pytest.mark.parametrize(
    ("texts", "lines"),
    [
        (["a\n"], ["a"]),
        (["a\nb\n"], ["a", "b"]),
        (["a", "b\n", "c"], ["ab", "c"]),
        (["\n"], [""]),
        (["a\r\n"], ["a"]),
        (["\r 10%", "\r 20%", "\r100%\n"], ["100%"]),
        ([""], []),
        (["\0 \udc80\n"], ["\N{SYMBOL FOR NULL} \\udc80"]),
    ],
)
def test_lines_are_taken_one_by_one(texts: list[str], lines: list[str]) -> None:
    assert printed(lambda: [out(text) for text in texts]) == [("stdout", line) for line in lines]


def test_stdout_and_stderr_are_told_apart() -> None:
    def body() -> None:
        sys.stdout.write("o")
        sys.stderr.write("e\n")
        sys.stdout.writelines(["u", "t\n"])
        sys.stdout.flush()

    assert printed(body) == [("stderr", "e"), ("stdout", "out")]


def test_a_line_without_end_is_taken_in_pieces() -> None:
    lines = printed(lambda: out("x" * 100_000))
    assert len(lines) == 7
    assert sum(len(text) for _, text in lines) == 100_000


def test_a_huge_line_keeps_head_and_tail() -> None:
    ((_, text),) = printed(lambda: out("head" + "x" * 10**6 + "tail\n"))
    assert len(text) < 17_000
    assert text.startswith("head")
    assert text.endswith("tail")


def test_what_a_failing_step_printed_is_kept() -> None:
    def body() -> None:
        out("before")
        raise ValueError

    assert printed(body) == [("stdout", "before")]


def test_outside_steps_everything_goes_where_it_always_went() -> None:
    with captured() as (stream, _):
        out("outside\n")
        sys.stdout.flush()
        assert stream.getvalue() == "outside\n"
        assert not sys.stdout.isatty()


def test_threads_of_a_step_print_where_they_always_did() -> None:
    def body() -> None:
        thread = threading.Thread(target=out, args=("thread\n",))
        thread.start()
        thread.join()

    end, past = ran(body)
    assert end.lines() == []
    assert past == "thread\n"


def test_without_capture_a_step_prints_where_it_always_did() -> None:
    end, past = ran(lambda: out("seen\n"), captures=False)
    assert end.lines() == []
    assert past == "seen\n"


def test_installing_again_wraps_nothing_twice() -> None:
    with captured():
        first = sys.stdout
        capture.install()
        assert sys.stdout is first


def test_only_text_is_printed() -> None:
    end, _ = ran(lambda: sys.stdout.write(b"x"))  # type: ignore[arg-type]
    assert end.outcome.error is not None
    assert "must be str, not bytes" in end.outcome.error.message
