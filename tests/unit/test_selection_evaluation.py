"""Selections evaluated against sets: what is chosen, what is refused, and at what cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backfill.definitions.keys import KeySpace, ListedKeys
from backfill.definitions.partitions import (
    DailyPartitionsDefinition,
    HourlyPartitionsDefinition,
    MultiPartitionsDefinition,
    StaticPartitionsDefinition,
    TimeWindowPartitionsDefinition,
)
from backfill.definitions.selection import IndexSet, evaluate, parse, selected_keys
from backfill.definitions.selection.syntax import (
    All,
    Dimension,
    Except,
    Intersection,
    Key,
    Last,
    Selection,
    Union,
    Wildcard,
)
from backfill.errors import SelectionInvalid

NOW = datetime(2024, 6, 1, tzinfo=UTC)
DAYS = DailyPartitionsDefinition("2020-01-01").key_space(NOW)
LETTERS = ListedKeys(tuple("abcdef"))
REGIONS = ["eu/fr", "eu/de", "us/ny"]
CUBE = MultiPartitionsDefinition(
    {
        "region": StaticPartitionsDefinition(REGIONS),
        "date": DailyPartitionsDefinition("2024-05-01"),
        "size": StaticPartitionsDefinition(["s", "m", "l"]),
    }
).key_space(NOW)
HUGE = MultiPartitionsDefinition(
    {
        "customer": StaticPartitionsDefinition([f"c{n}" for n in range(20_000)]),
        "hour": HourlyPartitionsDefinition("2000-01-01-00:00"),
    }
).key_space(NOW)

Facts = Mapping[str, Iterable[str] | IndexSet]


def chosen(text: str, keys: KeySpace = DAYS, facts: Facts | None = None) -> list[str]:
    found = evaluate(parse(text), keys, now=NOW, statuses=facts)
    return list(selected_keys(found, keys))


def refused(text: str, keys: KeySpace = DAYS, facts: Facts | None = None) -> SelectionInvalid:
    with pytest.raises(SelectionInvalid) as raised:
        evaluate(parse(text), keys, now=NOW, statuses=facts)
    return raised.value


def test_keys_come_in_the_order_of_the_set_and_once() -> None:
    assert chosen("d, a, d, [b...c], a*", LETTERS) == ["a", "b", "c", "d"]


def test_ranges_include_both_ends_and_may_be_open() -> None:
    assert chosen("[b...d]", LETTERS) == ["b", "c", "d"]
    assert chosen("[e...]", LETTERS) == ["e", "f"]
    assert chosen("[...b]", LETTERS) == ["a", "b"]


def test_parts_are_joined_met_and_taken_away() -> None:
    assert chosen("[a...c], e ! b", LETTERS) == ["a", "c", "e"]
    assert chosen("[a...d] & [c...f]", LETTERS) == ["c", "d"]
    assert chosen("!a, b", LETTERS) == ["c", "d", "e", "f"]
    assert chosen("[a...d] & !b", LETTERS) == ["a", "c", "d"]


def test_wildcards_match_any_characters() -> None:
    assert len(chosen("2020-02-*")) == 29
    assert chosen("*-02-29") == ["2020-02-29", "2024-02-29"]
    assert chosen("2020-*-15 & month:6-7") == ["2020-06-15", "2020-07-15"]
    assert chosen("*,*", ListedKeys(("a,b", "c"))) == ["a,b", "c"]
    assert chosen('*","*', ListedKeys(("a,b", "c"))) == ["a,b"]


def test_the_newest_are_counted_in_partitions_or_in_time() -> None:
    assert chosen("last:2") == ["2024-05-30", "2024-05-31"]
    assert len(chosen("last:999999")) == len(DAYS)
    assert chosen("last:36h") == ["2024-05-31"]


def test_weekdays_and_months_are_those_windows_start_on() -> None:
    assert chosen("dow:sat,sun & last:9") == ["2024-05-25", "2024-05-26"]
    assert len(chosen("month:2 & 2020-*")) == 29
    tokyo = HourlyPartitionsDefinition("2024-05-30-00:00", timezone="Asia/Tokyo").key_space(NOW)
    assert chosen("dow:sat", tokyo)[0] == "2024-06-01-00:00"
    assert refused("dow:mon", LETTERS).detail.startswith("dow:mon is for sets of time windows")


def test_statuses_select_what_the_runs_have_come_to() -> None:
    facts = {"failed": ["2020-05-02", "no longer there"], "missing": IndexSet.span(0, 2)}
    assert chosen("failed, missing", facts=facts) == ["2020-01-01", "2020-01-02", "2020-05-02"]
    assert chosen("2020-05-* ! failed", facts=facts)[:2] == ["2020-05-01", "2020-05-03"]
    assert "not known here" in refused("stale", facts=facts).detail


def test_dimensions_are_selected_one_by_one() -> None:
    assert chosen("region=us/ny & date=last:1", CUBE) == [
        f"2024-05-31|us/ny|{size}" for size in "sml"
    ]
    assert len(chosen("region=eu/* & size=(s, l)", CUBE)) == 31 * 2 * 2
    assert len(chosen("dow:mon & size=s", CUBE)) == 4 * 3
    assert len(chosen("all ! region=eu/* ! date=[2024-05-02...]", CUBE)) == 3
    assert len(chosen("region=us/ny, date=2024-05-07", CUBE)) == 31 * 3 + 6


def test_wildcards_reach_over_dimensions() -> None:
    assert len(chosen("2024-05-07*", CUBE)) == 9
    assert chosen("2024-05-07|eu/*|s", CUBE) == ["2024-05-07|eu/fr|s", "2024-05-07|eu/de|s"]
    assert len(chosen("*|us/ny|*", CUBE)) == 31 * 3
    assert len(chosen("*07*|l", CUBE)) == 3
    assert len(chosen("*", CUBE)) == len(CUBE)


def test_unknown_keys_are_named_with_the_nearest_ones() -> None:
    error = refused("2020-05-01, 2020-02-30 & 2019-12-31")
    assert '"2020-02-30" (nearest: 2020-02-29, 2020-03-01' in error.detail
    assert '"2019-12-31" (nearest: 2020-01-01' in error.detail
    assert error.facts["column"] == 13
    assert error.facts["unknown"] == ["2020-02-30", "2019-12-31"]
    assert 'Did you mean "failed"?' in refused("fialed").detail
    assert "A range is written [first...last]" in refused("2020-01-01..2020-01-03").detail
    assert 'in dimension "region"' in refused("region=eu/se", CUBE).detail
    assert "select with date=KEY" in refused("2024-05-01", CUBE).detail


def test_a_selection_that_does_not_fit_the_set_says_why() -> None:
    assert "this set has none" in refused("region=eu").detail
    assert 'Did you mean "region"?' in refused("regoin=eu", CUBE).detail
    assert "wrong way round" in refused("[c...a]", LETTERS).detail
    two = MultiPartitionsDefinition(
        {
            "from": DailyPartitionsDefinition("2024-05-01"),
            "to": DailyPartitionsDefinition("2024-05-01"),
        }
    ).key_space(NOW)
    assert "dimensions from, to" in refused("dow:mon", two).detail


def test_an_empty_result_is_an_error() -> None:
    assert refused("failed", facts={"failed": []}).detail.startswith("failed selects no partition")
    assert "no partitions yet" in refused("all", ListedKeys(())).detail
    named = ListedKeys(("failed",))
    assert 'write "failed" in quotes' in refused("failed", named, {"failed": []}).detail
    assert chosen('"failed"', named) == ["failed"]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("all", 4_280_640_000),
        ("customer=c1*", 11_111 * 214_032),
        ("hour=2020-*", 20_000 * 8784),
        ("all ! customer=c5", 19_999 * 214_032),
        ("dow:mon-fri", 20_000 * 152_880),
    ],
)
def test_billions_are_counted_and_refused(text: str, count: int) -> None:
    error = refused(text, HUGE)
    assert error.facts == {"count": count, "limit": 2_000_000}
    assert f"{count:,}" in error.detail


def test_a_few_of_billions_are_found() -> None:
    assert chosen("customer=c7 & hour=2020-01-01-05:00", HUGE) == ["c7|2020-01-01-05:00"]
    assert chosen("last:1", HUGE) == ["c19999|2024-05-31-23:00"]
    assert len(chosen("customer=c7 & hour=[2024-05-01-00:00...] & dow:mon", HUGE)) == 4 * 24
    assert len(chosen("customer=c7 & [c7|2024-05-31-00:00...c8|2000-01-01-00:00]", HUGE)) == 24
    assert "would have to be looked at" in refused("*7", HUGE).detail


def test_the_limit_is_the_callers() -> None:
    assert len(evaluate(parse("last:3"), DAYS, now=NOW, limit=3)) == 3
    with pytest.raises(SelectionInvalid, match="selects 3 partitions; at most 2"):
        evaluate(parse("last:3"), DAYS, now=NOW, limit=2)


def test_keys_with_any_characters_can_be_selected() -> None:
    keys = ["a,b", 'say "hi"', "eu/fr", "naïve ✓", "a|b", "\\", "[x...y]", "*", " ", "all", "a=b"]
    listed = ListedKeys(tuple(keys))
    for key in keys:
        assert chosen(str(Key(key)), listed) == [key]
    assert chosen(str(Union(tuple(map(Key, keys)))), listed) == keys


def brute(selection: Selection, keys: list[str], names: list[str]) -> set[str]:
    """Evaluate by looking at every key."""
    match selection:
        case All():
            return set(keys)
        case Key():
            return {selection.key} & set(keys)
        case Last():
            return set(keys[-selection.count :])
        case Wildcard():
            return {key for key in keys if selection.matches(key)}
        case Union():
            return set().union(*(brute(part, keys, names) for part in selection.parts))
        case Intersection():
            return set(keys).intersection(*(brute(p, keys, names) for p in selection.parts))
        case Except():
            removed = (brute(part, keys, names) for part in selection.removed)
            return brute(selection.base, keys, names).difference(*removed)
        case Dimension():
            place = names.index(selection.name)
            ordered = list(dict.fromkeys(key.split("|")[place] for key in keys))
            inside = brute(selection.selection, ordered, [])
            return {key for key in keys if key.split("|")[place] in inside}
    raise AssertionError(selection)


SMALL = MultiPartitionsDefinition(
    {
        "x": StaticPartitionsDefinition(["a", "ab", "b"]),
        "y": StaticPartitionsDefinition(["0", "1", "2", "3"]),
        "z": StaticPartitionsDefinition(["a", "c"]),
    }
).key_space(NOW)
_SMALL_KEYS = list(SMALL.slice(0, len(SMALL)))


def inside(values: list[str]) -> st.SearchStrategy[Selection]:
    leaf = st.builds(Key, st.sampled_from(values)) | st.builds(Last, st.integers(1, 3))
    return leaf | st.builds(lambda a: Except(All(), (a,)), leaf) | st.just(All())


SMALL_SELECTIONS = st.recursive(
    st.one_of(
        st.builds(Key, st.sampled_from(_SMALL_KEYS)),
        st.builds(Last, st.integers(1, 24)),
        st.sampled_from([Wildcard(("a", "")), Wildcard(("", "|1|", "")), Wildcard(("", "c"))]),
        st.builds(Dimension, st.just("x"), inside(["a", "ab", "b"])),
        st.builds(Dimension, st.just("y"), inside(["0", "1", "2", "3"])),
        st.builds(Dimension, st.just("z"), inside(["a", "c"])),
    ),
    lambda parts: st.one_of(
        st.builds(Union, st.lists(parts, min_size=2, max_size=3).map(tuple)),
        st.builds(Intersection, st.lists(parts, min_size=2, max_size=3).map(tuple)),
        st.builds(Except, parts, st.lists(parts, min_size=1, max_size=2).map(tuple)),
    ),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(SMALL_SELECTIONS)
def test_arithmetic_chooses_what_looking_at_every_key_does(selection: Selection) -> None:
    expected = brute(selection, _SMALL_KEYS, ["x", "y", "z"])
    try:
        found = set(selected_keys(evaluate(selection, SMALL, now=NOW), SMALL))
    except SelectionInvalid as error:
        found = set()
        if error.facts.get("count") != 0:
            raise
    assert found == expected


def test_a_calendar_filter_over_minutes_goes_by_dates() -> None:
    minutes = TimeWindowPartitionsDefinition(
        start="2010-01-01-00:00",
        fmt="%Y-%m-%d-%H:%M",
        cron_schedule="* * * * *",
        timezone="Europe/Berlin",
    ).key_space(NOW)
    found = evaluate(parse("dow:sun & 2024-03-*"), minutes, now=NOW)
    assert len(found) == 5 * 1440 - 60  # one Sunday of March has 23 hours
    assert found.range_count() == 5
