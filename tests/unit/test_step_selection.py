"""Which steps a selection takes."""

from __future__ import annotations

import pytest

from backfill.definitions.step_selection import downstream_of, select_steps
from backfill.errors import Invalid

# a -> b -> d -> e, a -> c -> d, f alone
UPSTREAM = {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"], "e": ["d"], "f": []}


@pytest.mark.parametrize(
    ("queries", "expected"),
    [
        (["b"], "b"),
        (["*d"], "a b c d"),
        (["d*"], "d e"),
        (["*b*"], "a b d e"),
        (["+d"], "b c d"),
        (["++d"], "a b c d"),
        (["a+"], "a b c"),
        (["a++"], "a b c d"),
        (["+d+"], "b c d e"),
        (["f", "e"], "e f"),
        ([" b ", "b"], "b"),
    ],
)
def test_a_query_takes_a_step_and_what_its_signs_reach(queries: list[str], expected: str) -> None:
    assert select_steps("work", UPSTREAM, queries) == expected.split()


@pytest.mark.parametrize("query", ["", "*", "a b", "*+a", "a,b"])
def test_what_is_no_query_is_refused_with_the_way_to_write_one(query: str) -> None:
    with pytest.raises(Invalid, match="chooses no steps: write a step's name"):
        select_steps("work", UPSTREAM, [query])


def test_an_unknown_step_is_refused_with_those_there_are() -> None:
    with pytest.raises(Invalid, match='Pipeline "work" has no step "bb"'):
        select_steps("work", UPSTREAM, ["*bb"])


def test_downstream_takes_everything_behind_any_of_the_steps() -> None:
    assert downstream_of(UPSTREAM, {"b", "f"}) == {"b", "d", "e", "f"}
