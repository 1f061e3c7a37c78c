"""The selection language: what texts mean, how they are printed, and where they are wrong."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backfill.definitions.selection import Selection, from_parts, key_list, parse, status_words
from backfill.definitions.selection.syntax import (
    All,
    Dimension,
    Except,
    Intersection,
    Key,
    Last,
    Months,
    Older,
    Range,
    Recent,
    Status,
    Union,
    Weekdays,
    Wildcard,
)
from backfill.definitions.selection.words import StatusWord
from backfill.errors import SelectionInvalid

A, B, C = Key("a"), Key("b"), Key("c")


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("all", All()),
        ("2020-05-01", Key("2020-05-01")),
        ("2020-01-01-00:00", Key("2020-01-01-00:00")),
        ("eu/fr|x", Key("eu/fr|x")),
        ('"a, b"', Key("a, b")),
        ('"say \\"hi\\" \\\\"', Key('say "hi" \\')),
        ('"all"', Key("all")),
        ("[a...b]", Range("a", "b")),
        ("[ a ... b ]", Range("a", "b")),
        ("[a…b]", Range("a", "b")),
        ("[a...]", Range("a", None)),
        ("[...b]", Range(None, "b")),
        ('["a...b"..."c, d"]', Range("a...b", "c, d")),
        ("2020-05-*", Wildcard(("2020-05-", ""))),
        ("*-0*-*", Wildcard(("", "-0", "-", ""))),
        ('"a b"*"c"', Wildcard(("a b", "c"))),
        ("last:*", Wildcard(("last:", ""))),
        ("last:30", Last(30)),
        ("last:7d", Recent(7 * 86_400)),
        ("dow:mon-fri", Weekdays((0, 1, 2, 3, 4))),
        ("dow:sat-mon,wed", Weekdays((0, 2, 5, 6))),
        ("month:1,7", Months((1, 7))),
        ("month:nov-feb", Months((1, 2, 11, 12))),
        ("failed", Status(StatusWord.FAILED)),
        ("older:2w", Older(14 * 86_400)),
        ("region=eu/*", Dimension("region", Wildcard(("eu/", "")))),
        ("date=[a...b]", Dimension("date", Range("a", "b"))),
        ('"my dim"=(a, b)', Dimension("my dim", Union((A, B)))),
        ("a, b, c", Union((A, B, C))),
        ("a & b & c", Intersection((A, B, C))),
        ("a ! b ! c", Except(A, (B, C))),
        ("! a", Except(All(), (A,))),
        ("a & !b", Intersection((A, Except(All(), (B,))))),
        ("(a)", A),
    ],
)
def test_a_text_has_one_meaning(text: str, meaning: Selection) -> None:
    assert parse(text) == meaning
    assert parse(str(meaning)) == meaning


def test_and_binds_tighter_than_or_and_except_comes_last() -> None:
    assert parse("a, b & c") == Union((A, Intersection((B, C))))
    assert parse("a & b ! c") == Except(Intersection((A, B)), (C,))
    assert parse("a, b ! b, c") == Except(Union((A, B)), (Union((B, C)),))
    assert parse("a, (b ! c)") == Union((A, Except(B, (C,))))
    assert parse("a ! (b ! c)") == Except(A, (Except(B, (C,)),))


def test_a_list_of_months_goes_on_as_long_as_months_follow() -> None:
    assert parse("month:1,7, 2020-05-01") == Union((Months((1, 7)), Key("2020-05-01")))
    assert parse('month:1,"7"') == Union((Months((1,)), Key("7")))
    assert parse("dow:mon,tue*") == Union((Weekdays((0,)), Wildcard(("tue", ""))))
    assert parse("dow:mon,tue=x") == Union((Weekdays((0,)), Dimension("tue", Key("x"))))


def test_keys_that_mean_something_else_are_printed_in_quotes() -> None:
    for key in (
        "failed",
        "all",
        "last:3",
        "mon",
        "7",
        "1-3",
        "a b",
        "",
        "a...b",
        "x=y",
        "[",
        "é\n",
    ):
        assert str(Key(key)).startswith('"')
        assert parse(str(Key(key))) == Key(key)
    assert str(Key("2020-01-01")) == "2020-01-01"


def test_the_words_that_runs_decide_are_listed() -> None:
    assert status_words(parse("failed, missing & dow:mon ! (older:36h, a)")) == {
        "failed", "missing", "older:36h",
    }  # fmt: skip
    assert status_words(parse("all")) == frozenset()


@pytest.mark.parametrize(
    ("text", "column", "problem"),
    [
        ("", 1, "empty"),
        ("  ", 1, "empty"),
        ("a,", 3, "selection ends here"),
        ("a,,b", 3, 'found ","'),
        ("a b", 3, "separated by commas"),
        ("a, (b", 4, "never closed"),
        ("a)", 2, 'found "\\)"'),
        ("a, [b", 4, "first...last"),
        ("[b...c", 1, "never closed"),
        ("[a..b]", 1, r"\[first\.\.\.last\]"),
        ("[...]", 1, "at least one end"),
        ("[a...b...c]", 10, 'Expected "]"'),
        ("a...b", 1, "stands in brackets"),
        ('a, "b', 4, "quote is never closed"),
        ('"a" "b"', 5, "separated by commas"),
        ('"a""b"', 4, "Between two keys"),
        ("dow:mon,", 9, "selection ends here"),
        ("dow:noday", 5, "a weekday such as"),
        ("month:0", 7, "a month such as"),
        ("last:", 6, "a number such as 30"),
        ("last:0", 6, "a number such as 30"),
        ("older:7", 7, "a length of time"),
        ("x=failed", 3, "whole partitions"),
        ("x=(a, y=b)", 7, "inside of another"),
        ("x=", 3, "selection ends here"),
        ("! ! a", 3, 'found "!"'),
        ("(" * 51 + "a", 51, "nested more than 50 deep"),
    ],
)
def test_an_error_points_at_its_column(text: str, column: int, problem: str) -> None:
    with pytest.raises(SelectionInvalid, match=problem) as raised:
        parse(text)
    assert raised.value.facts["column"] == column
    assert raised.value.facts["selection"] == text


def test_every_example_of_the_reference_parses() -> None:
    page = (Path(__file__).parents[2] / "docs/reference/selections.md").read_text()
    block = page.split("```")[1].strip().splitlines()
    column = re.findall(r"^\| (`.*?`(?:, `.*?`)*) \|", page, re.MULTILINE)
    texts = [text for cell in column for text in re.findall(r"`(.*?)`", cell)]
    examples = [text for text in texts if not text.startswith("--") and "…" not in text]
    assert len(examples) > 25
    for text in (*block, *examples):
        assert parse(str(parse(text))) == parse(text)


KEYS = st.text(max_size=12) | st.sampled_from(
    ["failed", "mon", "7", "a...b", "dow:x", '"', "\\", "*"]
)
LEAVES = st.one_of(
    st.just(All()),
    st.builds(Key, KEYS),
    st.builds(Range, KEYS, st.none() | KEYS),
    st.builds(Wildcard, st.lists(KEYS, min_size=2, max_size=4).map(tuple)),
    st.builds(Last, st.integers(1, 10**9)),
    st.builds(Recent, st.integers(1, 10**8)),
    st.builds(Weekdays, st.sets(st.integers(0, 6), min_size=1).map(sorted).map(tuple)),
    st.builds(Months, st.sets(st.integers(1, 12), min_size=1).map(sorted).map(tuple)),
)
OUTCOMES = st.builds(Status, st.sampled_from(StatusWord)) | st.builds(Older, st.integers(1, 10**8))


def combined(parts: st.SearchStrategy[Selection]) -> st.SearchStrategy[Selection]:
    several = st.lists(parts, min_size=2, max_size=4).map(tuple)
    removed = st.lists(parts, min_size=1, max_size=3).map(tuple)
    return (
        st.builds(Union, several) | st.builds(Intersection, several)
        | st.builds(Except, parts, removed)
    )  # fmt: skip


DIMENSIONS = st.builds(Dimension, KEYS, st.recursive(LEAVES, combined, max_leaves=6))
SELECTIONS = st.recursive(LEAVES | OUTCOMES | DIMENSIONS, combined, max_leaves=20)


@settings(max_examples=200, deadline=None)
@given(SELECTIONS)
def test_a_printed_selection_parses_to_itself(selection: Selection) -> None:
    assert parse(str(selection)) == selection


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60) | st.text(alphabet='ab*,&!()[]".=: \\-', max_size=60))
def test_any_text_is_a_selection_or_says_where_it_is_not(text: str) -> None:
    with suppress(SelectionInvalid):
        assert parse(str(parse(text))) == parse(text)


@pytest.mark.parametrize(
    "piece", ["(", "a,", "a&", "a!", "[a...", '"', "*", "dow:mon,", "x=", "! "]
)
def test_ten_kilobytes_of_anything_parse_without_recursion(piece: str) -> None:
    with suppress(SelectionInvalid):
        text = str(parse(piece * (10_000 // len(piece)) + "a"))
        assert parse(text)


def test_flags_are_spellings_of_the_language() -> None:
    assert from_parts(from_="a", to="b") == Range("a", "b")
    assert from_parts(from_="a") == Range("a", None)
    assert from_parts(to="b") == Range(None, "b")
    assert from_parts(partitions="a, b ,c") == Union((A, B, C))
    assert from_parts(partitions=["a, b"]) == Key("a, b")
    assert from_parts(partitions='"a, b",failed,*') == Union((Key("a, b"), Key("failed"), Key("*")))
    assert from_parts(all_=True) == All()
    assert from_parts(select="last:3") == Last(3)


def test_flags_are_given_one_way_at_a_time() -> None:
    with pytest.raises(SelectionInvalid, match="none was given"):
        from_parts()
    with pytest.raises(SelectionInvalid, match="--all and --select were given together"):
        from_parts(all_=True, select="a")
    with pytest.raises(SelectionInvalid, match="list of partitions is empty"):
        from_parts(partitions=[])


@pytest.mark.parametrize(
    ("text", "column"), [("", 1), ("a,,b", 3), ("a,", 3), ('"a"b', 1), ('"a" "b"', 1)]
)
def test_a_wrong_list_of_keys_points_at_its_column(text: str, column: int) -> None:
    with pytest.raises(SelectionInvalid) as raised:
        key_list(text)
    assert raised.value.facts["column"] == column


@given(st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=5))
def test_any_keys_can_be_listed_in_quotes(keys: list[str]) -> None:
    escaped = (key.replace("\\", "\\\\").replace('"', '\\"') for key in keys)
    assert key_list(",".join(f'"{key}"' for key in escaped)) == keys
