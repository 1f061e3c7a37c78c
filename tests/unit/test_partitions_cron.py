"""Cron expressions: what they name, and what is refused."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, date, datetime

import pytest
from cronsim import CronSim
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from backfill.definitions.partitions.cron import parse_cron
from backfill.errors import DefinitionError


def days(expression: str, year: int) -> list[date]:
    first = date(year, 1, 1)
    leap = date(year, 12, 31).toordinal() - first.toordinal() == 365
    found = parse_cron(expression).days_of_year(leap=leap, first_weekday=first.isoweekday() % 7)
    return [date.fromordinal(first.toordinal() + day) for day in found]


@settings(max_examples=80, deadline=None)
@given(
    st.sampled_from(["*", "1", "31", "1,15", "L", "28-31", "1-31/7"]),
    st.sampled_from(["*", "2", "jan-mar", "*/4", "6,12", "DEC"]),
    st.sampled_from(["*", "0", "7", "mon-fri", "1-5/2", "5L", "2#1", "sun,wed", "6-7"]),
    st.integers(1970, 2060),
)
def test_the_days_of_a_year_are_those_cronsim_finds(
    day: str, month: str, weekday: str, year: int
) -> None:
    assume((day, month) != ("31", "2"))
    expression = f"0 0 {day} {month} {weekday}"
    reference = CronSim(expression, datetime(year, 1, 1, tzinfo=UTC))
    every = (date.fromordinal(n) for n in range(date(year, 1, 1).toordinal(),
                                                date(year + 1, 1, 1).toordinal()))  # fmt: skip
    expected = [d for d in every if d.month in reference.months and reference.match_day(d)]
    assert days(expression, year) == expected


def test_times_come_from_minutes_and_hours() -> None:
    assert parse_cron("5,30 1-3/2 * * *").times == (3900, 5400, 11100, 12600)
    assert parse_cron("50/5 23 * * *").times == (86_000 - 200, 86_100)
    assert parse_cron("0 22-1 * * *").times == (0, 3600, 79_200, 82_800)


def test_only_a_full_hour_field_follows_the_clock() -> None:
    assert parse_cron("0 * * * *").every_hour
    assert parse_cron("0 0-23 * * *").every_hour
    assert not parse_cron("0 */2 * * *").every_hour


def test_a_range_may_go_around_the_end() -> None:
    assert days("0 0 * nov-jan *", 2023)[30].month == 1
    assert {d.isoweekday() for d in days("0 0 * * sat-mon", 2023)} == {6, 7, 1}


def test_both_days_restricted_match_either() -> None:
    assert days("0 0 13 10 fri", 2023) == [date(2023, 10, d) for d in (6, 13, 20, 27)]
    assert days("0 0 14 10 fri", 2023) == [date(2023, 10, d) for d in (6, 13, 14, 20, 27)]


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("", "five fields"),
        ("* * * *", "five fields"),
        ("* * * * * *", "five fields"),
        ("x * * * *", '"x" is not a minute'),
        ("60 * * * *", "minute 60 is not between 0 and 59"),
        ("* 24 * * *", "hour 24 is not between 0 and 23"),
        ("* * 0 * *", "day of month 0"),
        ("* * * foo *", '"foo" is not a month'),
        ("* * * * 8", "day of week 8"),
        ("* * * * 2#6", "first to fifth"),
        ("*/0 * * * *", 'step "0"'),
        ("5-*  * * * *", '"\\*" is not a minute'),
        ("0 0 30 2 *", "never ticks"),
        ("0 0 31 4,6,9,11 *", "never ticks"),
        ("²  * * * *", "is not a minute"),
        ("99999999999999999999 * * * *", "is not between"),
    ],
)
def test_a_wrong_expression_says_which_part(expression: str, problem: str) -> None:
    with pytest.raises(DefinitionError, match=problem):
        parse_cron(expression)


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="0123456789*/-,#lL?monj ²", max_size=20))
def test_any_text_is_a_cron_or_a_definition_error(text: str) -> None:
    with suppress(DefinitionError):
        assert parse_cron(text).times
