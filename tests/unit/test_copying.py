"""Rows written by COPY come back as they were, whatever their texts hold."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backfill.storage.copying import copy_lines

TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=8)
VALUE = st.none() | st.integers(-(2**63), 2**63 - 1) | st.booleans() | TEXT
UNESCAPED = {"\\": "\\", "t": "\t", "n": "\n", "r": "\r"}


def read_back(field: str) -> str | None:
    """Read one field as PostgreSQL does."""
    if field == r"\N":
        return None
    text, characters = "", iter(field)
    for character in characters:
        text += UNESCAPED[next(characters)] if character == "\\" else character
    return text


def as_text(value: object) -> str | None:
    if value is None:
        return None
    return str(value) if not isinstance(value, bool) else "ft"[value]


@given(
    st.lists(st.tuples(VALUE, TEXT, st.integers()), max_size=5),
    st.lists(VALUE, max_size=3),
)
@settings(max_examples=60)
def test_every_value_is_read_back(
    rows: list[tuple[object, str, int]], constants: list[object]
) -> None:
    columns = list(zip(*rows, strict=True)) if rows else [(), (), ()]
    lines = copy_lines(columns, constants).decode().split("\n")
    assert lines.pop() == ""
    fields = [[read_back(field) for field in line.split("\t")] for line in lines]
    assert fields == [[as_text(value) for value in (*constants, *row)] for row in rows]


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match=r"shorter|longer"):
        copy_lines([[1, 2], ["a"]])
